/** Receipts that the shipper left: what is believed, what is not, and that nothing put there can stop the agent. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SigningKey } from '#protocol/note.ts';
import { realDisk } from '../../agent/disk.ts';
import { takeReceipts, type ReceiptCounts } from '../../agent/receipts.ts';
import { noteRefusal } from '../../agent/shipper/refusal.ts';
import { Refused } from '../../agent/shipper/uplink.ts';
import { FileSpool } from '../../agent/spool.ts';
import { fixedKey, logKey, nodeKey } from '../protocol/sample.ts';
import { receiptFor } from './receipt.ts';
import { herald, unsigned } from './sample.ts';

let root: string;
let receipts: string;
let spool: FileSpool;
let stop: AbortController;
let counts: ReceiptCounts;
let taking: Promise<void>;
let damaged: (readonly [number, string])[];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'hushwatch-receipts-'));
  receipts = join(root, 'receipts');
  mkdirSync(receipts);
  mkdirSync(join(root, 'spool'));
  spool = await FileSpool.open(join(root, 'spool'), nodeKey, 1 << 20, realDisk);
  for (let i = 0; i < 3; i++) await spool.append(herald, unsigned(1, spool.last?.released));
  stop = new AbortController();
  counts = { accepted: 0, refused: 0 };
  damaged = [];
  taking = takeReceipts(
    {
      directory: receipts,
      spool,
      logKey: logKey.verifier,
      counts,
      trouble: { again: () => {}, over: () => {} },
      damaged: (...what) => damaged.push(what),
    },
    stop.signal,
  );
});
afterEach(async () => {
  stop.abort();
  await taking;
  rmSync(root, { recursive: true });
});

const pathOf = (sequence: number): string => join(receipts, `${String(sequence).padStart(16, '0')}.tlog-proof`);
const receipt = async (sequence: number, key: SigningKey = logKey): Promise<Uint8Array> =>
  receiptFor([await spool.note(1), await spool.note(2), await spool.note(3)], sequence - 1, key);

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !holds(); i++) await sleep(10);
  expect(holds()).toBe(true);
}

test('a receipt that proves the statement makes the agent forget its batch, in any order', async () => {
  const [first, third] = [await receipt(1), await receipt(3)];
  writeFileSync(pathOf(3), third);
  await until(() => counts.accepted === 1);
  expect(spool.waiting).toEqual([1, 2]);
  writeFileSync(pathOf(1), first);
  await until(() => counts.accepted === 2);
  expect(spool.waiting).toEqual([2]);
  expect(counts.refused).toBe(0);
});

const flipped = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

const forgeries: readonly { name: string; make: () => Promise<void> }[] = [
  { name: 'empty', make: async () => writeFileSync(pathOf(1), '') },
  { name: 'nonsense', make: async () => writeFileSync(pathOf(1), 'c2sp.org/tlog-proof@v1\nindex 0\n\nnothing\n') },
  {
    name: 'signed by another log',
    make: async () => writeFileSync(pathOf(1), await receipt(1, fixedKey(logKey.verifier.name, 9))),
  },
  { name: 'of another batch', make: async () => writeFileSync(pathOf(1), await receipt(2)) },
  { name: 'changed in the proof', make: async () => writeFileSync(pathOf(1), flipped(await receipt(1), 40)) },
  { name: 'cut off', make: async () => writeFileSync(pathOf(1), (await receipt(1)).subarray(0, -20)) },
  {
    name: 'enormous',
    make: async () => {
      writeFileSync(pathOf(1), '');
      truncateSync(pathOf(1), 2 ** 36);
    },
  },
  { name: 'a directory', make: async () => mkdirSync(pathOf(1)) },
  { name: 'a pipe', make: async () => expect(spawnSync('mkfifo', [pathOf(1)]).status).toBe(0) },
  { name: 'a link to a device without end', make: async () => symlinkSync('/dev/zero', pathOf(1)) },
  { name: 'a link to nothing', make: async () => symlinkSync('/nonexistent', pathOf(1)) },
];
for (const { name, make } of forgeries) {
  test(`${name}: counted, not believed, and the next is taken`, async () => {
    await make();
    await until(() => counts.refused === 1);
    writeFileSync(pathOf(2), await receipt(2));
    await until(() => counts.accepted === 1);
    expect(spool.waiting).toEqual([1, 3]);
    expect(existsSync(join(root, 'spool/0000000000000001.batch'))).toBe(true);
    expect(counts).toEqual({ accepted: 1, refused: 1 });
  });
}

const refuse = (sequence: number): void => noteRefusal(receipts, new Refused(sequence, 'x', 'x'));
const batchOf = (sequence: number): string => join(root, 'spool', `${String(sequence).padStart(16, '0')}.batch`);

test('a refusal of a whole batch changes nothing', async () => {
  refuse(1);
  writeFileSync(pathOf(2), await receipt(2));
  await until(() => counts.accepted === 1);
  expect(spool.waiting).toEqual([1, 3]);
  expect(damaged).toEqual([]);
});

const damages: readonly { name: string; spoil: (bytes: Buffer) => Buffer; problem: string | RegExp }[] = [
  { name: 'emptied', spoil: () => Buffer.alloc(0), problem: 'truncated' },
  { name: 'cut off', spoil: (bytes) => bytes.subarray(0, -3), problem: 'truncated' },
  { name: 'longer', spoil: (bytes) => Buffer.concat([bytes, Buffer.from('x')]), problem: 'trailing-bytes' },
  { name: 'zeroed', spoil: (bytes) => Buffer.alloc(bytes.length), problem: /./ },
  {
    name: 'changed in its body',
    spoil: (bytes) => Buffer.from(flipped(bytes, bytes.length - 9)),
    problem: 'body-mismatch',
  },
  {
    name: 'changed in its signature',
    spoil: (bytes) => Buffer.from(flipped(bytes, bytes.indexOf('— ') + 40)),
    problem: /./,
  },
];
for (const { name, spoil, problem } of damages) {
  test(`a batch that is ${name} and refused is set aside and told, and kept for whoever looks`, async () => {
    const bytes = spoil(readFileSync(batchOf(2)));
    writeFileSync(batchOf(2), bytes);
    refuse(2);
    await until(() => damaged.length === 1);
    expect(damaged).toEqual([[2, expect.stringMatching(problem)]]);
    expect(spool.waiting).toEqual([1, 3]);
    expect(readFileSync(batchOf(2).replace('.batch', '.damaged'))).toEqual(bytes);
  });
}

test('a batch of another number, and one damaged after its receipt came, are found too', async () => {
  const proof = await receipt(3);
  copyFileSync(batchOf(1), batchOf(2));
  writeFileSync(batchOf(3), '');
  refuse(2);
  writeFileSync(pathOf(3), proof);
  await until(() => damaged.length === 2);
  expect(damaged.toSorted(([a], [b]) => a - b)).toEqual([
    [2, 'wrong-number'],
    [3, 'truncated'],
  ]);
});

test('other names are of no interest', async () => {
  for (const name of ['1.tlog-proof', '0000000000000001.tlog-proof.tmp', 'x', '0000000000000009.tlog-proof'])
    writeFileSync(join(receipts, name), 'x');
  writeFileSync(pathOf(3), await receipt(3));
  await until(() => counts.accepted === 1);
  expect(counts.refused).toBe(0);
});
