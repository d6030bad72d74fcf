/** A node that lost its chain: taken where the log ends, refused everywhere else, and said by everybody who looks. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { splitBatch } from '#protocol/batch.ts';
import type { VerifierKey } from '#protocol/note.ts';
import { verifyReceipt } from '#protocol/receipt.ts';
import { parseAnchor } from '#protocol/restart.ts';
import { verifyArchive, type ArchiveReport } from '#protocol/verify.ts';
import { Detection } from '../../collector/detectors/detection.ts';
import { makeChainDetector } from '../../collector/detectors/chain.ts';
import type { Alert } from '../../collector/detectors/detector.ts';
import { accept } from '../../collector/pipeline.ts';
import { anchorOf } from '../../collector/restart.ts';
import { detect, Follower } from '../../collector/watch.ts';
import { logKey } from '../protocol/sample.ts';
import { line, openCollector, SampleNode, type OpenCollector } from './sample.ts';

const T = 1_790_000_000_000_000;
const exec = (time = T): string => line('process.exec', time, { 'process.executable.path': '/usr/bin/curl' });

let home: string;
let node: SampleNode;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-restart-'));
  node = new SampleNode();
});
afterEach(() => rmSync(home, { recursive: true }));

async function take(collector: OpenCollector, bytes: Uint8Array): Promise<number> {
  const { receipt } = await accept(collector, bytes);
  const { noteBytes } = splitBatch(bytes);
  return verifyReceipt({ noteBytes, receipt: Buffer.from(receipt), logKey: logKey.verifier })?.index ?? -1;
}

function verified(formerKeys: readonly VerifierKey[] = []): Promise<ArchiveReport> {
  const readFile = (path: string): Promise<Uint8Array | undefined> =>
    Promise.resolve(existsSync(join(home, path)) ? readFileSync(join(home, path)) : undefined);
  const nodes = [{ name: node.name, key: node.key.verifier, formerKeys }];
  return verifyArchive({ reader: { readFile }, logKey: logKey.verifier, nodes });
}

/** Everything in the log, as the detector of chains sees it. */
async function found(collector: OpenCollector): Promise<readonly Alert[]> {
  const detection = new Detection({ detectors: [makeChainDetector()] });
  for await (const step of new Follower(collector, detection).steps(AbortSignal.timeout(5_000)))
    return detect(detection, step).alerts;
  return [];
}

test('the chain goes on where the log has it, with a number for the restart, and counts anew', async () => {
  await using collector = await openCollector(home, [node]);
  for (const bytes of [node.next([exec()]), node.next([exec(T + 5_000_000)])]) await take(collector, bytes);
  const restart = node.restart(1);
  expect(await take(collector, restart)).toBe(2);
  // Sent again, as after a lost receipt: the same proof.
  expect(await take(collector, restart)).toBe(2);
  expect(await take(collector, node.next([exec()]))).toBe(3);
  expect(await take(collector, node.next([exec()]))).toBe(4);

  const report = await verified();
  expect(report.problems).toEqual([]);
  expect(report.nodes).toMatchObject([
    {
      ...{ first: 1, last: 5, batches: 4, events: 4 },
      restarts: [{ sequence: 3, reason: 'state-lost', where: 'entry 2', from: T + 5_000_000 }],
    },
  ]);
  const alerts = await found(collector);
  expect(alerts.map(({ rule, severity }) => [rule, severity])).toEqual([['restart', 'medium']]);
  expect(alerts[0]?.reason).toMatch(/it goes on after 2, and what happened between 2026-.* and 20.* may be missing/);
});

test('together with another software it is expected, and low', async () => {
  await using collector = await openCollector(home, [node]);
  await take(collector, node.next([exec()]));
  await take(collector, node.restart(0, { agent: { version: '0.2.0', build: 'e'.repeat(64) } }));
  await take(collector, node.next([exec()]));
  expect((await found(collector)).map(({ rule, severity }) => [rule, severity])).toEqual([['restart', 'low']]);
});

test('twice in a row, each from the one before', async () => {
  await using collector = await openCollector(home, [node]);
  await take(collector, node.next([exec()]));
  await take(collector, node.restart(0));
  await take(collector, node.restart(1));
  await take(collector, node.next([exec()]));
  const report = await verified();
  expect(report.problems).toEqual([]);
  expect(report.nodes[0]?.restarts.map(({ sequence }) => sequence)).toEqual([2, 3]);
});

test('with another key, which was registered: the former one proves the past and signs nothing more', async () => {
  const former = node.key;
  {
    await using collector = await openCollector(home, [node]);
    await take(collector, node.next([exec()]));
  }
  node.loseKey();
  await using collector = await openCollector(home, [node]);
  await take(collector, node.restart(0, { reason: 'key-lost' }));
  await take(collector, node.next([exec()]));
  expect((await verified([former.verifier])).problems).toEqual([]);
  expect((await verified()).problems.map(({ code }) => code)).toContain('bad-signature');

  // Even if the collector took it: whoever verifies would not.
  const lost = node.key;
  node.key = former;
  collector.nodes.set('node-1', { ...node.registered });
  await take(collector, node.next([exec()]));
  node.key = lost;
  expect((await verified([former.verifier])).problems.map(({ code }) => code)).toEqual(['bad-signature']);
});

const REFUSED: readonly { name: string; code: string; bytes: () => Uint8Array }[] = [
  { name: 'from an older entry', code: 'fork', bytes: () => node.restart(0, { sequence: 2 }) },
  {
    name: 'from an entry that the log does not have',
    code: 'wrong-anchor',
    bytes: () => node.restart(1, { sequence: 4 }),
  },
  { name: 'from another story', code: 'wrong-anchor', bytes: () => node.restart(1, { previous: 'f'.repeat(64) }) },
  { name: 'from another place', code: 'wrong-anchor', bytes: () => node.restart(0) },
  { name: 'of another role', code: 'wrong-role', bytes: () => node.restart(1, { role: 'host' }) },
  { name: 'of a node that nobody registered', code: 'unknown-node', bytes: () => node.restart(1, { node: 'node-9' }) },
  { name: 'signed by another', code: 'bad-signature', bytes: () => (node.loseKey(), node.restart(1)) },
];
for (const { name, code, bytes } of REFUSED) {
  test(`refused: a restart ${name}`, async () => {
    await using collector = await openCollector(home, [node]);
    for (const batch of [node.next([exec()]), node.next([exec()])]) await take(collector, batch);
    await expect(accept(collector, bytes())).rejects.toMatchObject({ code });
    expect(collector.log.size).toBe(2);
  });
}

test('refused: a second restart from one entry, and one that follows nothing', async () => {
  await using collector = await openCollector(home, [node]);
  await expect(accept(collector, node.restart(0))).rejects.toMatchObject({ code: 'wrong-anchor' });
  node.rewindTo(undefined);
  await take(collector, node.next([exec()]));
  const first = node.last;
  await take(collector, node.restart(0));
  node.rewindTo(first);
  await expect(accept(collector, node.restart(0, { time: 7 }))).rejects.toMatchObject({ code: 'fork' });
  expect(readdirSync(join(home, 'evidence/forks/node-1'))).toHaveLength(1);
  // A wiped node that does not ask begins at 1, where the log has an entry.
  node.rewindTo(undefined);
  await expect(accept(collector, node.next([exec(7)]))).rejects.toMatchObject({ code: 'fork' });
});

test('of two restarts at once one is taken', async () => {
  await using collector = await openCollector(home, [node]);
  await take(collector, node.next([exec()]));
  const before = node.last;
  const one = node.restart(0);
  node.rewindTo(before);
  const other = node.restart(0, { time: 7 });
  const taken = await Promise.allSettled([accept(collector, one), accept(collector, other)]);
  expect(taken.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(taken[1]).toMatchObject({ reason: { code: 'fork' } });
  expect(collector.log.size).toBe(2);
});

test('who asks learns the last entry with its proof, also while one is on its way', async () => {
  await using collector = await openCollector(home, [node]);
  expect(parseAnchor(Buffer.from(await anchorOf(collector, 'node-1')))).toBe('none');
  const bytes = [node.next([exec()]), node.next([exec()])];
  const accepting = Promise.all(bytes.map((each) => accept(collector, each)));
  const anchor = parseAnchor(Buffer.from(await anchorOf(collector, 'node-1')));
  await accepting;
  if (anchor === 'none') throw new Error('there is one');
  expect(Buffer.from(anchor.noteBytes)).toEqual(Buffer.from(splitBatch(bytes[1] ?? Buffer.of()).noteBytes));
  expect(verifyReceipt({ ...anchor, logKey: logKey.verifier })?.index).toBe(1);
});

test('a state that is lost knows the restart again', async () => {
  {
    await using collector = await openCollector(home, [node]);
    for (const bytes of [node.next([exec()]), node.restart(0)]) await take(collector, bytes);
  }
  for (const name of readdirSync(home)) if (name.startsWith('state.sqlite')) rmSync(join(home, name));
  await using collector = await openCollector(home, [node]);
  expect(collector.state.restart('node-1', 2)).toMatchObject({ sequence: 2, reason: 'state-lost' });
  expect(collector.state.lastSequence('node-1')).toBe(2);
  expect(await take(collector, node.next([exec()]))).toBe(2);
});
