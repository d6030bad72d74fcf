/**
 * Lineage on the real kernel: a line of processes stands before the sensor starts, and what they do then is told with all
 * their ancestors, to the first agent and to the one after it, by a sensor that has no right left.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SystemClock } from '../../agent/clock.ts';
import { Enricher } from '../../agent/enrich.ts';
import type { Attributes } from '../../agent/event.ts';
import { ProcessTable } from '../../agent/process-table.ts';
import { openFrameSource } from '../../agent/sources/ebpf.ts';
import type { Frame } from '../../agent/sources/frame.ts';
import { UserNames } from '../../agent/users.ts';
import { CHECKOUT, isRoot, until, WHY_SKIPPED } from './stack.ts';
import { buildSensor, SENSOR } from './watched.ts';

const NOBODY = 65_534;
let work = '';
const program = (name: string): string => join(work, name);

beforeAll(() => {
  if (!isRoot) return;
  buildSensor();
  work = mkdtempSync(join(tmpdir(), 'hushwatch-lineage-'));
  chmodSync(work, 0o777);
  execFileSync('clang', ['-O1', '-pthread', '-o', program('a'), join(CHECKOUT, 'test/e2e/actions-lineage.c')]);
  for (const name of ['b', 'c']) copyFileSync(program('a'), program(name));
});
afterAll(() => {
  if (work !== '') rmSync(work, { recursive: true });
});

/** Knows nothing but what one connection says. */
class Agent {
  readonly frames: Frame[] = [];
  readonly execs = new Map<number, Attributes>();
  readonly table = new ProcessTable();
  readonly #over = new AbortController();
  readonly #listening: Promise<void>;

  constructor(path: string) {
    this.#listening = this.#listen(path);
  }

  async #listen(path: string): Promise<void> {
    const enricher = new Enricher(this.table, new UserNames(), new SystemClock());
    const chunks = openFrameSource(path, this.#over.signal);
    await sleep(100);
    chmodSync(path, 0o666);
    for await (const chunk of chunks) {
      this.frames.push(...chunk);
      for (const frame of chunk) {
        if (frame.kind === 'process') enricher.learn(frame);
        else if (frame.kind === 'counters') enricher.counted(frame);
        else if (frame.kind === 'hello') enricher.met(frame);
        else {
          const event = enricher.enrich(frame);
          if (frame.kind === 'exec') this.execs.set(frame.pid, event.attributes);
        }
      }
    }
  }

  get described(): number {
    return this.frames.filter(({ kind }) => kind === 'process').length;
  }

  async ready(): Promise<void> {
    await until(() => this.described > 0, 60_000, 'descriptions');
    for (let before = -1; before !== this.described; await sleep(200)) before = this.described;
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await this.#listening;
  }
}

/** What the line of processes says of its pids, round by round. */
class Line {
  readonly child: ChildProcess = spawn(program('a'), [program('b'), program('c')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  said = '';

  constructor() {
    this.child.stdout?.on('data', (chunk: Buffer) => (this.said += chunk.toString()));
  }

  pid(name: string): number {
    return Number(
      this.said
        .split('\n')
        .findLast((line) => line.startsWith(`${name} `))
        ?.split(' ')[1],
    );
  }

  async act(): Promise<void> {
    this.said = this.said.slice(0, this.said.indexOf('\n') + 1);
    this.child.stdin?.write('x');
    await until(() => this.said.includes('done'), 10_000, 'the deeds');
  }
}

/** From `pid` upwards, as /proc tells root; `?` for one that not even root may ask about. */
function truth(pid: number): readonly string[] {
  const parent = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
  let executable = '?';
  try {
    executable = readlinkSync(`/proc/${pid}/exe`);
  } catch {
    // As promised.
  }
  return parent === 0 ? [executable] : [executable, ...truth(parent)];
}

/** What we do not know may be anything. */
const known = (above: readonly string[]): readonly unknown[] =>
  above.slice(0, 8).map((executable) => (executable === '?' ? expect.any(String) : executable));

async function rightAncestors(agent: Agent, line: Line): Promise<void> {
  await line.act();
  const pids = ['child', 'thread', 'orphan'].map((name) => line.pid(name));
  await until(() => pids.every((pid) => agent.execs.has(pid)), 10_000, 'what they did');
  const above = truth(line.pid('last'));
  expect(above.slice(0, 3)).toEqual([program('c'), program('b'), program('a')]);
  const [child, thread, orphan] = pids.map((pid) => agent.execs.get(pid));
  const lineage = { 'process.ancestors': known(above), 'process.ancestors.complete': true };
  const parent = { 'process.parent_pid': line.pid('last'), 'process.parent.executable.path': program('c') };
  expect(child).toMatchObject({ ...lineage, ...parent });
  expect(thread).toMatchObject({ ...lineage, ...parent });
  expect(orphan).toMatchObject({
    'process.parent_pid': line.pid('reaper'),
    'process.ancestors': known([program('c'), ...above]),
    'process.ancestors.complete': true,
  });
  // A second thread that runs a program takes the first one's number and start: it is the process that was forked.
  const forked = agent.frames.findLast((frame) => frame.kind === 'fork' && frame.pid === line.pid('thread'));
  expect(thread?.['process.entity.id']).toBe(`${line.pid('thread')}-${forked?.kind === 'fork' ? forked.startNs : ''}`);
}

test.skipIf(!isRoot)(
  `who lived before the sensor has all ancestors, for each agent that comes${WHY_SKIPPED}`,
  async () => {
    const line = new Line();
    await until(() => line.said.includes('last'), 10_000, 'the line of processes');
    const path = join(work, 'agent.sock');
    const first = new Agent(path);
    const rights = '-all,+bpf,+perfmon';
    const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
    const only = [`--inh-caps=${rights}`, `--ambient-caps=${rights}`, `--bounding-set=${rights}`];
    const sensor = spawn('setpriv', [...user, ...only, SENSOR, '--socket', path], { stdio: 'inherit' });
    try {
      await first.ready();
      const living = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length;
      expect(Math.abs(first.described - living)).toBeLessThan(10);
      await rightAncestors(first, line);
      await first.stop();

      expect(readFileSync(`/proc/${sensor.pid}/status`, 'latin1')).toMatch(/^CapPrm:\t0+$/m);
      const second = new Agent(path);
      await second.ready();
      await rightAncestors(second, line);
      await second.stop();
    } finally {
      line.child.kill();
      const gone = once(sensor, 'close');
      sensor.kill('SIGTERM');
      await gone;
    }
  },
);
