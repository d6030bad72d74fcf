/**
 * What one event of each kind costs: in the kernel, by the kernel's own account of our programs (bpf_stats), and in each of
 * our processes. One kind at a time, nothing merged, at a pace that the line keeps up with.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, each, since } from './processes.ts';
import { hushwatch } from './tools.ts';

export interface ClassRow {
  readonly deed: string;
  readonly count: number;
  /** Events that one such deed is, with all that belongs to it. */
  readonly events: number;
  /** µs an event, in the kernel and in each process. */
  readonly kernel: number;
  readonly processes: Readonly<Record<string, number>>;
}

/** Each with how many of it, and what it is made of. */
const DEEDS: readonly (readonly [string, number])[] = [
  ['none', 200_000],
  ['open', 60_000],
  ['rename', 60_000],
  ['connect', 40_000],
  ['datagram', 40_000],
  ['exec', 6_000],
  ['user', 40_000],
  ['bpf', 4_000],
];

const IDLE_MS = 4_000;
const SWITCH = '/proc/sys/kernel/bpf_stats_enabled';

interface Program {
  readonly name?: string;
  readonly run_time_ns?: number;
  readonly pids?: readonly { readonly pid: number }[];
}

/** Nanoseconds in our programs so far. Handlers run on behalf of on_sys_exit, and are in its account. */
function inKernel(sensor: number): number {
  const shown = spawnSync('/usr/sbin/bpftool', ['-j', 'prog', 'show'], { encoding: 'utf8', maxBuffer: 1 << 26 });
  const programs: readonly Program[] = JSON.parse(shown.stdout);
  return programs
    .filter(({ name, pids }) => name?.startsWith('on_') === true && pids?.some(({ pid }) => pid === sensor) !== false)
    .reduce((sum, { run_time_ns }) => sum + (run_time_ns ?? 0), 0);
}

function seenBy(home: string): number {
  const line = /^seen (.*)$/m.exec(readFileSync(join(home, 'agent/spool/head'), 'utf8'))?.[1] ?? '';
  return line.split(',').reduce((sum, pair) => sum + Number(pair.split('=')[1] ?? 0), 0);
}

/** What has been used up to a moment. */
interface Meter {
  readonly at: number;
  readonly kernel: number;
  readonly seen: number;
  readonly cpu: Readonly<Record<string, number>>;
}

/** What was used between two moments, less what `idle` says would have been used anyway. */
function between(from: Meter, to: Meter, idle?: Meter): Meter {
  const at = to.at - from.at;
  const share = idle === undefined ? 0 : at / idle.at;
  return {
    at,
    kernel: to.kernel - from.kernel - share * (idle?.kernel ?? 0),
    seen: to.seen - from.seen - share * (idle?.seen ?? 0),
    cpu: Object.fromEntries(
      Object.entries(since(from.cpu, to.cpu)).map(([name, used]) => [name, used - share * (idle?.cpu[name] ?? 0)]),
    ),
  };
}

export async function benchClasses(load: string, say: (line: string) => void): Promise<readonly ClassRow[]> {
  const before = readFileSync(SWITCH, 'utf8');
  const directory = mkdtempSync(join(tmpdir(), 'hushwatch-bench-'));
  const loadDirectory = join(directory, 'load');
  mkdirSync(loadDirectory);
  const running = await hushwatch({ HUSHWATCH_SENSOR_ARGS: '--merge-ms 0' }).start(directory, loadDirectory);
  const meter = (): Meter => ({
    at: performance.now(),
    kernel: inKernel(running.pids['sensor'] ?? 0),
    seen: seenBy(join(directory, 'home')),
    cpu: each(running, cpuSeconds),
  });
  const rows: ClassRow[] = [];
  try {
    writeFileSync(SWITCH, '1');
    for (const [deed, count] of DEEDS) {
      // What the rest of the machine makes us do is measured just before, and taken off.
      const start = meter();
      await sleep(IDLE_MS);
      const from = meter();
      const done = spawnSync(load, ['only', deed, String(count), loadDirectory], { stdio: 'inherit' });
      if (done.status !== 0) throw new Error(`load only ${deed} ended with ${String(done.status)}`);
      await running.settle();
      rows.push(rowOf(deed, count, between(from, meter(), between(start, from))));
      say(`  ${deed}: ${rows.at(-1)?.events} events, ${rows.at(-1)?.kernel.toFixed(2)} µs each in the kernel`);
    }
    return rows;
  } finally {
    writeFileSync(SWITCH, before);
    await running.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function rowOf(deed: string, count: number, { kernel, seen, cpu }: Meter): ClassRow {
  // A call that is nothing to us is no event; what it costs is all the same.
  const divisor = deed === 'none' ? count : Math.max(1, seen);
  const processes = Object.entries(cpu).filter(([name]) => name !== 'collector');
  return {
    deed,
    count,
    events: deed === 'none' ? 0 : Math.round(seen),
    kernel: kernel / divisor / 1000,
    processes: Object.fromEntries(processes.map(([name, seconds]) => [name, (seconds / divisor) * 1e6])),
  };
}
