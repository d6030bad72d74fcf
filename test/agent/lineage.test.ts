/**
 * Lineage against an oracle: a random small world of forks, execs, exits and used-again pids, of which the agent hears
 * with losses, with descriptions that come late, and through restarts. What is said of a process is true or unknown.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Enricher } from '../../agent/enrich.ts';
import type { Attributes } from '../../agent/event.ts';
import { entityOf, ProcessTable } from '../../agent/process-table.ts';
import type { Actor, DescribedFrame, ExecFrame } from '../../agent/sources/frame.ts';
import { UserNames } from '../../agent/users.ts';

const PIDS = 12;
const DEPTH = 8;

/** What really is. */
interface Process {
  readonly pid: number;
  readonly startNs: number;
  parent: Process | undefined;
  executable: string;
  /** Every parent it ever had, with every program that one ran in the time. */
  readonly above: Map<Process, Set<string>>;
}

const often = ['fork', 'exec', 'exit'] as const;
const step = fc.record({
  what: fc.constantFrom(...often, ...often, ...often, 'snapshot', 'deliver', 'describe', 'restart', 'sweep'),
  who: fc.nat(),
  lost: fc.nat(7).map((n) => n === 0),
});

class World {
  readonly init: Process = { pid: 1, startNs: 1, parent: undefined, executable: '/sbin/init', above: new Map() };
  readonly living: Process[] = [this.init];
  now = 1_000;
  #next = 2;
  #programs = 0;
  #lost = 0;
  #pending: DescribedFrame[] = [];
  #table = new ProcessTable();
  #enricher = this.#open();
  told = 0;
  known = 0;

  #open(): Enricher {
    this.#table = new ProcessTable();
    const clock = { utc: (ns: number) => ns, bootNs: () => 0 };
    return new Enricher(this.#table, new UserNames('/nonexistent'), clock);
  }

  #some(who: number): Process {
    return this.living[who % this.living.length] ?? this.init;
  }

  #actor({ pid, startNs }: Process): Actor {
    return { atNs: this.now, pid, tid: pid, startNs, uid: 0, gid: 0, errno: 0, repeats: 0 };
  }

  #program(process: Process): Omit<ExecFrame, 'kind' | 'file'> {
    const { parent, executable } = process;
    return {
      ...this.#actor(process),
      ...{
        parentPid: parent?.pid ?? 0,
        parentStartNs: parent?.startNs ?? 0,
        executable,
        args: [executable],
        argsCount: 1,
      },
      ...{
        argsTruncated: false,
        script: '',
        domain: 0,
        workingDirectory: '/',
        cgroup: '/',
        namespaces: { mnt: 1, pid: 1, net: 1, user: 1 },
      },
      credentials: {
        ...{ realUid: 0, effectiveUid: 0, savedUid: 0, effectiveGid: 0, effectiveCapabilities: 0n },
        ...{ loginUid: 0, auditSession: 0 },
      },
    };
  }

  do({ what, who, lost }: { readonly what: string; readonly who: number; readonly lost: boolean }): void {
    this.now += 10;
    if (what === 'fork') this.#fork(this.#some(who), lost);
    else if (what === 'exec') this.#exec(this.#some(who), lost);
    else if (what === 'exit') this.#exit(this.#some(who), lost);
    else if (what === 'snapshot') this.#snapshot();
    else if (what === 'deliver') this.#deliver();
    else if (what === 'describe') {
      this.#snapshot();
      this.#deliver();
    } else if (what === 'sweep') this.#table.sweep(this.now + (lost ? 60e9 : 0));
    else {
      this.#enricher = this.#open();
      this.#pending = [];
    }
  }

  #fork(parent: Process, lost: boolean): void {
    const taken = new Set(this.living.map(({ pid }) => pid));
    if (taken.size === PIDS) return;
    do this.#next = (this.#next % PIDS) + 1;
    while (taken.has(this.#next));
    const child: Process = {
      pid: this.#next,
      startNs: this.now,
      parent,
      executable: parent.executable,
      above: new Map(),
    };
    child.above.set(parent, new Set([parent.executable]));
    this.living.push(child);
    if (lost) return this.#lose();
    const { attributes } = this.#enricher.enrich({
      ...this.#actor(child),
      kind: 'fork',
      parentPid: parent.pid,
      parentStartNs: parent.startNs,
    });
    expect(attributes['process.parent.entity.id']).toBe(entityOf(parent.pid, parent.startNs));
    this.#check(child, attributes);
  }

  #exec(process: Process, lost: boolean): void {
    process.executable = `/bin/${++this.#programs}`;
    for (const child of this.living) if (child.parent === process) child.above.get(process)?.add(process.executable);
    if (lost) return this.#lose();
    const file = { inode: 1, major: 1, minor: 1, mode: 0, uid: 0, gid: 0, links: 1 };
    const { attributes } = this.#enricher.enrich({ ...this.#program(process), kind: 'exec', file });
    expect(attributes['process.executable.path']).toBe(process.executable);
    this.#check(process, attributes);
  }

  #exit(process: Process, lost: boolean): void {
    if (process === this.init) return;
    this.living.splice(this.living.indexOf(process), 1);
    for (const child of this.living) if (child.parent === process) this.#adopt(child);
    if (lost) return this.#lose();
    const { attributes } = this.#enricher.enrich({ ...this.#actor(process), kind: 'exit', code: 0, signal: 0 });
    expect(attributes['process.entity.id']).toBe(entityOf(process.pid, process.startNs));
  }

  #adopt(child: Process): void {
    child.parent = this.init;
    const programs = child.above.get(this.init) ?? new Set();
    child.above.set(this.init, programs.add(this.init.executable));
  }

  /** The sensor says at once, behind what it says, that something was lost. */
  #lose(): void {
    const process = { seen: 0, emitted: 0, merged: 0, sampled: 0, lost: ++this.#lost };
    this.now += 1;
    this.#enricher.counted({ kind: 'counters', atNs: this.now, classes: { process } });
  }

  #snapshot(): void {
    this.#pending = this.living.map((process) => ({ ...this.#program(process), kind: 'process', file: undefined }));
  }

  #deliver(): void {
    for (const frame of this.#pending.splice(0)) this.#enricher.learn(frame);
  }

  #check(process: Process, attributes: Attributes): void {
    expect(attributes['process.entity.id']).toBe(entityOf(process.pid, process.startNs));
    const parent = attributes['process.parent.executable.path'];
    if (parent !== undefined) expect(parent).toBe(process.parent?.executable);
    const names = attributes['process.ancestors'];
    if (!Array.isArray(names)) return;
    const complete = attributes['process.ancestors.complete'] === true;
    if (!isLineage(process, names, complete, names.length)) {
      expect.fail(`${process.pid} has no ancestors ${names.join(' ')}${complete ? ', complete' : ''}`);
    }
    this.told++;
    this.known += complete ? 1 : 0;
  }
}

/** Each name is that of a program that an ancestor ran while it was one; in order, and without a gap if `complete`. */
function isLineage(process: Process, names: readonly string[], complete: boolean, all: number): boolean {
  const [first, ...rest] = names;
  if (first === undefined)
    return !complete || process.parent === undefined || all === DEPTH || process.above.size === 0;
  return [...process.above].some(
    ([parent, programs]) =>
      (programs.has(first) && isLineage(parent, rest, complete, all)) ||
      (!complete && isLineage(parent, names, complete, all)),
  );
}

test('lineage is true or unknown, whatever is lost, late or started again', () => {
  let [told, known] = [0, 0];
  fc.assert(
    fc.property(fc.array(step, { minLength: 60, maxLength: 100 }), (steps) => {
      const world = new World();
      world.do({ what: 'describe', who: 0, lost: false });
      for (const one of steps) world.do(one);
      [told, known] = [told + world.told, known + world.known];
    }),
    { numRuns: 1_000 },
  );
  // Not by saying nothing.
  expect(known / told).toBeGreaterThan(0.3);
});

test('with everything told, everything is known', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
      const world = new World();
      world.do({ what: 'describe', who: 0, lost: false });
      for (const { what, who } of steps)
        if (what === 'fork' || what === 'exec' || what === 'exit') world.do({ what, who, lost: false });
      expect(world.known).toBe(world.told);
    }),
  );
});
