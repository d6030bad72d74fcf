/** The disk below a node: full, read-only, full of its own spool, and one that changes what it was given. */
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { counts, isRoot, until, WHY_SKIPPED } from '../stack.ts';
import { must, Site } from './site.ts';

/** In memory: nothing is reserved for root there. */
const small = (at: string): void => void must('mount', '-t', 'tmpfs', '-o', 'size=6m', 'hushwatch-faults', at);

let site: Site;
beforeAll(async () => {
  if (isRoot) site = await Site.build(18_520, { agent: small });
});
afterAll(async () => site?.[Symbol.asyncDispose]());

const ballast = (): string => site.at('agent/ballast');

function fill(): void {
  const file = openSync(ballast(), 'w');
  try {
    for (let bytes = 1 << 16; bytes > 0; bytes >>= 1)
      for (let isFull = false; !isFull;) {
        try {
          writeSync(file, Buffer.alloc(bytes));
        } catch {
          isFull = true;
        }
      }
  } finally {
    closeSync(file);
  }
}

const lostInSpool = (): number => counts(site.statement().get('lost')).get('spool.process') ?? 0;

const damagedHere = (): number => readdirSync(site.home.spool).filter((name) => name.endsWith('.damaged')).length;

function spoil(name: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(join(site.home.spool, name));
  change(bytes);
  writeFileSync(join(site.home.spool, name), bytes);
}

const sum = (lost: Readonly<Record<string, number>>): number => Object.values(lost).reduce((a, b) => a + b, 0);

/** Whatever happened: every event is there or counted, nothing is there twice, and the evidence proves itself. */
async function accounted(): Promise<Readonly<Record<string, number>>> {
  site.produce(50);
  await site.settled();
  const { produced, delivered, missing, lost } = site.account();
  expect(missing).toBe(0);
  expect(delivered + sum(lost)).toBe(produced);
  expect(site.verify()).toMatchObject({ status: 0 });
  const isWell = (): boolean => site.status()[0]?.because === 'events are seen, signed and received';
  await until(isWell, 30_000, 'status to call it well');
  return lost;
}

describe.skipIf(!isRoot)(`the disk of a node${WHY_SKIPPED}`, () => {
  test('before anything breaks, everything arrives', async () => {
    site.produce(200);
    expect(await accounted()).toEqual({});
  });

  test('full: what cannot be kept is counted, said once, and it goes on when there is room', async () => {
    const before = sum(await accounted());
    fill();
    // What was removed just then made some room again.
    const isFull = (): boolean => {
      site.produce(100);
      return /"code":"ENOSPC".*could not be written/.test(site.said('agent'));
    };
    await until(isFull, 30_000, 'words about it');
    site.produce(300);
    await sleep(2_000);
    expect(site.said('agent').match(/could not be written/g)).toHaveLength(1);
    expect(site.said('agent')).toContain('make room on the disk');
    expect(site.status()[0]?.because).toMatch(/disk has|nothing was signed/);
    rmSync(ballast());
    const lost = await accounted();
    expect(sum(lost) - before).toBeGreaterThan(0);
    expect(Object.keys(lost)).toEqual(['spool']);
    expect(site.ends).toEqual([]);
  });

  test('full at the start: waited for, not died of', async () => {
    await site.stop('agent');
    fill();
    site.start('agent');
    await until(() => site.said('agent').includes('the agent cannot begin'), 30_000, 'words about it');
    site.produce(100);
    rmSync(ballast());
    await accounted();
    expect(site.ends).toEqual([]);
  });

  test('read-only, while it runs and when it starts', async () => {
    const before = sum(await accounted());
    must('mount', '-o', 'remount,ro', site.at('agent'));
    site.produce(100);
    await until(() => site.said('agent').includes('"code":"EROFS"'), 30_000, 'words about it');
    expect(site.said('agent')).toContain('remount it');
    expect(site.status()[0]?.because).toMatch(/read-only|nothing was signed/);
    must('mount', '-o', 'remount,rw', site.at('agent'));
    // What was read meanwhile is lost; what was not is read now.
    expect(sum(await accounted()) - before).toBeLessThanOrEqual(100);

    must('mount', '-o', 'remount,ro', site.at('agent'));
    await site.stop('agent');
    const words = site.said('agent').split('"code":"EROFS"').length;
    site.start('agent');
    site.produce(100);
    await until(() => site.said('agent').split('"code":"EROFS"').length > words, 30_000, 'words after the start');
    must('mount', '-o', 'remount,rw', site.at('agent'));
    await accounted();
    expect(site.ends).toEqual([]);
  });

  test('full of its own spool while the collector is away: receipts find room, and it empties again', async () => {
    const lostBefore = lostInSpool();
    const wordsBefore = site.said('agent').match(/ENOSPC/g)?.length ?? 0;
    await site.stop('collector');
    const { bavail, bsize } = statfsSync(site.at('agent'));
    writeFileSync(ballast(), Buffer.alloc(bavail * bsize - (520 << 10)));
    for (let i = 0; i < 1_000 && lostInSpool() === lostBefore; i++) {
      site.produce(50);
      await sleep(50);
    }
    expect(lostInSpool()).toBeGreaterThan(lostBefore);
    // Shed before the disk was full, and so without an error.
    expect(site.said('agent').match(/ENOSPC/g) ?? []).toHaveLength(wordsBefore);
    site.start('collector');
    await site.settled();
    rmSync(ballast());
    await accounted();
  });

  test('batches that change while they wait: set aside, told, and the hole is explained', async () => {
    const lostBefore = sum(await accounted());
    await site.stop('shipper');
    const waiting = (): readonly string[] => readdirSync(site.home.spool).filter((name) => name.endsWith('.batch'));
    for (let i = 0; i < 200 && waiting().length < 8; i++) {
      site.produce(10);
      await sleep(100);
    }
    const [first = '', second = '', , fourth = ''] = waiting().toSorted();
    spoil(first, (bytes) => void bytes.writeUInt8(bytes.readUInt8(bytes.length - 20) ^ 4, bytes.length - 20));
    truncateSync(join(site.home.spool, second), 0);
    truncateSync(join(site.home.spool, fourth), 700);
    site.start('shipper');
    site.produce(10);
    await site.settled();
    await until(() => damagedHere() === 3, 60_000, 'three to be set aside');
    expect(site.status()[0]?.because).toMatch(/3 batches were damaged on this disk/);
    await until(() => /more in 3 damaged on the node/.test(site.verify().stdout), 60_000, 'the word of the node');
    const verified = site.verify();
    expect(verified.status).toBe(0);
    const inHoles = Number(/, (\d+) more in 3 damaged on the node/.exec(verified.stdout)?.[1]);
    const { produced, delivered, missing, lost } = site.account();
    expect(delivered + missing + sum(lost)).toBe(produced);
    expect(sum(lost)).toBe(lostBefore);
    // Of the damaged batches the counters beside them know every event; a few are not ours but of the machine.
    expect(missing).toBeGreaterThan(0);
    expect(inHoles).toBeGreaterThanOrEqual(missing);
    expect(site.said('agent').match(/is set aside/g)).toHaveLength(3);
    expect(site.cli('alerts', '--since', '1h', '--json').stdout).toContain('"rule":"gap"');
    expect(site.ends).toEqual([]);
  });
});
