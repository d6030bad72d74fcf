/** What is said of a configuration that cannot be used: file, line, column, key, remedy. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KEYS as AGENT } from '../../agent/config.ts';
import { KEYS as SHIPPER } from '../../agent/shipper/config.ts';
import { KEYS as COLLECTOR } from '../../collector/config.ts';
import { count, listOf, name, oneOf, path, text } from '../../config/kinds.ts';
import { key, live, optional, parseConfig, record, required, waitingForStart, type Keys } from '../../config/schema.ts';
import { ConfigError, readMap, readYaml } from '../../config/yaml.ts';

const circle = ({ to, from }: { to: string; from: string | undefined }): string | undefined =>
  to === from ? 'goes in a circle' : undefined;
const KEYS = {
  node: required('Name.', name),
  colour: key('Colour.', oneOf(['red', 'green']), 'red'),
  size: key('Size.', count(1, 10), 5),
  place: key('Place.', path, '/var/place'),
  hook: live(
    key('Hooks.', listOf(record({ to: required('Where to.', text), from: optional('From.', text) }, circle)), []),
  ),
};

const problemsOf = (source: string): string => {
  try {
    parseConfig(source, '/etc/x.yaml', KEYS);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'none';
};

const KNOWN = 'known are node, colour, size, place, hook';
const rows: readonly (readonly [name: string, source: string, says: string])[] = [
  ['empty', '', '1:1 node: missing. Name.'],
  ['a list', '- node', '1:1 must be a map with the keys node, colour, size, place, hook\n1:1 node: missing. Name.'],
  ['letters swapped', 'node: a\nszie: 3', '2:1 szie: no such key; did you mean `size`?'],
  ['other spelling', 'node: a\nSize: 3', '2:1 Size: no such key; did you mean `size`?'],
  ['half a key', 'node: a\ncol: red', '2:1 col: no such key; did you mean `colour`?'],
  ['nothing like a key', 'node: a\nxyz: 3', `2:1 xyz: no such key; ${KNOWN}`],
  ['a key of every object', 'node: a\n__proto__: 3', `2:1 __proto__: no such key; ${KNOWN}`],
  ['another', 'node: a\nconstructor: 4', `2:1 constructor: no such key; ${KNOWN}`],
  ['a number too large', 'node: a\n\nsize: 11', '3:7 size: must be a whole number from 1 to 10. Size.'],
  ['a fraction', 'node: a\nsize: 1.5', '2:7 size: must be a whole number from 1 to 10. Size.'],
  ['a number as text', "node: a\nsize: '3'", '2:7 size: must be a whole number from 1 to 10. Size.'],
  ['none of the choices', 'node: a\ncolour: blue', '2:9 colour: must be one of red, green. Colour.'],
  ['nearly a choice', 'node: a\ncolour: grene', '2:9 colour: must be one of red, green; did you mean `green`? Colour.'],
  ['nothing after the colon', 'node:', '1:6 node: must be lower-case letters, digits'],
  ['a name that YAML reads as a number', 'node: 12', '1:7 node: must be lower-case letters, digits'],
  ['a map where a value belongs', 'node: a\nplace:\n  x: y', '3:3 place: must be a path. Place.'],
  ['an alias', 'node: &n a\nplace: *n', '2:8 place: must be a path. Place.'],
  ['a key twice', 'node: a\nnode: b', '2:1 Map keys must be unique'],
  ['not YAML', 'node: "a', '1:9 Missing closing "quote'],
  ['an unknown tag', 'node: !secret a', '1:7 Unresolved tag: !secret'],
  ['inside a list', 'node: a\nhook:\n  - to: 1\n    form: x', '3:9 hook.to: must be a text. Where to.'],
  ['a key inside a list', 'node: a\nhook:\n  - form: b', '3:5 hook.form: no such key; did you mean `from`?'],
  ['missing inside a list', 'node: a\nhook:\n  - {}', '3:5 hook.to: missing. Where to.'],
  ['what does not go together', 'node: a\nhook: [{ to: b, from: b }]', '2:8 hook: goes in a circle'],
  [
    'several problems, all told',
    'size: 0\ncolour: blue',
    '1:1 node: missing. Name.\n2:9 colour: must be one of red, green. Colour.\n1:7 size: must be a whole number from 1 to 10. Size.',
  ],
];
test.each(rows)('%s', (_, source, says) => {
  expect(problemsOf(source)).toContain(says.replaceAll(/^/gm, '/etc/x.yaml:'));
});

test('good, with what the file leaves out; relative paths are relative to the file', () => {
  expect(parseConfig('node: n.1\nplace: ../here', '/etc/sub/x.yaml', KEYS)).toEqual({
    node: 'n.1',
    colour: 'red',
    size: 5,
    place: '/etc/here',
    hook: [],
  });
  expect(parseConfig('node: a\nplace: /abs', '/etc/x.yaml', KEYS).place).toBe('/abs');
});

test('a list of maps, each with what it leaves out', () => {
  expect(parseConfig('node: a\nhook: [{ to: b }, { to: c, from: d }]', '/x', KEYS).hook).toEqual([
    { to: 'b', from: undefined },
    { to: 'c', from: 'd' },
  ]);
});

test('what waits for the next start, and what does not', () => {
  const before = parseConfig('node: a', '/x', KEYS);
  const after = parseConfig('node: b\nsize: 6\nhook: [{ to: b }]', '/x', KEYS);
  expect(waitingForStart(before, after, KEYS)).toEqual(['node', 'size']);
  expect(waitingForStart(before, before, KEYS)).toEqual([]);
});

test('whatever stands in a file, it is read or refused, and never anything else', () => {
  const line = fc.oneof(
    fc
      .tuple(fc.constantFrom('node', 'size', 'hook', 'colour', '- ', '? ', '&a', '<<'), fc.string())
      .map(([a, b]) => `${a}: ${b}`),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
      try {
        const { node, size, hook } = parseConfig(lines.join('\n'), '/etc/x.yaml', KEYS);
        expect(node).toMatch(/^[a-z0-9][a-z0-9.-]*$/);
        expect(Number.isInteger(size) && Array.isArray(hook)).toBe(true);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        for (const told of error.message.split('\n')) expect(told).toMatch(/^\/etc\/x\.yaml:\d+:\d+ ./);
      }
    }),
    { numRuns: 300 },
  );
});

describe.each([
  ['agent', AGENT],
  ['shipper', SHIPPER],
  ['collector', COLLECTOR],
] as const)('the schema of the %s', (_, keys: Keys) => {
  test('its defaults are what its own kinds read', () => {
    for (const [name, { kind, fallback }] of Object.entries(keys)) {
      if (fallback?.value === undefined) continue;
      const { root, problems, ...place } = readYaml(`${name}: ${kind.write(fallback.value)}`, '/etc/x.yaml');
      const value = readMap(root, '', [name], place).get(name);
      expect(value === undefined ? undefined : kind.read(value, name, place)).toEqual(fallback.value);
      expect(problems).toEqual([]);
    }
  });
});

const SHIPPER_FILE = 'node: a\n';
for (const url of ['http://c/', 'ws://c/', 'wss://', 'wss://c/a b'])
  test(`the shipper refuses ${url}`, () =>
    expect(() => parseConfig(`${SHIPPER_FILE}collector: ${url}\n`, 'x', SHIPPER)).toThrow(
      'x:2:12 collector: must be a URL that begins with wss://',
    ));
