/**
 * Who did it: tells from released events which process belongs to which control group of ours, by marks.
 *
 * A group's name leaves as a pseudonym. So whoever makes a group starts one program in it and notes its pid: the group that
 * this program's execution names is that group.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReleasedRecord } from '../../collector/detectors/detector.ts';

export interface Mark {
  readonly name: string;
  readonly pid: number;
  /** Milliseconds since 1970; the program started after this. */
  readonly at: number;
}

interface Known {
  readonly parent: string | undefined;
  readonly group: string | undefined;
  readonly isNode: boolean;
}

const MARK_US = 20_000_000;
const MAX_DEPTH = 64;

export class Origins {
  readonly #marks = new Map<number, Mark[]>();
  /** Released names of groups, and whose they are. */
  readonly #names = new Map<string, Mark>();
  readonly #latest = new Map<Mark, number>();
  readonly #known = new Map<string, Known>();

  constructor(marks: readonly Mark[]) {
    for (const mark of marks) this.#marks.set(mark.pid, [...(this.#marks.get(mark.pid) ?? []), mark]);
  }

  learn(record: ReleasedRecord): void {
    const entity = text(record, 'process.entity.id');
    if (entity === undefined || (record.event !== 'process.exec' && record.event !== 'process.fork')) return;
    const group = text(record, 'process.linux.cgroup');
    if (group !== undefined) this.#meet(Number(record['process.pid']), record.time, group);
    const before = this.#known.get(entity);
    const programs = [record['process.executable.path'], record['process.ancestors']].flat();
    this.#known.set(entity, {
      parent: text(record, 'process.parent.entity.id') ?? before?.parent,
      group: group ?? before?.group,
      isNode: programs.some((path) => String(path).endsWith('/node')),
    });
  }

  #meet(pid: number, time: number, group: string): void {
    // Clocks of process and kernel differ a little.
    const mark = this.#marks.get(pid)?.find(({ at }) => time >= at * 1000 - 1_000_000 && time < at * 1000 + MARK_US);
    // The program may have run elsewhere first, and moved: its last word counts, in whatever order they come.
    if (mark === undefined || (this.#latest.get(mark) ?? 0) > time) return;
    this.#latest.set(mark, time);
    for (const [other, owner] of this.#names) if (owner === mark) this.#names.delete(other);
    this.#names.set(group, mark);
  }

  /** The mark's name; `node` for what node.js started otherwise. */
  of(entity: string | undefined): string | undefined {
    let isNode = false;
    let at = entity;
    for (let depth = 0; at !== undefined && depth < MAX_DEPTH; depth++) {
      const known = this.#known.get(at);
      const name = known?.group === undefined ? undefined : this.#nameOf(known.group);
      if (name !== undefined) return name;
      isNode ||= known?.isNode ?? false;
      at = known?.parent;
    }
    return isNode ? 'node' : undefined;
  }

  /** A group's own, or that of the nearest one above it. */
  #nameOf(group: string): string | undefined {
    for (let path = group; path !== ''; path = path.slice(0, path.lastIndexOf('/'))) {
      const name = this.#names.get(path)?.name;
      if (name !== undefined) return name;
    }
    return undefined;
  }
}

function text(record: ReleasedRecord, name: string): string | undefined {
  const value = record[name];
  return typeof value === 'string' ? value : undefined;
}

/** A control group of ours, made below where groups of version 2 are. */
export class Group implements Disposable {
  readonly path: string;
  readonly #before: string;

  constructor(name: string) {
    const mounted = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/mounts', 'utf8'))?.[1];
    if (mounted === undefined) throw new Error('control groups of version 2 are not mounted');
    this.#before = join(mounted, /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/');
    this.path = join(mounted, name);
    mkdirSync(this.path, { recursive: true });
  }

  /** Moves this process, and so all that it will start, into the group, until it is disposed of. */
  enter(): this {
    writeFileSync(join(this.path, 'cgroup.procs'), String(process.pid));
    return this;
  }

  /** The command before a command that runs it in the group. */
  get command(): readonly string[] {
    return ['sh', '-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', this.path];
  }

  /** Ends everything in it. */
  kill(): void {
    writeFileSync(join(this.path, 'cgroup.kill'), '1');
  }

  /** Moves this process back; what it started stays. */
  leave(): void {
    writeFileSync(join(this.#before, 'cgroup.procs'), String(process.pid));
  }

  [Symbol.dispose](): void {
    this.leave();
    removeEmpty(this.path);
  }
}

/** With the groups that a container made in it. Where somebody still ends, the empty group stays, in nobody's way. */
function removeEmpty(group: string): void {
  try {
    for (const { name } of readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory()))
      removeEmpty(join(group, name));
    rmdirSync(group);
  } catch {
    // Not empty, or gone already.
  }
}
