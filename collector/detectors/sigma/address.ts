/** IP networks for the `cidr` modifier: IPv4 and IPv6, an IPv4-mapped IPv6 address counts as IPv4. */
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
  if (text.length > 45) return undefined;
  const v4 = parseIPv4(text);
  if (v4 !== undefined) return { bits: 32, value: v4 };
  const v6 = parseIPv6(text);
  if (v6 === undefined) return undefined;
  return v6 >> 32n === 0xffffn ? { bits: 32, value: v6 & 0xffff_ffffn } : { bits: 128, value: v6 };
}

function parseIPv4(text: string): bigint | undefined {
  const octets = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1);
  if (octets === undefined || octets.some((octet) => Number(octet) > 255)) return undefined;
  return octets.reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);
}

function parseIPv6(text: string): bigint | undefined {
  const [left = '', right, more] = withoutDots(text).split('::');
  if (more !== undefined) return undefined;
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  const zeros = 8 - head.length - tail.length;
  if (right === undefined ? zeros !== 0 : zeros < 1) return undefined;
  const groups = [...head, ...Array.from({ length: zeros }, () => '0'), ...tail];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

/** A dotted tail (`::ffff:192.0.2.1`) as two groups. */
function withoutDots(text: string): string {
  const at = text.lastIndexOf(':') + 1;
  const dotted = parseIPv4(text.slice(at));
  if (dotted === undefined) return text;
  return `${text.slice(0, at)}${(dotted >> 16n).toString(16)}:${(dotted & 0xffffn).toString(16)}`;
}
