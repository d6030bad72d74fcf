/** Frames about sockets, datagrams, connections that ended, and name servers. */
import { parseDns } from '../../dns.ts';
import type { Actor, Frame, Socket, SocketFamily, SocketType } from '../frame.ts';
import { actorOf, FrameError, type Decoders, type Reader } from './reader.ts';

type Words = readonly number[];

/** Bits of `enum socket_flag`. */
const ARGUMENT = 1;
const ACCEPTED = 2;
const ANSWER = 4;

const SOCKET_END = 104;
const NOT_SAID = 0xffff_ffff;

const wordsOf = (r: Reader, offset: number): Words =>
  Array.from({ length: 8 }, (_, i) => (r.u8(offset + 2 * i) << 8) | r.u8(offset + 2 * i + 1));
const isZero = (words: Words): boolean => words.every((word) => word === 0);
const isMapped = (words: Words): boolean => words[5] === 0xffff && isZero(words.slice(0, 5));
const dotted = (r: Reader, offset: number): string =>
  `${r.u8(offset)}.${r.u8(offset + 1)}.${r.u8(offset + 2)}.${r.u8(offset + 3)}`;

/** RFC 5952: lower case, the longest run of zero words as `::`. */
function colons(words: Words): string {
  let best = 0;
  let bestAt = -1;
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && words[at + length] === 0) length++;
    if (length > best && length > 1) [best, bestAt] = [length, at];
  }
  const text = (part: Words): string => part.map((word) => word.toString(16)).join(':');
  return bestAt < 0 ? text(words) : `${text(words.slice(0, bestAt))}::${text(words.slice(bestAt + best))}`;
}

/** An address of a name server's answer. */
function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  return colons(Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)));
}

type Sides = Pick<
  Socket,
  'family' | 'peerAddress' | 'localAddress' | 'peerPort' | 'localPort' | 'peerCid' | 'localCid'
>;
const FAMILIES: Readonly<Record<number, SocketFamily>> = {
  1: 'unix',
  2: 'ipv4',
  10: 'ipv6',
  16: 'netlink',
  17: 'packet',
  38: 'alg',
  40: 'vsock',
};
const TYPES: Readonly<Record<number, SocketType>> = {
  1: 'stream',
  2: 'dgram',
  3: 'raw',
  4: 'rdm',
  5: 'seqpacket',
  6: 'dccp',
  10: 'packet',
};

/** IPv4 spoken through an IPv6 socket is IPv4. */
function internet6(r: Reader): Pick<Socket, 'family' | 'peerAddress' | 'localAddress'> {
  const peer = wordsOf(r, 56);
  const local = wordsOf(r, 72);
  const mapped = (isMapped(peer) || isMapped(local)) && [peer, local].every((side) => isMapped(side) || isZero(side));
  if (!mapped) return { family: 'ipv6', peerAddress: isZero(peer) ? '' : colons(peer), localAddress: colons(local) };
  return { family: 'ipv4', peerAddress: isZero(peer) ? '' : dotted(r, 68), localAddress: dotted(r, 84) };
}

function internet4(r: Reader): Pick<Socket, 'family' | 'peerAddress' | 'localAddress'> {
  return { family: 'ipv4', peerAddress: r.u32(56) === 0 ? '' : dotted(r, 56), localAddress: dotted(r, 72) };
}

const said = (number: number): number | undefined => (number === NOT_SAID ? undefined : number);

/** A context id and a port in place of an address; -1 is any, and before anything is known. */
function vsock(r: Reader): Sides {
  return {
    family: 'vsock',
    peerAddress: '',
    localAddress: '',
    peerCid: said(r.u32(56)),
    localCid: said(r.u32(72)),
    peerPort: said(r.u32(60)) ?? 0,
    localPort: said(r.u32(76)) ?? 0,
  };
}

function sides(r: Reader, family: SocketFamily): Sides {
  const nothing = { peerCid: undefined, localCid: undefined, peerPort: r.u16(88), localPort: r.u16(90) };
  if (family === 'vsock') return vsock(r);
  if (family === 'ipv4') return { ...internet4(r), ...nothing };
  if (family === 'ipv6') return { ...internet6(r), ...nothing };
  return { family, peerAddress: '', localAddress: '', ...nothing };
}

function transportOf(family: SocketFamily, protocol: number): Socket['transport'] {
  if (family === 'unix') return 'unix';
  if (family !== 'ipv4' && family !== 'ipv6') return 'other';
  if (protocol === 6 || protocol === 262) return 'tcp';
  return protocol === 17 ? 'udp' : 'other';
}

/** The kernel keeps the number of an Ethernet protocol as it is on the wire. */
const protocolOf = (family: SocketFamily, protocol: number): number =>
  family === 'packet' ? ((protocol & 255) << 8) | (protocol >> 8) : protocol;

/** Also says where the fixed part ends, before anything of it is read. */
function flagsOf(r: Reader, fixed: number, allowed: number): number {
  r.strings(fixed);
  const flags = r.u16(98);
  if ((flags & ~allowed) !== 0) throw new FrameError('bad-field', 'a flag that has no meaning');
  r.zero(100);
  return flags;
}

function socketOf(r: Reader, flags: number, unixPath: string): Socket {
  const family = FAMILIES[r.u16(92)] ?? 'other';
  const protocol = r.u16(94);
  return {
    ...sides(r, family),
    transport: transportOf(family, protocol),
    type: TYPES[r.u16(96)] ?? 'other',
    protocol: protocolOf(family, protocol),
    unixPath,
    origin: (flags & ARGUMENT) === 0 ? 'kernel' : 'argument',
  };
}

const socketFrame =
  (kind: 'connect' | 'accept' | 'listen' | 'bind' | 'send' | 'socket') =>
  (r: Reader): Frame => {
    const flags = flagsOf(r, SOCKET_END, ARGUMENT);
    const unixPath = r.string();
    r.done();
    return { kind, socket: socketOf(r, flags, unixPath), ...actorOf(r) };
  };

function flowFrame(r: Reader): Frame {
  const flags = flagsOf(r, SOCKET_END + 24, ACCEPTED);
  r.done();
  return {
    kind: 'flow',
    socket: socketOf(r, 0, ''),
    accepted: (flags & ACCEPTED) !== 0,
    sent: r.u64(104),
    received: r.u64(112),
    lastedNs: r.u64(120),
    ...actorOf(r),
  };
}

/** Ports of multicast DNS and of LLMNR. */
const ASKED_OF_MANY: ReadonlySet<number> = new Set([5353, 5355]);

/** What was sent to a name server need not be DNS; then that is what there is to say. */
function dnsFrame(r: Reader): Frame {
  const flags = flagsOf(r, SOCKET_END, ANSWER);
  const bytes = r.bytes();
  r.done();
  const about: { readonly socket: Socket } & Actor = { socket: socketOf(r, 0, ''), ...actorOf(r) };
  const message = parseDns(bytes, ASKED_OF_MANY.has(about.socket.peerPort));
  const question = message === undefined ? undefined : { name: message.name, type: message.type };
  if ((flags & ANSWER) === 0) return { kind: 'dns-query', question, ...about };
  const addresses = message?.addresses.map(addressText) ?? [];
  return { kind: 'dns-answer', question, code: message?.code, addresses, ...about };
}

export const NETWORK_FRAMES: Decoders = [
  [18, socketFrame('connect')],
  [19, socketFrame('accept')],
  [20, socketFrame('listen')],
  [29, socketFrame('bind')],
  [30, socketFrame('send')],
  [31, flowFrame],
  [32, socketFrame('socket')],
  [33, dnsFrame],
];
