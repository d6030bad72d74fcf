/** A collector's directory in memory, for tests: files by path, and an archive made from batches. */
import { decodeBatch } from '#protocol/batch.ts';
import { signCheckpoint } from '#protocol/checkpoint.ts';
import { leafHash, proveInclusion, rootOf, type Hash } from '#protocol/merkle.ts';
import { formatReceipt } from '#protocol/receipt.ts';
import {
  changedTiles,
  encodeEntries,
  encodeTile,
  entriesPath,
  readNodesFrom,
  TILE_WIDTH,
  tilePath,
} from '#protocol/tiles.ts';
import { bodyPath, type ArchiveReader } from '#protocol/verify.ts';
import { logKey } from './sample.ts';

export type Files = Map<string, Uint8Array>;

/** The tiles of a log with these leaf hashes. */
export function memoryLog(leaves: readonly Hash[]): Files {
  const files: Files = new Map();
  for (const tile of changedTiles(0, leaves.length)) {
    const span = TILE_WIDTH ** tile.level;
    const hashes = Array.from({ length: tile.width }, (_, i) => {
      const start = (tile.index * TILE_WIDTH + i) * span;
      return rootOf(leaves.slice(start, start + span));
    });
    files.set(tilePath(tile), encodeTile(hashes));
  }
  return files;
}

/** What a collector would have on disk after these batches (or, for bad ones, these entries). */
export function memoryArchive(batches: readonly Uint8Array[]): Files {
  const claimed = batches.map(decodeBatch);
  const files = archiveOf(claimed.map((batch) => batch.noteBytes));
  for (const batch of claimed) files.set(bodyPath(batch.statement.body.sha256), batch.body);
  return files;
}

export function archiveOf(entries: readonly Uint8Array[]): Files {
  const leaves = entries.map(leafHash);
  const files: Files = new Map();
  for (const [path, bytes] of memoryLog(leaves)) files.set(`log/${path}`, bytes);
  for (let index = 0; index * TILE_WIDTH < entries.length; index++) {
    const bundle = entries.slice(index * TILE_WIDTH, (index + 1) * TILE_WIDTH);
    files.set(`log/${entriesPath({ index, width: bundle.length })}`, encodeEntries(bundle));
  }
  files.set('log/checkpoint', signCheckpoint({ size: entries.length, root: rootOf(leaves) }, logKey));
  return files;
}

export const readerOf = (files: Files): ArchiveReader => ({ readFile: (path) => Promise.resolve(files.get(path)) });

/** The receipt of an entry under the checkpoint that the archive has now. */
export async function receiptOf(files: Files, index: number, size: number): Promise<Uint8Array> {
  const nodes = readNodesFrom((path) => Promise.resolve(files.get(`log/${path}`)), size);
  const checkpoint = files.get('log/checkpoint') ?? Buffer.of();
  return Buffer.from(formatReceipt({ index, proof: await proveInclusion(index, size, nodes), checkpoint }));
}
