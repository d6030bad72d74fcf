/** The few things that the spool asks of a disk; tests pass one that fails. */
import { open, readdir, readFile, rename, rm } from 'node:fs/promises';

export interface Disk {
  /** Durable when it returns: written and synced, not yet under its name. */
  writeDurably(path: string, bytes: Uint8Array): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Makes names in a directory durable. */
  syncDirectory(path: string): Promise<void>;
  list(path: string): Promise<readonly string[]>;
  read(path: string): Promise<Buffer>;
  remove(path: string): Promise<void>;
}

export const realDisk: Disk = {
  async writeDurably(path, bytes) {
    await using file = await open(path, 'w', 0o640);
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
  remove: (path) => rm(path, { force: true }),
};
