/** Restarts of chains, and anchors: one spelling, and only from where the chain ended. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha256Hex } from '#protocol/encoding.ts';
import { decodeEntry } from '#protocol/entry.ts';
import { signNote } from '#protocol/note.ts';
import {
  checkRestart,
  formatAnchor,
  formatRestart,
  linkOf,
  MAX_ANCHOR_BYTES,
  parseAnchor,
  parseRestart,
  type Restart,
} from '#protocol/restart.ts';
import { checkSuccession, statementDigest } from '#protocol/statement.ts';
import { codeOf } from './refusal.ts';
import { FIRST, following, nodeKey, RESTART } from './sample.ts';

const TEXT = formatRestart(RESTART);

test('a restart is read back as it was written, and known among entries', () => {
  expect(parseRestart(TEXT)).toEqual(RESTART);
  expect(decodeEntry(signNote(TEXT, nodeKey))).toMatchObject({ kind: 'restart', restart: RESTART });
  expect(linkOf(RESTART)).toEqual({ node: 'node-1', sequence: 2, digest: sha256Hex(Buffer.from(TEXT)) });
});

test('each line is needed, once, in its place', () => {
  const lines = TEXT.split('\n').slice(0, -1);
  for (let i = 0; i < lines.length; i++) {
    const swapped = lines.toSpliced(i, 2, lines[i + 1] ?? 'more', lines[i] ?? '');
    for (const changed of [lines.toSpliced(i, 1), lines.toSpliced(i, 0, lines[i] ?? ''), swapped])
      expect(
        codeOf(() => parseRestart(`${changed.join('\n')}\n`)),
        lines[i],
      ).toBe('bad-restart');
  }
});

test.each([
  ['sequence 2', 'sequence 1', 'bad-restart'],
  ['sequence 2', 'sequence 02', 'bad-number'],
  ['index 0', 'index -1', 'bad-number'],
  ['node node-1', 'node ../x', 'bad-restart'],
  ['state-lost', 'because', 'bad-restart'],
  ['role generic', 'role root', 'bad-restart'],
  ['previous ', 'previous 0', 'bad-restart'],
  ['agent 0.1.0', 'agent 1', 'bad-restart'],
  ['restart/v1', 'restart/v2', 'bad-restart'],
  [/\n$/, '', 'bad-restart'],
  [/$/, 'more', 'bad-restart'],
])('%s for %s', (from, to, code) => {
  expect(codeOf(() => parseRestart(TEXT.replace(from, to)))).toBe(code);
});

test('whatever one character is changed to is refused, or is another restart', () => {
  const at = fc.integer({ min: 0, max: TEXT.length - 1 });
  fc.assert(
    fc.property(at, fc.string({ maxLength: 3 }), (i, text) => {
      const changed = TEXT.slice(0, i) + text + TEXT.slice(i + 1);
      if (changed === TEXT) return;
      const code = codeOf(() => expect(formatRestart(parseRestart(changed))).toBe(changed));
      expect(['accepted', 'bad-restart', 'bad-number']).toContain(code);
    }),
  );
});

test('it follows the last entry, and nothing else', () => {
  const last = { ...FIRST, digest: statementDigest(FIRST), index: 0 };
  expect(checkRestart(last, RESTART)).toBeUndefined();
  const wrong: readonly (Partial<Restart> | 'no last')[] = [
    'no last',
    { sequence: 3 },
    { previous: 'f'.repeat(64) },
    { index: 1 },
    { node: 'node-2' },
  ];
  for (const change of wrong) {
    const [before, changes] = change === 'no last' ? [undefined, {}] : [last, change];
    expect(checkRestart(before, { ...RESTART, ...changes }), JSON.stringify(change)).toMatch(/\w/);
  }
  expect(
    checkRestart(
      { ...linkOf(RESTART), index: 7 },
      { ...RESTART, sequence: 3, previous: linkOf(RESTART).digest, index: 7 },
    ),
  ).toBeUndefined();
});

test('what follows a restart counts from nothing', () => {
  const next = { ...FIRST, sequence: 3, previous: linkOf(RESTART).digest };
  expect(checkSuccession(linkOf(RESTART), next)).toEqual([]);
  const codes = (changes: object): readonly string[] =>
    checkSuccession(linkOf(RESTART), { ...next, ...changes }).map(({ code }) => code);
  expect(codes({ sequence: 4 })).toEqual(['gap']);
  expect(codes({ previous: statementDigest(FIRST) })).toEqual(['fork']);
  expect(codes({ released: following(FIRST).released, seen: following(FIRST).seen })).toEqual([
    'released-mismatch',
    'released-mismatch',
  ]);
});

test('entries of later versions are known as such', () => {
  for (const header of ['hushwatch/batch/v9', 'hushwatch/restart/v2', 'hushwatch/case/v1'])
    expect(decodeEntry(signNote(`${header}\nnode x\n`, nodeKey))).toEqual({ kind: 'later', header });
  expect(codeOf(() => decodeEntry(signNote('hushwatch/case/v01\n', nodeKey)))).toBe('bad-statement');
});

test('an anchor is read back; what is no anchor is refused', () => {
  const anchor = { noteBytes: signNote(TEXT, nodeKey), receipt: Buffer.from('c2sp.org/tlog-proof@v1\n') };
  const bytes = Buffer.from(formatAnchor(anchor));
  const read = parseAnchor(bytes);
  if (read === 'none') throw new Error('it is one');
  expect([Buffer.from(read.noteBytes), Buffer.from(read.receipt)]).toEqual([
    Buffer.from(anchor.noteBytes),
    anchor.receipt,
  ]);
  expect(parseAnchor(Buffer.from(formatAnchor('none')))).toBe('none');
  for (const text of ['', '\n', 'hushwatch/anchor/v1', 'hushwatch/anchor/v1 none', 'hushwatch/anchor/v2 none\n'])
    expect(
      codeOf(() => parseAnchor(Buffer.from(text))),
      text,
    ).toBe('bad-restart');
  expect(codeOf(() => parseAnchor(Buffer.from('hushwatch/anchor/v1 9\nshort\n')))).toBe('truncated');
  expect(codeOf(() => parseAnchor(Buffer.from('hushwatch/anchor/v1 none\nmore')))).toBe('bad-number');
  expect(codeOf(() => parseAnchor(Buffer.alloc(MAX_ANCHOR_BYTES + 1)))).toBe('too-large');
});
