/** The batch: golden bytes, every flip and cut refused, limits. */
import fc from 'fast-check';
import { zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { decodeBatch, encodeBatch, MAX_LINE_BYTES, packBody, unpackBody, verifyBatch } from '#protocol/batch.ts';
import { sha256Hex } from '#protocol/encoding.ts';
import type { Statement } from '#protocol/statement.ts';
import { codeOf, eachBitFlip } from './refusal.ts';
import { FIRST, fixedKey, goldenBatch, LINES, nodeKey, signedStatement } from './sample.ts';

const accept = (bytes: Uint8Array): readonly string[] | undefined => {
  const batch = verifyBatch(nodeKey.verifier, decodeBatch(bytes));
  return batch && unpackBody(batch);
};

test('a batch is read back as it was written, without copying', () => {
  const bytes = goldenBatch();
  const claimed = decodeBatch(bytes);
  expect(claimed.statement).toEqual(FIRST);
  expect(claimed.body.buffer).toBe(bytes.buffer);
  expect(accept(bytes)).toEqual(LINES);
});

test('a batch without events is a batch', () => {
  const packed = packBody([]);
  const statement: Statement = {
    ...FIRST,
    time: { first: 0, last: 0 },
    events: {},
    released: {},
    seen: {},
    body: packed.body,
  };
  expect(accept(encodeBatch({ note: signedStatement(statement), body: packed.bytes }))).toEqual([]);
});

test('another key, another name, another node: not verified', () => {
  const claimed = decodeBatch(goldenBatch());
  expect(verifyBatch(fixedKey('node-1', 9).verifier, claimed)).toBeUndefined();
  expect(verifyBatch(fixedKey('node-2', 1).verifier, claimed)).toBeUndefined();
  const impostor = signedStatement(FIRST, fixedKey('node-2', 1));
  const batch = decodeBatch(encodeBatch({ note: impostor, body: packBody(LINES).bytes }));
  expect(verifyBatch(fixedKey('node-2', 1).verifier, batch)).toBeUndefined();
});

test('every single-bit flip is refused', () => {
  for (const [where, flipped] of eachBitFlip(goldenBatch())) {
    let accepted = false;
    const code = codeOf(() => (accepted = accept(flipped) !== undefined));
    expect(accepted, `bit ${where} ${code}`).toBe(false);
  }
});

test('every truncation and one more byte are refused', () => {
  const golden = goldenBatch();
  for (let length = 0; length < golden.length; length++) {
    expect(
      codeOf(() => accept(golden.subarray(0, length))),
      `${length} bytes`,
    ).toMatch(/^(truncated|bad-note)$/);
  }
  for (const more of [0, 10, 32]) {
    expect(codeOf(() => accept(Buffer.concat([golden, Buffer.of(more)])))).toBe('trailing-bytes');
  }
});

const frame = zstdCompressSync(`${LINES.join('\n')}\n`);
const plain = (text: string): Uint8Array => zstdCompressSync(text);
const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9]);
const bodies: readonly { name: string; body: Uint8Array; unpacked?: number; code: string }[] = [
  { name: 'not zstd', body: Buffer.from('{"event":"x"}\n'), code: 'bad-body' },
  { name: 'no bytes at all', body: Buffer.alloc(0), code: 'bad-body' },
  { name: 'a second frame', body: Buffer.concat([frame, zstdCompressSync('')]), code: 'bad-body' },
  { name: 'a skippable frame behind', body: Buffer.concat([frame, skippable]), code: 'bad-body' },
  { name: 'a skippable frame before', body: Buffer.concat([skippable, frame]), code: 'bad-body' },
  { name: 'half a frame', body: frame.subarray(0, -1), code: 'bad-body' },
  { name: 'fewer bytes than stated', body: frame, unpacked: 10_000, code: 'body-mismatch' },
  { name: 'more bytes than stated', body: frame, unpacked: 10, code: 'body-mismatch' },
  { name: 'a bomb', body: plain('\n'.repeat(20_000_000)), unpacked: 100, code: 'body-mismatch' },
  { name: 'fewer lines than events', body: plain('{}\n'), code: 'body-mismatch' },
  { name: 'more lines than events', body: plain('{}\n{}\n{}\n'), code: 'body-mismatch' },
  { name: 'an empty line', body: plain('{}\n\n'), code: 'bad-body' },
  { name: 'a last line without end', body: plain('{}\n{}'), code: 'bad-body' },
  { name: 'not UTF-8', body: zstdCompressSync(Buffer.from('7bff7d0a7b7d0a', 'hex')), code: 'bad-text' },
  { name: 'a carriage return', body: plain('{}\r\n{}\n'), code: 'bad-text' },
  { name: 'a line too long', body: plain(`${'x'.repeat(MAX_LINE_BYTES + 1)}\n{}\n`), code: 'too-large' },
];
const unpackedLength = new Map([
  ['fewer lines than events', 3],
  ['more lines than events', 9],
  ['an empty line', 4],
  ['a last line without end', 5],
  ['not UTF-8', 7],
  ['a carriage return', 7],
  ['a line too long', MAX_LINE_BYTES + 5],
]);

for (const row of bodies) {
  test(`a signed body is refused: ${row.name}`, () => {
    const unpacked = row.unpacked ?? unpackedLength.get(row.name) ?? FIRST.body.unpacked;
    const body = { sha256: sha256Hex(row.body), bytes: row.body.length, unpacked };
    const bytes = encodeBatch({ note: signedStatement({ ...FIRST, body }), body: row.body });
    expect(codeOf(() => accept(bytes))).toBe(row.code);
  });
}

test('packing refuses what unpacking would', () => {
  expect(codeOf(() => packBody(Array.from({ length: 65_537 }, () => '{}')))).toBe('too-large');
  expect(codeOf(() => packBody(Array.from({ length: 600 }, () => 'x'.repeat(60_000))))).toBe('too-large');
});

test('whatever comes in, only a ProtocolError comes out', () => {
  const golden = goldenBatch();
  const mutated = fc
    .tuple(fc.nat(golden.length - 1), fc.uint8Array({ maxLength: 40 }), fc.nat(40))
    .map(([at, put, cut]) => Buffer.concat([golden.subarray(0, at), put, golden.subarray(at + cut)]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 3000 }), mutated), (bytes) => {
      codeOf(() => accept(bytes));
    }),
    { numRuns: 2000 },
  );
});
