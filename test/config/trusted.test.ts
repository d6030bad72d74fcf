/** Files that somebody else could have changed are not believed; what is right is read, through links too. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readTrusted } from '../../config/trusted.ts';
import { ConfigError } from '../../config/yaml.ts';

const STRANGER = 54_321;
const isRoot = process.getuid?.() === 0;

let home: string;
let file: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-trusted-'));
  mkdirSync(join(home, 'etc'), { mode: 0o755 });
  file = join(home, 'etc/x.yaml');
  writeFileSync(file, 'node: ä\n', { mode: 0o640 });
});
afterEach(() => rmSync(home, { recursive: true }));

const read = (path = file): string => readTrusted(path, 64);
function refusal(path = file): string {
  try {
    read(path);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'none';
}

test('a file of ours is read, through links too', () => {
  expect(read()).toBe('node: ä\n');
  symlinkSync('etc', join(home, 'link'));
  symlinkSync('../link/x.yaml', join(home, 'etc/other.yaml'));
  expect(read(join(home, 'link/other.yaml'))).toBe('node: ä\n');
});

test('one that anyone may write is not, wherever the permission is', () => {
  chmodSync(file, 0o642);
  expect(refusal()).toBe(`${file}: anyone may write it; chmod o-w ${file}`);
  chmodSync(file, 0o640);
  chmodSync(join(home, 'etc'), 0o757);
  expect(refusal()).toBe(`${home}/etc: anyone may write it; chmod o-w ${home}/etc`);
});

test('nor is one behind a link into a directory that anyone may write', () => {
  mkdirSync(join(home, 'open'));
  chmodSync(join(home, 'open'), 0o777);
  writeFileSync(join(home, 'open/y.yaml'), 'a\n');
  symlinkSync(join(home, 'open/y.yaml'), join(home, 'etc/y.yaml'));
  expect(refusal(join(home, 'etc/y.yaml'))).toBe(`${home}/open: anyone may write it; chmod o-w ${home}/open`);
});

test.skipIf(!isRoot)("a group may write only if it is root's, or that of one person alone", () => {
  chmodSync(file, 0o660);
  expect(refusal()).toBe('none');
  chownSync(file, 0, STRANGER);
  expect(refusal()).toBe(`${file}: its group ${STRANGER} may write it; chmod g-w ${file}`);
  chownSync(file, STRANGER, STRANGER);
  expect(refusal()).toBe('none');
  // A service shares its group with others: the shipper is in the agent's.
  chownSync(file, 999, 999);
  expect(refusal()).toMatch(/its group 999 may write it/);
});

test.skipIf(!isRoot)('where anyone may put files, what a stranger put there is a trap', () => {
  const shared = join(home, 'tmp');
  mkdirSync(shared);
  chmodSync(shared, 0o1777);
  writeFileSync(join(shared, 'z.yaml'), 'a\n');
  expect(refusal(join(shared, 'z.yaml'))).toBe('none');
  symlinkSync(file, join(shared, 'trap.yaml'));
  spawnSync('chown', ['-h', String(STRANGER), join(shared, 'trap.yaml')]);
  expect(refusal(join(shared, 'trap.yaml'))).toMatch(
    new RegExp(`belongs to user ${STRANGER}, in ${shared}, where anyone may put files`),
  );
});

test('no file, no plain file, too large, a circle, no text', () => {
  expect(refusal(join(home, 'none.yaml'))).toBe(`${home}/none.yaml: no such file`);
  expect(refusal(home)).toBe(`${home}: is not a plain file`);
  expect(spawnSync('mkfifo', [join(home, 'pipe')]).status).toBe(0);
  expect(refusal(join(home, 'pipe'))).toBe(`${home}/pipe: is not a plain file`);
  symlinkSync('circle', join(home, 'circle'));
  expect(refusal(join(home, 'circle'))).toMatch(/leads through more than 40 links/);
  writeFileSync(file, Buffer.from([0xff, 0xfe]));
  expect(refusal()).toBe(`${file}: is not text in UTF-8`);
  appendFileSync(file, 'x'.repeat(64));
  expect(refusal()).toBe(`${file}: larger than 64 bytes; this is not our file`);
});

test('what cannot be reached is said, without a stack', () => {
  expect(refusal(join(file, 'below'))).toBe(
    `${join(file, 'below')}: cannot be read (ENOTDIR); is it the right file, asked by the right user?`,
  );
});
