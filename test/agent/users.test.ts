/** Names of users: as the system resolves them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { UserNames } from '../../agent/users.ts';

test('of two names of one number, and of two numbers of one name, the first counts; a change is noticed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'hushwatch-users-'));
  const file = join(directory, 'passwd');
  try {
    writeFileSync(
      file,
      'root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nalex:x:1000:1000::/:\nalex:x:1001:1::/:\nbroken:x\n',
    );
    const users = new UserNames(file);
    expect([users.of(0), users.of(1000), users.of(1001), users.of(7)]).toEqual(['root', 'alex', 'alex', undefined]);
    expect([users.idOf('toor'), users.idOf('alex'), users.idOf('broken')]).toEqual([0, 1000, undefined]);
    writeFileSync(file, 'admin:x:0:0::/root:/bin/sh\nroot:x:0:0::/root:/bin/sh\n');
    users.refresh();
    expect([users.of(0), users.idOf('alex')]).toEqual(['admin', undefined]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
