/**
 * Evidence: the bodies of batches as they came, named by their hash. Their statements are the entries of the log, so
 * a body may one day expire while the proof that it was here stays. Writing the same body again changes nothing.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { sha256Hex } from '#protocol/encoding.ts';
import { MAX_UNPACKED_BYTES, type Statement } from '#protocol/statement.ts';
import { bodyPath } from '#protocol/verify.ts';
import { clearScratch, realDisk, replaceFile, type Disk } from './disk.ts';
import type { ReleasedBatch } from './released.ts';

declare const stored: unique symbol;

/** A batch whose body is on the disk. Only {@link EvidenceStore.keep} makes one. */
export type StoredBatch = ReleasedBatch & { readonly [stored]: true };

/** A key that forks its chain can do so without end; the first few prove it. */
const MAX_FORKS_PER_NODE = 64;

/** Reads and writes nothing. */
export type EvidenceReader = Pick<EvidenceStore, 'read' | 'lines' | 'keptAt' | 'has'>;

export class EvidenceStore {
  readonly #home: string;
  readonly #disk: Disk;

  private constructor(home: string, disk: Disk) {
    this.#home = home;
    this.#disk = disk;
  }

  /** Opens `evidence/` in the collector's home. */
  static async open(home: string, disk: Disk = realDisk): Promise<EvidenceStore> {
    await clearScratch(disk, join(home, 'evidence/tmp'));
    return new EvidenceStore(home, disk);
  }

  /** For commands beside a running collector, whose half-written files are not ours to clear. */
  static reading(home: string): EvidenceReader {
    return new EvidenceStore(home, realDisk);
  }

  has(sha256: string): boolean {
    return existsSync(join(this.#home, bodyPath(sha256)));
  }

  async keep(batch: ReleasedBatch): Promise<StoredBatch> {
    const path = join(this.#home, bodyPath(batch.statement.body.sha256));
    // A body that is there is whole, but the crash that came after its renaming may have come before the sync.
    if (existsSync(path)) await this.#disk.syncDirectory(dirname(path));
    else await this.#replace(path, batch.body);
    // oxlint-disable-next-line no-unsafe-type-assertion -- the one place a StoredBatch is made
    return batch as StoredBatch;
  }

  /** Keeps a whole batch that contradicts one in the log: two signatures under two histories are the proof. */
  async keepFork(
    { node, sequence }: Pick<Statement, 'node' | 'sequence'>,
    digest: string,
    bytes: Uint8Array,
  ): Promise<void> {
    const directory = join(this.#home, 'evidence/forks', node);
    await this.#disk.makeDirectory(directory);
    const name = `${sequence}-${digest}.batch`;
    const kept = await readdir(directory);
    if (kept.includes(name) || kept.length >= MAX_FORKS_PER_NODE) return;
    await this.#replace(join(directory, name), bytes);
  }

  /** The body with this hash; checked, because a disk may lie. */
  async read(sha256: string): Promise<Uint8Array> {
    const path = join(this.#home, bodyPath(sha256));
    const body = await readFile(path);
    if (sha256Hex(body) !== sha256) throw new Error(`${path} is not what its name says; restore it from a backup`);
    return body;
  }

  /** The released lines of a body that was verified when it came. */
  async lines(sha256: string): Promise<readonly string[]> {
    const plain = zstdDecompressSync(await this.read(sha256), { maxOutputLength: MAX_UNPACKED_BYTES });
    return plain.length === 0 ? [] : plain.toString('utf8', 0, plain.length - 1).split('\n');
  }

  /** When the body came, µs since 1970, as far as the disk remembers. */
  async keptAt(sha256: string): Promise<number | undefined> {
    const path = join(this.#home, bodyPath(sha256));
    return existsSync(path) ? Math.round((await stat(path)).mtimeMs * 1000) : undefined;
  }

  #replace(path: string, bytes: Uint8Array): Promise<void> {
    return replaceFile(this.#disk, join(this.#home, 'evidence/tmp'), path, bytes);
  }
}
