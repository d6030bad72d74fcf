/** Checkpoints and cosignatures. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { formatCheckpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from '#protocol/checkpoint.ts';
import { cosign, parseCosignerKey, parseCosigningKey, verifyCosignatures } from '#protocol/cosignature.ts';
import { EMPTY_ROOT } from '#protocol/merkle.ts';
import {
  formatNote,
  formatSigningKey,
  formatVerifierKey,
  parseNote,
  parseVerifierKey,
  signNote,
} from '#protocol/note.ts';
import { codeOf, eachBitFlip } from './refusal.ts';
import { fixedCosigner, fixedKey, logKey, witnessKey } from './sample.ts';

const root = Buffer.alloc(32, 5);
const golden = signCheckpoint({ size: 7, root }, logKey);
const note = parseNote(golden);
const TIME = 1_790_000_000;
const cosigned = formatNote(note.text, [...note.signatures, cosign(note.text, witnessKey, TIME)]);

test('a checkpoint is opened with the key of its log only', () => {
  const { cosignatures, ...checkpoint } = openCheckpoint(golden, logKey.verifier) ?? {};
  expect(checkpoint).toEqual({ origin: 'localhost/hushwatch', size: 7, root });
  expect(cosignatures).toEqual([]);
  expect(openCheckpoint(golden, fixedKey('localhost/hushwatch', 9).verifier)).toBeUndefined();
});

test('a key does not speak for an origin that is not its name', () => {
  const foreign = signNote(formatCheckpoint({ origin: 'elsewhere', size: 7, root }), logKey);
  expect(openCheckpoint(foreign, logKey.verifier)).toBeUndefined();
});

const refused: readonly { name: string; text: string; code: string }[] = [
  { name: 'an extension line', text: `a\n7\n${root.toString('base64')}\nmore\n`, code: 'bad-checkpoint' },
  { name: 'an empty extension line', text: `a\n7\n${root.toString('base64')}\n\n`, code: 'bad-checkpoint' },
  { name: 'no origin', text: `\n7\n${root.toString('base64')}\n`, code: 'bad-checkpoint' },
  { name: 'no root', text: 'a\n7\n', code: 'bad-checkpoint' },
  { name: 'a leading zero', text: `a\n07\n${root.toString('base64')}\n`, code: 'bad-number' },
  { name: 'a short root', text: `a\n7\n${root.subarray(1).toString('base64')}\n`, code: 'bad-checkpoint' },
  { name: 'a root in hexadecimal', text: `a\n7\n${root.toString('hex')}x\n`, code: 'bad-base64' },
];
for (const row of refused) {
  test(`refused: ${row.name}`, () => expect(codeOf(() => parseCheckpoint(row.text))).toBe(row.code));
}

test('an empty log has a checkpoint', () => {
  expect(parseCheckpoint(`a\n0\n${Buffer.from(EMPTY_ROOT).toString('base64')}\n`).size).toBe(0);
});

test('a witness adds its name and time', () => {
  const opened = openCheckpoint(cosigned, logKey.verifier, [witnessKey.verifier]);
  expect(opened?.cosignatures).toEqual([{ witness: witnessKey.verifier, time: TIME }]);
  expect(openCheckpoint(cosigned, logKey.verifier)?.cosignatures).toEqual([]);
  const others = [fixedCosigner('witness.example/w1', 8).verifier, fixedCosigner('witness.example/w2', 3).verifier];
  expect(openCheckpoint(cosigned, logKey.verifier, others)?.cosignatures).toEqual([]);
});

test('a cosignature of another text, of another time or cut short rejects the checkpoint', () => {
  const line = cosign(note.text, witnessKey, TIME);
  const otherTime = Buffer.from(line.signature);
  otherTime[7] = (otherTime[7] ?? 0) ^ 1;
  const farFuture = Buffer.concat([Buffer.alloc(8, 255), line.signature.subarray(8)]);
  for (const wrong of [
    cosign(`${note.text}x\n`, witnessKey, TIME),
    { ...line, signature: otherTime },
    { ...line, signature: farFuture },
    { ...line, signature: line.signature.subarray(1) },
  ]) {
    const bytes = formatNote(note.text, [...note.signatures, wrong]);
    expect(openCheckpoint(bytes, logKey.verifier, [witnessKey.verifier])).toBeUndefined();
  }
});

test('every single-bit flip of a cosigned checkpoint is refused or costs the cosignature', () => {
  for (const [where, flipped] of eachBitFlip(cosigned)) {
    let quorum = false;
    codeOf(() => (quorum = openCheckpoint(flipped, logKey.verifier, [witnessKey.verifier])?.cosignatures.length === 1));
    expect(quorum, `bit ${where}`).toBe(false);
  }
});

test('keys for notes and keys for cosignatures are not taken for one another', () => {
  const vkey = formatVerifierKey(witnessKey.verifier);
  expect(parseCosignerKey(vkey)).toEqual(witnessKey.verifier);
  expect(codeOf(() => parseVerifierKey(vkey))).toBe('bad-key');
  expect(codeOf(() => parseCosignerKey(formatVerifierKey(logKey.verifier)))).toBe('bad-key');
  const again = parseCosigningKey('witness.example/w1', formatSigningKey(witnessKey));
  expect(again.verifier.id).toBe(witnessKey.verifier.id);
});

test('the example of the specification: its form, and the time that it states', () => {
  const specification = readFileSync(
    new URL('../../../shared/data/vectors/c2sp/tlog-cosignature.md', import.meta.url),
    'utf8',
  );
  const [, example = ''] = /```\n(example\.com\/behind-the-sofa[^`]*)```/.exec(specification) ?? [];
  const parsed = parseNote(Buffer.from(example));
  expect(parseCheckpoint(parsed.text)).toMatchObject({ origin: 'example.com/behind-the-sofa', size: 20852163 });
  const witness = parsed.signatures[1];
  expect(witness?.name).toBe('witness.example.com/w1');
  expect(Buffer.from(witness?.signature ?? []).readBigUInt64BE()).toBe(1679315147n);
  expect(witness?.signature).toHaveLength(72);
  expect(verifyCosignatures(parsed, [witnessKey.verifier])).toEqual([]);
});
