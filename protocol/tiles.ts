/**
 * A log as files (C2SP tlog-tiles): where each tile and entry bundle lies, what is in it, and
 * reading tree nodes from tiles. A tile is 256 hashes, eight levels of the tree; the last one
 * of each level may be partial. What a tile says counts only once a root was computed from it.
 */
import { parseDecimal } from './encoding.ts';
import { ProtocolError } from './error.ts';
import { HASH_BYTES, rootOf, type Hash, type ReadNode } from './merkle.ts';

export const TILE_WIDTH = 256;
const TILE_HEIGHT = 8;
export const MAX_ENTRY_BYTES = 65_535;

/** `width` hashes, the first of them with index `index` * 256 at height `level` * 8 of the tree. */
export interface Tile {
  readonly level: number;
  readonly index: number;
  readonly width: number;
}

export function tilePath({ level, index, width }: Tile): string {
  return `tile/${level}/${encodeIndex(index)}${partial(width)}`;
}

/** Where entries [index * 256, index * 256 + width) lie. */
export function entriesPath({ index, width }: Omit<Tile, 'level'>): string {
  return `tile/entries/${encodeIndex(index)}${partial(width)}`;
}

const partial = (width: number): string => (width === TILE_WIDTH ? '' : `.p/${width}`);

/** 1234067 is x001/x234/067: no directory has more than a thousand names, none is a file too. */
function encodeIndex(index: number): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g) ?? [];
  return groups.map((group, i) => (i === groups.length - 1 ? group : `x${group}`)).join('/');
}

/** The tile at a path that a client asked for; `entries` has level -1. Throws for every other spelling. */
export function parseTilePath(path: string): Tile {
  const match = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/.exec(path);
  if (match === null) throw new ProtocolError('bad-tile', 'not the path of a tile');
  const [, level = '', index = '', width] = match;
  const tile = {
    level: level === 'entries' ? -1 : Number(level),
    index: parseDecimal(index.replaceAll(/[x/]/g, '').replace(/^0+(?=[0-9])/, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  const spelled = level === 'entries' ? entriesPath(tile) : tilePath(tile);
  if (spelled !== path || tile.width < 1 || tile.width > TILE_WIDTH || tile.level > 63) {
    throw new ProtocolError('bad-tile', 'the path of a tile in another spelling');
  }
  return tile;
}

/** How many hashes the tile holds in the log of `size` entries: 0 when there is no such tile yet. */
export function tileWidth(level: number, index: number, size: number): number {
  const hashes = Math.floor(size / TILE_WIDTH ** level);
  return Math.max(0, Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH));
}

/** The tiles that differ between the log of `oldSize` and the log of `newSize` entries, lowest level first. */
export function changedTiles(oldSize: number, newSize: number): Tile[] {
  const changed: Tile[] = [];
  for (let level = 0; newSize >= TILE_WIDTH ** level; level++) {
    const [before, after] = [oldSize, newSize].map((size) => Math.floor(size / TILE_WIDTH ** level));
    if (before === undefined || after === undefined || before === after) continue;
    for (let index = Math.floor(before / TILE_WIDTH); index * TILE_WIDTH < after; index++) {
      changed.push({ level, index, width: tileWidth(level, index, newSize) });
    }
  }
  return changed;
}

export function encodeTile(hashes: readonly Hash[]): Uint8Array {
  return Buffer.concat(hashes);
}

export function decodeTile(bytes: Uint8Array, width: number): readonly Hash[] {
  if (bytes.length !== width * HASH_BYTES) {
    throw new ProtocolError('bad-tile', `a tile of ${width} hashes with ${bytes.length} bytes`);
  }
  return Array.from({ length: width }, (_, i) => bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES));
}

export function encodeEntries(entries: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    entries.flatMap((entry) => {
      if (entry.length > MAX_ENTRY_BYTES) throw new ProtocolError('too-large', `a log entry of ${entry.length} bytes`);
      return [Buffer.of(entry.length >> 8, entry.length & 0xff), entry];
    }),
  );
}

/** Exactly `width` entries, each behind its length in two bytes. They share memory with `bytes`. */
export function decodeEntries(bytes: Uint8Array, width: number): readonly Uint8Array[] {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (entries.length < width) {
    const [high, low] = [bytes[at], bytes[at + 1]];
    if (high === undefined || low === undefined) throw new ProtocolError('truncated', 'an entry bundle ends early');
    const end = at + 2 + high * 256 + low;
    if (end > bytes.length) throw new ProtocolError('truncated', 'an entry is longer than its bundle');
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  if (at !== bytes.length) throw new ProtocolError('trailing-bytes', 'an entry bundle holds more than its width');
  return entries;
}

/** Reads one of the log's files by its path; `undefined` when there is none. */
export type ReadTile = (path: string) => Promise<Uint8Array | undefined>;

/** Tree nodes of the log of `size` entries, from its tiles. Keeps what it read: make one for each proof. */
export function readNodesFrom(readTile: ReadTile, size: number): ReadNode {
  const tiles = new Map<string, Promise<readonly Hash[]>>();
  return async (level, index) => {
    const tileLevel = Math.floor(level / TILE_HEIGHT);
    const span = 2 ** (level % TILE_HEIGHT); // hashes of the tile below this node
    const tileIndex = Math.floor((index * span) / TILE_WIDTH);
    const tile = { level: tileLevel, index: tileIndex, width: tileWidth(tileLevel, tileIndex, size) };
    const path = tilePath(tile);
    const reading = tiles.get(path) ?? readHashes(readTile, tile);
    tiles.set(path, reading);
    const hashes = await reading;
    const start = (index * span) % TILE_WIDTH;
    if (start + span > hashes.length) throw new RangeError(`no node ${level}/${index} in a tree of ${size}`);
    return rootOf(hashes.slice(start, start + span));
  };
}

/** A partial tile may have been removed once the full one was there. */
export async function readHashes(readTile: ReadTile, tile: Tile): Promise<readonly Hash[]> {
  const bytes = await readTile(tilePath(tile));
  if (bytes !== undefined) return decodeTile(bytes, tile.width);
  const full = await readTile(tilePath({ ...tile, width: TILE_WIDTH }));
  if (full === undefined) throw new ProtocolError('bad-tile', `${tilePath(tile)} is missing`);
  return decodeTile(full, TILE_WIDTH).slice(0, tile.width);
}
