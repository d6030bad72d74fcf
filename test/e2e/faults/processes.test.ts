/** What becomes of the processes: killed for their memory, stopped for a while, cut off with the machine, or told another time. */
import {
  copyFileSync,
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CHECKOUT, isRoot, until, WHY_SKIPPED } from '../stack.ts';
import { must, nothingLost, PARTS, Site, type Part } from './site.ts';

const isLong = process.env['HUSHWATCH_FAULTS'] === 'long';

/** Two small disks with a journal that is committed seldom: what nobody asked to keep is not kept. */
function disk(at: string): void {
  const image = `${at}.0.img`;
  must('truncate', '-s', '96M', image);
  must('mkfs.ext4', '-q', image);
  must('mount', '-o', MOUNTED, image, at);
}
const MOUNTED = 'loop,commit=300,noauto_da_alloc';

let site: Site;
beforeAll(async () => {
  if (isRoot) site = await Site.build(18_540, { agent: disk, collector: disk });
});
afterAll(async () => site?.[Symbol.asyncDispose]());

async function isBack(part: Part, before: number | undefined): Promise<void> {
  await until(() => site.pid(part) !== undefined && site.pid(part) !== before, 30_000, `${part} to be back`);
}

describe.skipIf(!isRoot)(`out of memory${WHY_SKIPPED}`, () => {
  const group = `/sys/fs/cgroup/memory/hushwatch-faults-${process.pid}`;
  afterEach(() => rmdirSync(group));

  test.each(PARTS)('the kernel kills %s, and it comes back', async (part) => {
    mkdirSync(group);
    // What it has stays charged where it was: the next few pages are too much.
    writeFileSync(join(group, 'memory.limit_in_bytes'), '262144');
    const before = site.pid(part);
    writeFileSync(join(group, 'cgroup.procs'), String(before));
    for (let i = 0; i < 300 && site.pid(part) === before; i++) {
      site.produce(20);
      await sleep(100);
    }
    expect(readFileSync(join(group, 'memory.oom_control'), 'utf8')).toMatch(/^oom_kill 1$/m);
    expect(site.ends.at(-1)).toMatch(new RegExp(`^${part}: ended \\(SIGKILL\\), starting it again`));
    await isBack(part, before);
    await nothingLost(site);
  });
});

describe.skipIf(!isRoot)(`stopped${WHY_SKIPPED}`, () => {
  test.each(PARTS)('%s, for a while', async (part) => {
    const pid = site.pid(part) ?? 0;
    const ends = site.ends.length;
    process.kill(pid, 'SIGSTOP');
    for (let i = 0; i < (isLong ? 60 : 3); i++) {
      site.produce(50);
      await sleep(1_000);
    }
    process.kill(pid, 'SIGCONT');
    await nothingLost(site);
    expect([site.pid(part), site.ends.length]).toEqual([pid, ends]);
  });
});

describe.skipIf(!isRoot)(`the power is cut${WHY_SKIPPED}`, () => {
  const mounts = ['agent', 'collector'] as const;
  const imageOf = (name: string, cuts: number): string => site.at(`${name}.${cuts}.img`);

  test.each([1, 2])('of node and collector at once, and what was not synced is gone: time %i', async (time) => {
    for (let i = 0; i < 30; i++) {
      site.produce(20);
      await sleep(50);
    }
    await site.cutPower();
    // The receipts that the node had in its hands hold the collector to its word.
    const receipts = site.at('receipts-before');
    cpSync(site.home.receipts, receipts, { recursive: true });
    // The block device as it is: what the kernel has in memory only is not in it.
    for (const name of mounts) copyFileSync(imageOf(name, time - 1), imageOf(name, time));
    for (const name of mounts) {
      must('umount', '-l', site.at(name));
      must('mount', '-o', MOUNTED, imageOf(name, time), site.at(name));
    }
    for (const part of PARTS) site.start(part);
    await nothingLost(site);
    const kept = site.cli('verify', site.at('collector'), '--receipts', receipts);
    expect(kept).toMatchObject({ status: 0 });
    rmSync(receipts, { recursive: true });
  });
});

describe.skipIf(!isRoot)(`the clock is set${WHY_SKIPPED}`, () => {
  const DAY_S = 86_400n;
  let environment: Record<string, string>;
  beforeAll(() => {
    const library = site.at('clock.so');
    must('cc', '-shared', '-fPIC', '-O1', '-o', library, join(CHECKOUT, 'test/e2e/faults/clock.c'));
    environment = { LD_PRELOAD: library, HUSHWATCH_CLOCK: site.at('clock') };
    setClock(0n);
  });

  /** In place: the processes have it mapped. */
  function setClock(seconds: bigint): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(seconds);
    const file = openSync(site.at('clock'), 'a+');
    closeSync(file);
    const opened = openSync(site.at('clock'), readFileSync(site.at('clock')).length === 8 ? 'r+' : 'w');
    writeSync(opened, bytes, 0, 8, 0);
    closeSync(opened);
  }

  async function steps(part: Part): Promise<void> {
    await site.restart(part, { environment });
    await nothingLost(site);
    for (const seconds of [DAY_S, -DAY_S, 0n]) {
      setClock(seconds);
      const words = site.said(part).length;
      const sequence = Number(site.statement().get('sequence'));
      // Ages, heartbeats and pauses are not measured with it.
      await until(() => Number(site.statement().get('sequence')) > sequence + 2, 15_000, 'heartbeats');
      await nothingLost(site);
      expect(site.said(part).slice(words).split('\n').length).toBeLessThan(20);
    }
    await site.restart(part);
  }

  test('of the node, a day forward and back: nothing is lost, and no pause is stretched', async () => {
    const ends = site.ends.length;
    await site.restart('shipper', { environment });
    await steps('agent');
    await site.restart('shipper');
    expect(site.ends.length).toBe(ends);
  });

  test('of the collector', async () => {
    const ends = site.ends.length;
    await steps('collector');
    expect(site.ends.length).toBe(ends);
    expect(site.cli('alerts', '--since', '3d', '--json').stdout).not.toContain('"detector":"silence"');
  });
});
