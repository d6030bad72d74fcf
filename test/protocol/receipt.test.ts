/** Receipts: what they prove, and every way in which they do not. */
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cosign } from '#protocol/cosignature.ts';
import { formatNote, parseNote } from '#protocol/note.ts';
import { formatReceipt, parseReceipt, verifyReceipt } from '#protocol/receipt.ts';
import { archiveOf, receiptOf } from './archive.ts';
import { codeOf, eachBitFlip } from './refusal.ts';
import { FIRST, fixedCosigner, fixedKey, following, logKey, signedStatement, witnessKey } from './sample.ts';

const entries = [FIRST, following(FIRST), following(following(FIRST))].map((statement) => signedStatement(statement));
const noteBytes = entries[1] ?? Buffer.of();
const files = archiveOf(entries);
const golden = await receiptOf(files, 1, 3);
const verify = (receipt: Uint8Array): ReturnType<typeof verifyReceipt> =>
  verifyReceipt({ noteBytes, receipt, logKey: logKey.verifier });

test('a receipt proves its statement', () => {
  const verified = verify(golden);
  expect(verified?.index).toBe(1);
  expect(verified?.checkpoint.size).toBe(3);
  expect(formatReceipt(parseReceipt(golden))).toBe(Buffer.from(golden).toString());
});

test('for another statement, another log or another place it proves nothing', async () => {
  const other = { noteBytes: entries[0] ?? Buffer.of(), receipt: golden, logKey: logKey.verifier };
  expect(verifyReceipt(other)).toBeUndefined();
  const otherLog = fixedKey('localhost/hushwatch', 9).verifier;
  expect(verifyReceipt({ noteBytes, receipt: golden, logKey: otherLog })).toBeUndefined();
  expect(verify(await receiptOf(files, 0, 3))).toBeUndefined();
});

test('every single-bit flip is refused', () => {
  for (const [where, flipped] of eachBitFlip(golden)) {
    let accepted = false;
    codeOf(() => (accepted = verify(flipped) !== undefined));
    expect(accepted, `bit ${where}`).toBe(false);
  }
});

test('every truncation and one more byte are refused', () => {
  for (let length = 0; length < golden.length; length++) {
    expect(
      codeOf(() => verify(golden.subarray(0, length))),
      `${length} bytes`,
    ).not.toBe('accepted');
  }
  for (const more of ['\n', 'x', '\0']) {
    expect(codeOf(() => verify(Buffer.concat([golden, Buffer.from(more)])))).not.toBe('accepted');
  }
});

const text = Buffer.from(golden).toString();
const hash = Buffer.alloc(32).toString('base64');
const refused: readonly { name: string; text: string; code: string }[] = [
  { name: 'another header', text: text.replace('@v1', '@v2'), code: 'bad-receipt' },
  { name: 'extra data', text: text.replace('index', 'extra eA==\nindex'), code: 'bad-receipt' },
  { name: 'no index', text: text.replace(/index 1\n/, ''), code: 'bad-receipt' },
  { name: 'an index with a leading zero', text: text.replace('index 1', 'index 01'), code: 'bad-number' },
  { name: 'an index below zero', text: text.replace('index 1', 'index -1'), code: 'bad-number' },
  { name: 'a short hash', text: text.replace(/index 1\n/, 'index 1\nAAAA\n'), code: 'bad-receipt' },
  { name: 'too many hashes', text: text.replace(/index 1\n/, `index 1\n${`${hash}\n`.repeat(54)}`), code: 'too-large' },
  { name: 'too many bytes', text: text.padEnd(200_000, 'x'), code: 'too-large' },
];
for (const row of refused) {
  test(`refused: ${row.name}`, () => {
    expect(row.text).not.toBe(text);
    expect(codeOf(() => parseReceipt(Buffer.from(row.text)))).toBe(row.code);
  });
}

test('one more hash, or one less, proves nothing', () => {
  const { proof, ...rest } = parseReceipt(golden);
  for (const changed of [[...proof, Buffer.alloc(32)], proof.slice(1), []]) {
    expect(verify(Buffer.from(formatReceipt({ ...rest, proof: changed })))).toBeUndefined();
  }
});

test('witnesses: all that are asked for, unless a quorum is named', () => {
  const { index, proof, checkpoint } = parseReceipt(golden);
  const note = parseNote(checkpoint);
  const cosigned = formatNote(note.text, [...note.signatures, cosign(note.text, witnessKey, 1_790_000_000)]);
  const receipt = Buffer.from(formatReceipt({ index, proof, checkpoint: cosigned }));
  const claim = { noteBytes, receipt, logKey: logKey.verifier };
  const other = fixedCosigner('witness.example/w2', 4).verifier;
  expect(verifyReceipt({ ...claim, witnesses: [witnessKey.verifier] })?.checkpoint.cosignatures).toHaveLength(1);
  expect(verifyReceipt({ ...claim, receipt: golden, witnesses: [witnessKey.verifier] })).toBeUndefined();
  expect(verifyReceipt({ ...claim, witnesses: [witnessKey.verifier, other] })).toBeUndefined();
  expect(verifyReceipt({ ...claim, witnesses: [witnessKey.verifier, other], quorum: 1 })).toBeDefined();
});

test('the example of the specification has extra data, and is refused for that alone', () => {
  const specification = readFileSync(
    new URL('../../../shared/data/vectors/c2sp/tlog-proof.md', import.meta.url),
    'utf8',
  );
  const [, example = ''] = /```\n(c2sp\.org\/tlog-proof@v1[^`]*)```/.exec(specification) ?? [];
  expect(codeOf(() => parseReceipt(Buffer.from(example)))).toBe('bad-receipt');
  expect(parseReceipt(Buffer.from(example.replace(/extra .*\n/, '')))).toMatchObject({ index: 73894 });
});

test('whatever comes in, only a ProtocolError comes out', () => {
  const mutated = fc
    .tuple(fc.nat(golden.length - 1), fc.uint8Array({ maxLength: 20 }), fc.nat(20))
    .map(([at, put, cut]) => Buffer.concat([golden.subarray(0, at), put, golden.subarray(at + cut)]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 500 }), mutated), (bytes) => {
      codeOf(() => verify(bytes));
    }),
    { numRuns: 2000 },
  );
});
