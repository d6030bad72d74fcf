/** Correlations on sequences of matches: every type, disorder, loss, groups, aliases, bounds, restarts. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeCorrelator, type Match, type Story } from '../../../collector/detectors/correlation.ts';
import { parseSigmaFile } from '../../../collector/detectors/sigma/parse.ts';
import type { SigmaCorrelation } from '../../../collector/detectors/sigma/rule.ts';

const SECOND = 1_000_000;
const START = 1_800_000_000 * SECOND;

function correlationOf(body: string): SigmaCorrelation {
  const [document] = parseSigmaFile(`title: T\nname: c\ncorrelation:\n${body.replaceAll(/^/gm, '  ')}\n`, 'c.yml');
  if (document?.kind !== 'correlation') throw new Error('not a correlation');
  return document;
}

let line = 0;
const match = (rule: string, seconds: number, fields: Readonly<Record<string, string>> = {}): Match => ({
  ids: [rule],
  node: 'n',
  time: START + seconds * SECOND,
  at: { logIndex: 0, line: line++ },
  times: 1,
  fieldOf: (field) => fields[field],
});

/** Stories of a sequence, once its node has told of much later times. */
const storiesOf = (correlation: SigmaCorrelation, matches: readonly Match[]): readonly Story[] => {
  const correlator = makeCorrelator([correlation]);
  const found = matches.flatMap((one) => correlator.observe(one));
  return [...found, ...correlator.advance('n', START + 3600 * SECOND)];
};
const count = (correlation: SigmaCorrelation, matches: readonly Match[]): number =>
  storiesOf(correlation, matches).length;

const common = 'rules: [a, b, c]\ntimespan: 60s\n';
const value = (n: number, seconds: number): Match => match('a', seconds, { v: String(n) });

const rows: readonly (readonly [string, string, readonly Match[], readonly Match[]])[] = [
  [
    'event_count',
    `type: event_count\n${common}condition: { gte: 3 }`,
    [match('a', 0), match('b', 20), match('a', 59)],
    [match('a', 0), match('b', 20), match('a', 61), match('other', 30)],
  ],
  [
    'event_count, out of order',
    `type: event_count\n${common}condition: { gte: 3 }`,
    [match('a', 59), match('b', 0), match('a', 20)],
    [match('a', 61), match('b', 0), match('a', 20)],
  ],
  [
    'event_count by group',
    `type: event_count\n${common}group-by: [u]\ncondition: { gte: 2 }`,
    [match('a', 0, { u: 'x' }), match('a', 1, { u: 'x' })],
    [match('a', 0, { u: 'x' }), match('a', 1, { u: 'y' }), match('a', 2), match('a', 3)],
  ],
  [
    'a range',
    `type: event_count\n${common}condition: { gt: 1, lt: 4 }`,
    [match('a', 0), match('a', 1), match('a', 2)],
    [match('a', 0), match('a', 1), match('a', 2), match('a', 3)],
  ],
  [
    'fewer than',
    `type: event_count\n${common}condition: { lt: 3 }`,
    [match('a', 0), match('a', 10)],
    [match('a', 0), match('a', 10), match('a', 20)],
  ],
  [
    'exactly',
    `type: event_count\n${common}condition: { eq: 2 }`,
    [match('a', 10), match('a', 0)],
    [match('a', 0), match('a', 10), match('a', 20)],
  ],
  [
    'not exactly',
    `type: event_count\n${common}condition: { neq: 2 }`,
    [match('a', 0)],
    [match('a', 0), match('a', 10)],
  ],
  [
    'value_count',
    `type: value_count\n${common}condition: { field: v, gte: 2 }`,
    [value(1, 0), value(2, 1)],
    [value(1, 0), value(1, 1), match('a', 2)],
  ],
  [
    'value_count of pairs',
    `type: value_count\n${common}condition: { field: [v, w], gte: 3 }`,
    [match('a', 0, { v: '1', w: '1' }), match('a', 1, { v: '1', w: '2' }), match('a', 2, { v: '2', w: '1' })],
    [match('a', 0, { v: '1', w: '1' }), match('a', 1, { v: '1', w: '2' }), match('a', 2, { v: '3' })],
  ],
  [
    'value_median',
    `type: value_median\n${common}condition: { field: v, gte: 5 }`,
    [value(1, 0), value(9, 1)],
    [value(1, 0), value(8, 1), value(2, 2)],
  ],
  [
    'values that are no numbers do not count as zero',
    `type: value_avg\n${common}condition: { field: v, lt: 3 }`,
    [value(2, 0)],
    [match('a', 0, { v: '' }), match('a', 1, { v: 'x' }), value(4, 2)],
  ],
  [
    'value_sum',
    `type: value_sum\n${common}condition: { field: v, gte: 10 }`,
    [value(4, 0), value(6, 1)],
    [value(4, 0), value(5, 1)],
  ],
  [
    'value_avg',
    `type: value_avg\n${common}condition: { field: v, gt: 5 }`,
    [value(2, 0), value(10, 1)],
    [value(2, 0), value(4, 1)],
  ],
  [
    'value_percentile',
    `type: value_percentile\n${common}condition: { field: v, percentile: 90, gte: 9 }`,
    [value(1, 0), value(9, 1)],
    [value(1, 0), value(8, 1)],
  ],
  [
    'temporal',
    `type: temporal\n${common}`,
    [match('c', 0), match('a', 1), match('b', 2)],
    [match('a', 0), match('b', 1), match('a', 2)],
  ],
  [
    'temporal, some of',
    `type: temporal\n${common}condition: { gte: 2 }`,
    [match('c', 0), match('a', 1)],
    [match('a', 0), match('a', 1)],
  ],
  [
    'temporal_ordered',
    `type: temporal_ordered\n${common}`,
    [match('a', 0), match('a', 1), match('b', 2), match('c', 3)],
    [match('b', 0), match('a', 1), match('c', 2)],
  ],
  [
    'temporal_ordered, arriving out of order',
    `type: temporal_ordered\n${common}`,
    [match('c', 3), match('b', 2), match('a', 1)],
    [match('a', 3), match('b', 2), match('c', 1)],
  ],
  [
    'in words',
    'type: temporal\nrules: [a, b, c]\ntimespan: 60s\ncondition: a AND (b OR c)',
    [match('c', 0), match('a', 1)],
    [match('c', 0), match('b', 1)],
  ],
  [
    'in words, the list left out',
    'type: temporal\ntimespan: 60s\ncondition: a and b',
    [match('b', 0), match('a', 1)],
    [match('b', 0), match('c', 1)],
  ],
  [
    'in words, some of a pattern',
    'type: temporal\nrules: [s_1, s_2, s_3]\ntimespan: 60s\ncondition: 2 of s_*',
    [match('s_1', 0), match('s_3', 1)],
    [match('s_1', 0), match('s_1', 1)],
  ],
  [
    'in words and order',
    'type: temporal_ordered\nrules: [a, b, c]\ntimespan: 60s\ncondition: a and (b or c)',
    [match('c', 0), match('a', 1), match('c', 2)],
    [match('c', 0), match('b', 1), match('a', 2)],
  ],
  [
    'and not: nothing of the kind follows',
    'type: temporal\nrules: [a, b]\ntimespan: 60s\ncondition: a and not b',
    [match('b', 0), match('a', 1), match('b', 62)],
    [match('a', 0), match('b', 59)],
  ],
  [
    'and not, arriving out of order',
    'type: temporal\nrules: [a, b]\ntimespan: 60s\ncondition: a and not b',
    [match('b', 62), match('a', 1)],
    [match('b', 59), match('a', 0)],
  ],
  [
    'a span of months',
    'type: event_count\nrules: [a]\ntimespan: 1M\ncondition: { gte: 2 }',
    [match('a', 0), match('a', 2_600_000)],
    [match('a', 0), match('a', 2_700_000)],
  ],
  [
    'aliases',
    `type: temporal\n${common}group-by: [who]\naliases: { who: { a: x, b: y, c: z } }`,
    [match('a', 0, { x: '1' }), match('b', 1, { y: '1' }), match('c', 2, { z: '1' })],
    [match('a', 0, { x: '1' }), match('b', 1, { y: '2' }), match('c', 2, { z: '1' })],
  ],
];

describe.each(rows)('%s', (_, body, yes, no) => {
  test('tells the story once', () => expect(count(correlationOf(body), yes)).toBe(1));
  test('keeps quiet otherwise', () => expect(count(correlationOf(body), no)).toBe(0));
});

test('a story that goes on is told once a span', () => {
  const correlation = correlationOf(`type: event_count\n${common}condition: { gte: 2 }`);
  expect(
    count(
      correlation,
      Array.from({ length: 180 }, (_, i) => match('a', i)),
    ),
  ).toBe(3);
});

test('one correlation builds on another; a circle ends', () => {
  const inner = { ...correlationOf(`type: event_count\n${common}condition: { gte: 2 }`), id: 'inner', name: 'inner' };
  const outer = {
    ...correlationOf('type: event_count\nrules: [inner, outer]\ntimespan: 1h\ncondition: { gte: 1 }'),
    id: 'outer',
    name: 'outer',
  };
  const correlator = makeCorrelator([inner, outer]);
  const stories = [match('a', 0), match('a', 1)].flatMap((one) => correlator.observe(one));
  expect(stories.map(({ correlation }) => correlation.id)).toEqual(['inner', 'outer']);
});

test('whatever the order of arrival, the story is told, and once', () => {
  const forms = [
    `type: event_count\n${common}condition: { gte: 4 }`,
    `type: temporal\n${common}`,
    `type: temporal_ordered\n${common}`,
    `type: event_count\n${common}condition: { lt: 5 }`,
    'type: temporal\nrules: [a, b, c, d]\ntimespan: 60s\ncondition: a and b and c and not d',
  ];
  const matches = [match('a', 0), match('b', 10), match('a', 20), match('c', 30)];
  const order = fc.shuffledSubarray(matches, { minLength: matches.length });
  fc.assert(
    fc.property(fc.constantFrom(...forms), order, (form, arrived) => {
      const stories = storiesOf(correlationOf(form), arrived);
      expect(stories).toHaveLength(1);
      expect(stories[0]?.last).toBe(START + 30 * SECOND);
      // What waits for its time to be over has all its matches; what does not is told when it holds.
      if (form.includes('not') || form.includes('lt:')) expect(stories[0]?.first).toBe(START);
    }),
  );
});

test('an alias may say the name of a rule that the list says the id of', () => {
  const correlation = correlationOf(
    'type: temporal\nrules: [id-a, id-b]\ntimespan: 60s\ngroup-by: [who]\naliases: { who: { a: x, id-b: y } }',
  );
  const a = { ...match('id-a', 0, { x: '1' }), ids: ['id-a', 'a'] };
  const b = { ...match('id-b', 1, { y: '1' }), ids: ['id-b', 'b'] };
  expect(count(correlation, [a, b])).toBe(1);
});

describe('an event that stands for many identical ones counts as many', () => {
  const times = (n: number, one: Match): Match => ({ ...one, times: n });
  test.each([
    ['event_count', 'gte: 100', [times(99, match('a', 0)), match('a', 1)], [times(98, match('a', 0)), match('a', 1)]],
    ['value_sum', 'field: v, gte: 100', [times(9, value(10, 0)), value(10, 1)], [times(8, value(10, 0)), value(10, 1)]],
    ['value_avg', 'field: v, gte: 9', [times(9, value(10, 0)), value(0, 1)], [value(8, 0), times(9, value(0, 1))]],
    ['value_median', 'field: v, gte: 9', [times(9, value(10, 0)), value(0, 1)], [value(8, 0), times(9, value(0, 1))]],
    [
      'value_percentile',
      'field: v, percentile: 80, gte: 9',
      [value(0, 0), times(3, value(9, 1))],
      [times(8, value(0, 0)), value(8, 1)],
    ],
  ])('%s', (type, condition, yes, no) => {
    const correlation = correlationOf(`type: ${type}\n${common}condition: { ${condition} }`);
    expect([count(correlation, yes), count(correlation, no)]).toEqual([1, 0]);
  });
});

test('a match that is lost makes no story of what is left, and none of what must not come', () => {
  const sequence = [match('a', 0), match('b', 10), match('c', 20)];
  const ordered = correlationOf(`type: temporal_ordered\n${common}`);
  expect(count(ordered, sequence)).toBe(1);
  for (const lost of sequence)
    expect(
      count(
        ordered,
        sequence.filter((one) => one !== lost),
      ),
    ).toBe(0);
});

test('what must not come is waited for on the clock of the node, across restarts', () => {
  const correlation = correlationOf('type: temporal\nrules: [a, b]\ntimespan: 60s\ncondition: a and not b');
  const before = makeCorrelator([correlation]);
  before.observe(match('a', 0));
  expect(before.advance('n', START + 61 * SECOND)).toEqual([]);
  expect(before.advance('another', START + 90 * SECOND)).toEqual([]);
  const after = makeCorrelator([correlation], JSON.parse(JSON.stringify(before.save())));
  expect(after.advance('n', START + 62 * SECOND)).toMatchObject([{ measure: 1, first: START, last: START }]);
  expect(after.advance('n', START + 999 * SECOND)).toEqual([]);
});

test('a story that waited is a step of what builds on it', () => {
  const inner = correlationOf('type: temporal\nrules: [a, b]\ngroup-by: [u]\ntimespan: 60s\ncondition: a and not b');
  const outer = {
    ...correlationOf('type: temporal_ordered\nrules: [z, c]\ngroup-by: [u]\ntimespan: 1h'),
    id: 'outer',
    name: 'outer',
  };
  const correlator = makeCorrelator([inner, outer]);
  const found = [match('z', 0, { u: 'x' }), match('a', 9, { u: 'x' }), match('a', 9, { u: 'y' })];
  expect(found.flatMap((one) => correlator.observe(one))).toEqual([]);
  const stories = correlator.advance('n', START + 999 * SECOND);
  expect(stories.map(({ correlation: { name }, group }) => `${name} ${group.join()}`)).toEqual([
    'c x',
    'outer x',
    'c y',
  ]);
});

test('a count beyond the usual memory is reached', () => {
  const correlation = correlationOf(`type: event_count\n${common}condition: { gte: 50000 }`);
  expect(
    count(
      correlation,
      Array.from({ length: 50_000 }, (_, i) => match('a', i / 1000)),
    ),
  ).toBe(1);
});

test('memory is bounded, and survives a restart', () => {
  const correlation = correlationOf(`type: event_count\n${common}group-by: [u]\ncondition: { gte: 500 }`);
  const before = makeCorrelator([correlation]);
  for (let i = 0; i < 12_000; i++) before.observe(match('a', i / 1000, { u: String(i) }));
  for (let i = 0; i < 3000; i++) before.observe(match('a', 12 + i / 1000, { u: 'one' }));
  const saved = JSON.stringify(before.save());
  expect(saved.length).toBeLessThan(2_000_000);
  expect(JSON.stringify(makeCorrelator([correlation], JSON.parse(saved)).save())).toBe(saved);
});

describe('errors', () => {
  const errors: readonly (readonly [string, string, RegExp])[] = [
    ['type', `type: count\n${common}`, /^c\.yml:4: correlation: type: none of/],
    ['a type, nearly', `type: event_cuont\n${common}`, /did you mean `event_count`\?/],
    [
      'a key',
      `type: temporal\n${common}groupby: [u]`,
      /^c\.yml:7: correlation: groupby: no such key; did you mean `group-by`\?/,
    ],
    ['a key of the condition', `type: event_count\n${common}condition: { gte: 1, filed: v }`, /did you mean `field`\?/],
    ['a rule twice', 'type: temporal\nrules: [a, b, a]\ntimespan: 5m', /correlation: rules: a stands there twice/],
    ['generate', `type: temporal\n${common}generate: 1`, /generate: must be true or false/],
    ['words for counts', `type: event_count\n${common}condition: a and b`, /words are for temporal/],
    [
      'words that leave one out',
      `type: temporal\n${common}condition: a and b`,
      /leaves out c, which stands under rules/,
    ],
    [
      'words about a stranger',
      `type: temporal\n${common}condition: a and b and c and d`,
      /names `d`, which is not there/,
    ],
    [
      'words that hold of nothing',
      'type: temporal\ntimespan: 5m\ncondition: not a',
      /holds when nothing at all happened/,
    ],
    ['a count out of reach', `type: event_count\n${common}condition: { gte: 200000 }`, /counts go up to 100000/],
    ['timespan', 'type: temporal\nrules: [a]\ntimespan: 5 min', /^c\.yml:6: correlation: timespan: expected a number/],
    ['rules', 'type: temporal\ntimespan: 5m', /correlation: rules: missing/],
    ['condition', `type: event_count\n${common}`, /correlation: condition: missing/],
    ['field', `type: value_count\n${common}condition: { gte: 1 }`, /value_count needs field/],
    ['operator', `type: event_count\n${common}condition: { field: v }`, /needs one of lt, lte/],
  ];
  test.each(errors)('%s', (_, body, message) => {
    expect(() => correlationOf(body)).toThrow(message);
  });
});
