/** The spool: what `append` returned from is there, whatever the disk does, and no number stands for two statements. */
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeBatch, unpackLines } from '#protocol/batch.ts';
import { ProtocolError } from '#protocol/error.ts';
import { CLASSES } from '#protocol/vocabulary.ts';
import { realDisk, type Disk } from '../../agent/disk.ts';
import { FileSpool, HalfWritten } from '../../agent/spool.ts';
import { nodeKey } from '../protocol/sample.ts';
import { checkSpool, newMemory, readWhole, type Memory } from './check-spool.ts';
import { failingDisk } from './failing-disk.ts';
import { herald, unsigned } from './sample.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hushwatch-spool-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (disk: Disk = realDisk, limit = 1 << 20): Promise<FileSpool> =>
  FileSpool.open(directory, nodeKey, limit, disk);

/** Appends, tries again after an error that allows it, forgets, appends. A text that is never the same twice. */
async function exercise(spool: FileSpool, memory: Memory): Promise<void> {
  for (let step = 0; step < 4; step++) {
    try {
      const { sequence } = await spool.append(
        herald,
        unsigned(step + 1, spool.last?.released, `${memory.shown.size}-${step}-${Math.random()}`),
      );
      memory.promised.add(sequence);
    } catch (error) {
      expect(String(error)).toMatch(/injected|may be promised/);
      if (error instanceof HalfWritten) throw error;
    }
    readWhole(directory, memory);
    const [oldest] = spool.waiting;
    if (step === 2 && oldest !== undefined) {
      memory.promised.delete(oldest);
      await spool.forget(oldest);
    }
  }
}

for (const done of [false, true]) {
  test(`every step of the disk fails in turn, ${done ? 'after' : 'before'} it was carried out`, async () => {
    let failedSteps = 0;
    for (let failAt = 1; ; failAt++) {
      rmSync(directory, { recursive: true });
      directory = mkdtempSync(join(tmpdir(), 'hushwatch-spool-'));
      const memory = newMemory();
      await exercise(await open(), memory);
      const disk = failingDisk(failAt, done);
      try {
        await exercise(await open(disk), memory);
      } catch (error) {
        expect(String(error)).toMatch(/injected|may be promised/);
      }
      await exercise(await checkSpool(directory, memory), memory);
      await checkSpool(directory, memory);
      if (!disk.failed()) break;
      failedSteps++;
    }
    expect(failedSteps).toBeGreaterThan(18);
  });
}

test('numbers, chain, counters and the account of the sensor go on when every batch is gone', async () => {
  const spool = await open();
  const first = await spool.append(herald, unsigned(3));
  await spool.forget(1);
  const again = await open();
  expect(again.waiting).toEqual([]);
  expect(again.last).toEqual(first);
  expect(again.sensor).toEqual(unsigned(3).sensor);
  expect((await again.append(herald, unsigned(1, first.released))).sequence).toBe(2);
});

test('a batch that was promised and has not its name yet gets it; one that was not promised is removed', async () => {
  const spool = await open();
  await spool.append(herald, unsigned(1));
  const { sequence } = await spool.append(herald, unsigned(1, { file: 1 }));
  const at = (name: string): string => join(directory, name);
  renameSync(at('0000000000000002.batch'), at('0000000000000002.batch.tmp'));
  writeFileSync(at('0000000000000003.batch.tmp'), 'half of someth');
  writeFileSync(at('head.tmp'), '');
  const again = await open();
  expect(again.waiting).toEqual([1, sequence]);
  expect(readdirSync(directory).toSorted()).toEqual(['0000000000000001.batch', '0000000000000002.batch', 'head']);
});

test('the head is durable before a batch can be seen under its name', async () => {
  const steps: string[] = [];
  const noting: Disk = {
    ...realDisk,
    async rename(from, to) {
      steps.push(to.slice(directory.length + 1));
      await realDisk.rename(from, to);
    },
    async syncDirectory(path) {
      steps.push('sync');
      await realDisk.syncDirectory(path);
    },
  };
  const spool = await open(noting);
  steps.length = 0;
  await spool.append(herald, unsigned(1));
  expect(steps).toEqual(['head', 'sync', '0000000000000001.batch']);
});

test('of two writes one fails while the other goes on: the number is not tried again before both ended', async () => {
  const running = Promise.withResolvers<void>();
  let writes = 0;
  const spool = await open({
    ...realDisk,
    async writeDurably(path, bytes) {
      writes++;
      if (path.endsWith('head.tmp') && writes <= 2) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      if (writes <= 2) await running.promise;
      await realDisk.writeDurably(path, bytes);
    },
  });
  let ended = false;
  const failed = spool.append(herald, unsigned(9)).catch((error: unknown) => {
    ended = true;
    return error;
  });
  await new Promise((settle) => setTimeout(settle, 50));
  expect(ended).toBe(false);
  running.resolve();
  expect(await failed).toMatchObject({ code: 'ENOSPC' });
  await spool.append(herald, unsigned(1));
  const batch = decodeBatch(readFileSync(join(directory, '0000000000000001.batch')));
  expect(unpackLines(batch.body, batch.statement.body.unpacked, batch.statement.events)).toHaveLength(1);
});

test('a full disk costs the batch, not the number', async () => {
  const spool = await open();
  await spool.append(herald, unsigned(1));
  const full = await open({
    ...realDisk,
    writeDurably: () => Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' })),
  });
  await expect(full.append(herald, unsigned(9, { file: 1 }))).rejects.toThrow('no space');
  expect(full.last?.sequence).toBe(1);
  expect(full.waiting).toEqual([1]);
  expect((await (await open()).append(herald, unsigned(2, { file: 1 }))).sequence).toBe(2);
  await checkSpool(directory, newMemory());
});

test('what nobody would read is not signed', async () => {
  const spool = await open();
  await expect(spool.append({ ...herald, node: 'UPPER' }, unsigned(1))).rejects.toBeInstanceOf(ProtocolError);
  expect(readdirSync(directory)).toEqual([]);
});

test('a head that is not ours stops the agent rather than start the numbers again', async () => {
  writeFileSync(join(directory, 'head'), 'something else\n');
  await expect(open()).rejects.toBeInstanceOf(ProtocolError);
});

test('note() is the signed statement, byte for byte', async () => {
  const spool = await open();
  await spool.append(herald, unsigned(5));
  const bytes = readFileSync(join(directory, '0000000000000001.batch'));
  expect(Buffer.from(await spool.note(1))).toEqual(Buffer.from(decodeBatch(bytes).noteBytes));
});

test('classes are shed in their order as the spool fills, and taken again when it empties', async () => {
  await (await open()).append(herald, unsigned(200));
  const size = (await open()).bytes;
  const takenAt = async (fill: number): Promise<readonly string[]> => {
    const spool = await open(realDisk, size / fill);
    return CLASSES.filter((cls) => spool.admits(cls));
  };
  expect(await takenAt(0.1)).toEqual(CLASSES);
  expect(await takenAt(0.79)).toEqual(CLASSES);
  let before: readonly string[] = CLASSES;
  for (let fill = 0.8; fill < 1; fill += 0.005) {
    const taken = await takenAt(fill);
    expect(taken).toEqual(CLASSES.slice(CLASSES.length - taken.length));
    expect(taken.length).toBeLessThanOrEqual(before.length);
    before = taken;
  }
  expect(await takenAt(0.83)).not.toContain('file');
  expect(await takenAt(0.95)).toEqual(['privilege', 'self']);
  expect(await takenAt(1)).toEqual([]);

  const full = await open(realDisk, size);
  expect(full.admits('self')).toBe(false);
  await full.forget(1);
  expect(full.admits('file')).toBe(true);
});

test('a disk that others fill leaves room for receipts: events are shed before it is full', async () => {
  let free = 1 << 30;
  const spool = await open({ ...realDisk, room: async () => ({ free, all: 1 << 30 }) }, 1 << 28);
  await spool.append(herald, unsigned(1));
  expect(spool.admits('file')).toBe(true);
  free = (64 << 20) + spool.bytes * 1.2;
  await spool.append(herald, unsigned(1, spool.last?.released));
  expect([spool.admits('file'), spool.admits('self')]).toEqual([false, true]);
  free = 64 << 20;
  await spool.append(herald, unsigned(1, spool.last?.released));
  expect(spool.admits('self')).toBe(false);
  free = 1 << 30;
  await spool.append(herald, unsigned(1, spool.last?.released));
  expect(spool.admits('file')).toBe(true);
});

test('of batches that were set aside a few are kept, and the numbers go on', async () => {
  const spool = await open();
  for (let i = 0; i < 20; i++) await spool.append(herald, unsigned(1, spool.last?.released));
  for (const sequence of spool.waiting) await spool.setAside(sequence);
  expect(readdirSync(directory).filter((name) => name.endsWith('.damaged'))).toHaveLength(16);
  expect(spool.bytes).toBe(0);
  expect((await open()).waiting).toEqual([]);
  expect((await spool.append(herald, unsigned(1, spool.last?.released))).sequence).toBe(21);
});
