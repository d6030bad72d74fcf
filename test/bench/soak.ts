/**
 * `npm run soak [-- --minutes 10]`: the whole product under a stress mix (a build, packages installed and removed, forks,
 * network) while each of its processes is killed in turn; then, left alone under the same load, what its memory does.
 * In the end every event must be accounted for and the evidence must verify.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CHECKOUT, counts, Stack, unaccounted, until } from '../e2e/stack.ts';
import { memory } from './processes.ts';

/** A collector that was behind catches up in this time, with as few batches left as are on their way at any moment. */
const DRAIN_MS = 180_000;
const FEW = 3;

export const VICTIMS = ['sensor', 'agent', 'shipper', 'collector'] as const;
type Victim = (typeof VICTIMS)[number];

export interface MemoryCourse {
  /** Megabytes, proportional, of the last life: after warm-up, at the end, and the slope of a line through all between. */
  readonly first: number;
  readonly last: number;
  readonly perMinute: number;
  /** Of all lives. */
  readonly most: number;
}

export interface SoakReport {
  readonly killed: Readonly<Record<Victim, number>>;
  readonly memory: Readonly<Record<Victim, MemoryCourse>>;
  readonly seen: number;
  readonly released: number;
  readonly unaccounted: readonly string[];
  readonly verified: boolean;
  readonly verification: string;
}

/** Each runs in a directory of its own until it is killed. */
const STRESS: Readonly<Record<string, string>> = {
  build: `
i=0; while :; do i=$((i+1))
for n in 1 2 3 4 5 6; do printf '#include <stdio.h>\\nint f%d(int x) { return x * %d + printf("%%d", x); }\\n' $n $i > f$n.c; done
printf 'int f1(int); int main(void) { return f1(0) & 1; }\\n' > main.c
for c in *.c; do cc -O1 -c -o \${c%.c}.o $c; done
cc -o program *.o && ./program > output; rm -f *.o program; done`,
  packages: `
mkdir -p tree/DEBIAN tree/usr/share/soak root/var/lib/dpkg/updates root/var/lib/dpkg/info; : > root/var/lib/dpkg/status
printf 'Package: soak\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody <nobody@example.org>\\nDescription: soak\\n' > tree/DEBIAN/control
for n in $(seq 200); do echo $n > tree/usr/share/soak/file$n; done
while :; do dpkg-deb -Znone --build tree soak.deb && dpkg --root="$PWD/root" --force-all -i soak.deb && dpkg --root="$PWD/root" -P soak; done`,
  forks: `while :; do (:) & (/bin/true | /bin/cat) & wait; done`,
};

function stress(directory: string, load: string, seconds: number): readonly ChildProcess[] {
  const inside = (name: string): string => {
    mkdirSync(join(directory, name));
    return join(directory, name);
  };
  const shells = Object.entries(STRESS).map(([name, script]) =>
    spawn('sh', ['-c', script], { cwd: inside(name), stdio: 'ignore', detached: true }),
  );
  const network = spawn(load, ['paced', String(seconds), '500', '20', '100', inside('network'), '500'], {
    stdio: 'ignore',
    detached: true,
  });
  return [...shells, network];
}

async function end(children: readonly ChildProcess[]): Promise<void> {
  for (const child of children) {
    if (child.exitCode !== null || child.pid === undefined) continue;
    const gone = once(child, 'close');
    process.kill(-child.pid, 'SIGKILL');
    await gone;
  }
}

type Sample = readonly [minutes: number, megabytes: number];

/** Megabytes a minute: least squares. */
export function slope(samples: readonly Sample[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(samples.map(([at]) => at)), mean(samples.map(([, size]) => size))];
  const covariance = samples.reduce((sum, [at, size]) => sum + (at - x) * (size - y), 0);
  const variance = samples.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  return variance === 0 ? 0 : covariance / variance;
}

function courseOf(last: readonly Sample[], most: number): MemoryCourse {
  const settled = last.slice(Math.floor(last.length / 3));
  const round = (n: number | undefined): number => Math.round((n ?? 0) * 10) / 10;
  return { first: round(settled[0]?.[1]), last: round(settled.at(-1)?.[1]), perMinute: round(slope(settled)), most };
}

class Soak {
  readonly killed: Record<Victim, number> = { sensor: 0, agent: 0, shipper: 0, collector: 0 };
  readonly #samples: Record<Victim, Sample[]> = { sensor: [], agent: [], shipper: [], collector: [] };
  readonly #most: Record<Victim, number> = { sensor: 0, agent: 0, shipper: 0, collector: 0 };
  readonly #stack: Stack;
  readonly #startedAt = performance.now();

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  async kill(victim: Victim): Promise<void> {
    await until(() => typeof this.#stack.pids()[victim] === 'number', 15_000, `${victim} to be back`);
    const pid = this.#stack.pids()[victim];
    if (typeof pid !== 'number') return;
    try {
      process.kill(pid, 'SIGKILL');
      this.killed[victim]++;
      this.#samples[victim] = [];
    } catch {
      // It was between two lives.
    }
  }

  sample(): void {
    const minutes = (performance.now() - this.#startedAt) / 60_000;
    for (const victim of VICTIMS) {
      const pid = this.#stack.pids()[victim];
      const { pss } = typeof pid === 'number' ? memory(pid) : { pss: 0 };
      if (pss === 0) continue;
      this.#samples[victim].push([minutes, pss]);
      this.#most[victim] = Math.max(this.#most[victim], pss);
    }
  }

  /** Megabytes, proportional, of those that live. */
  get now(): Readonly<Partial<Record<Victim, number>>> {
    return Object.fromEntries(VICTIMS.map((victim) => [victim, this.#samples[victim].at(-1)?.[1]]));
  }

  get courses(): Readonly<Record<Victim, MemoryCourse>> {
    const course = (victim: Victim): MemoryCourse => courseOf(this.#samples[victim], this.#most[victim]);
    return {
      sensor: course('sensor'),
      agent: course('agent'),
      shipper: course('shipper'),
      collector: course('collector'),
    };
  }
}

/** Batches without a receipt. */
const waiting = (stack: Stack): number =>
  readdirSync(join(stack.home, 'agent/spool')).filter((name) => name.endsWith('.batch')).length;

const sum = (text: string | undefined): number => [...counts(text).values()].reduce((a, b) => a + b, 0);

/** The first half with killings, the second without: a memory has a course only while its process lives. */
export async function soak(seconds: number, port: number, say: (line: string) => void): Promise<SoakReport> {
  await using stack = await new Stack(port).start();
  const directory = mkdtempSync(join(tmpdir(), 'hushwatch-soak-'));
  const load = join(directory, 'load');
  const built = spawnSync('cc', ['-O2', '-static', '-pthread', '-o', load, join(CHECKOUT, 'test/bench/load.c')]);
  if (built.status !== 0) throw new Error('the load did not compile');
  const course = new Soak(stack);
  const working = stress(directory, load, seconds + 60);
  const pause = Math.min(10_000, Math.max(2_500, (seconds * 1000) / 30));
  try {
    const start = performance.now();
    const passed = (): number => (performance.now() - start) / 1000;
    for (let turn = 0; passed() < seconds; turn++) {
      await sleep(pause);
      course.sample();
      const victim = VICTIMS[turn % VICTIMS.length] ?? 'agent';
      if (passed() < seconds / 2) await course.kill(victim);
      say(
        `soak: ${passed().toFixed(0)} s; ${JSON.stringify(course.killed)}; ${sum(stack.statement().get('seen'))} seen, ${waiting(stack)} batches wait; MB: ${JSON.stringify(course.now)}`,
      );
    }
  } finally {
    await end(working);
    rmSync(directory, { recursive: true, force: true });
  }
  await sleep(3_000);
  await until(() => waiting(stack) <= FEW, DRAIN_MS, `the spool to empty; ${waiting(stack)} batches wait`);
  await stack.settled();
  const verification = stack.verify();
  await stack.stop();
  const statement = stack.statement();
  return {
    killed: course.killed,
    memory: course.courses,
    seen: sum(statement.get('seen')),
    released: sum(statement.get('released')),
    unaccounted: unaccounted(statement),
    verified: verification.status === 0,
    verification: verification.stdout,
  };
}

/** Above this, megabytes a minute, a memory is not called flat. */
const FLAT = 5;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
  const report = await soak(Number(values.minutes) * 60, 18_490, (line) => process.stderr.write(`${line}\n`));
  const steep = VICTIMS.filter((victim) => report.memory[victim].perMinute > FLAT);
  process.stdout.write(`${JSON.stringify({ ...report, verification: undefined }, null, 2)}\n`);
  for (const victim of steep) process.stderr.write(`soak: the memory of ${victim} is not flat\n`);
  if (!report.verified) process.stderr.write(report.verification);
  process.exitCode = report.verified && report.unaccounted.length === 0 && steep.length === 0 ? 0 : 1;
}
