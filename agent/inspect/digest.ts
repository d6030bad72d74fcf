/**
 * Facts about the content of one file: read in slices, in memory, forgotten. What is returned are numbers and digests,
 * never content.
 *
 * Whoever owns the file may be hostile: it is opened without following a link and without waiting for a FIFO's writer,
 * must be a regular file and the very object that ran, is read up to a bound, and must be the same after it was read.
 * File systems that somebody else answers for (FUSE, network) are not touched: they could make us wait for ever.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readFile, statfs, type FileHandle } from 'node:fs/promises';
import { entropyOf, FIRST_BYTES, kindOf, type ContentKind } from './kind.ts';

export interface Wanted {
  readonly path: string;
  readonly inode: number;
  /** As events name it, major:minor. */
  readonly device: string;
  /** When it ran, µs: what was written later did not. */
  readonly ranUs: number;
}

export interface Facts {
  readonly size: number;
  readonly kind: ContentKind;
  /** Of the first {@link ENTROPY_BYTES}. */
  readonly entropy: number;
  readonly sha256: string;
  readonly md5: string | undefined;
}

export type Answer =
  | ({ readonly result: 'ok' } & Facts)
  | { readonly result: 'unreadable' | 'changed' | 'too-large'; readonly size?: number };

const SLICE_BYTES = 256 << 10;
const ENTROPY_BYTES = 1 << 20;
export const MOST_BYTES = 64 << 20;
/** Between the clock of frames and that of file systems. */
const SLACK_MS = 50;
const MOST_CACHED = 4_096;

/** Numbers of file systems whose stat(2) names another device than the kernel's inode: overlay, btrfs. */
const OWN_DEVICES: readonly number[] = [0x794c7630, 0x9123683e];
const FOREIGN = /^(?:fuse|nfs|cifs|smb|9p|ceph|afs|coda|lustre|glusterfs|autofs)/;

type State = Awaited<ReturnType<typeof stateOf>>;

export class Digester {
  readonly #withMd5: () => boolean;
  readonly #known = new Map<string, Facts>();
  readonly #mounts: string;

  constructor(withMd5: () => boolean, mounts = '/proc/self/mountinfo') {
    this.#withMd5 = withMd5;
    this.#mounts = mounts;
  }

  async ask(wanted: Wanted): Promise<Answer> {
    try {
      if (await this.#isForeign(wanted.path)) return { result: 'unreadable' };
      await using file = await open(wanted.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      return await this.#read(file, wanted);
    } catch {
      // Not there any more, not ours to read, a link now, a disk that fails: all the same to whoever asks.
      return { result: 'unreadable' };
    }
  }

  async #isForeign(path: string): Promise<boolean> {
    for (const line of (await readFile(this.#mounts, 'utf8')).split('\n')) {
      const [before = '', after = ''] = line.split(' - ');
      const at = before.split(' ')[4] ?? '';
      if (FOREIGN.test(after) && (path === at || path.startsWith(at === '/' ? at : `${at}/`))) return true;
    }
    return false;
  }

  async #read(file: FileHandle, wanted: Wanted): Promise<Answer> {
    const before = await stateOf(file);
    if (!before.isFile) return { result: 'unreadable' };
    if (!(await isWanted(before, wanted))) return { result: 'changed' };
    if (before.size > MOST_BYTES) return { result: 'too-large', size: before.size };
    const known = this.#known.get(before.key);
    if (known !== undefined) return { result: 'ok', ...known };
    const facts = await this.#factsOf(file, before.size);
    const after = await stateOf(file);
    if (after.key !== before.key || facts.size !== before.size) return { result: 'changed' };
    this.#keep(before.key, facts);
    return { result: 'ok', ...facts };
  }

  async #factsOf(file: FileHandle, size: number): Promise<Facts> {
    const hashes = ['sha256', ...(this.#withMd5() ? ['md5'] : [])].map((name) => createHash(name));
    const counts = new Uint32Array(256);
    const slice = Buffer.allocUnsafe(Math.min(SLICE_BYTES, size + 1));
    let kind: ContentKind = 'empty';
    let used = 0;
    while (used <= size) {
      const { bytesRead } = await file.read(slice, 0, slice.length, used);
      if (bytesRead === 0) break;
      const got = slice.subarray(0, bytesRead);
      if (used === 0) kind = kindOf(got.subarray(0, FIRST_BYTES));
      if (used < ENTROPY_BYTES) for (const byte of got) counts[byte] = (counts[byte] ?? 0) + 1;
      for (const hash of hashes) hash.update(got);
      used += bytesRead;
    }
    slice.fill(0);
    const [sha256 = '', md5] = hashes.map((hash) => hash.digest('hex'));
    return { size: used, kind, entropy: entropyOf(counts), sha256, md5 };
  }

  #keep(key: string, facts: Facts): void {
    if (this.#known.size >= MOST_CACHED) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(key, facts);
  }
}

/** What tells one content of one object from another, as far as the file system tells it. */
async function stateOf(file: FileHandle) {
  const stat = await file.stat({ bigint: true });
  return {
    isFile: stat.isFile(),
    size: Number(stat.size),
    inode: Number(stat.ino),
    device: deviceOf(stat.dev),
    writtenMs: Number(stat.mtimeMs),
    key: [stat.dev, stat.ino, stat.mtimeNs, stat.ctimeNs, stat.size].join(' '),
  };
}

async function isWanted({ inode, device, writtenMs }: State, wanted: Wanted): Promise<boolean> {
  if (inode !== wanted.inode || writtenMs > wanted.ranUs / 1_000 + SLACK_MS) return false;
  return device === wanted.device || OWN_DEVICES.includes((await statfs(wanted.path)).type);
}

/** As glibc packs major and minor into one number. */
export function deviceOf(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
  return `${major}:${minor & 0xffffffffn}`;
}
