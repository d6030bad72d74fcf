/**
 * Files that are on the disk when it is said that they are.
 *
 * Only what waits for the disk itself leaves the thread. To hand each of the other steps to another thread and back takes
 * two and a half times their own processor time.
 */
import { closeSync, fdatasync, fsync, openSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';

const [syncData, syncAll] = [promisify(fdatasync), promisify(fsync)];

/** All of it, synced; the name is not durable yet. */
export async function writeDurably(path: string, bytes: Uint8Array, mode = 0o640): Promise<void> {
  const file = openSync(path, 'w', mode);
  try {
    writeFileSync(file, bytes);
    await syncData(file);
  } finally {
    closeSync(file);
  }
}

/** Makes names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = openSync(path, 'r');
  try {
    await syncAll(directory);
  } finally {
    closeSync(directory);
  }
}
