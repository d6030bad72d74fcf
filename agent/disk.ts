/**
 * The few things that the spool asks of a disk; tests pass one that fails.
 *
 * Only what waits for the disk itself leaves the thread. Names, and bytes on their way to the kernel's memory, take microseconds;
 * to hand each to another thread and back took ten times as long, most of what a batch cost.
 */
import {
  closeSync,
  fdatasync,
  fsync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { promisify } from 'node:util';

/** Bytes of a file system: those that we may still write, and all of it. */
export interface Room {
  readonly free: number;
  readonly all: number;
}

export interface Disk {
  /** Durable when it returns: written and synced, not yet under its name. Others of the group may read it, unless `mode` says otherwise. */
  writeDurably(path: string, bytes: Uint8Array, mode?: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Makes names in a directory durable. */
  syncDirectory(path: string): Promise<void>;
  list(path: string): Promise<readonly string[]>;
  read(path: string): Promise<Buffer>;
  size(path: string): Promise<number>;
  room(path: string): Promise<Room>;
  remove(path: string): Promise<void>;
}

const synced = { data: promisify(fdatasync), all: promisify(fsync) };

/** Opens, does, syncs, closes. */
async function withFile(
  path: string,
  { flags, mode, sync }: { readonly flags: string; readonly mode?: number; readonly sync: keyof typeof synced },
  write: (file: number) => void = () => {},
): Promise<void> {
  const file = openSync(path, flags, mode);
  try {
    write(file);
    await synced[sync](file);
  } finally {
    closeSync(file);
  }
}

export const realDisk: Disk = {
  writeDurably: (path, bytes, mode = 0o640) =>
    withFile(path, { flags: 'w', mode, sync: 'data' }, (file) => writeFileSync(file, bytes)),
  rename: async (from, to) => renameSync(from, to),
  syncDirectory: (path) => withFile(path, { flags: 'r', sync: 'all' }),
  list: async (path) => readdirSync(path),
  read: async (path) => readFileSync(path),
  size: async (path) => statSync(path).size,
  async room(path) {
    const { bavail, blocks, bsize } = statfsSync(path);
    return { free: bavail * bsize, all: blocks * bsize };
  },
  remove: async (path) => rmSync(path, { force: true }),
};

/** The world broke, not we: it is tried again until it is whole. */
const OF_THE_WORLD: ReadonlySet<string> = new Set([
  ...['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EAGAIN', 'EBUSY', 'EMFILE', 'ENFILE', 'ENOMEM', 'ESTALE', 'ETIMEDOUT'],
]);

/** The code of such an error; undefined for any other. */
export function troubleOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return OF_THE_WORLD.has(error.code) ? error.code : undefined;
}
