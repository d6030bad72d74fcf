/** Changes of what detects: one spelling, signed by the log, and true of the line-ups that they stand between. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  changesBetween,
  decodeChange,
  formatChange,
  formatLineup,
  ITEM_KINDS,
  lineupDigest,
  lineupPath,
  MAX_LISTED,
  NO_LINEUP,
  openChange,
  parseLineup,
  type Change,
  type Lineup,
} from '#protocol/change.ts';
import { encodeText } from '#protocol/encoding.ts';
import { decodeEntry } from '#protocol/entry.ts';
import { signNote } from '#protocol/note.ts';
import { verifyArchive } from '#protocol/verify.ts';
import { archiveOf, readerOf } from './archive.ts';
import { AFTER, BEFORE, CHANGE } from './changes.ts';
import { codeOf } from './refusal.ts';
import { logKey, nodeKey } from './sample.ts';

const signed = (change: Change, key = logKey): Uint8Array => signNote(formatChange(change), key);

test('it is read as it was written, and only from the log', () => {
  expect(openChange(signed(CHANGE), logKey.verifier)).toEqual(CHANGE);
  expect(openChange(signed(CHANGE, nodeKey), logKey.verifier)).toBeUndefined();
  expect(decodeEntry(signed(CHANGE))).toMatchObject({ kind: 'change', change: CHANGE });
});

const word = fc.stringMatching(/^[!-~]{1,20}$/);
const lineups = fc
  .array(fc.tuple(fc.constantFrom(...ITEM_KINDS), word, word), { maxLength: 40 })
  .map((items): Lineup => new Map(items.map(([kind, name, value]) => [`${kind} ${name}`, value])));

test('a line-up is read as it was written, whatever the order that it was made in', () => {
  fc.assert(
    fc.property(lineups, (lineup) => {
      const sorted = new Map([...lineup].toSorted(([a], [b]) => (a < b ? -1 : 1)));
      expect(parseLineup(formatLineup(lineup))).toEqual(sorted);
      expect(lineupDigest(lineup)).toBe(lineupDigest(sorted));
    }),
  );
});

test('the changes between two line-ups lead from one to the other', () => {
  fc.assert(
    fc.property(lineups, lineups, (before, after) => {
      const now = new Map(before);
      for (const { how, kind, name } of changesBetween(before, after)) {
        expect(now.has(`${kind} ${name}`)).toBe(how !== 'added');
        const value = after.get(`${kind} ${name}`);
        if (how === 'removed') now.delete(`${kind} ${name}`);
        else now.set(`${kind} ${name}`, value ?? '');
      }
      expect(lineupDigest(now)).toBe(lineupDigest(after));
    }),
  );
});

describe('no line-up', () => {
  for (const [name, text] of [
    ['another header', formatLineup(AFTER).replace('v1', 'v2')],
    ['out of order', formatLineup(AFTER).replace(/(knob .*\n)(suppression .*\n)/, '$2$1')],
    ['an unknown kind', formatLineup(AFTER).replace('knob', 'knobs')],
    ['no value', formatLineup(AFTER).replace(/ 8\n/, '\n')],
    ['no end', formatLineup(AFTER).slice(0, -1)],
  ] as const)
    test(name, () => expect(codeOf(() => parseLineup(text))).toBe('bad-change'));
});

test('whatever comes in, only a ProtocolError comes out', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc
      .tuple(fc.nat(signed(CHANGE).length - 1), fc.nat(255))
      .map(([at, value]) => Buffer.from(signed(CHANGE)).fill(value, at, at + 1)),
  );
  fc.assert(
    fc.property(bytes, (input) => typeof codeOf(() => decodeChange(input)) === 'string'),
    { numRuns: 500 },
  );
});

const [before, after] = [lineupDigest(BEFORE), lineupDigest(AFTER)] as const;
const FIRST: Change = {
  ...{ ...CHANGE, before: NO_LINEUP, after: before, changes: 2 },
  listed: changesBetween(new Map(), BEFORE),
};
const SECOND: Change = { ...CHANGE, before };

async function problemsOf(entries: readonly Uint8Array[], lineups = [BEFORE, AFTER]): Promise<readonly string[]> {
  const files = archiveOf(entries);
  for (const lineup of lineups) files.set(lineupPath(lineupDigest(lineup)), encodeText(formatLineup(lineup)));
  const report = await verifyArchive({ reader: readerOf(files), logKey: logKey.verifier, nodes: [] });
  expect(report.changes.length).toBeLessThanOrEqual(entries.length);
  return report.problems.map(({ code, message }) => `${code}: ${message}`);
}

test('a verifier follows them from the first on', async () => {
  expect(after).toBe(CHANGE.after);
  expect(await problemsOf([signed(FIRST), signed(SECOND)])).toEqual([]);
});

test.each([
  ['by somebody else', [signed(FIRST), signed(SECOND, nodeKey)], undefined, 'not signed by the key of the log'],
  ['one left out', [signed(SECOND)], undefined, 'does not follow the change before it'],
  ['a line-up gone', [signed(FIRST), signed(SECOND)], [BEFORE], 'a line-up is missing, or not what was hashed'],
  [
    'one concealed',
    [signed(FIRST), signed({ ...SECOND, changes: 2, listed: SECOND.listed.slice(0, 2) })],
    undefined,
    'lists other changes than those of its line-ups',
  ],
])('a verifier finds: %s', async (_, entries, lineups, message) => {
  expect(await problemsOf(entries, lineups)).toEqual([`wrong-change: ${message}`]);
});

test('a suppression that ended by itself may be told so, and more changes than are listed are counted', async () => {
  const many: Lineup = new Map(
    Array.from({ length: MAX_LISTED + 50 }, (_, i) => [`rule rule-${String(i).padStart(4, '0')}`, 'c'.repeat(64)]),
  );
  const all = changesBetween(AFTER, many, () => true);
  const third = {
    ...{ ...CHANGE, before: after, after: lineupDigest(many), changes: all.length },
    listed: all.slice(0, MAX_LISTED),
  };
  expect(third.changes).toBe(MAX_LISTED + 52);
  expect(all.at(-1)).toEqual({ how: 'expired', kind: 'suppression', name: 'nightly-backup' });
  expect(signed(third).length).toBeLessThan(65_535);
  expect(await problemsOf([signed(FIRST), signed(SECOND), signed(third)], [BEFORE, AFTER, many])).toEqual([]);
});
