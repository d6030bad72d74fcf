/**
 * Says in words what a released event tells. Only what was released is there to be said.
 */
import type { ReleasedRecord } from './detector.ts';

const MAX_VALUE = 120;

/** An attribute as text, without control characters and cut to a readable length. */
export function shown(record: ReleasedRecord, attribute: string): string | undefined {
  const value = record[attribute];
  if (value === undefined) return undefined;
  const text = (typeof value === 'object' ? value.join(' ') : String(value)).replaceAll(/\p{C}/gu, '?');
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}

/** `/usr/bin/vim opened /etc/sudoers for writing as root`, as far as it was released. */
export function describeEvent(record: ReleasedRecord): string {
  const user = shown(record, 'process.user.name');
  const refused = shown(record, 'error.type');
  const parts = [
    deedOf(record),
    user === undefined ? '' : ` as ${user}`,
    refused === undefined ? '' : ` and was refused (${refused})`,
  ];
  return parts.join('');
}

function deedOf(record: ReleasedRecord): string {
  const actor = shown(record, 'process.executable.path') ?? 'a process';
  const path = shown(record, 'file.path') ?? 'a file';
  const target = shown(record, 'file.target.path') ?? 'another name';
  switch (record.event) {
    case 'process.exec': {
      const parent = shown(record, 'process.parent.executable.path');
      return parent === undefined ? `${actor} was started` : `${actor} was started by ${parent}`;
    }
    case 'file.open': {
      const why = record['file.open.access'] === 'read' ? 'reading' : 'writing';
      return `${actor} opened ${path} for ${why}`;
    }
    case 'file.delete':
      return `${actor} deleted ${path}`;
    case 'file.rename':
      return `${actor} renamed ${path} to ${target}`;
    case 'file.link':
      return `${actor} linked ${path} as ${target}`;
    case 'file.mode.change':
      return `${actor} changed the permissions of ${path} to ${shown(record, 'file.mode') ?? 'others'}`;
    case 'file.owner.change':
      return `${actor} changed the owner of ${path}`;
    case 'file.create':
      return `${actor} made ${path}`;
    case 'file.modify':
      return `${actor} wrote ${path}`;
    case 'file.truncate':
      return `${actor} cut ${path}`;
    case 'file.attribute.change':
      return `${actor} changed the attribute ${shown(record, 'file.attribute.name') ?? 'of a withheld name'} of ${path}`;
    case 'system.filesystem.mount':
      return `${actor} mounted ${shown(record, 'system.device') ?? 'a file system'} on ${mountPointOf(record)}`;
    case 'system.filesystem.unmount':
      return `${actor} unmounted ${mountPointOf(record)}`;
    case 'system.filesystem.root.change':
      return `${actor} made ${path} the root directory`;
    case 'file.memory.create':
      return `${actor} made a file in memory`;
    case 'network.connect':
      return `${actor} connected to ${peerOf(record)}`;
    case 'network.accept':
      return `${actor} accepted a connection from ${peerOf(record)}`;
    case 'network.listen':
      return `${actor} waits for connections on port ${shown(record, 'network.local.port') ?? 'unknown'}`;
    case 'process.trace':
      return `${actor} took hold of ${shown(record, 'process.target.executable.path') ?? 'another process'}`;
    case 'kernel.module.load':
      return `${actor} loaded the kernel module ${shown(record, 'kernel.module.name') ?? 'of a withheld name'}`;
    case 'kernel.bpf.load':
      return `${actor} loaded the kernel program ${shown(record, 'kernel.bpf.program.name') ?? 'of a withheld name'}`;
    case 'process.credentials.change':
    case 'process.capabilities.change':
      return `${actor} changed its own rights`;
    default:
      return `${actor} caused ${record.event}`;
  }
}

const mountPointOf = (record: ReleasedRecord): string => shown(record, 'system.filesystem.mountpoint') ?? 'a directory';

function peerOf(record: ReleasedRecord): string {
  const unix = shown(record, 'network.unix.path');
  if (unix !== undefined) return unix;
  const address = shown(record, 'network.peer.address');
  const port = shown(record, 'network.peer.port');
  if (address === undefined) return port === undefined ? 'another machine' : `port ${port} of another machine`;
  return port === undefined ? address : `${address} port ${port}`;
}
