/** A node without a chain: it asks, believes the log and nobody else, and signs nothing before it knows. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeBatch, splitBatch } from '#protocol/batch.ts';
import { formatAnchor, linkOf, parseRestart, type Anchor } from '#protocol/restart.ts';
import { beginChain, Undecided } from '../../agent/anchor.ts';
import { realDisk } from '../../agent/disk.ts';
import { FileSpool } from '../../agent/spool.ts';
import { FIRST, fixedKey, logKey, nodeKey, signedStatement } from '../protocol/sample.ts';
import { receiptFor } from './receipt.ts';
import { herald, unsigned } from './sample.ts';

let root: string;
let spool: FileSpool;
let stop: AbortController;
let told: string[];
const openSpool = (): Promise<FileSpool> => FileSpool.open(join(root, 'spool'), nodeKey, 1 << 20, realDisk);
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'hushwatch-anchor-'));
  for (const name of ['spool', 'receipts']) mkdirSync(join(root, name));
  spool = await openSpool();
  stop = new AbortController();
  told = [];
});
afterEach(() => {
  stop.abort();
  rmSync(root, { recursive: true });
});

const begin = (): Promise<void> => {
  const ways = { spool: join(root, 'spool'), receipts: join(root, 'receipts'), logKey: logKey.verifier };
  const asking = { ...ways, identity: nodeKey.verifier, tell: (problem: string) => told.push(problem) };
  return beginChain(spool, herald, asking, stop.signal);
};

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await sleep(10);
  expect(holds()).toBe(true);
}

/** As the shipper does. */
async function answer(text: string, name?: string): Promise<void> {
  const ask = join(root, 'spool/ask');
  await until(() => existsSync(ask) && readFileSync(ask, 'utf8').length === 16);
  writeFileSync(join(root, 'receipts', name ?? `${readFileSync(ask, 'utf8')}.anchor`), text);
}

async function anchor(noteBytes: Uint8Array, key = logKey): Promise<Anchor> {
  return { noteBytes, receipt: await receiptFor([signedStatement(FIRST, fixedKey('x', 7)), noteBytes], 1, key) };
}

test('the log has nothing of it: a chain begins', async () => {
  const begun = begin();
  await answer(formatAnchor('none'));
  await begun;
  expect(existsSync(join(root, 'spool/ask'))).toBe(false);
  expect((await spool.append(herald, unsigned(1))).sequence).toBe(1);
});

test('the log has an entry: the chain goes on after it, also when the spool is opened again', async () => {
  const begun = begin();
  await answer(formatAnchor(await anchor(signedStatement(FIRST))));
  await begun;
  const restart = parseRestart(splitNote(await spool.note(2)));
  expect(restart).toMatchObject({ sequence: 2, index: 1, reason: 'state-lost', node: 'node-1', boot: herald.boot });
  spool = await openSpool();
  expect([spool.sequence, spool.last, spool.waiting]).toEqual([2, undefined, [2]]);
  const next = await spool.append(herald, unsigned(1));
  expect([next.sequence, next.previous]).toEqual([3, linkOf(restart).digest]);
  spool = await openSpool();
  expect((await spool.append(herald, unsigned(1, spool.last?.released))).sequence).toBe(4);
  expect(decodeBatch(readFileSync(join(root, 'spool/0000000000000003.batch'))).statement.sequence).toBe(3);
});

const splitNote = (note: Uint8Array): string => {
  const text = Buffer.from(splitBatch(note).noteBytes).toString();
  return text.slice(0, text.indexOf('\n\n') + 1);
};

test('a restart that waits is no damaged batch', async () => {
  const begun = begin();
  await answer(formatAnchor(await anchor(signedStatement(FIRST))));
  await begun;
  expect(await spool.damage(2)).toBeUndefined();
  const file = join(root, 'spool/0000000000000002.batch');
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill(0x39, 30, 31));
  expect(await spool.damage(2)).toBe('bad-signature');
});

test('signed by a key that is not ours any more: the restart says so', async () => {
  const begun = begin();
  await answer(formatAnchor(await anchor(signedStatement(FIRST, fixedKey('node-1', 9)))));
  await begun;
  expect(parseRestart(splitNote(await spool.note(2))).reason).toBe('key-lost');
});

test('after a restart that nothing followed', async () => {
  let begun = begin();
  await answer(formatAnchor(await anchor(signedStatement(FIRST))));
  await begun;
  const restart = await spool.note(2);
  rmSync(join(root, 'spool'), { recursive: true });
  mkdirSync(join(root, 'spool'));
  spool = await openSpool();
  begun = begin();
  await answer(formatAnchor(await anchor(restart)));
  await begun;
  expect(parseRestart(splitNote(await spool.note(3)))).toMatchObject({
    sequence: 3,
    previous: linkOf(parseRestart(splitNote(restart))).digest,
  });
});

test('what proves nothing is told, and waited out', async () => {
  const begun = begin();
  const good = formatAnchor(await anchor(signedStatement(FIRST)));
  await answer('nonsense');
  await until(() => told.length === 1);
  const other = { ...FIRST, node: 'node-2' };
  for (const bad of [
    formatAnchor(await anchor(signedStatement(FIRST), fixedKey('localhost/hushwatch', 9))),
    formatAnchor(await anchor(signedStatement(other, fixedKey('node-2', 2)))),
    good.replace('hushwatch/batch/v1', 'hushwatch/batch/v2'),
  ]) {
    const before = told.length;
    await answer(bad);
    await until(() => told.length > before);
  }
  expect(spool.sequence).toBe(0);
  await answer(good);
  await begun;
  expect(spool.sequence).toBe(2);
});

test('an answer to an earlier question is none', async () => {
  const begun = begin();
  await answer(formatAnchor('none'), '0123456789abcdef.anchor');
  await sleep(100);
  stop.abort();
  await expect(begun).rejects.toThrow(Undecided);
  expect(spool.sequence).toBe(0);
});

test('a chain that is known is not begun anew', async () => {
  await spool.append(herald, unsigned(1));
  const restart = {
    ...herald,
    sequence: 2,
    previous: 'a'.repeat(64),
    index: 0,
    reason: 'state-lost',
    time: 1,
  } as const;
  await expect(spool.restart(restart)).rejects.toThrow(/not begun anew/);
});
