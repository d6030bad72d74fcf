/** What is other, in words: which way a rule, a knob, a mapping or a suppression goes. */
import { expect, test } from 'vitest';
import { STARTER_PACK, loadPack } from '../../../collector/detectors/pack.ts';
import { applyFilters } from '../../../collector/detectors/sigma/filter.ts';
import { overlay, parseMapping } from '../../../collector/detectors/sigma/mapping.ts';
import { parseSigmaFile } from '../../../collector/detectors/sigma/parse.ts';
import type { SigmaCorrelation, SigmaFilter, SigmaRule } from '../../../collector/detectors/sigma/rule.ts';
import type { InForce } from '../../../collector/in-force.ts';
import { describeDiff, diffInForce, type Difference } from '../../../collector/tuning/diff.ts';

const NOW = 1_790_000_000_000_000;
const DAY = 86_400_000_000;
const { mapping } = loadPack(STARTER_PACK);
const RULE = `title: Ran from memory
id: 00000000-0000-4000-8000-000000000001
name: ran
status: test
description: A program below /dev/shm was started.
level: medium
logsource: { product: linux, category: process_creation }
detection:
  one: { 'Image|startswith': /dev/shm/ }
  two: { User: root }
  three: { 'Image|endswith': /x }
  condition: one and two
`;
const CORRELATION = `title: Ran often
id: 00000000-0000-4000-8000-000000000002
status: test
description: Programs below /dev/shm were started.
level: high
correlation: { type: event_count, rules: [ran], group-by: [Computer], timespan: 5m, condition: { gte: 3 } }
`;
const FILTER = `title: Not the updater
id: 00000000-0000-4000-8000-000000000003
logsource: { product: linux, category: process_creation }
filter: { rules: [ran], it: { 'Image|endswith': /updater }, condition: not it }
`;
const SUPPRESSION = {
  ...{ id: 'backup', owner: 'operations', reason: 'It reads hashes.', expires: NOW + DAY },
  ...{ detector: 'sigma', rule: undefined, node: undefined, program: undefined },
};

function inForce(text: string, changes: Partial<InForce> = {}): InForce {
  const documents = parseSigmaFile(text, 'own.yml');
  const rules = documents.filter((each): each is SigmaRule => each.kind === 'rule');
  const filters = documents.filter((each): each is SigmaFilter => each.kind === 'filter');
  const correlations = documents.filter((each): each is SigmaCorrelation => each.kind === 'correlation');
  const rulepacks = { rules: { rules: applyFilters(rules, filters), correlations, mapping } };
  return { rulepacks, tuning: {}, silenceSeconds: 300, suppressions: [], ...changes };
}

const told = (before: InForce, after: InForce): readonly string[] =>
  diffInForce(before, after, NOW).map(({ how, kind, effect, says }: Difference) => `${how} ${kind} ${effect}: ${says}`);

const PLACE = 'Ran from memory (medium, own.yml:1)';

test.each([
  ['the same', (text: string) => text, []],
  [
    'a level up',
    (text: string) => text.replace('medium', 'high'),
    ['changed rule louder: Ran from memory (high, own.yml:1): medium before, high now'],
  ],
  [
    'other words',
    (text: string) => text.replace('was started', 'ran'),
    [`changed rule the same: ${PLACE}: other words, the same matches`],
  ],
  [
    'one condition more',
    (text: string) => text.replace('one and two', 'one and two and three'),
    [`changed rule quieter: ${PLACE}: asks for more than before`],
  ],
  [
    'one condition less',
    (text: string) => text.replace('one and two', 'one'),
    [`changed rule louder: ${PLACE}: asks for less than before`],
  ],
  [
    'a filter',
    (text: string) => `${text}---\n${FILTER}`,
    [`changed rule quieter: ${PLACE}: asks for more than before`],
  ],
  [
    'something else',
    (text: string) => text.replace('/dev/shm/', '/run/'),
    [`changed rule other: ${PLACE}: asks for something else; a back-test tells what that does`],
  ],
  [
    'up and narrower',
    (text: string) => text.replace('medium', 'high').replace('one and two', 'one and two and three'),
    ['changed rule other: Ran from memory (high, own.yml:1): medium before, high now; asks for more than before'],
  ],
  [
    'a correlation',
    (text: string) => `${text}---\n${CORRELATION}`,
    ['added correlation louder: new: Ran often (high, own.yml:14)'],
  ],
] as const)('a rule: %s', (_, change, expected) => {
  expect(told(inForce(RULE), inForce(change(RULE)))).toEqual(expected);
});

test('what is gone is quieter; what counts something else begins anew', () => {
  const both = `${RULE}---\n${CORRELATION}`;
  expect(told(inForce(both), inForce(RULE))).toEqual([
    'removed correlation quieter: gone: Ran often (high, own.yml:14)',
  ]);
  expect(told(inForce(both), inForce(both.replace('gte: 3', 'gte: 4')))).toEqual([
    'changed correlation other: Ran often (high, own.yml:14): counts something else, and begins anew',
  ]);
});

test.each([
  [{ rate: { deviations: 8 } }, 'quieter: 6 before, 8 now (Robust standard deviations'],
  [{ rate: { deviations: 4 } }, 'louder: 6 before, 4 now'],
  [{ rarity: { rare_below: 3 } }, 'louder: 1.5 before, 3 now'],
  [{ stories: { alerts_per_day: 5 } }, 'quieter: 0 before, 5 now'],
  [{ stories: { gap_minutes: 5 } }, 'other: 30 before, 5 now'],
])('a knob: %o', (tuning, expected) => {
  expect(told(inForce(RULE), inForce(RULE, { tuning }))[0]).toContain(expected);
});

test('a node may be silent for longer: quieter', () => {
  expect(told(inForce(RULE), inForce(RULE, { silenceSeconds: 600 }))).toEqual([
    'changed knob quieter: 300 before, 600 now',
  ]);
});

test('a mapping says which fields it moved', () => {
  const own = parseMapping('fields: { Image: process.parent.executable.path }', 'own.yaml');
  const rulepacks = { rules: { ...inForce(RULE).rulepacks.rules, mapping: overlay(mapping, own) } };
  expect(told(inForce(RULE), inForce(RULE, { rulepacks }))).toEqual([
    'changed mapping other: read from elsewhere: Image',
  ]);
});

test('a suppression is quieter until it ends', () => {
  const [none, one] = [inForce(RULE), inForce(RULE, { suppressions: [SUPPRESSION] })];
  const says = 'backup until 2026-09-22, for which operations answers: It reads hashes.';
  expect(told(none, one)).toEqual([`added suppression quieter: ${says}`]);
  expect(told(one, none)).toEqual([`removed suppression louder: ${says}`]);
});

test('for people: what calls more often first', () => {
  const after = inForce(RULE.replace('medium', 'low'), { tuning: { rate: { deviations: 4 } } });
  expect(describeDiff(diffInForce(inForce(RULE), after, NOW))).toMatch(
    /^louder: 1\n {2}~ knob rate\.deviations\n[^]*\nquieter: 1\n {2}~ rule /,
  );
  expect(describeDiff([])).toBe('nothing is other\n');
});
