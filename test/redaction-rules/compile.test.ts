/** The redactor: default deny, non-interference, one line an event. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EVENTS } from '#protocol/vocabulary.ts';
import { compileRuleset } from '../../redaction-rules/compile.ts';
import { attributesOf, EVENT_NAMES, rawEvent, time } from './raw-events.ts';
import { SHIPPED } from './shipped.ts';
import { KEYS, smallRuleset, transformer } from './small-ruleset.ts';

for (const { ruleset } of SHIPPED) {
  describe(`${ruleset.name}: non-interference`, () => {
    for (const name of EVENT_NAMES) {
      const dropped = [...(ruleset.events.get(name) ?? [])]
        .filter(([, rule]) => rule.do === 'drop')
        .map(([attribute]) => attribute);
      test(`${name}: ${dropped.length} dropped attributes change nothing`, () => {
        fc.assert(
          fc.property(attributesOf(name), attributesOf(name), time, (attributes, others, at) => {
            const [one, two] = [compileRuleset(ruleset, KEYS), compileRuleset(ruleset, KEYS)];
            const differing = { ...attributes };
            for (const attribute of dropped) {
              delete differing[attribute];
              if (Object.hasOwn(others, attribute)) differing[attribute] = others[attribute];
            }
            expect(two.redact({ name, time: at, attributes: differing })).toEqual(
              one.redact({ name, time: at, attributes }),
            );
            expect(two.unknown).toBe(one.unknown);
            expect(two.unknownNames).toEqual(one.unknownNames);
          }),
          { numRuns: 12 },
        );
      });
    }

    test('what was rendered before makes no difference', () => {
      const warm = compileRuleset(ruleset, KEYS);
      fc.assert(
        fc.property(fc.constantFrom(...EVENT_NAMES).chain(rawEvent), (event) => {
          expect(warm.redact(event)).toEqual(compileRuleset(ruleset, KEYS).redact(event));
        }),
        { numRuns: 60 },
      );
    });

    test('times within the resolution are one time, in the line and beside it', () => {
      const redactor = compileRuleset(ruleset, KEYS);
      const { resolution } = ruleset.time;
      const begin = Math.ceil(1_700_000_000_000_000 / resolution) * resolution;
      for (const [at, coarse] of [
        [begin + resolution - 1, begin],
        [begin + resolution, begin + resolution],
        [begin + resolution - 1, begin],
      ] as const) {
        const event = redactor.redact({ name: 'process.exit', time: at, attributes: {} });
        expect(event).toMatchObject({ time: coarse, line: `{"event":"process.exit","time":${coarse}}` });
      }
    });
  });
}

describe('what is remembered of events', () => {
  const ruleset = smallRuleset({
    attributes: {
      'process.pid': { do: 'keep' },
      'process.user.name': { do: 'pseudonym', scope: 'node', domain: 'user' },
      'process.executable.setuid': { do: 'keep' },
    },
  });
  const texts = ['', 'a', 'b', 'q', 'long'.repeat(200), 'long'.repeat(201), undefined];
  const values: Readonly<Record<string, readonly unknown[]>> = {
    'process.pid': [0, -0, 1, 16, 17, 2 ** 40 + 1, '1', Number.NaN, undefined],
    'process.user.name': texts,
    'process.executable.setuid': [true, false, 1, undefined],
    'process.soul': texts,
    'process.args_count': [1, 2],
  };
  const attribute = fc
    .constantFrom(...Object.keys(values))
    .chain((name) => fc.constantFrom(...(values[name] ?? [])).map((value) => [name, value] as const));
  // Attributes in any order, some of no rule.
  const event = fc.array(attribute, { maxLength: 6 }).map((entries) => Object.fromEntries(entries));

  test('neither order nor what came before makes a difference', () => {
    const warm = compileRuleset(ruleset, KEYS);
    fc.assert(
      fc.property(event, (attributes) => {
        const fresh = compileRuleset(ruleset, KEYS);
        const before = warm.unknown;
        const sorted = Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
        const expected = fresh.redact({ name: 'process.exec', time: 0, attributes: sorted });
        expect(warm.redact({ name: 'process.exec', time: 0, attributes })).toEqual(expected);
        expect(warm.unknown - before).toBe(fresh.unknown);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('what is not known does not come out', () => {
  const ruleset = smallRuleset({ attributes: { 'process.pid': { do: 'keep' }, 'error.type': { do: 'keep' } } });

  test('an event that the vocabulary does not have is withheld', () => {
    const redactor = compileRuleset(ruleset, KEYS);
    expect(redactor.redact({ name: 'process.thought', time: 0, attributes: {} })).toBeUndefined();
    expect(redactor.redact({ name: 'constructor', time: 0, attributes: {} })).toBeUndefined();
  });

  test('an event without a sane time is withheld', () => {
    const redactor = compileRuleset(ruleset, KEYS);
    for (const at of [-1, Number.NaN, 0.5, 2 ** 53, Infinity]) {
      expect(redactor.redact({ name: 'process.exit', time: at, attributes: {} })).toBeUndefined();
    }
  });

  const rows: readonly (readonly [string, Record<string, unknown>, number])[] = [
    ['an unknown attribute', { 'process.soul': 'hunter2' }, 1],
    ['an attribute of another event', { 'file.path': '/home/hunter2' }, 1],
    ['text for a number', { 'process.pid': '1' }, 1],
    ['a number for text', { 'error.type': 5 }, 1],
    ['a number beyond 2^53', { 'process.pid': 2 ** 53 }, 1],
    ['half a number', { 'process.pid': 0.5 }, 1],
    ['not a number', { 'process.pid': Number.NaN }, 1],
    ['null', { 'process.pid': null, 'error.type': null }, 2],
    ['an object', { 'error.type': { toJSON: () => 'hunter2' } }, 1],
    ['a wrong type on a dropped attribute is not even looked at', { 'process.user.name': 5 }, 0],
    ['undefined is absent', { 'process.pid': undefined, 'process.soul': undefined }, 0],
  ];
  for (const [name, attributes, unknown] of rows) {
    test(name, () => {
      const redactor = compileRuleset(ruleset, KEYS);
      expect(redactor.redact({ name: 'process.exit', time: 0, attributes })?.line).toBe(
        '{"event":"process.exit","time":0}',
      );
      expect(redactor.unknown).toBe(unknown);
      expect(JSON.stringify([...redactor.unknownNames])).not.toContain('hunter2');
    });
  }

  test('lists of anything but texts do not come out', () => {
    const rule = { do: 'mask', patterns: ['x'], reason: 'test' };
    const released = transformer('process.command_args', rule, { reasons: { test: 'A test.' } });
    for (const value of [[1], ['a', 1], [['a']], 'a', { length: 1 }, [undefined], [null]])
      expect(released(value)).toBeUndefined();
    expect(released(['1'])).toEqual(['1']);
    expect(released([1])).toBeUndefined();
  });

  test('lists that join to the same text are not mixed up', () => {
    const rule = { do: 'mask', patterns: ['x'], reason: 'test' };
    const released = transformer('process.command_args', rule, { reasons: { test: 'A test.' } });
    for (const value of [['a\0b', 'c'], ['a', 'b\0c'], ['a', 'b', 'c'], ['a\0b\0c']])
      expect(released(value)).toEqual(value);
  });
});

test('attributes come in the order of the vocabulary, whatever order they had', () => {
  const redactor = compileRuleset(
    smallRuleset({ attributes: { 'process.pid': { do: 'keep' }, 'error.type': { do: 'keep' } } }),
    KEYS,
  );
  const event = redactor.redact({
    name: 'file.open',
    time: 0,
    attributes: { 'error.type': 'EPERM', 'process.pid': 7 },
  });
  expect(event).toEqual({
    class: EVENTS['file.open'].class,
    matched: false,
    time: 0,
    epoch: 0,
    line: '{"event":"file.open","time":0,"process.pid":7,"error.type":"EPERM"}',
  });
});

describe('pseudonyms change with the epoch', () => {
  const epoch = { length: '1d', why: 'Because.' };
  const day = 86_400_000_000;
  const rule = { do: 'pseudonym', scope: 'node' };

  test('the same within one, another in the next, and late events are in theirs', () => {
    const released = transformer('process.entity.id', rule, { epoch });
    const first = released('1-1', 0);
    expect(released('1-1', day - 1)).toBe(first);
    expect(released('1-1', day)).not.toBe(first);
    expect(released('1-1', day - 1)).toBe(first);
  });

  test('`forever` is for ever', () => {
    const released = transformer('process.entity.id', { ...rule, forever: true }, { epoch });
    expect(released('1-1', 5 * day)).toBe(released('1-1', 0));
  });
});

test('a scope without its key does not compile', () => {
  const ruleset = smallRuleset({ attributes: { 'process.user.name': { do: 'pseudonym', scope: 'fleet' } } });
  expect(() => compileRuleset(ruleset, { node: KEYS.node })).toThrow('no fleet key');
  expect(() => compileRuleset(ruleset, { node: KEYS.node, fleet: Buffer.alloc(16) })).toThrow('16 bytes');
});

test('caches are bounded and forget nothing that matters', () => {
  const redactor = compileRuleset(
    smallRuleset({ attributes: { 'process.entity.id': { do: 'pseudonym', scope: 'node' } } }),
    KEYS,
  );
  const line = (id: number): string | undefined =>
    redactor.redact({ name: 'process.exit', time: 0, attributes: { 'process.entity.id': String(id) } })?.line;
  const first = line(0);
  for (let id = 1; id < 20_000; id++) line(id);
  expect(line(0)).toBe(first);
});
