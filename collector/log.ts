/**
 * The Merkle log on disk, as C2SP tlog-tiles: tiles, entry bundles and a signed checkpoint.
 *
 * The checkpoint is the truth; whatever lies beyond it is debris of a crash and is written over. Tiles and bundles are
 * durable before the checkpoint that covers them is renamed into place, and {@link TransparencyLog.append} resolves
 * only then. Entries that arrive together share one checkpoint. After an error nothing works any more: open again.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpoint, signCheckpoint } from '#protocol/checkpoint.ts';
import { equalBytes } from '#protocol/encoding.ts';
import {
  EMPTY_ROOT,
  leafHash,
  proveConsistency,
  proveInclusion,
  rootOf,
  treeRoot,
  type Hash,
  type ReadNode,
} from '#protocol/merkle.ts';
import type { SigningKey } from '#protocol/note.ts';
import { formatReceipt } from '#protocol/receipt.ts';
import {
  decodeEntries,
  encodeEntries,
  encodeTile,
  entriesPath,
  MAX_ENTRY_BYTES,
  readHashes,
  readNodesFrom,
  TILE_WIDTH,
  tilePath,
} from '#protocol/tiles.ts';
import { clearScratch, isMissing, realDisk, replaceFile, type Disk } from './disk.ts';
import { lockDirectory } from './lock.ts';

/** How long the first of a pool waits for others. */
const POOL_MS = 10;
const POOL_ENTRIES = 256;
/** Nodes of complete subtrees that are kept in memory: they never change. */
const KEPT_NODES = 8192;

interface Waiting {
  readonly entry: Uint8Array;
  readonly logged: PromiseWithResolvers<number>;
}

/** What a checkpoint of this size means, in memory. */
interface Tree {
  readonly size: number;
  readonly checkpoint: Uint8Array;
  /** The hashes of the last, partial tile of each level. */
  readonly edges: readonly (readonly Hash[])[];
  /** The entries of the last, partial bundle. */
  readonly bundle: readonly Uint8Array[];
}

/** A signed checkpoint, and how many entries it covers. */
export interface Head {
  readonly size: number;
  readonly checkpoint: Uint8Array;
}

/** A tree that has grown, the files that say so, and the partial files that are complete now. */
interface Growth extends Omit<Tree, 'checkpoint'> {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly completed: readonly string[];
}

export class TransparencyLog implements AsyncDisposable {
  readonly #directory: string;
  readonly #key: SigningKey;
  readonly #disk: Disk;
  readonly #lock: Disposable;
  readonly #nodes = new Map<string, Promise<Hash>>();
  #tree: Tree;
  /** The last checkpoint that witnesses cosigned, size 0 before there is one. */
  #cosigned: Head = { size: 0, checkpoint: new Uint8Array() };
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sequencing: Promise<void> | undefined;
  #failure: Error | undefined;
  readonly #broken = Promise.withResolvers<Error>();

  private constructor(directory: string, key: SigningKey, disk: Disk, lock: Disposable, tree: Tree) {
    this.#directory = directory;
    this.#key = key;
    this.#disk = disk;
    this.#lock = lock;
    this.#tree = tree;
  }

  /** The only way in, after a stop as after a crash. */
  static async open(directory: string, key: SigningKey, disk: Disk = realDisk): Promise<TransparencyLog> {
    await disk.makeDirectory(directory);
    const lock = lockDirectory(directory);
    try {
      await clearScratch(disk, join(directory, 'tmp'));
      if (!existsSync(join(directory, 'checkpoint'))) await begin(directory, key, disk);
      const log = new TransparencyLog(directory, key, disk, lock, await readTree(directory, key));
      log.#cosigned = await log.#readCosigned();
      return log;
    } catch (error) {
      lock[Symbol.dispose]();
      throw error;
    }
  }

  /** Entries that a durable checkpoint covers. */
  get size(): number {
    return this.#tree.size;
  }

  /** The error after which nothing works any more; the process had better end and start again. */
  get broken(): Promise<Error> {
    return this.#broken.promise;
  }

  /** The last durable checkpoint. */
  get head(): Head {
    return this.#tree;
  }

  /** That the tree of `oldSize` entries is the beginning of the tree of `size`, which a checkpoint had. */
  async proveGrowth(oldSize: number, size: number): Promise<readonly Hash[]> {
    return oldSize === 0 || oldSize === size
      ? []
      : await proveConsistency(oldSize, size, this.#nodesOf(size, new Map()));
  }

  /** Keeps a checkpoint of ours with what witnesses added, for those who ask for receipts and those who verify. */
  async keepCosigned(head: Head): Promise<void> {
    await this.#write('cosigned', head.checkpoint);
    this.#cosigned = head;
  }

  /** One that is not of this log, as after a restoration from a backup, is left for verify to find. */
  async #readCosigned(): Promise<Head> {
    const checkpoint = await readFileIfThere(this.#directory, 'cosigned');
    const opened = checkpoint && openCheckpoint(checkpoint, this.#key.verifier);
    const nothing = { size: 0, checkpoint: new Uint8Array() };
    if (checkpoint === undefined || opened === undefined || opened.size > this.size) return nothing;
    const root = await treeRoot(opened.size, this.#nodesOf(opened.size, new Map()));
    return equalBytes(root, opened.root) ? { size: opened.size, checkpoint } : nothing;
  }

  /** Queues the entry at once, in the order of the calls; its index once a durable checkpoint covers it. */
  append(entry: Uint8Array): Promise<number> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (entry.length > MAX_ENTRY_BYTES) return Promise.reject(new RangeError(`a log entry of ${entry.length} bytes`));
    const logged = Promise.withResolvers<number>();
    // A copy: the caller's bytes are often a small part of a large message.
    this.#waiting.push({ entry: Buffer.from(entry), logged });
    this.#schedule();
    return logged.promise;
  }

  #schedule(): void {
    if (this.#sequencing !== undefined || this.#waiting.length === 0) return;
    if (this.#waiting.length >= POOL_ENTRIES) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#sequencing = this.#sequencePool();
    } else {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#sequencing = this.#sequencePool();
      }, POOL_MS);
    }
  }

  async #sequencePool(): Promise<void> {
    const pool = this.#waiting.splice(0, POOL_ENTRIES);
    const before = this.#tree.size;
    try {
      const completed = await this.#sequence(pool.map(({ entry }) => entry));
      for (const [i, { logged }] of pool.entries()) logged.resolve(before + i);
      for (const path of completed) await this.#disk.remove(join(this.#directory, `${path}.p`));
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)), pool);
    }
    this.#sequencing = undefined;
    this.#schedule();
  }

  /** Order matters: every file that the new checkpoint needs is durable before the checkpoint is. */
  async #sequence(entries: readonly Uint8Array[]): Promise<readonly string[]> {
    const { files, completed, ...grown } = grow(this.#tree, entries);
    const written = await Promise.allSettled([...files].map(([path, bytes]) => this.#write(path, bytes)));
    for (const result of written) if (result.status === 'rejected') throw result.reason;
    const root = await treeRoot(grown.size, this.#nodesOf(grown.size, files));
    const checkpoint = signCheckpoint({ size: grown.size, root }, this.#key);
    await this.#write('checkpoint', checkpoint);
    this.#tree = { ...grown, checkpoint };
    return completed;
  }

  #fail(error: Error, pool: readonly Waiting[]): void {
    this.#failure = error;
    this.#broken.resolve(error);
    for (const { logged } of [...pool, ...this.#waiting.splice(0)]) logged.reject(error);
  }

  #write(path: string, bytes: Uint8Array): Promise<void> {
    return replaceFile(this.#disk, join(this.#directory, 'tmp'), join(this.#directory, path), bytes);
  }

  /** Nodes of the tree of `size` entries; `fresh` are tiles at hand. Complete subtrees are remembered from tree to tree. */
  #nodesOf(size: number, fresh: ReadonlyMap<string, Uint8Array>): ReadNode {
    const read = readNodesFrom(async (path) => fresh.get(path) ?? (await readFileIfThere(this.#directory, path)), size);
    return (level, index) => {
      const name = `${level}/${index}`;
      const known = this.#nodes.get(name);
      if (known !== undefined) return known;
      if (this.#nodes.size >= KEPT_NODES) this.#nodes.clear();
      // A copy: a hash out of a tile would keep all of the tile, and another one for each size that the tree had.
      const node = read(level, index).then((hash) => new Uint8Array(hash));
      this.#nodes.set(name, node);
      // A disk that failed once is asked again.
      node.catch(() => this.#nodes.delete(name));
      return node;
    };
  }

  /** Proof, as a tlog-proof, that the entry is in the log: in a checkpoint that witnesses cosigned, if one covers it already. */
  async receipt(index: number): Promise<string> {
    const { size, checkpoint } = index < this.#cosigned.size ? this.#cosigned : this.#tree;
    const proof = await proveInclusion(index, size, this.#nodesOf(size, new Map()));
    return formatReceipt({ index, proof, checkpoint });
  }

  /** The entries from `start` on, those that a durable checkpoint covers when they are asked for. */
  async *entries(start: number): AsyncGenerator<{ readonly index: number; readonly entry: Uint8Array }> {
    for (let index = start; index < this.#tree.size;) {
      const bundle = await this.#bundleOf(index);
      for (const entry of bundle.slice(index % TILE_WIDTH)) yield { index: index++, entry };
    }
  }

  async #bundleOf(index: number): Promise<readonly Uint8Array[]> {
    const { size, bundle } = this.#tree;
    const number = Math.floor(index / TILE_WIDTH);
    if (number === Math.floor(size / TILE_WIDTH)) return bundle;
    const bytes = await readFile(join(this.#directory, entriesPath({ index: number, width: TILE_WIDTH })));
    return decodeEntries(bytes, TILE_WIDTH);
  }

  /** Waits for what is under way; what waits is sequenced first. */
  async close(): Promise<void> {
    while (this.#waiting.length > 0 || this.#sequencing !== undefined) {
      await (this.#sequencing ?? new Promise((settle) => setTimeout(settle, POOL_MS)));
    }
    this.#failure ??= new Error('the log is closed');
    this.#lock[Symbol.dispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The tree with `entries` added; nothing is written yet. */
function grow(tree: Tree, entries: readonly Uint8Array[]): Growth {
  const files = new Map<string, Uint8Array>();
  const completed: string[] = [];
  const edges = tree.edges.map((edge) => [...edge]);
  let start = tree.size;
  let bundle = [...tree.bundle];
  for (const [index, part] of inTiles(bundle, entries, start)) {
    files.set(entriesPath({ index, width: part.length }), encodeEntries(part));
    if (part.length === TILE_WIDTH) completed.push(entriesPath({ index, width: TILE_WIDTH }));
    bundle = part.length === TILE_WIDTH ? [] : part;
  }
  let fresh = entries.map(leafHash);
  for (let level = 0; fresh.length > 0; level++) {
    const above: Hash[] = [];
    const before = edges[level] ?? [];
    edges[level] = [];
    for (const [index, hashes] of inTiles(before, fresh, start)) {
      files.set(tilePath({ level, index, width: hashes.length }), encodeTile(hashes));
      if (hashes.length < TILE_WIDTH) edges[level] = hashes;
      else {
        completed.push(tilePath({ level, index, width: TILE_WIDTH }));
        above.push(rootOf(hashes));
      }
    }
    fresh = above;
    start = Math.floor(start / TILE_WIDTH);
  }
  return { size: tree.size + entries.length, edges, bundle, files, completed };
}

/** The tiles, with their index, that change when `added` follow the `start` items that end with `edge`. */
function inTiles<T>(edge: readonly T[], added: readonly T[], start: number): readonly (readonly [number, T[]])[] {
  const all = [...edge, ...added];
  const first = Math.floor(start / TILE_WIDTH);
  const count = Math.ceil(all.length / TILE_WIDTH);
  return Array.from({ length: count }, (_, i) => [first + i, all.slice(i * TILE_WIDTH, (i + 1) * TILE_WIDTH)]);
}

/** A log is begun once: tiles without a checkpoint mean that it was lost, and signing another would fork the log. */
async function begin(directory: string, key: SigningKey, disk: Disk): Promise<void> {
  if (existsSync(join(directory, 'tile'))) {
    throw new Error(`${join(directory, 'checkpoint')} is missing beside tiles; restore it from a backup`);
  }
  const checkpoint = signCheckpoint({ size: 0, root: EMPTY_ROOT }, key);
  await replaceFile(disk, join(directory, 'tmp'), join(directory, 'checkpoint'), checkpoint);
}

/** Reads what the checkpoint covers at its edge, and checks that it is what was signed. */
async function readTree(directory: string, key: SigningKey): Promise<Tree> {
  const file = join(directory, 'checkpoint');
  const checkpoint = await readFile(file);
  const opened = openCheckpoint(checkpoint, key.verifier);
  if (opened === undefined) throw new Error(`${file} is not signed by this log's key`);
  const { size, root } = opened;
  const readTile = (path: string): Promise<Uint8Array | undefined> => readFileIfThere(directory, path);
  const computed = await treeRoot(size, readNodesFrom(readTile, size));
  if (!equalBytes(computed, root)) throw new Error(`${directory}: the tiles are not those of the checkpoint`);

  const edges: (readonly Hash[])[] = [];
  for (let [level, hashes] = [0, size]; hashes > 0; [level, hashes] = [level + 1, Math.floor(hashes / TILE_WIDTH)]) {
    const tile = { level, index: Math.floor(hashes / TILE_WIDTH), width: hashes % TILE_WIDTH };
    edges.push(tile.width === 0 ? [] : await readHashes(readTile, tile));
  }
  const bundle = await readBundle(readTile, size);
  if (!bundle.every((entry, i) => equalBytes(leafHash(entry), edges[0]?.[i] ?? EMPTY_ROOT))) {
    throw new Error(`${directory}: the last entries are not those of the checkpoint`);
  }
  return { size, checkpoint, edges, bundle };
}

/** The entries of the last, partial bundle. */
async function readBundle(
  readTile: (path: string) => Promise<Uint8Array | undefined>,
  size: number,
): Promise<readonly Uint8Array[]> {
  const [index, width] = [Math.floor(size / TILE_WIDTH), size % TILE_WIDTH];
  if (width === 0) return [];
  const partial = await readTile(entriesPath({ index, width }));
  if (partial !== undefined) return decodeEntries(partial, width);
  const full = await readTile(entriesPath({ index, width: TILE_WIDTH }));
  if (full === undefined) throw new Error(`${entriesPath({ index, width })} is missing`);
  return decodeEntries(full, TILE_WIDTH).slice(0, width);
}

async function readFileIfThere(directory: string, path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(join(directory, path));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
