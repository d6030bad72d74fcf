/** Strict YAML: what is told of a file, where, and on one line whatever stands in it. */
import { expect, test } from 'vitest';
import { ConfigError, readList, readMap, readYaml, scalarOf } from '../../config/yaml.ts';

test('maps, lists and scalars, each with its place', () => {
  const yaml = readYaml('a: [1, x, true]\nb: ~\n', '/etc/x.yaml');
  const values = readMap(yaml.root, '', ['a', 'b'], yaml);
  expect(readList(values.get('a'), 'a', yaml).map(scalarOf)).toEqual([1, 'x', true]);
  expect(scalarOf(values.get('b'))).toBeUndefined();
  expect(readList(values.get('b'), 'b', yaml)).toEqual([]);
  expect(yaml.problems).toEqual(['/etc/x.yaml:2:4 b: must be a list']);
  expect(yaml.directory).toBe('/etc');
});

test.each([
  ['a key of two lines', '"a\\nb": 1', '/x:1:1 a?b: no such key; known are a'],
  ['a key of a kilobyte', `${'k'.repeat(1_000)}: 1`, `/x:1:1 ${'k'.repeat(80)}: no such key; known are a`],
  ['a map as a key', '? { x: 1 }\n: 2', '/x:1:3 ?: no such key; known are a'],
  [
    'two documents',
    'a: 1\n---\na: 2',
    '/x:2:1 Source contains multiple documents; please use YAML.parseAllDocuments()',
  ],
  ['a merge', 'a: 1\n<<: { a: 2 }', '/x:2:1 <<: no such key; known are a'],
  ['a tag', 'a: !!js/function x', '/x:1:4 Unresolved tag: tag:yaml.org,2002:js/function'],
])('%s', (_, text, problem) => {
  const yaml = readYaml(text, '/x');
  readMap(yaml.root, '', ['a'], yaml);
  expect(yaml.problems).toContain(problem);
  for (const line of yaml.problems) expect(line).not.toMatch(/\p{Cc}/u);
});

test.each(['a: ~\n', 'a:\n', '? a\n', '{a}'])('a key without a value has nothing for its value: %j', (text) => {
  const yaml = readYaml(text, '/x');
  const nothing = readMap(yaml.root, '', ['a'], yaml).get('a');
  expect(scalarOf(nothing)).toBeUndefined();
  expect(readList(nothing, 'a', yaml)).toEqual([]);
  expect(yaml.problems).toEqual([expect.stringMatching(/^\/x:1:[1-4] a: must be a list$/)]);
});

test('what is too large is not parsed', () => {
  expect(() => readYaml('x'.repeat(4 * 1024 * 1024 + 1), '/x')).toThrow(ConfigError);
});
