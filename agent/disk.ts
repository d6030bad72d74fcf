/** The few things that the spool asks of a disk; tests pass one that fails. */
import { readdirSync, readFileSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import { syncDirectory, writeDurably } from '../service/durable.ts';

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
  writeDurably,
  rename: async (from, to) => renameSync(from, to),
  syncDirectory,
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
