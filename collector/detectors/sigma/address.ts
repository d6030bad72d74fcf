/** IP networks for the `cidr` modifier: IPv4 and IPv6, an IPv4-mapped IPv6 address counts as IPv4. */
import { isIPv4, isIPv6 } from 'node:net';

export interface Network {
  readonly bits: 32 | 128;
  readonly prefix: number;
  /** The leading `prefix` bits, right-aligned. */
  readonly head: bigint;
}

export function parseNetwork(text: string): Network | undefined {
  const [host, length, rest] = text.split('/');
  if (host === undefined || rest !== undefined) return undefined;
  const address = parseAddress(host);
  if (address === undefined) return undefined;
  const prefix = length === undefined ? address.bits : /^(0|[1-9]\d{0,2})$/.test(length) ? Number(length) : -1;
  if (prefix < 0 || prefix > address.bits) return undefined;
  return { bits: address.bits, prefix, head: address.value >> BigInt(address.bits - prefix) };
}

export function isInNetwork(text: string, network: Network): boolean {
  const address = parseAddress(text);
  if (address === undefined || address.bits !== network.bits) return false;
  return address.value >> BigInt(network.bits - network.prefix) === network.head;
}

function parseAddress(text: string): { readonly bits: 32 | 128; readonly value: bigint } | undefined {
  if (isIPv4(text)) return { bits: 32, value: fromIPv4(text) };
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1];
  if (mapped !== undefined) return { bits: 32, value: fromIPv4(mapped) };
  return { bits: 128, value: fromIPv6(text) };
}

const fromIPv4 = (text: string): bigint => text.split('.').reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);

function fromIPv6(text: string): bigint {
  const dotted = /\d+\.\d+\.\d+\.\d+$/.exec(text)?.[0];
  const plain = dotted === undefined ? text : text.slice(0, -dotted.length) + groupsOf(fromIPv4(dotted));
  const [left = '', right] = plain.split('::');
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  const gap = right === undefined ? [] : Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...gap, ...tail].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

const groupsOf = (value: bigint): string => `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
