/**
 * Files that are whole and there after a crash, or not there at all. {@link replaceFile} returns once content, name
 * and directory are on the disk. The disk is an argument so that tests can fail every step of it.
 */
import { statSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncDirectory } from '../service/durable.ts';

export interface Disk {
  /** With its parents. */
  makeDirectory(path: string): Promise<void>;
  /** Makes or empties the file, writes all of it and syncs it. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** With what is in it; nothing to do when it is not there. */
  remove(path: string): Promise<void>;
}

/** What another version of a file has otherwise, without reading it; a file that is not there has one too. */
export function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? 'none' : `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
}

export const realDisk: Disk = {
  async makeDirectory(path) {
    const first = await mkdir(path, { recursive: true });
    // A new name is durable once the directory above it is.
    for (let at = path; first !== undefined; at = dirname(at)) {
      await this.syncDirectory(dirname(at));
      if (at === first) return;
    }
  },
  async write(path, bytes) {
    await using file = await open(path, 'w', 0o640);
    await file.writeFile(bytes);
    await file.sync();
  },
  rename,
  syncDirectory,
  remove: (path) => rm(path, { recursive: true, force: true }),
};

let temporaries = 0;

/** Writes beside, syncs, renames in place, syncs the directory. `scratch` is a directory of the same file system. */
export async function replaceFile(disk: Disk, scratch: string, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(scratch, `${basename(path)}.${process.pid}.${(temporaries += 1)}`);
  const directory = dirname(path);
  await disk.write(temporary, bytes);
  try {
    await disk.rename(temporary, path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    await disk.makeDirectory(directory);
    await disk.rename(temporary, path);
  }
  await disk.syncDirectory(directory);
}

/** No such file or directory. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Makes `scratch`, and removes what a crash left in it. */
export async function clearScratch(disk: Disk, scratch: string): Promise<void> {
  await disk.makeDirectory(scratch);
  for (const name of await readdir(scratch)) await disk.remove(join(scratch, name));
}
