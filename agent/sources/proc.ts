/**
 * The weaker source, where BPF is not to be had: looks at /proc four times a second. What lives shorter than that is
 * never seen, and so is everything that is not a process. Statements name this source, and everything shows it as weaker.
 */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { uptime } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { groupOf } from '../cgroup.ts';
import type { RawEvent } from '../event.ts';
import type { ProcessTable } from '../process-table.ts';
import type { UserNames } from '../users.ts';

const PERIOD_MS = 250;
const NS_PER_TICK = 1e7;

interface Seen {
  readonly ticks: number;
  readonly exec: RawEvent;
}

export async function* procEvents(
  processes: ProcessTable,
  users: UserNames,
  signal: AbortSignal,
  proc = '/proc',
): AsyncGenerator<readonly RawEvent[]> {
  const seen = new Map<number, Seen>();
  for (let first = true; !signal.aborted; first = false) {
    const events: RawEvent[] = [];
    const alive = new Set<number>();
    for (const entry of readdirSync(proc)) {
      const pid = Number(entry);
      if (!Number.isInteger(pid)) continue;
      const ticks = startTicks(proc, pid);
      if (ticks === undefined) continue;
      alive.add(pid);
      const before = seen.get(pid);
      if (before?.ticks === ticks) continue;
      if (before !== undefined) events.push(exited(before.exec));
      const exec = describe(proc, pid, ticks, processes, users);
      seen.set(pid, { ticks, exec });
      // What was there before we looked did not start now.
      if (!first) events.push(exec);
    }
    for (const [pid, { exec }] of seen) {
      if (alive.has(pid)) continue;
      seen.delete(pid);
      const record = processes.peek(pid);
      if (record !== undefined) processes.exit(record, uptime() * 1e9);
      events.push(exited(exec));
    }
    if (events.length > 0) yield events;
    await sleep(PERIOD_MS, undefined, { signal }).catch(() => {});
  }
}

function startTicks(proc: string, pid: number): number | undefined {
  try {
    const stat = readFileSync(`${proc}/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(') ') + 2).split(' ')[19]);
  } catch {
    return undefined; // Ended between listing and reading.
  }
}

function describe(proc: string, pid: number, ticks: number, processes: ProcessTable, users: UserNames): RawEvent {
  const record = processes.find(pid, ticks * NS_PER_TICK);
  const read = (what: string): string => {
    try {
      return readFileSync(`${proc}/${pid}/${what}`, 'utf8');
    } catch {
      return ''; // Not ours to read, or gone.
    }
  };
  const link = (what: string): string | undefined => {
    try {
      return readlinkSync(`${proc}/${pid}/${what}`);
    } catch {
      return undefined; // As above.
    }
  };
  const uids = /^Uid:\t(\d+)\t(\d+)\t(\d+)/m.exec(read('status')) ?? [];
  const uid = uids[2] === undefined ? undefined : Number(uids[2]);
  const cgroup = /^0::(.*)$/m.exec(read('cgroup'))?.[1];
  const group = cgroup === undefined ? undefined : groupOf(cgroup);
  const executable = link('exe') ?? record.executable;
  record.executable = executable?.replace(/ \(deleted\)$/, '');
  return {
    name: 'process.exec',
    time: Date.now() * 1_000,
    attributes: {
      'process.entity.id': record.entity,
      'process.pid': pid,
      'process.executable.path': record.executable,
      'process.executable.deleted': executable?.endsWith(' (deleted)'),
      'process.user.id': uid,
      'process.user.name': uid === undefined ? undefined : users.of(uid),
      'process.parent.entity.id': record.parentEntity,
      'process.parent_pid': record.parentPid,
      'process.parent.executable.path': processes.peek(record.parentPid)?.executable,
      'process.ancestors': record.ancestors,
      'process.ancestors.complete': record.ancestorsComplete,
      'process.command_args': record.args,
      'process.working_directory': link('cwd'),
      'process.real_user.id': uids[1] === undefined ? undefined : Number(uids[1]),
      'process.saved_user.id': uids[3] === undefined ? undefined : Number(uids[3]),
      'process.linux.cgroup': cgroup,
      'systemd.unit': group?.unit,
      'container.id': group?.container,
    },
  };
}

function exited({ attributes }: RawEvent): RawEvent {
  return {
    name: 'process.exit',
    time: Date.now() * 1_000,
    attributes: {
      'process.entity.id': attributes['process.entity.id'],
      'process.pid': attributes['process.pid'],
      'process.executable.path': attributes['process.executable.path'],
      'process.user.id': attributes['process.user.id'],
      'process.user.name': attributes['process.user.name'],
    },
  };
}
