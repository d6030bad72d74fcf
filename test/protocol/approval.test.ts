/** Approvals: one spelling, a quorum of reviewers, and nothing else counts. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeApproval,
  formatApproval,
  openApproval,
  parseReviewers,
  signersOn,
  type Approval,
} from '#protocol/approval.ts';
import { decodeEntry } from '#protocol/entry.ts';
import { formatVerifierKey, parseNote, signNote } from '#protocol/note.ts';
import { codeOf } from './refusal.ts';
import { FIRST, fixedKey, signedStatement } from './sample.ts';

const APPROVAL: Approval = {
  kind: 'ruleset',
  name: 'generic-linux',
  version: 3,
  role: 'generic',
  digest: 'a'.repeat(64),
  vocabulary: 'b'.repeat(64),
};
const TEXT = formatApproval(APPROVAL);
const [one, two, three] = [fixedKey('reviewer-1', 21), fixedKey('reviewer-2', 22), fixedKey('reviewer-3', 23)];
const list = (quorum: number, ...keys: readonly (typeof one)[]): Buffer =>
  Buffer.from([`quorum ${quorum}`, ...keys.map((key) => formatVerifierKey(key.verifier)), ''].join('\n'));
const twoOfThree = parseReviewers(list(2, one, two, three));
const signed = (...keys: readonly (typeof one)[]): Uint8Array =>
  keys.reduce<Uint8Array>(
    (note, key) => signNote(TEXT, key, note.length === 0 ? [] : parseNote(note).signatures),
    Buffer.alloc(0),
  );

test('two of three are enough, whoever they are; their names are told', () => {
  expect(openApproval(signed(one, three), twoOfThree)).toMatchObject({
    ...APPROVAL,
    reviewers: ['reviewer-1', 'reviewer-3'],
  });
  expect(openApproval(signed(one), twoOfThree)).toBeUndefined();
  expect(openApproval(signed(one, fixedKey('stranger', 29)), twoOfThree)).toBeUndefined();
});

test('a reviewer who signed something else spoils the note', () => {
  const other = parseNote(signNote(formatApproval({ ...APPROVAL, version: 4 }), two)).signatures;
  expect(openApproval(signNote(TEXT, one, other), twoOfThree)).toBeUndefined();
});

test('it says who stands on it before anybody checks', () => {
  expect(signersOn(decodeApproval(signed(two)).note, twoOfThree)).toEqual(['reviewer-2']);
});

const WRONG: readonly (readonly [string, string])[] = [
  ['another header', TEXT.replace('approval/v1', 'approval/v2')],
  ['a line missing', TEXT.replace('role generic\n', '')],
  ['a line too many', `${TEXT}more 1\n`],
  ['lines out of order', TEXT.replace('kind ruleset\nname generic-linux\n', 'name generic-linux\nkind ruleset\n')],
  ['another kind', TEXT.replace('kind ruleset', 'kind anything')],
  ['another role', TEXT.replace('role generic', 'role all')],
  ['version 0', TEXT.replace('version 3', 'version 0')],
  ['a name with a space', TEXT.replace('generic-linux', 'generic linux')],
  ['a digest in capitals', TEXT.replace('a'.repeat(64), 'A'.repeat(64))],
];
describe('no approval', () => {
  for (const [name, text] of WRONG)
    test(name, () => expect(codeOf(() => decodeApproval(signNote(text, one)))).toBe('bad-approval'));
  test('a leading zero', () =>
    expect(codeOf(() => decodeApproval(signNote(TEXT.replace('version 3', 'version 03'), one)))).toBe('bad-number'));
});

const LISTS: readonly (readonly [string, Buffer, string])[] = [
  ['no quorum', Buffer.from(`${formatVerifierKey(one.verifier)}\n`), 'bad-approval'],
  ['a quorum of none', list(0, one), 'bad-approval'],
  ['more than there are', list(2, one), 'bad-approval'],
  ['two of one name', list(1, one, fixedKey('reviewer-1', 25)), 'bad-approval'],
  ['a key misspelled', Buffer.from('quorum 1\nreviewer-1+00000000+AAAA\n'), 'bad-key'],
  ['too large', Buffer.alloc(65_537, '#'), 'too-large'],
];
describe('no list of reviewers', () => {
  for (const [name, bytes, code] of LISTS) test(name, () => expect(codeOf(() => parseReviewers(bytes))).toBe(code));
});

test('the log tells statements and approvals apart', () => {
  expect(decodeEntry(signed(one))).toMatchObject({ kind: 'approval', approval: APPROVAL });
  expect(decodeEntry(signedStatement(FIRST))).toMatchObject({ kind: 'batch', statement: FIRST });
});

test('whatever comes in, only a ProtocolError comes out', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.nat(signed(one).length - 1).chain((at) =>
      fc.nat(255).map((value) => {
        const changed = Buffer.from(signed(one));
        changed[at] = value;
        return changed;
      }),
    ),
  );
  fc.assert(
    fc.property(bytes, (input) => typeof codeOf(() => decodeApproval(input)) === 'string'),
    { numRuns: 500 },
  );
});
