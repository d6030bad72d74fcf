/** The log on disk: what append() promised is there after every stop and every failure, and every receipt proves it. */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { verifyReceipt } from '#protocol/receipt.ts';
import { realDisk, type Disk } from '../../collector/disk.ts';
import { TransparencyLog } from '../../collector/log.ts';
import { fixedKey, logKey } from '../protocol/sample.ts';
import { checkLog } from './check-log.ts';
import { failingDisk } from './failing-disk.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hushwatch-log-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (disk?: Disk): Promise<TransparencyLog> => TransparencyLog.open(directory, logKey, disk);
const entry = (text: string): Uint8Array => Buffer.from(text);
const appendAll = (log: TransparencyLog, texts: readonly string[]): Promise<number[]> =>
  Promise.all(texts.map((text) => log.append(entry(text))));
const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `entry ${from + i}`);
const proves = (receipt: string, text: string): number | undefined =>
  verifyReceipt({ noteBytes: entry(text), receipt: Buffer.from(receipt), logKey: logKey.verifier })?.index;

test('an empty log has a signed checkpoint', async () => {
  await using log = await open();
  expect(log.size).toBe(0);
  expect(checkLog(directory, logKey.verifier)).toEqual([]);
});

test('entries that arrive together share a checkpoint; each receipt proves its own entry', async () => {
  await using log = await open();
  expect(await appendAll(log, ['a', 'b', 'c'])).toEqual([0, 1, 2]);
  expect(readFileSync(join(directory, 'checkpoint'), 'utf8').split('\n')[1]).toBe('3');
  expect(existsSync(join(directory, 'tile/0/000.p/1'))).toBe(false);
  expect(checkLog(directory, logKey.verifier)).toEqual(['a', 'b', 'c']);
  const receipt = await log.receipt(1);
  expect(proves(receipt, 'b')).toBe(1);
  expect(proves(receipt, 'a')).toBeUndefined();
});

test('a disk that failed once is asked again', async () => {
  {
    await using log = await open();
    await appendAll(log, ['a', 'b', 'c']);
  }
  await using log = await open();
  const tile = join(directory, 'tile/0/000.p/3');
  renameSync(tile, `${tile}.away`);
  await expect(log.receipt(1)).rejects.toThrow('is missing');
  renameSync(`${tile}.away`, tile);
  expect(proves(await log.receipt(1), 'b')).toBe(1);
});

test('a log of 700 entries, across tiles and restarts', { timeout: 60_000 }, async () => {
  const all = numbered(0, 700);
  let at = 0;
  for (const count of [1, 254, 1, 1, 255, 100, 88]) {
    await using log = await open();
    expect(log.size).toBe(at);
    await appendAll(log, all.slice(at, at + count));
    at += count;
    expect(checkLog(directory, logKey.verifier)).toEqual(all.slice(0, at));
  }
  await using log = await open();
  for (const index of [0, 1, 255, 256, 511, 512, 699])
    expect(proves(await log.receipt(index), all[index] ?? '')).toBe(index);
  // What a full tile made needless is gone.
  expect(existsSync(join(directory, 'tile/0/000.p'))).toBe(false);
  expect(existsSync(join(directory, 'tile/entries/000.p'))).toBe(false);
  const read: string[] = [];
  for await (const { index, entry: bytes } of log.entries(250)) {
    expect(index).toBe(250 + read.length);
    read.push(Buffer.from(bytes).toString());
  }
  expect(read).toEqual(all.slice(250));
});

test('what is remembered of the tree does not grow with the tiles it was read from', { timeout: 60_000 }, async () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const held = (): number => {
    collect();
    return process.memoryUsage().arrayBuffers;
  };
  await using log = await open();
  await appendAll(log, numbered(0, 256));
  const before = held();
  for (let at = 256; at < 512; at++) await log.receipt((await log.append(entry(`entry ${at}`))) - 1);
  // 256 trees, each with a last tile of its own of up to 8 KB: together they were more than 1 MB once. What was only read is given
  // back a little later when the machine is busy.
  let grown = held() - before;
  for (let looks = 0; grown >= 400_000 && looks < 100; looks++) {
    await new Promise((settle) => setTimeout(settle, 50));
    grown = held() - before;
  }
  expect(grown).toBeLessThan(400_000);
});

test('a second process is kept out, and let in afterwards', async () => {
  const log = await open();
  await expect(open()).rejects.toThrow('held by another process');
  await log.close();
  await using again = await open();
  expect(again.size).toBe(0);
});

test('a lost checkpoint is not replaced by a new history', async () => {
  await using log = await open();
  await log.append(entry('a'));
  await log.close();
  rmSync(join(directory, 'checkpoint'));
  await expect(open()).rejects.toThrow('restore it from a backup');
});

const DAMAGE: readonly (readonly [string, () => void, RegExp])[] = [
  ['a tile that changed', () => flip('tile/0/000.p/2', 40), /not those of the checkpoint/],
  ['an entry that changed', () => flip('tile/entries/000.p/2', 2), /not those of the checkpoint/],
  ['a tile that is missing', () => rmSync(join(directory, 'tile/0/000.p/2')), /missing/],
  ['entries that are missing', () => rmSync(join(directory, 'tile/entries/000.p/2')), /missing/],
  ['a checkpoint by another key', () => undefined, /not signed by this log/],
];
function flip(path: string, at: number): void {
  const bytes = readFileSync(join(directory, path));
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(join(directory, path), bytes);
}
for (const [name, damage, message] of DAMAGE) {
  test(`refused: ${name}`, async () => {
    await using log = await open();
    await appendAll(log, ['a', 'b']);
    await log.close();
    damage();
    const key = name.includes('another key') ? fixedKey('localhost/hushwatch', 9) : logKey;
    await expect(TransparencyLog.open(directory, key)).rejects.toThrow(message);
  });
}

/** Appends in rounds; what was promised goes into `promised`. A failed round promises nothing. */
async function exercise(disk: Disk, promised: string[], rounds: readonly number[]): Promise<void> {
  await using log = await open(disk);
  for (const count of rounds) {
    const start = log.size;
    const texts = numbered(start, start + count);
    await appendAll(log, texts);
    promised.push(...texts.slice(promised.length - start));
  }
}

test('whichever step fails, what was promised is in the log, and the log goes on', { timeout: 120_000 }, async () => {
  for (let failAt = 1; ; failAt++) {
    rmSync(directory, { recursive: true, force: true });
    const promised: string[] = [];
    const disk = failingDisk(failAt);
    await exercise(disk, promised, [2, 253, 2]).catch((error: unknown) => {
      expect(String(error)).toMatch(/injected/);
    });
    if (existsSync(join(directory, 'checkpoint'))) {
      // More than promised may be there: a crash after the checkpoint and before the answer.
      expect(checkLog(directory, logKey.verifier).slice(0, promised.length)).toEqual(promised);
    } else expect(promised).toEqual([]);
    {
      await using log = await open();
      const before = checkLog(directory, logKey.verifier);
      expect(log.size).toBe(before.length);
      const index = await log.append(entry('after'));
      expect(checkLog(directory, logKey.verifier)).toEqual([...before, 'after']);
      expect(proves(await log.receipt(index), 'after')).toBe(index);
    }
    if (!disk.failed()) break;
  }
});

test('after a failure nothing is appended until the log is opened again', async () => {
  let broken = false;
  const disk: Disk = {
    ...realDisk,
    write: (path, bytes) => (broken ? Promise.reject(new Error('injected')) : realDisk.write(path, bytes)),
  };
  await using log = await open(disk);
  await log.append(entry('a'));
  broken = true;
  await expect(log.append(entry('b'))).rejects.toThrow('injected');
  broken = false;
  await expect(log.append(entry('c'))).rejects.toThrow('injected');
});

test('an entry beyond the limit is refused alone', async () => {
  await using log = await open();
  await expect(log.append(new Uint8Array(65_536))).rejects.toThrow(RangeError);
  expect(await log.append(new Uint8Array(65_535))).toBe(0);
});
