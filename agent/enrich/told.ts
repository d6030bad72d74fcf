/**
 * What enrichment knows, and the parts that events share: who acted, on which object, and how numbers of the kernel read.
 */
import { constants } from 'node:os';
import type { Clock } from '../clock.ts';
import type { Attributes, RawEvent } from '../event.ts';
import type { ProcessRecord, ProcessTable } from '../process-table.ts';
import type { Credentials, Inode, ObservedFrame } from '../sources/frame.ts';
import type { UserNames } from '../users.ts';

export interface Known {
  readonly processes: ProcessTable;
  readonly users: UserNames;
  readonly clock: Clock;
}

const NOBODY = 4_294_967_295;

const ERROR_NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

export function eventOf(known: Known, name: RawEvent['name'], frame: ObservedFrame, attributes: Attributes): RawEvent {
  return { name, time: known.clock.utc(frame.atNs), fromSensor: true, attributes };
}

export function actorOf(
  known: Known,
  frame: ObservedFrame,
  process: ProcessRecord = known.processes.find(frame.pid, frame.startNs),
): Attributes {
  return {
    'process.entity.id': process.entity,
    'process.pid': frame.pid,
    'process.executable.path': process.executable,
    'process.user.id': frame.uid,
    'process.user.name': known.users.of(frame.uid),
    'process.audit.session.id': process.auditSession,
    'error.type': errorName(frame.errno),
    'event.repeats': repeats(frame.repeats),
  };
}

export function objectOf(known: Known, file: Inode | undefined): Attributes {
  if (file === undefined) return {};
  return {
    'file.inode': file.inode,
    'file.device': device(file),
    'file.mode': mode(file.mode),
    'file.owner.id': file.uid,
    'file.owner.name': known.users.of(file.uid),
    'file.group.id': file.gid,
  };
}

export const errorName = (errno: number): string | undefined =>
  errno === 0 ? undefined : (ERROR_NAMES.get(errno) ?? `E${errno}`);
export const repeats = (n: number): number | undefined => (n === 0 ? undefined : n);
export const known = (id: number): number | undefined => (id === NOBODY ? undefined : id);
export const mode = (bits: number): string => (bits & 0o7777).toString(8).padStart(4, '0');
export const device = (file: Inode): string => `${file.major}:${file.minor}`;
export const capabilities = (credentials: Credentials): string =>
  credentials.effectiveCapabilities.toString(16).padStart(16, '0');
