/** What others put there is read, as long as it is a plain file of a sensible size; nothing else makes us wait or follow. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readGiven } from '../../service/given.ts';

let directory = '';
const at = (name: string): string => join(directory, name);
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hushwatch-given-'));
  writeFileSync(at('file'), '12345678');
  symlinkSync(at('file'), at('link'));
  mkdirSync(at('directory'));
  spawnSync('mkfifo', [at('pipe')]);
});
afterAll(() => rmSync(directory, { recursive: true }));

test('a plain file, up to the limit', () => {
  expect(readGiven(at('file'), 8)?.toString()).toBe('12345678');
  expect(readGiven(at('file'), 7)).toBeUndefined();
});

test.each(['link', 'directory', 'pipe', 'none'])('nothing of a %s', (name) => {
  expect(readGiven(at(name), 8)).toBeUndefined();
});

test('nothing of a device without an end', () => {
  expect(readGiven('/dev/zero', 8)).toBeUndefined();
});
