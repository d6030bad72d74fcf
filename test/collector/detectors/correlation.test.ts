/** Correlations on sequences of matches: every type, disorder, groups, aliases, bounds, restarts. */
import { describe, expect, test } from 'vitest';
import { makeCorrelator, type Match } from '../../../collector/detectors/correlation.ts';
import { parseSigmaFile, type SigmaCorrelation } from '../../../collector/detectors/sigma/rule.ts';

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
  time: START + seconds * SECOND,
  at: { logIndex: 0, line: line++ },
  fieldOf: (field) => fields[field],
});

const count = (correlation: SigmaCorrelation, matches: readonly Match[]): number => {
  const correlator = makeCorrelator([correlation]);
  return matches.flatMap((one) => correlator.observe(one)).length;
};

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
    `type: event_count\n${common}condition: { gt: 1, lt: 3 }`,
    [match('a', 0), match('a', 1)],
    [match('a', 0)],
  ],
  [
    'value_count',
    `type: value_count\n${common}condition: { field: v, gte: 2 }`,
    [value(1, 0), value(2, 1)],
    [value(1, 0), value(1, 1), match('a', 2)],
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

test('memory is bounded, and survives a restart', () => {
  const correlation = correlationOf(`type: event_count\n${common}group-by: [u]\ncondition: { gte: 5000 }`);
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
    ['timespan', 'type: temporal\nrules: [a]\ntimespan: 5 min', /^c\.yml:6: correlation: timespan: expected a number/],
    ['rules', 'type: temporal\ntimespan: 5m', /correlation: rules: missing/],
    ['condition', `type: event_count\n${common}`, /correlation: condition: missing/],
    ['field', `type: value_count\n${common}condition: { gte: 1 }`, /value_count needs field/],
    ['operator', `type: event_count\n${common}condition: { above: 1 }`, /needs one of lt, lte/],
  ];
  test.each(errors)('%s', (_, body, message) => {
    expect(() => correlationOf(body)).toThrow(message);
  });
});
