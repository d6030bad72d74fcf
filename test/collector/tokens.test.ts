/** Tokens on the disk: hashes alone, worth nothing once revoked, over, or when the file cannot be read. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hashOf, idIn, parseTokens, TokenFile } from '../../collector/tokens.ts';

const NOW = new Date('2026-11-28T12:00:00Z');
const LATER = NOW.getTime() + 3_600_000;
let home: string;
let file: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-tokens-'));
  file = join(home, 'tokens.yaml');
});
afterEach(() => rmSync(home, { recursive: true }));

test('what is made is found by its id, and the file does not hold it', () => {
  const tokens = new TokenFile(home);
  const { token, id } = tokens.create({ name: 'grafana', roles: ['viewer'] }, NOW);
  expect(idIn(token)).toBe(id);
  expect(tokens.find(id, LATER)).toMatchObject({ name: 'grafana', roles: ['viewer'], hash: hashOf(token) });
  expect(readFileSync(file, 'utf8')).not.toContain(token.slice(-43));
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('a running collector sees what another process made and revoked', () => {
  const running = new TokenFile(home);
  const { id } = new TokenFile(home).create({ name: 'alex', roles: ['operator', 'auditor'] }, NOW);
  expect(running.find(id, LATER)?.roles).toEqual(['operator', 'auditor']);
  expect(new TokenFile(home).revoke(id, NOW)).toBe('alex');
  expect(running.find(id, LATER)).toBeUndefined();
  expect(running.all()).toMatchObject([{ id, revoked: NOW.toISOString() }]);
});

test('it ends when it was said to end', () => {
  const tokens = new TokenFile(home);
  const expires = new Date(LATER).toISOString();
  const { id } = tokens.create({ name: 'alex', roles: ['viewer'], expires }, NOW);
  expect(tokens.find(id, LATER - 1)).toBeDefined();
  expect(tokens.find(id, LATER)).toBeUndefined();
});

test('with a mistake in the file nobody is let in, and commands say where it is', () => {
  const tokens = new TokenFile(home);
  const { id } = tokens.create({ name: 'alex', roles: ['viewer'] }, NOW);
  writeFileSync(file, `${readFileSync(file, 'utf8')}    owner: me\n`);
  expect(tokens.find(id, LATER)).toBeUndefined();
  expect(() => new TokenFile(home)).toThrow(/tokens\.yaml:\d+:\d+ tokens\.owner: no such key/);
});

test('while the file cannot be read at all, tokens of before are worth nothing, and nothing is thrown', async () => {
  const tokens = new TokenFile(home);
  const { id } = tokens.create({ name: 'alex', roles: ['viewer'] }, NOW);
  rmSync(file);
  // Whoever runs this may read every file; a socket nobody can open as one.
  const socket = createServer().listen(file);
  await once(socket, 'listening');
  expect(tokens.find(id, LATER)).toBeUndefined();
  expect(tokens.find(id, LATER)).toBeUndefined();
  socket.close();
});

const GOOD = { id: '00000000', name: 'a', roles: ['viewer'], hash: '0'.repeat(64), created: '2026-11-28T12:00:00Z' };
const WRONG: readonly (readonly [string, object])[] = [
  ['an id that is none', { id: '../etc' }],
  ['a name with a space', { name: 'a b' }],
  ['no role', { roles: [] }],
  ['a role that is none', { roles: ['viewer', 'root'] }],
  ['a hash that is too short', { hash: '00' }],
  ['a time that is none', { expires: 'tomorrow' }],
];
for (const [name, wrong] of WRONG) {
  test(`refused: ${name}`, () => {
    expect(() => parseTokens(JSON.stringify({ tokens: [{ ...GOOD, ...wrong }] }), 'tokens.yaml')).toThrow(
      'tokens.yaml:1',
    );
  });
}
test('refused: one id twice', () => {
  expect(() => parseTokens(JSON.stringify({ tokens: [GOOD, GOOD] }), 'tokens.yaml')).toThrow('twice');
});
