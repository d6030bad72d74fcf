/**
 * What enrichment knows, and the parts that events share: who acted, on which object, and how numbers of the kernel read.
 */
import { constants } from 'node:os';
import type { Clock } from '../clock.ts';
import type { Attributes, RawEvent } from '../event.ts';
import type { ProcessRecord, ProcessTable } from '../process-table.ts';
import type { Credentials, Inode, Mapping, ObservedFrame, Target } from '../sources/frame.ts';
import type { UserNames } from '../users.ts';

export interface Known {
  readonly processes: ProcessTable;
  readonly users: UserNames;
  readonly clock: Clock;
}

const NOBODY = 4_294_967_295;
const NO_CAPABILITIES_KNOWN = 0xffff_ffff_ffff_ffffn;

/** By the four bits of the mode that hold it. */
const FILE_TYPES: readonly (string | undefined)[] = Object.assign([], {
  1: 'fifo',
  2: 'character_device',
  4: 'directory',
  6: 'block_device',
  8: 'regular',
  10: 'symbolic_link',
  12: 'socket',
});

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
    'process.user.id': knownId(frame.uid),
    'process.user.name': known.users.of(frame.uid),
    'process.audit.session.id': process.auditSession,
    'process.selinux.context': known.processes.domains.of(process.domain, frame.pid, frame.atNs),
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

/** Whom it was about; nothing where it was about nobody. */
export function targetOf(known: Known, target: Target): Attributes {
  const { targetPid, targetStartNs, targetUid } = target;
  if (targetPid === 0) return {};
  const process =
    targetStartNs === 0 ? known.processes.peek(targetPid) : known.processes.find(targetPid, targetStartNs);
  return {
    'process.target.entity.id': process?.entity,
    'process.target.pid': targetPid,
    'process.target.executable.path': process?.executable,
    'process.target.user.id': targetUid,
  };
}

/** The file that is mapped, if one is. Sizes are rounded up to a power of two: what matters is their order. */
export function mappingOf(known: Known, mapping: Mapping): Attributes {
  return {
    'process.memory.size': mapping.bytes === 0 ? undefined : 2 ** Math.ceil(Math.log2(mapping.bytes)),
    'process.memory.writable': mapping.writable,
    'file.path': mapping.path === '' ? undefined : mapping.path,
    'file.path.origin': mapping.path === '' ? undefined : 'kernel',
    ...objectOf(known, mapping.file),
  };
}

export const errorName = (errno: number): string | undefined =>
  errno === 0 ? undefined : (ERROR_NAMES.get(errno) ?? `E${errno}`);
export const repeats = (n: number): number | undefined => (n === 0 ? undefined : n);
/** Nobody logged in, or the source does not know. */
export const knownId = (id: number): number | undefined => (id === NOBODY ? undefined : id);
const MODES: readonly string[] = Array.from({ length: 0o10000 }, (_, bits) => bits.toString(8).padStart(4, '0'));
export const mode = (bits: number): string => MODES[bits & 0o7777] ?? '';
export const fileType = (bits: number): string => FILE_TYPES[(bits >>> 12) & 15] ?? 'unknown';
/** The same one as before more often than not: the same text. */
let lastDevice = { major: 0, minor: 0, text: '0:0' };
export function device({ major, minor }: Inode): string {
  if (lastDevice.minor !== minor || lastDevice.major !== major)
    lastDevice = { major, minor, text: `${major}:${minor}` };
  return lastDevice.text;
}
export const capabilities = ({ effectiveCapabilities }: Credentials): string | undefined =>
  effectiveCapabilities === NO_CAPABILITIES_KNOWN ? undefined : effectiveCapabilities.toString(16).padStart(16, '0');
export const knownText = (text: string): string | undefined => (text === '' ? undefined : text);
