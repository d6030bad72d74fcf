/** What is asked of a witness: read back as it was written, bounded, and refused in any other form. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { signCheckpoint } from '#protocol/checkpoint.ts';
import { ProtocolError } from '#protocol/error.ts';
import { formatAddCheckpoint, MAX_REQUEST_BYTES, parseAddCheckpoint } from '#protocol/witness.ts';
import { codeOf } from './refusal.ts';
import { logKey } from './sample.ts';

const checkpoint = signCheckpoint({ size: 3, root: new Uint8Array(32) }, logKey);
const hash = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const REQUEST = formatAddCheckpoint({ oldSize: 2, proof: [hash(1), hash(2)], checkpoint });

test('a request is read back as it was written', () => {
  const read = parseAddCheckpoint(REQUEST);
  expect([read.oldSize, read.proof.map(([first]) => first), Buffer.from(read.checkpoint)]).toEqual([
    ...[2, [1, 2], Buffer.from(checkpoint)],
  ]);
  expect(Buffer.from(REQUEST).toString().split('\n').slice(0, 4)).toEqual([
    'old 2',
    ...[1, 2].map((fill) => Buffer.from(hash(fill)).toString('base64')),
    '',
  ]);
  expect(parseAddCheckpoint(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint })).proof).toEqual([]);
});

test.each([
  ['old 2', 'new 2', 'bad-checkpoint'],
  ['old 2', 'old 02', 'bad-number'],
  ['old 2', 'old', 'bad-checkpoint'],
  ['AQEB', 'AQE', 'bad-base64'],
  [Buffer.from(hash(1)).toString('base64'), 'AQ==', 'bad-checkpoint'],
  ['\n\n', '\n', 'bad-number'],
])('%s for %s', (from, to, code) => {
  const text = Buffer.from(REQUEST).toString().replace(from, to);
  if (from === '\n\n') expect(() => parseAddCheckpoint(Buffer.from(text))).toThrow(ProtocolError);
  else expect(codeOf(() => parseAddCheckpoint(Buffer.from(text)))).toBe(code);
});

test('a proof as long as the rules allow, and not longer', () => {
  const long = (n: number): Uint8Array =>
    formatAddCheckpoint({ oldSize: 2, proof: Array.from({ length: n }, () => hash(1)), checkpoint });
  expect(parseAddCheckpoint(long(63)).proof).toHaveLength(63);
  expect(codeOf(() => parseAddCheckpoint(long(64)))).toBe('too-large');
  expect(codeOf(() => parseAddCheckpoint(Buffer.alloc(MAX_REQUEST_BYTES + 1)))).toBe('too-large');
});

test('any bytes are a request or a ProtocolError', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(REQUEST.length).map((n) => REQUEST.subarray(0, n)),
      ),
      (bytes) => {
        codeOf(() => parseAddCheckpoint(bytes));
      },
    ),
  );
});
