/**
 * Who is who: processes by pid and start time, their executables, and the chain of executables above them.
 *
 * Filled from /proc at the start, kept by fork, exec and exit frames, and asked again when a frame names a process
 * that nobody introduced (a lost fork). A pid that is used again is another process: the start time says so. Bounded:
 * what ended is forgotten after a while, and beyond the limit the oldest go first. Parents are copied, not referred
 * to, so that a long line of dead ancestors holds no memory.
 */
import { readFileSync, readdirSync } from 'node:fs';

export interface ProcessRecord {
  /** `pid-start`: the raw entity id. */
  entity: string;
  readonly pid: number;
  readonly parentPid: number;
  readonly parentEntity: string | undefined;
  startNs: number;
  executable: string | undefined;
  args: readonly string[] | undefined;
  parentExecutable: string | undefined;
  parentArgs: readonly string[] | undefined;
  /** Executables from the parent upwards, at most eight. */
  ancestors: readonly string[];
  auditSession: number | undefined;
  /** Start as /proc tells it, in ticks of 10 ms, until a frame tells it exactly. */
  startTicks: number | undefined;
  endedAtNs: number | undefined;
}

const MAX_PROCESSES = 131_072;
const MAX_ANCESTORS = 8;
const KEPT_AFTER_EXIT_NS = 30e9;
const NS_PER_TICK = 1e7;

export class ProcessTable {
  readonly #byPid = new Map<number, ProcessRecord>();
  readonly #proc: string;

  constructor(proc = '/proc') {
    this.#proc = proc;
  }

  get size(): number {
    return this.#byPid.size;
  }

  /** Everything that lives now. What cannot be read of other users' processes stays unknown. */
  scan(): void {
    for (const entry of readdirSync(this.#proc)) {
      const pid = Number(entry);
      if (Number.isInteger(pid) && !this.#byPid.has(pid)) this.#readProc(pid);
    }
  }

  /** The process that a frame names; made from /proc, or bare, when nobody introduced it. */
  find(pid: number, startNs: number): ProcessRecord {
    const ticks = Math.floor(startNs / NS_PER_TICK);
    let known = this.#byPid.get(pid);
    if (known?.startNs === startNs) return known;
    if (known === undefined || known.startNs < startNs) {
      if (known?.startTicks === ticks) return this.#exact(known, startNs);
      known = this.#readProc(pid);
      if (known?.startTicks === ticks) return this.#exact(known, startNs);
    }
    const unknown = bare(pid, startNs, 0, undefined);
    // One that ended before another got its pid is not kept: the living one is.
    return known !== undefined && known.startNs > startNs ? unknown : this.#add(unknown);
  }

  /** A living process by pid alone, for targets that a call names by number. */
  peek(pid: number): ProcessRecord | undefined {
    return this.#byPid.get(pid);
  }

  fork(pid: number, startNs: number, parentPid: number, parentStartNs: number): ProcessRecord {
    const parent = this.find(parentPid, parentStartNs);
    const child = bare(pid, startNs, parentPid, parent.entity);
    child.executable = parent.executable;
    child.args = parent.args;
    child.auditSession = parent.auditSession;
    this.#inherit(child, parent);
    return this.#add(child);
  }

  exit(record: ProcessRecord, atNs: number): void {
    record.endedAtNs = atNs;
  }

  /** Forgets what ended long enough ago. */
  sweep(nowNs: number): void {
    for (const [pid, record] of this.#byPid) {
      if (record.endedAtNs !== undefined && nowNs - record.endedAtNs > KEPT_AFTER_EXIT_NS) this.#byPid.delete(pid);
    }
  }

  #add(record: ProcessRecord): ProcessRecord {
    // Delete first: the map's order is then the order of arrival, and the oldest is its first.
    this.#byPid.delete(record.pid);
    if (this.#byPid.size >= MAX_PROCESSES) {
      const [oldest] = this.#byPid.keys();
      if (oldest !== undefined) this.#byPid.delete(oldest);
    }
    this.#byPid.set(record.pid, record);
    return record;
  }

  #exact(record: ProcessRecord, startNs: number): ProcessRecord {
    record.startNs = startNs;
    record.entity = entityOf(record.pid, startNs);
    record.startTicks = undefined;
    return record;
  }

  #inherit(child: ProcessRecord, parent: ProcessRecord | undefined): void {
    if (parent === undefined) return;
    child.parentExecutable = parent.executable;
    child.parentArgs = parent.args;
    child.ancestors =
      parent.executable === undefined
        ? parent.ancestors
        : [parent.executable, ...parent.ancestors].slice(0, MAX_ANCESTORS);
  }

  #readProc(pid: number): ProcessRecord | undefined {
    try {
      // "pid (comm) state ppid …": the name may hold spaces and parentheses, so read from the last one.
      const stat = readFileSync(`${this.#proc}/${pid}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ');
      const ticks = Number(fields[19]);
      const parentPid = Number(fields[1]);
      // Parents first, so that everybody has their ancestors.
      const parent = this.#byPid.get(parentPid) ?? this.#readProc(parentPid);
      const record = bare(pid, ticks * NS_PER_TICK, parentPid, parent?.entity);
      record.startTicks = ticks;
      const commandLine = readFileSync(`${this.#proc}/${pid}/cmdline`, 'utf8');
      record.args = commandLine === '' ? undefined : commandLine.split('\0').slice(0, -1);
      // The link itself is readable for its owner only; argv[0] is a hint as good as the process is honest.
      const first = record.args?.[0];
      record.executable = first?.startsWith('/') === true ? first : undefined;
      this.#inherit(record, parent);
      return this.#add(record);
    } catch {
      // It ended between listing and reading, or is not ours to read: then it stays unknown.
      return undefined;
    }
  }
}

export const entityOf = (pid: number, startNs: number): string => `${pid}-${startNs}`;

function bare(pid: number, startNs: number, parentPid: number, parentEntity: string | undefined): ProcessRecord {
  return {
    entity: entityOf(pid, startNs),
    pid,
    parentPid,
    parentEntity,
    startNs,
    executable: undefined,
    args: undefined,
    parentExecutable: undefined,
    parentArgs: undefined,
    ancestors: [],
    auditSession: undefined,
    startTicks: undefined,
    endedAtNs: undefined,
  };
}
