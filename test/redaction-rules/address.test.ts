/** Addresses: reading, writing, ranges, and Crypto-PAn against the pairs of its reference implementation. */
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { cryptoPan, formatAddress, inRanges, parseAddress, truncateAddress } from '../../redaction-rules/address.ts';

const VECTORS = new URL('../../../shared/data/vectors/cryptopan/', import.meta.url);
// The key of the reference trace: 16 bytes for AES, 16 bytes of padding.
const KEY = Buffer.from('1522178d33a4cf80130a5b1649907d10d8988f837979652762574c2d2a842202', 'hex');

const addresses = (file: string): readonly string[] =>
  readFileSync(new URL(file, VECTORS), 'utf8')
    .split('\n')
    .flatMap((line) => line.split('\t')[2] ?? []);

const parsed = (text: string): Uint8Array => {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
};

test('Crypto-PAn: every pair of the reference trace', () => {
  const map = cryptoPan(KEY);
  const [raw, mapped] = [addresses('sample_trace_raw.dat'), addresses('sample_trace_sanitized.dat')];
  expect(raw).toHaveLength(100);
  expect(raw.map((text) => formatAddress(map(parsed(text))))).toEqual(mapped);
});

/** How many bits two addresses share from the left. */
function shared(a: Uint8Array, b: Uint8Array): number {
  const bits = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  const [one, two] = [bits(a), bits(b)];
  let length = 0;
  while (length < one.length && one[length] === two[length]) length++;
  return length;
}

for (const size of [4, 16]) {
  test(`addresses of ${size} bytes: what was shared stays shared, no more and no less`, () => {
    const map = cryptoPan(Buffer.alloc(32, 9));
    const bytes = fc.uint8Array({ minLength: size, maxLength: size });
    fc.assert(
      fc.property(bytes, bytes, fc.nat(size * 8), (a, b, keep) => {
        const near = Uint8Array.from(a, (byte, at) => {
          const mask = keep >= at * 8 + 8 ? 255 : (255 << (8 - Math.max(0, keep - at * 8))) & 255;
          return (byte & mask) | ((b[at] ?? 0) & ~mask);
        });
        expect(shared(map(a), map(near))).toBe(shared(a, near));
      }),
      { numRuns: 60 },
    );
  });
}

describe('reading and writing', () => {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['192.0.2.1', '192.0.2.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['192.0.2.01', undefined],
    ['192.0.2.256', undefined],
    ['192.0.2', undefined],
    ['192.0.2.1.1', undefined],
    [' 192.0.2.1', undefined],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['1:2:3:4:5:6:7:8:9', undefined],
    ['1:2:3:4:5:6:7', undefined],
    ['1::2::3', undefined],
    ['192.0.2.1::', undefined],
    [':::', undefined],
    ['12345::', undefined],
    ['', undefined],
    ['localhost', undefined],
    [`::${'0'.repeat(100)}1`, undefined],
  ];
  for (const [text, expected] of rows) {
    test(`${text.slice(0, 50)} is ${expected ?? 'no address'}`, () => {
      const address = parseAddress(text);
      expect(address === undefined ? undefined : formatAddress(address)).toBe(expected);
    });
  }

  test('what is written reads back as the same', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const address = parsed(text);
        expect(parseAddress(formatAddress(address))).toEqual(address);
      }),
    );
  });
});

test('ranges that are the same everywhere', () => {
  const rows: readonly (readonly [string, boolean])[] = [
    ['127.0.0.1', true],
    ['127.255.255.255', true],
    ['128.0.0.1', false],
    ['::1', true],
    ['::2', false],
    ['172.31.255.255', true],
    ['172.32.0.0', false],
    ['192.168.1.1', true],
    ['fd00::1', true],
    ['fe00::1', false],
    ['::ffff:127.0.0.1', true],
    ['0.0.0.0', false],
  ];
  const test = inRanges(['loopback', 'private']);
  for (const [text, expected] of rows) expect(test(parsed(text)), text).toBe(expected);
});

test('truncated', () => {
  expect(truncateAddress(parsed('203.0.113.200'), 24, 48)).toBe('203.0.113.0/24');
  expect(truncateAddress(parsed('203.0.113.200'), 20, 48)).toBe('203.0.112.0/20');
  expect(truncateAddress(parsed('203.0.113.200'), 0, 0)).toBe('0.0.0.0/0');
  expect(truncateAddress(parsed('2001:db8:1:2::3'), 24, 48)).toBe('2001:db8:1::/48');
});
