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

test('there is an end to how many are known, and none gets the name of another', () => {
  const memory = new PathMemory();
  for (let n = 0; n < 100_000; n++) memory.note(inode({ inode: n }), `/${n}`);
  const known = Array.from({ length: 100_000 }, (_, n) => memory.of(inode({ inode: n })));
  expect(known.slice(-32_768)).not.toContain(undefined);
  expect(known.filter((path) => path !== undefined)).toHaveLength(32_768);
  expect(known.filter((path, n) => path !== undefined && path !== `/${n}`)).toEqual([]);
});

test('long names are known too, and there is an end to them that short ones do not feel', () => {
  const memory = new PathMemory();
  const long = '/x'.repeat(1_500);
  memory.note(inode({ inode: 1 }), '/short');
  for (let n = 2; n < 10_000; n++) memory.note(inode({ inode: n }), `${long}/${n}`);
  expect(memory.of(inode({ inode: 1 }))).toBe('/short');
  expect(memory.of(inode({ inode: 9_999 }))).toBe(`${long}/9999`);
  const known = Array.from({ length: 10_000 }, (_, n) => memory.of(inode({ inode: n })));
  expect(known.filter((path) => path !== undefined)).toHaveLength(2_048 + 1);
});

test('of a short and a long name the last one holds', () => {
  const memory = new PathMemory();
  const long = '/x'.repeat(1_500);
  for (const path of ['/a', long, '/b', `${long}/c`]) {
    memory.note(inode({ inode: 1 }), path);
    expect(memory.of(inode({ inode: 1 }))).toBe(path);
  }
});
