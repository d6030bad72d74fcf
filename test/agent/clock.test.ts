/** Boot time to UTC, and names of users, on this machine. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, uptime } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SystemClock } from '../../agent/clock.ts';
import { UserNames } from '../../agent/users.ts';

test('now since boot is now in UTC, and a second is a million microseconds', () => {
  const clock = new SystemClock();
  const now = clock.bootNs();
  expect(Math.abs(now / 1e9 - uptime())).toBeLessThan(1);
  expect(Math.abs(clock.utc(now) - Date.now() * 1_000)).toBeLessThan(50_000);
  expect(clock.utc(now + 1e9) - clock.utc(now)).toBe(1_000_000);
  expect(Number.isInteger(clock.utc(now + 1))).toBe(true);
});

test('names of users follow the file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'hushwatch-users-'));
  const file = join(directory, 'passwd');
  const users = new UserNames(file);
  expect(users.of(0)).toBeUndefined();
  writeFileSync(file, 'root:x:0:0::/root:/bin/sh\nshort:x:7\n');
  users.refresh();
  expect([users.of(0), users.of(7)]).toEqual(['root', undefined]);
  writeFileSync(file, 'toor:x:0:0::/root:/bin/bash\n');
  users.refresh();
  expect(users.of(0)).toBe('toor');
  rmSync(directory, { recursive: true });
});
