/**
 * Who is who: processes by pid and start time, their executables, and the chain of executables above them.
 *
 * Told by the sensor: by descriptions of everything that lives when it connects, then by fork, exec and exit frames.
 * /proc is asked where nobody introduced a process (a lost fork), and now and then whether what we hold still lives. What is
 * said of a process is true or unknown, and what is unknown is marked. A pid that is used again is another process: the start
 * time says so. Bounded: what ended is forgotten after a while. Chains are copied and shared among siblings, so that a long
 * line of dead ancestors holds no memory and stays known.
 */
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { uptime } from 'node:os';
import { Domains } from './domains.ts';

/** From the parent upwards, at most eight; undefined where one is not known. */
type Chain = readonly (string | undefined)[];

const UNKNOWN: Chain = [undefined];
const MAX_ANCESTORS = 8;
const MAX_PROCESSES = 131_072;
const MAX_ENDED = 32_768;
/** Forgotten at once when the table is full, so that the next ones are cheap. */
const ROOM = MAX_PROCESSES / 64;
/** Of arguments so much is remembered, for the children; less on a machine with very many processes. */
const MANY_PROCESSES = 16_384;
const ARGS_KEPT = 2_048;
const ARGS_KEPT_OF_MANY = 256;
const MAX_NAMES = 16_384;
const KEPT_AFTER_EXIT_NS = 30e9;
const NS_PER_TICK = 1e7;
/** Processes of which /proc is asked at a time whether they live. */
const ASKED_AT_A_TIME = 256;

export class ProcessRecord {
  readonly pid: number;
  startNs: number;
  parentPid: number;
  /** Undefined where the parent is not known. */
  parentStartNs: number | undefined;
  executable: string | undefined = undefined;
  auditSession: number | undefined = undefined;
  /** The kernel's number, for {@link Domains}; 0 where it is not known. */
  domain = 0;
  endedAtNs: number | undefined = undefined;
  /** When it was last told what it is. What an unseen exec made of it before a doubt is no longer sure. */
  toldAtNs = 0;
  /** Since when it runs that program, as far as we know. */
  changedAtNs = 0;
  /** Start as /proc tells it, in ticks of 10 ms, until a frame tells it exactly. */
  startTicks: number | undefined = undefined;
  /** A thread of the kernel: runs no program, and nothing that matters is above it. */
  kernel = false;
  /** Undefined until somebody asks: see {@link ProcessTable.chainOf}. */
  chain: Chain | undefined = undefined;
  #entity: string | undefined;
  #args: string | undefined;
  #below: Chain | undefined;
  #belowChain: Chain | undefined;

  constructor(pid: number, startNs: number, parentPid: number, parentStartNs: number | undefined) {
    this.pid = pid;
    this.startNs = startNs;
    this.parentPid = parentPid;
    this.parentStartNs = parentStartNs;
  }

  /** `pid-start`: the raw entity id. */
  get entity(): string {
    return (this.#entity ??= entityOf(this.pid, this.startNs));
  }

  get parentEntity(): string | undefined {
    return this.parentStartNs === undefined ? undefined : entityOf(this.parentPid, this.parentStartNs);
  }

  /** Those that are known, from the parent upwards. */
  get ancestors(): readonly string[] {
    return (this.chain ?? UNKNOWN).filter((executable) => executable !== undefined);
  }

  /** None of them is missing. */
  get ancestorsComplete(): boolean {
    return this.chain !== undefined && !this.chain.includes(undefined);
  }

  /** As far as they are remembered. */
  get args(): readonly string[] | undefined {
    return this.#args?.split('\0');
  }

  /** One string, without what it was cut from: a hundred thousand processes fit. */
  keepArgs(args: readonly string[] | undefined, most: number): void {
    if (args === undefined || args.length === 0) {
      this.#args = undefined;
      return;
    }
    const joined = args.join('\0');
    this.#args = joined.length <= most ? joined : Buffer.from(joined.slice(0, most)).toString();
  }

  exactly(startNs: number): this {
    this.startNs = startNs;
    this.startTicks = undefined;
    this.#entity = undefined;
    return this;
  }

  inherit(parent: ProcessRecord, chain: Chain): void {
    this.executable = parent.executable;
    this.auditSession = parent.auditSession;
    this.domain = parent.domain;
    this.kernel = parent.kernel;
    this.#args = parent.#args;
    this.chain = chain;
  }

  /** The chain of children that `executable` has, one array for all of them. */
  below(executable: string | undefined, chain: Chain): Chain {
    if (this.kernel) return chain;
    if (this.#below !== undefined && this.#below[0] === executable && this.#belowChain === chain) return this.#below;
    this.#belowChain = chain;
    return (this.#below = [executable, ...chain].slice(0, MAX_ANCESTORS));
  }
}

/** What a description or an exec says of a process. */
export interface Told {
  readonly pid: number;
  readonly startNs: number;
  readonly atNs: number;
  readonly parentPid: number;
  readonly parentStartNs: number;
  readonly executable: string | undefined;
  readonly kernel: boolean;
  readonly args: readonly string[];
  readonly auditSession: number | undefined;
  readonly domain?: number;
}

export class ProcessTable {
  readonly domains: Domains;
  readonly #byPid = new Map<number, ProcessRecord>();
  readonly #names = new Map<string, string>();
  readonly #proc: string | undefined;
  /** In the order in which they ended. */
  #ended: ProcessRecord[] = [];
  /** Described before their parents. */
  readonly #waiting = new Set<ProcessRecord>();
  #doubtedAtNs = -1;
  #asking: Iterator<ProcessRecord> | undefined;

  /** Without `proc`, /proc is not asked: it may be that of another pid namespace. */
  constructor(proc?: string) {
    this.#proc = proc;
    this.domains = new Domains(proc);
  }

  get size(): number {
    return this.#byPid.size;
  }

  /** Everything that /proc shows now: for the source that has nothing else. */
  scan(): void {
    if (this.#proc === undefined) return;
    for (const entry of readdirSync(this.#proc)) {
      const pid = Number(entry);
      if (Number.isInteger(pid) && !this.#byPid.has(pid)) this.#readProc(pid);
    }
  }

  /** The process that a frame names; made from /proc, or bare, when nobody introduced it. */
  find(pid: number, startNs: number): ProcessRecord {
    let known = this.#byPid.get(pid);
    if (known?.startNs === startNs) return known;
    if (known === undefined || known.startNs < startNs) {
      const ticks = Math.floor(startNs / NS_PER_TICK);
      if (known?.startTicks === ticks) return known.exactly(startNs);
      known = this.#readProc(pid);
      if (known?.startTicks === ticks) return known.exactly(startNs);
    }
    const unknown = new ProcessRecord(pid, startNs, 0, undefined);
    unknown.chain = UNKNOWN;
    // One that ended before another got its pid is not kept: the living one is.
    return known !== undefined && known.startNs > startNs ? unknown : this.#add(unknown);
  }

  /** A living process by pid alone, for targets that a call names by number. */
  peek(pid: number): ProcessRecord | undefined {
    return this.#byPid.get(pid);
  }

  fork(pid: number, startNs: number, parentPid: number, parentStartNs: number): ProcessRecord {
    const parent = this.find(parentPid, parentStartNs);
    const child = new ProcessRecord(pid, startNs, parentPid, parent.startNs);
    child.inherit(parent, this.#below(parent));
    child.toldAtNs = this.#isSure(parent) ? startNs : parent.toldAtNs;
    return this.#add(child);
  }

  /** The process becomes another program. Who made it stays who made it; the parent says more only where that is unknown. */
  exec(record: ProcessRecord, told: Told, parent: ProcessRecord | undefined): void {
    if (parent !== undefined) {
      record.parentPid = told.parentPid;
      record.parentStartNs = parent.startNs;
      if (this.#chainOf(record).includes(undefined)) record.chain = this.#below(parent);
    }
    this.#become(record, told);
    record.changedAtNs = told.atNs;
  }

  /** The sensor describes a process that lives. What happened to it later, and is known already, stands. */
  describe(told: Told): void {
    let record = this.#byPid.get(told.pid);
    if (record !== undefined && record.startTicks === Math.floor(told.startNs / NS_PER_TICK))
      record.exactly(told.startNs);
    if (record !== undefined && (record.startNs > told.startNs || record.toldAtNs > told.atNs)) return;
    if (record?.startNs !== told.startNs)
      record = this.#add(new ProcessRecord(told.pid, told.startNs, told.parentPid, told.parentStartNs));
    record.endedAtNs = undefined;
    record.parentPid = told.parentPid;
    record.parentStartNs = told.parentStartNs;
    if (record.chain?.includes(undefined) === true) record.chain = undefined;
    this.#become(record, told);
    if (this.#chainOf(record).includes(undefined)) this.#waiting.add(record);
  }

  /** Something about processes was lost by then: whoever was not told since may run another program than we know. */
  doubt(atNs: number): void {
    this.#doubtedAtNs = atNs;
  }

  /** What it runs; undefined where that is not known for sure. */
  executableOf(record: ProcessRecord): string | undefined {
    return this.#isSure(record) ? record.executable : undefined;
  }

  exit(record: ProcessRecord, atNs: number): void {
    record.endedAtNs = atNs;
    if (this.#ended.length === MAX_ENDED) for (const old of this.#ended.splice(0, MAX_ENDED / 2)) this.#forget(old);
    this.#ended.push(record);
  }

  /** Forgets what ended long enough ago, and asks of some whether they live: the exit of one may have been lost. */
  sweep(nowNs: number): void {
    // While the parents are there: a child that was described knows them by name only.
    for (const record of this.#waiting) {
      if (!this.#chainOf(record).includes(undefined) || nowNs - record.toldAtNs > KEPT_AFTER_EXIT_NS)
        this.#waiting.delete(record);
    }
    const stays = this.#ended.findIndex(({ endedAtNs }) => nowNs - (endedAtNs ?? 0) <= KEPT_AFTER_EXIT_NS);
    for (const record of this.#ended.splice(0, stays < 0 ? this.#ended.length : stays)) this.#forget(record);
    this.#askWhoLives(nowNs);
  }

  /** Unless it was described again meanwhile, or another has its pid. */
  #forget(record: ProcessRecord): void {
    if (record.endedAtNs !== undefined && this.#byPid.get(record.pid) === record) this.#byPid.delete(record.pid);
  }

  #isSure(record: ProcessRecord): boolean {
    return record.toldAtNs > this.#doubtedAtNs;
  }

  #below(parent: ProcessRecord): Chain {
    return parent.below(this.executableOf(parent), this.#chainOf(parent));
  }

  /** Made of the parents' when it was not told; kept as soon as nothing is missing. */
  #chainOf(record: ProcessRecord, depth = 0): Chain {
    if (record.chain !== undefined) return record.chain;
    const chain = this.#chainFromParent(record, depth);
    if (!chain.includes(undefined)) record.chain = chain;
    return chain;
  }

  #chainFromParent(record: ProcessRecord, depth: number): Chain {
    if (record.parentPid === 0) return [];
    const parent = this.#byPid.get(record.parentPid);
    if (parent === undefined || parent.startNs !== record.parentStartNs) return UNKNOWN;
    if (depth === MAX_ANCESTORS) return [];
    // What it became after it was told whose child this is, it may have become as nobody's parent.
    const executable = parent.changedAtNs > record.toldAtNs ? undefined : this.executableOf(parent);
    return parent.below(executable, this.#chainOf(parent, depth + 1));
  }

  #become(record: ProcessRecord, told: Told): void {
    record.kernel = told.kernel;
    const executable = told.executable === undefined ? undefined : this.#name(told.executable);
    // What it was before nobody knew, or it was that already when it began to be known.
    if (record.executable !== undefined && executable !== record.executable) record.changedAtNs = told.atNs;
    record.executable = executable;
    record.keepArgs(told.args, this.#byPid.size > MANY_PROCESSES ? ARGS_KEPT_OF_MANY : ARGS_KEPT);
    record.auditSession = told.auditSession;
    record.domain = told.domain ?? 0;
    record.toldAtNs = told.atNs;
  }

  /** One string for the one path of many processes. */
  #name(path: string): string {
    const known = this.#names.get(path);
    if (known !== undefined) return known;
    if (this.#names.size >= MAX_NAMES) this.#names.clear();
    this.#names.set(path, path);
    return path;
  }

  #add(record: ProcessRecord): ProcessRecord {
    // Delete first: the map's order is then the order of arrival, and the oldest is its first.
    this.#byPid.delete(record.pid);
    if (this.#byPid.size >= MAX_PROCESSES) this.#makeRoom();
    this.#byPid.set(record.pid, record);
    return record;
  }

  /** First what ended; only then the oldest, who may be everybody's ancestors. */
  #makeRoom(): void {
    for (const record of this.#ended.splice(0)) this.#forget(record);
    for (const pid of this.#byPid.keys()) {
      if (this.#byPid.size <= MAX_PROCESSES - ROOM) return;
      this.#byPid.delete(pid);
    }
  }

  /** In small portions, one after the other through the whole table. Where /proc hides others, absence says nothing. */
  #askWhoLives(nowNs: number): void {
    if (this.#proc === undefined || !existsSync(`${this.#proc}/1/stat`)) return;
    this.#asking ??= this.#byPid.values();
    for (let i = 0; i < ASKED_AT_A_TIME; i++) {
      const { done, value: record } = this.#asking.next();
      if (done === true) {
        this.#asking = undefined;
        return;
      }
      if (record.endedAtNs === undefined && !this.#lives(record)) this.exit(record, nowNs);
    }
  }

  #lives(record: ProcessRecord): boolean {
    return this.#stat(record.pid)?.ticks === Math.floor(record.startNs / NS_PER_TICK);
  }

  /** "pid (comm) state ppid …": the name may hold spaces and parentheses, so read from the last one. */
  #stat(pid: number): { readonly parentPid: number; readonly ticks: number; readonly kernel: boolean } | undefined {
    try {
      const stat = readFileSync(`${this.#proc}/${pid}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ');
      return { parentPid: Number(fields[1]), ticks: Number(fields[19]), kernel: (Number(fields[6]) & 0x20_0000) !== 0 };
    } catch {
      // It ended between listing and reading, or is not ours to read: then it stays unknown.
      return undefined;
    }
  }

  #readProc(pid: number): ProcessRecord | undefined {
    const stat = this.#proc === undefined ? undefined : this.#stat(pid);
    if (stat === undefined) return undefined;
    // Parents first, so that everybody has their ancestors.
    const parent = this.#byPid.get(stat.parentPid) ?? this.#readProc(stat.parentPid);
    const record = new ProcessRecord(pid, stat.ticks * NS_PER_TICK, stat.parentPid, parent?.startNs);
    record.startTicks = stat.ticks;
    record.kernel = stat.kernel;
    record.executable = this.#executable(pid);
    record.toldAtNs = uptime() * 1e9;
    record.keepArgs(this.#args(pid), ARGS_KEPT);
    record.chain = parent === undefined ? (stat.parentPid === 0 ? [] : UNKNOWN) : this.#below(parent);
    return this.#add(record);
  }

  /** The link is readable for its owner and for root; what argv[0] claims is not believed. */
  #executable(pid: number): string | undefined {
    try {
      return this.#name(readlinkSync(`${this.#proc}/${pid}/exe`).replace(/ \(deleted\)$/, ''));
    } catch {
      return undefined;
    }
  }

  #args(pid: number): readonly string[] | undefined {
    try {
      const commandLine = readFileSync(`${this.#proc}/${pid}/cmdline`, 'utf8');
      return commandLine === '' ? undefined : commandLine.split('\0').slice(0, -1);
    } catch {
      return undefined;
    }
  }
}

export const entityOf = (pid: number, startNs: number): string => `${pid}-${startNs}`;

/** The number that the kernel gives the pid namespace in which frames count. */
const INITIAL_PID_NAMESPACE = 'pid:[4026531836]';

/** The pids of frames are those of our /proc. */
export function sharesPids(proc = '/proc'): boolean {
  return readlinkSync(`${proc}/self/ns/pid`) === INITIAL_PID_NAMESPACE;
}
