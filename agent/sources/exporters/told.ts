/**
 * What a line of an exporter tells, and the parts that their events share.
 *
 * A mapper reads the fields that it names and no others: a sentence that an exporter renders, a command line in one piece,
 * labels, environment and content of files are in no mapper, so they cannot leave whatever a ruleset says.
 */
import { isIP } from 'node:net';
import { constants } from 'node:os';
import type { Counts } from '#protocol/statement.ts';
import type { Attributes, RawEvent } from '../../event.ts';
import type { Fields } from './json.ts';

export interface Told {
  readonly event?: RawEvent;
  /** Events that the exporter says it lost, where it says of which kind. */
  readonly lost?: Counts;
  /** And where it does not. */
  readonly lostOfAnyKind?: number;
  /** Seconds during which it saw nothing, or not everything. */
  readonly blind?: number;
}

/** `unmapped`: nothing that our vocabulary has a word for. `unreadable`: not a line that this exporter writes. */
export type Mapper = (line: Fields) => Told | 'unmapped' | 'unreadable';

/** Names of this node's users. */
export interface Users {
  of(id: number): string | undefined;
}

const ERROR_NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));
const SIGNALS: Readonly<Record<string, number>> = constants.signals;

/** Name of the error that a call returned; undefined where it succeeded. */
export function errorOf(returned: number | undefined): string | undefined {
  if (returned === undefined || returned >= 0 || returned < -4_095) return undefined;
  return ERROR_NAMES.get(-returned) ?? `E${-returned}`;
}

export const signalOf = (name: string | undefined): number | undefined =>
  name !== undefined && Object.hasOwn(SIGNALS, name) ? SIGNALS[name] : undefined;

/** As everywhere here: the first twelve hexadecimal digits. */
export const containerOf = (text: string | undefined): string | undefined =>
  /^(?:[a-z-]+:\/\/)?([0-9a-f]{12})[0-9a-f]*$/.exec(text ?? '')?.[1];

/** A device number of the kernel (twelve bits of major, twenty of minor), major:minor. */
export const deviceOf = (dev: number | undefined): string | undefined =>
  dev === undefined || dev > 0xffff_ffff ? undefined : `${Math.floor(dev / 0x10_0000)}:${dev % 0x10_0000}`;

export interface Socket {
  readonly transport?: string | undefined;
  readonly peer?: string | undefined;
  readonly peerPort?: number | undefined;
  readonly local?: string | undefined;
  readonly localPort?: number | undefined;
}

export function socketOf({ transport, peer, peerPort, local, localPort }: Socket): Attributes {
  return {
    'network.transport': transport,
    'network.type': ['ipv4', 'ipv6'][[4, 6].indexOf(isIP(peer ?? local ?? ''))],
    'network.peer.address': peer,
    'network.peer.port': peerPort,
    'network.local.address': local,
    'network.local.port': localPort,
  };
}

/** What flags of open(2) say; a text of names or the number. */
export function openedBy(flags: string | undefined): Attributes {
  if (flags === undefined) return {};
  const number = /^\d{1,9}$/.test(flags) ? Number(flags) : undefined;
  const has = (name: string, bits: number, mask = bits): boolean =>
    number === undefined ? flags.split('|').includes(name) : (number & mask) === bits;
  return {
    'file.open.access': has('O_WRONLY', 1, 3) || has('O_RDWR', 2, 3) ? 'write' : 'read',
    'file.open.truncated': has('O_TRUNC', 0o1000),
  };
}
