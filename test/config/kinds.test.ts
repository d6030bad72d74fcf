/** Kinds of values: what each takes, what it refuses, and how it writes what it took. */
import { expect, test } from 'vitest';
import {
  address,
  count,
  listOf,
  name,
  number,
  oneOf,
  path,
  pin,
  text,
  url,
  verifierKey,
  type Kind,
} from '../../config/kinds.ts';
import { readMap, readYaml } from '../../config/yaml.ts';
import { formatVerifierKey } from '#protocol/note.ts';
import { logKey } from '../protocol/sample.ts';

/** The value, or what is told. */
function readAs<T>(kind: Kind<T>, written: string): T | string {
  const yaml = readYaml(`k: ${written}`, '/etc/x.yaml');
  const node = readMap(yaml.root, '', ['k'], yaml).get('k');
  const value = node === undefined ? undefined : kind.read(node, 'k', yaml);
  return value ?? yaml.problems.join('\n');
}

const LOG = formatVerifierKey(logKey.verifier);

test.each<readonly [string, Kind<unknown>, string, unknown]>([
  ['a text', text, 'a b', 'a b'],
  ['a path beside the file', path, 'rules', '/etc/rules'],
  ['a name', name, 'node-1.example', 'node-1.example'],
  ['a pin', pin, `sha256/${'A'.repeat(43)}=`, `sha256/${'A'.repeat(43)}=`],
  ['a verifier key', verifierKey, LOG, LOG],
  ['a number', number(0.1, 2), '1.5', 1.5],
  ['a count', count(1, 2), '2', 2],
  ['a choice', oneOf(['on', 'off']), 'off', 'off'],
  ['an address', address, '"[::1]:443"', { host: '::1', port: 443 }],
  ['a URL', url('https', 'http'), 'http://a.example/x?y', 'http://a.example/x?y'],
  ['a list', listOf(count(1, 9)), '[1, 2]', [1, 2]],
])('%s is taken, and written as it was', (_, kind, written, value) => {
  expect(readAs(kind, written)).toEqual(value);
  expect(readAs(kind, kind.write(value))).toEqual(value);
});

test.each<readonly [string, Kind<unknown>, string, string]>([
  ['an empty text', text, "''", 'must be a text'],
  ['a number for a path', path, '1', 'must be a path'],
  ['a pin too short', pin, 'sha256/AA=', 'must be sha256/ and 44 characters'],
  ['half a verifier key', verifierKey, 'log.example.org+12345678', 'must be a verifier key'],
  ['an address without a port', address, 'localhost', 'must be HOST:PORT'],
  ['a port beyond', address, 'localhost:65536', 'must be HOST:PORT'],
  ['a URL of a file', url('https', 'http'), 'file:///etc/passwd', 'must be a URL that begins with https:// or http://'],
  ['a URL without a host', url('https'), 'https://', 'must be a URL'],
  ['not a number', number(0, 1), '.nan', 'must be a number from 0 to 1'],
  [
    'a slip of the pen',
    oneOf(['generic', 'guest']),
    'genric',
    'must be one of generic, guest; did you mean `generic`?',
  ],
  ['no list', listOf(text), 'a', 'must be a list'],
  ['one wrong in a list', listOf(count(1, 9)), '[1, x]', 'must be a whole number'],
])('%s is refused', (_, kind, written, says) => {
  const yaml = readYaml(`k: ${written}`, '/etc/x.yaml');
  const node = readMap(yaml.root, '', ['k'], yaml).get('k');
  if (node !== undefined) kind.read(node, 'k', yaml);
  expect(yaml.problems.join('\n')).toContain(`k: ${says}`);
});
