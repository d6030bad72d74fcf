/** Tiles: paths, bundles, a whole log that another implementation wrote, and proofs read from tiles. */
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { openCheckpoint } from '#protocol/checkpoint.ts';
import {
  leafHash,
  proveConsistency,
  proveInclusion,
  rootOf,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from '#protocol/merkle.ts';
import { parseVerifierKey } from '#protocol/note.ts';
import {
  changedTiles,
  decodeEntries,
  decodeTile,
  encodeEntries,
  encodeTile,
  entriesPath,
  parseTilePath,
  readNodesFrom,
  tilePath,
  tileWidth,
  type ReadTile,
} from '#protocol/tiles.ts';
import { memoryLog } from './archive.ts';
import { codeOf } from './refusal.ts';

const paths = [
  [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
  [{ level: 0, index: 0, width: 1 }, 'tile/0/000.p/1'],
  [{ level: 1, index: 999, width: 255 }, 'tile/1/999.p/255'],
  [{ level: 2, index: 1000, width: 256 }, 'tile/2/x001/000'],
  [{ level: 63, index: 1234067, width: 256 }, 'tile/63/x001/x234/067'],
] as const;
for (const [tile, path] of paths) {
  test(`the tile at ${path}`, () => {
    expect(tilePath(tile)).toBe(path);
    expect(parseTilePath(path)).toEqual(tile);
    const entries = path.replace(/tile\/\d+/, 'tile/entries');
    expect(entriesPath(tile)).toBe(entries);
    expect(parseTilePath(entries)).toEqual({ ...tile, level: -1 });
  });
}

for (const path of [
  '',
  'tile',
  'tile/0',
  'tile/0/0',
  'tile/0/0000',
  'tile/00/000',
  'tile/64/000',
  'tile/-1/000',
  'tile/0/x000/000',
  'tile/0/001/000',
  'tile/0/000.p',
  'tile/0/000.p/0',
  'tile/0/000.p/01',
  'tile/0/000.p/256',
  'tile/0/000.p/999',
  'tile/0/000/',
  '/tile/0/000',
  'tile/0/../checkpoint',
  'tile/x/000',
  'tile/entries/x001',
  'tile/0/000\n',
  'tile/0/x9/000',
  `tile/0/${'x999/'.repeat(5)}999`,
]) {
  test(`not the path of a tile: ${JSON.stringify(path)}`, () => {
    expect(codeOf(() => parseTilePath(path))).toMatch(/^bad-(tile|number)$/);
  });
}

test('widths are those of the specification', () => {
  // "a tree of size 70,000 …"
  expect(tileWidth(0, 272, 70_000)).toBe(256);
  expect(tileWidth(0, 273, 70_000)).toBe(112);
  expect(tileWidth(0, 274, 70_000)).toBe(0);
  expect([0, 1, 2].map((index) => tileWidth(1, index, 70_000))).toEqual([256, 17, 0]);
  expect([tileWidth(2, 0, 70_000), tileWidth(3, 0, 70_000)]).toEqual([1, 0]);
  expect([tileWidth(0, 0, 256), tileWidth(1, 0, 256)]).toEqual([256, 1]);
});

test('what changes when a log grows', () => {
  expect(changedTiles(0, 0)).toEqual([]);
  expect(changedTiles(3, 3)).toEqual([]);
  expect(changedTiles(0, 1).map(tilePath)).toEqual(['tile/0/000.p/1']);
  expect(changedTiles(255, 257).map(tilePath)).toEqual(['tile/0/000', 'tile/0/001.p/1', 'tile/1/000.p/1']);
  expect(changedTiles(256, 257).map(tilePath)).toEqual(['tile/0/001.p/1']);
  expect(changedTiles(65_535, 65_536).map(tilePath)).toEqual(['tile/0/255', 'tile/1/000', 'tile/2/000.p/1']);
});

test('entry bundles are read back as written, and not one byte more or less', () => {
  const entries = [Buffer.from('a'), Buffer.alloc(0), Buffer.alloc(65_535, 7)];
  const bundle = encodeEntries(entries);
  expect(decodeEntries(bundle, 3).map((entry) => Buffer.from(entry))).toEqual(entries);
  expect(codeOf(() => decodeEntries(bundle, 2))).toBe('trailing-bytes');
  expect(codeOf(() => decodeEntries(bundle, 4))).toBe('truncated');
  expect(codeOf(() => decodeEntries(bundle.subarray(0, -1), 3))).toBe('truncated');
  expect(codeOf(() => encodeEntries([Buffer.alloc(65_536)]))).toBe('too-large');
  expect(codeOf(() => decodeTile(Buffer.alloc(63), 2))).toBe('bad-tile');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(256), (bytes, width) => {
      codeOf(() => expect(encodeEntries(decodeEntries(bytes, width))).toEqual(Buffer.from(bytes)));
    }),
  );
});

// A log written by another implementation (see ORIGIN.md of the shared data).
const log = new URL('../../../shared/data/vectors/tessera/testdata/log/', import.meta.url);
const key = parseVerifierKey('example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx');
const readTile: ReadTile = (path) => readFile(new URL(path, log)).catch(() => undefined);
const checkpointAt = (size: number): ReturnType<typeof openCheckpoint> =>
  openCheckpoint(readFileSync(new URL(`checkpoint.${size}`, log)), key);

test('a log of another implementation, at each of its sizes', async () => {
  for (let size = 0; size <= 15; size++) {
    const checkpoint = checkpointAt(size);
    expect(checkpoint?.size).toBe(size);
    const read = readNodesFrom(readTile, size);
    expect(await treeRoot(size, read)).toEqual(Buffer.from(checkpoint?.root ?? []));
    if (size === 0) continue;
    const bundle = await readTile(entriesPath({ index: 0, width: size }));
    const entries = decodeEntries(bundle ?? Buffer.of(), size);
    expect(entries.map(leafHash)).toEqual(
      decodeTile((await readTile(tilePath({ level: 0, index: 0, width: size }))) ?? Buffer.of(), size).map((hash) =>
        Buffer.from(hash),
      ),
    );
    for (const [index, entry] of entries.entries()) {
      const proof = await proveInclusion(index, size, read);
      expect(verifyInclusion(leafHash(entry), index, size, proof, checkpoint?.root ?? Buffer.of())).toBe(true);
    }
    for (let old = 1; old <= size; old++) {
      const [oldRoot, root] = [checkpointAt(old)?.root ?? Buffer.of(), checkpoint?.root ?? Buffer.of()];
      expect(verifyConsistency(old, size, await proveConsistency(old, size, read), oldRoot, root)).toBe(true);
    }
  }
});

test('proofs are read across tiles of several levels', async () => {
  const entries = Array.from({ length: 66_000 }, (_, i) => Buffer.from(String(i)));
  const leaves = entries.map(leafHash);
  const files = memoryLog(leaves);
  let reads = 0;
  const read: ReadTile = (path) => {
    reads++;
    return Promise.resolve(files.get(path));
  };
  const root = rootOf(leaves);
  expect(await treeRoot(leaves.length, readNodesFrom(read, leaves.length))).toEqual(root);
  for (const index of [0, 255, 256, 65_535, 65_536, 65_999]) {
    reads = 0;
    const proof = await proveInclusion(index, leaves.length, readNodesFrom(read, leaves.length));
    expect(verifyInclusion(leaves[index] ?? root, index, leaves.length, proof, root)).toBe(true);
    expect(reads).toBeLessThan(8);
  }
  for (const old of [1, 256, 300, 65_536, 65_999]) {
    const proof = await proveConsistency(old, leaves.length, readNodesFrom(read, leaves.length));
    expect(verifyConsistency(old, leaves.length, proof, rootOf(leaves.slice(0, old)), root)).toBe(true);
  }
});

test('a partial tile that is gone is read from the full one; a tile that is gone is said to be', async () => {
  const leaves = Array.from({ length: 256 }, (_, i) => leafHash(Buffer.from(String(i))));
  const full = encodeTile(leaves);
  const read = readNodesFrom((path) => Promise.resolve(path === 'tile/0/000' ? full : undefined), 100);
  expect(await treeRoot(100, read)).toEqual(rootOf(leaves.slice(0, 100)));
  const nothing = readNodesFrom(() => Promise.resolve(undefined), 100);
  await expect(treeRoot(100, nothing)).rejects.toMatchObject({ code: 'bad-tile' });
});
