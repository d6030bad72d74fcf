/**
 * Which process tree a process belongs to, from released executions and forks alone: parents are named by
 * `process.parent.entity.id`.
 *
 * A tree begins below whoever starts things for others: init, the SSH daemon, cron, a container's shim. Its root is
 * then a service, a log-in shell, a job. When a pseudonym's epoch turns, entities get other names and trees begin
 * anew. Bounded: processes that ended are forgotten, roots excepted; beyond that, those of a node that were not met for
 * longest go first.
 */
import type { ReleasedRecord } from './detector.ts';
import { mapOf, putLast, rowsOf, rowsOfNodes, textOf } from './saved.ts';

/** Where a process stands. */
export interface Standing {
  readonly root: string;
  readonly program: string | undefined;
  readonly session: string | undefined;
}

interface Known extends Standing {
  /** What the process itself runs: decides whether a tree begins below it. */
  readonly runs: string | undefined;
}

const CAPACITY = 1_024;
const STARTERS =
  /\/(?:systemd|systemd-executor|init|sshd|sshd-session|sshd-auth|cron|crond|anacron|atd|login|containerd-shim[^/]*|conmon|dockerd|containerd|xinetd|inetd)$/;

export class ProcessTrees {
  readonly #nodes: Map<string, Map<string, Known>>;

  constructor(saved?: unknown) {
    this.#nodes = mapOf(saved, ([processes]) => mapOf(processes, knownOf));
  }

  observe(node: string, record: ReleasedRecord): void {
    const entity = textOf(record['process.entity.id']);
    if (entity === undefined || record['error.type'] !== undefined) return;
    if (record.event === 'process.exit') this.#end(node, entity);
    if (record.event !== 'process.exec' && record.event !== 'process.fork') return;
    const processes = this.#processesOf(node);
    const runs = textOf(record['process.executable.path']);
    const session = sessionOf(record);
    const before = processes.get(entity);
    // It keeps its place whatever it becomes.
    const place = before ?? below(processes, record, entity);
    const now = {
      root: place.root,
      program: place.root === entity ? runs : place.program,
      session: session ?? place.session,
      runs: runs ?? before?.runs,
    };
    putLast(processes, entity, now, CAPACITY);
  }

  /** What it started knows its root already; a root is remembered, for what its tree still does. */
  #end(node: string, entity: string): void {
    const processes = this.#nodes.get(node);
    if (processes?.get(entity)?.root !== entity) processes?.delete(entity);
  }

  /** A process that was never met is a tree of its own. */
  find(node: string, entity: string): Standing {
    const processes = this.#nodes.get(node);
    const known = processes?.get(entity);
    if (known === undefined) return { root: entity, program: undefined, session: undefined };
    // What the root runs may have become known after its children were.
    return { ...known, program: processes?.get(known.root)?.program ?? known.program };
  }

  save(): unknown {
    return rowsOfNodes(this.#nodes, (processes) => [rowsOf(processes, rowOf)]);
  }

  #processesOf(node: string): Map<string, Known> {
    let processes = this.#nodes.get(node);
    if (processes === undefined) this.#nodes.set(node, (processes = new Map<string, Known>()));
    return processes;
  }
}

/** Where a new process stands: in the tree of its parent, unless that one starts things for others. */
function below(processes: Map<string, Known>, record: ReleasedRecord, entity: string): Standing {
  const own = textOf(record['process.executable.path']);
  const alone: Standing = { root: entity, program: own, session: undefined };
  const parent = textOf(record['process.parent.entity.id']);
  if (parent === undefined) return alone;
  const known = processes.get(parent);
  // Who was just forked still runs what its parent runs.
  const forked = record.event === 'process.fork' ? own : undefined;
  const parentRuns = textOf(record['process.parent.executable.path']) ?? known?.runs ?? forked;
  if (parentRuns !== undefined && STARTERS.test(parentRuns)) return alone;
  const place = known ?? { root: parent, program: parentRuns, session: undefined, runs: parentRuns };
  putLast(processes, parent, place, CAPACITY);
  return place;
}

/** The audit session; the number for "no session" is none. */
export function sessionOf(record: ReleasedRecord): string | undefined {
  const session = record['process.audit.session.id'];
  return typeof session === 'number' && session >= 0 && session < 0xffff_ffff ? String(session) : undefined;
}

const rowOf = ({ root, program, session, runs }: Known): readonly (string | null)[] => [
  root,
  program ?? null,
  session ?? null,
  runs ?? null,
];

function knownOf(row: readonly unknown[]): Known | undefined {
  const [root, program, session, runs] = row.map(textOf);
  return root === undefined ? undefined : { root, program, session, runs };
}
