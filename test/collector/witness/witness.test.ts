/** The witness: cosigns what only grew, remembers it, and says to every other past what it is. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openCheckpoint, signCheckpoint } from '#protocol/checkpoint.ts';
import { leafHash, proveConsistency, rootOf, type Hash } from '#protocol/merkle.ts';
import type { SigningKey } from '#protocol/note.ts';
import { formatAddCheckpoint } from '#protocol/witness.ts';
import { Witness, type Answer } from '../../../collector/witness/witness.ts';
import { failingDisk } from '../failing-disk.ts';
import { fixedKey, logKey, witnessKey } from '../../protocol/sample.ts';

const NOW = 1_790_000_000;
/** A log of so many entries; those from `fork` on are others. */
const leaves = (size: number, fork = Infinity): readonly Hash[] =>
  Array.from({ length: size }, (_, i) => leafHash(Buffer.from(i >= fork ? `other ${i}` : `entry ${i}`)));
const checkpointOf = (all: readonly Hash[], key: SigningKey = logKey): Uint8Array =>
  signCheckpoint({ size: all.length, root: rootOf(all) }, key);

async function asking(oldSize: number, all: readonly Hash[], key: SigningKey = logKey): Promise<Uint8Array> {
  const read = async (level: number, at: number): Promise<Hash> =>
    rootOf(all.slice(at * 2 ** level, (at + 1) * 2 ** level));
  const proof = oldSize === 0 || oldSize >= all.length ? [] : await proveConsistency(oldSize, all.length, read);
  return formatAddCheckpoint({ oldSize, proof, checkpoint: checkpointOf(all, key) });
}

let home: string;
beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'hushwatch-witness-'))));
afterEach(() => rmSync(home, { recursive: true }));
const open = (more: object = {}): Promise<Witness> =>
  Witness.open({ home, key: witnessKey, logs: [logKey.verifier], now: () => NOW, ...more });

function isCosigned(answer: Answer, all: readonly Hash[]): boolean {
  if (answer.status !== 200) return false;
  const bytes = Buffer.concat([checkpointOf(all), Buffer.from(answer.cosignature)]);
  return openCheckpoint(bytes, logKey.verifier, [witnessKey.verifier])?.cosignatures[0]?.time === NOW;
}

test('a log that grows is cosigned at every size, also after a restart of the witness', async () => {
  for (const [old, size] of [
    [0, 3],
    [3, 3],
    [3, 4],
    [4, 300],
  ] as const) {
    using witness = await open();
    expect(witness.sizeOf(logKey.verifier.name)).toBe(old);
    expect(isCosigned(await witness.addCheckpoint(await asking(old, leaves(size))), leaves(size)), `${size}`).toBe(
      true,
    );
  }
});

test('who is somewhere else than it says learns the size that was seen', async () => {
  using witness = await open();
  await witness.addCheckpoint(await asking(0, leaves(5)));
  for (const [old, size] of [
    [0, 9],
    [4, 9],
    [0, 5],
  ] as const)
    expect(await witness.addCheckpoint(await asking(old, leaves(size)))).toEqual({ status: 409, size: 5 });
  // Rolled back: to an older copy of itself.
  expect(await witness.addCheckpoint(await asking(3, leaves(3)))).toEqual({ status: 409, size: 5 });
  expect(await witness.addCheckpoint(await asking(5, leaves(3)))).toMatchObject({ status: 400 });
  expect(witness.sizeOf(logKey.verifier.name)).toBe(5);
});

test('another past gets nothing, at the same size or a larger one', async () => {
  using witness = await open();
  await witness.addCheckpoint(await asking(0, leaves(5)));
  expect(await witness.addCheckpoint(await asking(5, leaves(5, 4)))).toEqual({ status: 409, size: 5 });
  expect(await witness.addCheckpoint(await asking(5, leaves(9, 2)))).toMatchObject({ status: 422 });
  expect(isCosigned(await witness.addCheckpoint(await asking(5, leaves(9))), leaves(9))).toBe(true);
});

test('another log, another key, no request', async () => {
  using witness = await open();
  expect(await witness.addCheckpoint(await asking(0, leaves(1), fixedKey('other.example/log', 5)))).toMatchObject({
    status: 404,
  });
  expect(await witness.addCheckpoint(await asking(0, leaves(1), fixedKey(logKey.verifier.name, 5)))).toMatchObject({
    status: 403,
  });
  expect(await witness.addCheckpoint(Buffer.from('nonsense'))).toMatchObject({ status: 400 });
  const proof = Buffer.from(await asking(0, leaves(1)))
    .toString()
    .replace('old 0\n', `old 0\n${Buffer.alloc(32).toString('base64')}\n`);
  expect(await witness.addCheckpoint(Buffer.from(proof))).toMatchObject({ status: 422 });
  expect(readdirSync(join(home, 'seen'))).toEqual([]);
});

test('of two at once that both follow, one is cosigned', async () => {
  using witness = await open();
  await witness.addCheckpoint(await asking(0, leaves(5)));
  const both = [await asking(5, leaves(7)), await asking(5, leaves(9))];
  const answers = await Promise.all(both.map((each) => witness.addCheckpoint(each)));
  expect(answers.map(({ status }) => status)).toEqual([200, 409]);
});

test('signature lines that anybody added to a checkpoint do not become what it cannot read again', async () => {
  const signed = Buffer.from(checkpointOf(leaves(5))).toString();
  const blob = Buffer.alloc(4_000, 7).toString('base64');
  const added = Array.from({ length: 15 }, (_, i) => `— stranger-${i} ${blob}\n`).join('');
  const request = formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: Buffer.from(signed + added) });
  {
    using witness = await open();
    expect(isCosigned(await witness.addCheckpoint(request), leaves(5))).toBe(true);
  }
  using witness = await open();
  expect(witness.sizeOf(logKey.verifier.name)).toBe(5);
});

test('nobody hears of what is not on the disk', async () => {
  for (let failAt = 1; ; failAt++) {
    rmSync(home, { recursive: true });
    const disk = failingDisk(failAt);
    const answer = await open({ disk })
      .then(async (witness) => {
        using _ = witness;
        return await witness.addCheckpoint(await asking(0, leaves(5)));
      })
      .catch(() => undefined);
    using again = await open();
    if (answer?.status === 200) expect(again.sizeOf(logKey.verifier.name)).toBe(5);
    if (!disk.failed()) break;
  }
});

test('a memory that was tampered with is no reason to begin again', async () => {
  {
    using witness = await open();
    await witness.addCheckpoint(await asking(0, leaves(5)));
    await expect(open()).rejects.toThrow(/held by another process/);
  }
  const [name = ''] = readdirSync(join(home, 'seen'));
  const file = join(home, 'seen', name);
  writeFileSync(file, readFileSync(file, 'utf8').replace('\n5\n', '\n4\n'));
  await expect(open()).rejects.toThrow(/restore it from a backup/);
});
