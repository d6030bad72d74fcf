/** The mappers of the exporters: real lines, which of their fields are read, and lines that were never written so. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ATTRIBUTES, EVENTS, isAttributeName } from '#protocol/vocabulary.ts';
import type { RawEvent } from '../../../../agent/event.ts';
import { mapperOf } from '../../../../agent/sources/exporters.ts';
import { EXPORTERS } from '../../../../agent/sources/exporters/name.ts';
import { eventOf, linesOf, tell, users } from './real-lines.ts';
import { EXPECTED, READ, TABLE } from './expected.ts';

const isOfType: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  int: (value) => Number.isSafeInteger(value),
  double: (value) => typeof value === 'number' && Number.isFinite(value),
  boolean: (value) => typeof value === 'boolean',
  'string[]': (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
};

function expectValid({ name, time, fromSensor, attributes }: RawEvent): void {
  expect(Number.isSafeInteger(time) && time > 0).toBe(true);
  expect(fromSensor).toBeUndefined();
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    expect(EVENTS[name].attributes, name).toContain(attribute);
    expect(isAttributeName(attribute) && isOfType[ATTRIBUTES[attribute].type]?.(value), attribute).toBe(true);
  }
}

describe.each(EXPORTERS)('%s', (kind) => {
  test('every real line is an event of the vocabulary, a loss, or counted', () => {
    const map = mapperOf[kind](users);
    const table: Record<string, number> = {};
    for (const line of linesOf(kind)) {
      const told = tell(map, line);
      if (typeof told !== 'string' && told.event !== undefined) expectValid(told.event);
      const row = typeof told === 'string' ? told : (told.event?.name ?? 'loss');
      table[row] = (table[row] ?? 0) + 1;
    }
    expect(table).toEqual(TABLE[kind]);
  });

  test.each(EXPECTED[kind])('line $index is what it says', ({ index, event }) => {
    const told = eventOf(kind, linesOf(kind)[index] ?? '');
    expect(told).toEqual(event);
  });

  test('no other field of any real line is read into an event', () => {
    const read = new Set<string>();
    for (const line of linesOf(kind)) {
      const parsed: unknown = parse(line);
      for (const path of textsOf(parsed)) {
        const event = eventOf(kind, JSON.stringify(replaced(parsed, path, 'CANARY')));
        if (event !== undefined && JSON.stringify(event.attributes).includes('CANARY')) read.add(labelOf(parsed, path));
      }
    }
    expect([...read].toSorted()).toEqual(READ[kind]);
  });

  test('a field that is not known is never read, wherever it stands', () => {
    for (const line of linesOf(kind)) {
      const event = eventOf(kind, JSON.stringify(withCanaries(parse(line))));
      expect(JSON.stringify(event ?? null)).not.toContain('CANARY');
    }
  });

  test('lines with any value in any place give valid events, or none', () => {
    const real = linesOf(kind).map(parse);
    const hostile = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('', '\ud800', '%', '%ff%00', '-1', '18446744073709551615', 'constructor', '__proto__', '"', '->'),
      fc.constantFrom(-1, 4_294_967_295, 1e300, -0, 0.5, 1e21),
    );
    const mutated = fc.tuple(fc.constantFrom(...real), fc.array(fc.tuple(fc.nat(), hostile), { maxLength: 3 }));
    fc.assert(
      fc.property(mutated, ([line, changes]) => {
        let changed = line;
        for (const [at, value] of changes) {
          const leaves = leavesOf(changed);
          changed = replaced(changed, leaves[at % Math.max(1, leaves.length)] ?? [], value);
        }
        const told = tell(mapperOf[kind](users), JSON.stringify(changed));
        if (typeof told !== 'string' && told.event !== undefined) expectValid(told.event);
      }),
      { numRuns: 500 },
    );
  });

  test('what every object has by itself is no value', () => {
    for (const line of linesOf(kind).map(parse)) {
      for (const leaf of leavesOf(line)) {
        const told = tell(mapperOf[kind](users), JSON.stringify(replaced(line, leaf, 'constructor')));
        if (typeof told !== 'string' && told.event !== undefined) expectValid(told.event);
      }
    }
  });

  test('what is no line of JSON is unreadable', () => {
    const told = (text: string): unknown => tell(mapperOf[kind](users), text);
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(typeof told(text)).toBe('string');
      }),
    );
    expect(told('['.repeat(200_000))).toBe('unreadable');
    expect(told(`{"a":${'['.repeat(60_000)}1234567890123456789${']'.repeat(60_000)}}`)).toMatch(/^un/);
  });
});

type Path = readonly (string | number)[];

/** Real lines hold no number that JSON.parse would change but times, which no test here compares. */
const parse = (line: string): unknown => JSON.parse(line);

function leavesOf(value: unknown, at: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [at];
  const entries = Array.isArray(value) ? value.map((one, i) => [i, one] as const) : Object.entries(value);
  return entries.flatMap(([key, one]) => leavesOf(one, [...at, key]));
}

const textsOf = (value: unknown): readonly Path[] =>
  leavesOf(value).filter(
    (path) => typeof path.reduce<unknown>((at, key) => Reflect.get(Object(at), key), value) === 'string',
  );

/** The items of a list by the names that they carry, where they carry any. */
function labelOf(value: unknown, path: Path): string {
  const words = path.map((key, i) => {
    if (typeof key === 'string') return key;
    const item: unknown = path.slice(0, i + 1).reduce<unknown>((at, one) => Reflect.get(Object(at), one), value);
    const name: unknown = Reflect.get(Object(item), 'name');
    return `[${typeof name === 'string' ? name : ''}]`;
  });
  return words.join(' ');
}

function replaced(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by;
  if (Array.isArray(value)) return value.map((one, i) => (i === key ? replaced(one, rest, by) : one));
  return { ...Object(value), [key]: replaced(Reflect.get(Object(value), key), rest, by) };
}

function withCanaries(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withCanaries);
  if (typeof value !== 'object' || value === null) return value;
  const known = Object.entries(value).map(([key, one]) => [key, withCanaries(one)] as const);
  return Object.fromEntries([
    ...known,
    ['comment', 'CANARY'],
    ['cmdline', 'CANARY-2'],
    ['CANARY-3', { CANARY: 'CANARY' }],
  ]);
}
