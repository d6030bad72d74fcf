/** Names of files by inode: the last one holds, and there is an end to how many are kept. */
import { expect, test } from 'vitest';
import { PathMemory } from '../../../agent/enrich/path-memory.ts';
import { inode } from '../sample.ts';

test('the name of the last open holds, file by file', () => {
  const memory = new PathMemory();
  memory.note(inode({ inode: 1 }), '/a');
  memory.note(inode({ inode: 1 }), '/b');
  memory.note(inode({ inode: 1, minor: 9 }), '/c');
  expect(memory.of(inode({ inode: 1 }))).toBe('/b');
  expect(memory.of(inode({ inode: 1, minor: 9 }))).toBe('/c');
  expect(memory.of(inode({ inode: 2 }))).toBeUndefined();
});

test('the oldest goes when there are too many', () => {
  const memory = new PathMemory();
  for (let n = 0; n <= 8192; n++) memory.note(inode({ inode: n }), `/${n}`);
  expect(memory.of(inode({ inode: 0 }))).toBeUndefined();
  expect(memory.of(inode({ inode: 4097 }))).toBe('/4097');
  expect(memory.of(inode({ inode: 8192 }))).toBe('/8192');
});
