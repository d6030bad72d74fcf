/** Frames about sockets: connected, accepted, listening. */
import type { Frame, Socket } from '../frame.ts';
import { actorOf, type Decoders, type Reader } from './reader.ts';

type Words = readonly number[];

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

function addresses(r: Reader, family: number): Pick<Socket, 'family' | 'peerAddress' | 'localAddress'> {
  if (family === 2) return internet4(r);
  if (family === 10) return internet6(r);
  return { family: family === 1 ? 'unix' : 'other', peerAddress: '', localAddress: '' };
}

function transportOf(family: number, protocol: number): Socket['transport'] {
  if (family === 1) return 'unix';
  if (family !== 2 && family !== 10) return 'other';
  if (protocol === 6 || protocol === 262) return 'tcp';
  return protocol === 17 ? 'udp' : 'other';
}

const socketFrame =
  (kind: 'connect' | 'accept' | 'listen') =>
  (r: Reader): Frame => {
    r.strings(96);
    const unixPath = r.string();
    r.done();
    const family = r.u16(92);
    const transport = transportOf(family, r.u16(94));
    const ports = { peerPort: r.u16(88), localPort: r.u16(90) };
    return { kind, socket: { ...addresses(r, family), transport, ...ports, unixPath }, ...actorOf(r) };
  };

export const NETWORK_FRAMES: Decoders = [
  [18, socketFrame('connect')],
  [19, socketFrame('accept')],
  [20, socketFrame('listen')],
];
