/** What is written durably is whole, ours to read and no more of others', and what cannot be written says so. */
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { syncDirectory, writeDurably } from '../../service/durable.ts';

let home: string;
beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'hushwatch-durable-'))));
afterEach(() => rmSync(home, { recursive: true }));

test('all of it, in place of what was there, in the mode that was asked for', async () => {
  const file = join(home, 'file');
  await writeDurably(file, Buffer.alloc(1 << 20, 'a'), 0o600);
  await writeDurably(file, Buffer.from('short'));
  expect(readFileSync(file, 'utf8')).toBe('short');
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('what cannot be written rejects', async () => {
  symlinkSync('/dev/full', join(home, 'full'));
  for (let i = 0; i < 3; i++) {
    await expect(writeDurably(join(home, 'full'), Buffer.from('x'))).rejects.toThrow('ENOSPC');
    await expect(writeDurably(join(home, 'no/such'), Buffer.from('x'))).rejects.toThrow('ENOENT');
    await expect(syncDirectory(join(home, 'none'))).rejects.toThrow('ENOENT');
  }
  await syncDirectory(home);
});
