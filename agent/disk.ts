/** The few things that the spool asks of a disk; tests pass one that fails. */
import { open, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';

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

export const realDisk: Disk = {
  async writeDurably(path, bytes, mode = 0o640) {
    await using file = await open(path, 'w', mode);
    await file.writeFile(bytes);
    await file.datasync();
  },
  rename,
  async syncDirectory(path) {
    await using directory = await open(path, 'r');
    await directory.sync();
  },
  list: readdir,
  read: readFile,
  size: async (path) => (await stat(path)).size,
  async room(path) {
    const { bavail, blocks, bsize } = await statfs(path);
    return { free: bavail * bsize, all: blocks * bsize };
  },
  remove: (path) => rm(path, { force: true }),
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
