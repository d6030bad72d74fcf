/**
 * Internet addresses: strict reading, one spelling out, well-known ranges, and prefix-preserving pseudonyms
 * (Crypto-PAn: two addresses that share their first n bits have pseudonyms that share their first n bits).
 *
 * An IPv4-mapped IPv6 address is the IPv4 address it stands for. A zone (`%eth0`) is not part of an address.
 */
import { createCipheriv } from 'node:crypto';

/** Four bytes or sixteen. */
export type Address = Uint8Array;

const ZERO = 48;
const DOT = 46;

/** Dotted decimal, without leading zeros. One pass: most of what comes here is no address. */
function parseIpv4(text: string): Address | undefined {
  if (text.length < 7 || text.length > 15) return undefined;
  const bytes = new Uint8Array(4);
  let part = 0;
  let digits = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (digits === 0 || ++part > 3) return undefined;
      digits = 0;
      continue;
    }
    const value = (bytes[part] ?? 0) * 10 + code - ZERO;
    if (code < ZERO || code > ZERO + 9 || value > 255 || (digits > 0 && bytes[part] === 0)) return undefined;
    bytes[part] = value;
    digits++;
  }
  return part === 3 && digits > 0 ? bytes : undefined;
}

/** The groups of one side of `::` as bytes; the last may be a dotted IPv4 address. */
function parseGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [at, group] of groups.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 255);
      continue;
    }
    const dotted = at === groups.length - 1 ? parseIpv4(group) : undefined;
    if (dotted === undefined) return undefined;
    bytes.push(...dotted);
  }
  return bytes;
}

const BEGINS_IPV6 = /^(?:[0-9a-f]{1,4}:|::)/i;
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];

function parseIpv6(text: string): Address | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '');
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '') : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  // A dotted end may only stand at the very end, after the last group of all.
  if (halves.length === 2 && (halves[0] ?? '').includes('.')) return undefined;
  const bytes = Uint8Array.from([...head, ...Array.from({ length: missing }, () => 0), ...tail]);
  return MAPPED.every((byte, at) => bytes[at] === byte) ? bytes.slice(12) : bytes;
}

export function parseAddress(text: string): Address | undefined {
  if (text.length > 64) return undefined;
  if (!text.includes(':')) return parseIpv4(text);
  if (!BEGINS_IPV6.test(text)) return undefined;
  const zone = text.indexOf('%');
  return parseIpv6(zone < 0 ? text : text.slice(0, zone));
}

/** Dotted decimal, or IPv6 as RFC 5952 writes it. */
export function formatAddress(address: Address): string {
  if (address.length === 4) return address.join('.');
  const groups = Array.from({ length: 8 }, (_, at) => ((address[2 * at] ?? 0) << 8) | (address[2 * at + 1] ?? 0));
  let start = -1;
  let length = 1;
  for (let at = 0; at < 8; at++) {
    let end = at;
    while (end < 8 && groups[end] === 0) end++;
    if (end - at > length) [start, length] = [at, end - at];
  }
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return start < 0 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function hasPrefix(address: Address, prefix: Address, bits: number): boolean {
  if (address.length !== prefix.length) return false;
  for (let at = 0; at * 8 < bits; at++) {
    const mask = bits - at * 8 >= 8 ? 255 : (255 << (8 - (bits - at * 8))) & 255;
    if (((address[at] ?? 0) & mask) !== ((prefix[at] ?? 0) & mask)) return false;
  }
  return true;
}

/** Ranges that mean the same on every machine of the world. */
export const RANGES = {
  loopback: ['127.0.0.0/8', '::1/128'],
  unspecified: ['0.0.0.0/32', '::/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
  'link-local': ['169.254.0.0/16', 'fe80::/10'],
  multicast: ['224.0.0.0/4', 'ff00::/8'],
} as const;
export type RangeName = keyof typeof RANGES;
export const isRangeName = (name: string): name is RangeName => Object.hasOwn(RANGES, name);

/** Whether an address lies in one of the named ranges. */
export function inRanges(names: readonly RangeName[]): (address: Address) => boolean {
  const prefixes = names
    .flatMap((name) => RANGES[name])
    .map((range) => {
      const [text = '', bits = ''] = range.split('/');
      return { prefix: parseAddress(text) ?? new Uint8Array(), bits: Number(bits) };
    });
  return (address) => prefixes.some(({ prefix, bits }) => hasPrefix(address, prefix, bits));
}

/** The address with all but its first bits cleared, and how many stand: `203.0.113.0/24`. */
export function truncateAddress(address: Address, bits4: number, bits6: number): string {
  const bits = address.length === 4 ? bits4 : bits6;
  const cut = address.map(
    (byte, at) => byte & (bits >= at * 8 + 8 ? 255 : (255 << (8 - Math.max(0, bits - at * 8))) & 255),
  );
  return `${formatAddress(cut)}/${bits}`;
}

/**
 * Crypto-PAn. `key` is 32 bytes: the AES-128 key, then the secret that is encrypted into the padding. Bit i of the
 * mask is the first bit of AES(first i bits of the address, rest of the padding); all blocks go through AES in one call.
 */
export function cryptoPan(key: Uint8Array): (address: Address) => Address {
  const cipher = createCipheriv('aes-128-ecb', key.subarray(0, 16), null).setAutoPadding(false);
  const padding = cipher.update(key.subarray(16, 32));
  return (address) => {
    const blocks = Buffer.alloc(address.length * 8 * 16);
    for (let bit = 0; bit < address.length * 8; bit++) {
      const whole = bit >> 3;
      const mask = (0xff00 >> (bit & 7)) & 255;
      padding.copy(blocks, bit * 16);
      blocks.set(address.subarray(0, whole), bit * 16);
      blocks[bit * 16 + whole] = ((address[whole] ?? 0) & mask) | ((padding[whole] ?? 0) & ~mask);
    }
    const encrypted = cipher.update(blocks);
    const out = Uint8Array.from(address);
    for (let bit = 0; bit < address.length * 8; bit++) {
      out[bit >> 3] = (out[bit >> 3] ?? 0) ^ (((encrypted[bit * 16] ?? 0) >> 7) << (7 - (bit & 7)));
    }
    return out;
  };
}
