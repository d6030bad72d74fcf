/** The oracle of the log: derives everything again from the files, and never from memory. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openCheckpoint } from '#protocol/checkpoint.ts';
import { leafHash, rootOf } from '#protocol/merkle.ts';
import type { VerifierKey } from '#protocol/note.ts';
import { decodeEntries, decodeTile, entriesPath, TILE_WIDTH, tilePath, tileWidth } from '#protocol/tiles.ts';

/** The entries of the log in the directory, after everything about them was found right. */
export function checkLog(directory: string, key: VerifierKey): string[] {
  const checkpoint = openCheckpoint(readFileSync(join(directory, 'checkpoint')), key);
  if (checkpoint === undefined) throw new Error('the checkpoint is not signed');
  const { size } = checkpoint;
  const read = (path: string, full: string): Buffer =>
    readFileSync(join(directory, existsSync(join(directory, path)) ? path : full));

  const entries: Uint8Array[] = [];
  for (let index = 0; tileWidth(0, index, size) > 0; index++) {
    const width = tileWidth(0, index, size);
    const path = entriesPath({ index, width });
    const full = entriesPath({ index, width: TILE_WIDTH });
    const bytes = read(path, full);
    const whole = existsSync(join(directory, path)) ? width : TILE_WIDTH;
    entries.push(...decodeEntries(bytes, whole).slice(0, width));
  }
  expect(entries).toHaveLength(size);

  let hashes = entries.map(leafHash);
  expect(Buffer.from(rootOf(hashes)).toString('hex')).toBe(Buffer.from(checkpoint.root).toString('hex'));
  for (let level = 0; hashes.length > 0; level++) {
    const above: Uint8Array[] = [];
    for (let index = 0; index * TILE_WIDTH < hashes.length; index++) {
      const expected = hashes.slice(index * TILE_WIDTH, (index + 1) * TILE_WIDTH);
      const bytes = read(
        tilePath({ level, index, width: expected.length }),
        tilePath({ level, index, width: TILE_WIDTH }),
      );
      const found = decodeTile(bytes, bytes.length / 32).slice(0, expected.length);
      expect(Buffer.concat(found).equals(Buffer.concat(expected))).toBe(true);
      if (expected.length === TILE_WIDTH) above.push(rootOf(expected));
    }
    hashes = above;
  }
  return entries.map((entry) => Buffer.from(entry).toString());
}
