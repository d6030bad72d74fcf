/**
 * Who floods costs nobody else: a thousand rare events of one process arrive whatever another does meanwhile, so do its
 * ordinary ones, and every ledger is exact: the kernel's, the agent's, the statement's, the collector's.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHECKOUT, isRoot, Stack, unaccounted, WHY_SKIPPED } from './stack.ts';
import { balanced, buildSensor, SENSOR, Watched, type Seen } from './watched.ts';

const ROUNDS = 200;
const FLOODS = ['writes', 'connects', 'forks', 'bombs', 'programs'] as const;
const ALL = { exec: ROUNDS, sudoers: ROUNDS, plain: ROUNDS, bpf: ROUNDS, setuid: ROUNDS, trace: ROUNDS };
/** An agent that takes what lies there, then thinks: a flood fills the ring. */
const SLOW_MS = 50;

let work = '';
let flood = '';

beforeAll(() => {
  if (!isRoot) return;
  buildSensor();
  // In memory: a disk would slow the flood down.
  work = mkdtempSync('/dev/shm/hushwatch-fairness-');
  chmodSync(work, 0o755);
  flood = join(work, 'flood');
  execFileSync('clang', ['-O1', '-o', flood, join(CHECKOUT, 'test/e2e/flood.c')]);
});
afterAll(() => {
  if (work !== '') rmSync(work, { recursive: true, force: true });
});

/** A flood that has spent all that a new process is given when the rare one begins, and goes on until it ends. */
async function rareWhileFlooding(kind: string, at: string): Promise<number> {
  mkdirSync(join(at, 'sudoers.d'), { recursive: true });
  const flooding = spawn(flood, [kind, at], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(flooding, 'close');
  try {
    await sleep(2_000);
    const rare = spawn(flood, ['rare', String(ROUNDS), at], { stdio: ['ignore', 'ignore', 'inherit'] });
    expect(await once(rare, 'close')).toEqual([0, null]);
    return rare.pid ?? 0;
  } finally {
    flooding.kill('SIGKILL');
    await ended;
  }
}

/** How many of each rare thing arrived. */
function arrived(seen: Watched, pid: number, at: string): typeof ALL {
  const children = new Set(seen.of('exec').flatMap((frame) => (frame['parentPid'] === pid ? [frame['pid']] : [])));
  const count = (frames: readonly Seen[]): number => frames.filter((frame) => children.has(frame['pid'])).length;
  const opened = (beginning: string): number =>
    seen.of('open', pid).filter((frame) => String(frame['path']).startsWith(`${at}/${beginning}`)).length;
  return {
    exec: count(seen.of('exec')),
    sudoers: opened('sudoers.d/'),
    plain: opened('plain-'),
    bpf: count(seen.of('bpf-load')),
    setuid: count(seen.of('credentials')),
    trace: seen.of('trace', pid).length,
  };
}

describe.skipIf(!isRoot)(`the sensor, heard by an agent that is slow${WHY_SKIPPED}`, () => {
  for (const kind of FLOODS) {
    test(`${kind}: every event of another process arrives`, async () => {
      const at = mkdtempSync(join(work, `${kind}-`));
      await using seen = await new Watched(['--watch', `${at}/sudoers.d`], [SENSOR], SLOW_MS).ready();
      const pid = await rareWhileFlooding(kind, at);
      const counters = await seen.stop();
      expect(arrived(seen, pid, at)).toEqual(ALL);
      balanced(counters, seen.frames);
      expect(Object.values(counters.classes).map(({ lost }) => lost)).toEqual([0, 0, 0, 0, 0]);
    });
  }
});

describe.skipIf(!isRoot)(`the whole line${WHY_SKIPPED}`, () => {
  test("a crowd that floods: every event of another process is in the collector's tables", async () => {
    const at = mkdtempSync(join(work, 'line-'));
    await using stack = await new Stack(18_480, { HUSHWATCH_SENSOR_ARGS: `--watch ${at}/sudoers.d` }).start();
    const pid = await rareWhileFlooding('bombs', at);
    await stack.settled();
    const count = (where: string): number => stack.events(where).length;
    const own = `"process.pid" = ${pid}`;
    const itsChildren = `"process.pid" IN (SELECT "process.pid" FROM events WHERE event = 'process.exec' AND "process.parent_pid" = ${pid})`;
    expect({
      exec: count(`event = 'process.exec' AND "process.parent_pid" = ${pid}`),
      opens: count(`event = 'file.open' AND ${own}`),
      bpf: count(`event = 'kernel.bpf.load' AND ${itsChildren}`),
      setuid: count(`event = 'process.credentials.change' AND ${itsChildren}`),
      trace: count(`event = 'process.trace' AND ${own}`),
    }).toEqual({ exec: ROUNDS, opens: 2 * ROUNDS, bpf: ROUNDS, setuid: ROUNDS, trace: ROUNDS });
    await stack.stop();
    expect(unaccounted(stack.statement())).toEqual([]);
    expect(stack.verify()).toMatchObject({ status: 0 });
  });
});
