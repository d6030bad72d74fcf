/** What is said of a configuration that cannot be used: file, line, key, remedy. */
import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  ConfigError,
  count,
  describeKeys,
  key,
  name,
  oneOf,
  parseConfig,
  path,
  readConfig,
  text,
} from '../../agent/config-file.ts';
import { KEYS as AGENT } from '../../agent/config.ts';
import { KEYS as SHIPPER } from '../../agent/shipper/config.ts';

const KEYS = {
  node: key('Name.', name),
  colour: key('Colour.', oneOf(['red', 'green']), 'red'),
  size: key('Size.', count(1, 10), 5),
  place: key('Place.', path, '/var/place'),
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

const rows: readonly { name: string; source: string; says: string }[] = [
  { name: 'empty', source: '', says: '/etc/x.yaml:1 node: missing. Name.' },
  {
    name: 'a list',
    source: '- node',
    says: '/etc/x.yaml:1 must be a map of keys and values\n/etc/x.yaml:1 node: missing. Name.',
  },
  {
    name: 'a text',
    source: 'node',
    says: '/etc/x.yaml:1 must be a map of keys and values\n/etc/x.yaml:1 node: missing. Name.',
  },
  { name: 'letters swapped', source: 'node: a\nszie: 3', says: '/etc/x.yaml:2 szie: no such key; did you mean size?' },
  { name: 'other spelling', source: 'node: a\nSize: 3', says: '/etc/x.yaml:2 Size: no such key; did you mean size?' },
  { name: 'half a key', source: 'node: a\ncol: red', says: '/etc/x.yaml:2 col: no such key; did you mean colour?' },
  {
    name: 'nothing like a key',
    source: 'node: a\nxyz: 3',
    says: '/etc/x.yaml:2 xyz: no such key; known are node, colour, size, place',
  },
  {
    name: 'a key of every object',
    source: 'node: a\n__proto__: 3\nconstructor: 4',
    says: ['__proto__', 'constructor']
      .map((one, i) => `/etc/x.yaml:${i + 2} ${one}: no such key; known are node, colour, size, place`)
      .join('\n'),
  },
  {
    name: 'a number too large',
    source: 'node: a\n\nsize: 11',
    says: '/etc/x.yaml:3 size: must be a whole number from 1 to 10. Size.',
  },
  {
    name: 'a fraction',
    source: 'node: a\nsize: 1.5',
    says: '/etc/x.yaml:2 size: must be a whole number from 1 to 10. Size.',
  },
  {
    name: 'a number as text',
    source: "node: a\nsize: '3'",
    says: '/etc/x.yaml:2 size: must be a whole number from 1 to 10. Size.',
  },
  {
    name: 'none of the choices',
    source: 'node: a\ncolour: blue',
    says: '/etc/x.yaml:2 colour: must be one of red, green. Colour.',
  },
  {
    name: 'a name in capitals',
    source: 'node: Node-1',
    says: '/etc/x.yaml:1 node: must be lower-case letters, digits, dots and dashes, at most 63. Name.',
  },
  { name: 'a name that YAML reads as a number', source: 'node: 12', says: '/etc/x.yaml:1 node: must be a text. Name.' },
  { name: 'nothing after the colon', source: 'node:', says: '/etc/x.yaml:1 node: must be a text. Name.' },
  {
    name: 'a map where a value belongs',
    source: 'node: a\nplace:\n  x: y',
    says: '/etc/x.yaml:2 place: must be a single value',
  },
  { name: 'an alias', source: 'node: &n a\nplace: *n', says: '/etc/x.yaml:2 place: must be a single value' },
  { name: 'a key twice', source: 'node: a\nnode: b', says: '/etc/x.yaml:2 Map keys must be unique' },
  { name: 'not YAML', source: 'node: "a', says: '/etc/x.yaml:1 Missing closing "quote' },
  { name: 'an unknown tag', source: 'node: !secret a', says: '/etc/x.yaml:1 Unresolved tag: !secret' },
  {
    name: 'several problems, all told',
    source: 'size: 0\ncolour: blue',
    says: [
      '1 node: missing. Name.',
      '2 colour: must be one of red, green. Colour.',
      '1 size: must be a whole number from 1 to 10. Size.',
    ]
      .map((one) => `/etc/x.yaml:${one}`)
      .join('\n'),
  },
];
for (const row of rows) {
  test(row.name, () => expect(problemsOf(row.source)).toContain(row.says));
}

test('good, with what the file leaves out; relative paths are relative to the file', () => {
  expect(parseConfig('node: n.1\nplace: ../here', '/etc/sub/x.yaml', KEYS)).toEqual({
    node: 'n.1',
    colour: 'red',
    size: 5,
    place: '/etc/here',
  });
  expect(parseConfig('node: a\nplace: /abs', '/etc/x.yaml', KEYS).place).toBe('/abs');
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hushwatch-config-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('a file that anyone may write is refused, with what to do', () => {
  const file = join(directory, 'x.yaml');
  writeFileSync(file, 'node: a\n');
  expect(readConfig(file, KEYS).node).toBe('a');
  chmodSync(file, 0o660);
  expect(readConfig(file, KEYS).node).toBe('a');
  chmodSync(file, 0o662);
  expect(() => readConfig(file, KEYS)).toThrow(`${file}: anyone may write it; chmod o-w ${file}`);
});

test('a file that is not there, and one that is no configuration', () => {
  const file = join(directory, 'x.yaml');
  expect(() => readConfig(file, KEYS)).toThrow(`${file}: no such file; name one with --config`);
  writeFileSync(file, '');
  truncateSync(file, 65_537);
  expect(() => readConfig(file, KEYS)).toThrow(`${file}: larger than 65536 bytes`);
});

test('the table of keys names every key, its default or that it is required', () => {
  for (const keys of [AGENT, SHIPPER]) {
    const lines = describeKeys(keys).split('\n');
    expect(lines).toHaveLength(Object.keys(keys).length);
    for (const line of lines) expect(line).toMatch(/ (?:Required|Default: .+)\.$/);
  }
});

const SHIPPER_FILE = 'node: a\ncollector_pin: sha256/x\nlog_key: k\n';
for (const url of ['http://c/', 'ws://c/', 'wss://', 'wss://c/a b'])
  test(`the shipper refuses ${url}`, () =>
    expect(() => parseConfig(`${SHIPPER_FILE}collector: ${url}\n`, 'x', SHIPPER)).toThrow('must be a wss:// URL'));

test('texts are not empty', () => {
  expect(() => text('', '/')).toThrow('must be a text');
});
