/**
 * What the agent may see of the node's own files: with no capability, and never a container's or a chroot's, whatever path
 * an event names. Paths in events are those of the process that acted; that the node's file changed is asked here.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';

/** One state of one object: what it is, and when it last changed. */
export interface Look {
  readonly inode: number;
  readonly size: number;
  readonly changedMs: number;
}

export interface NodeFiles {
  /** `absent`: there is no such name. `hidden`: we may not look. Links are not followed. */
  look(path: string): Look | 'absent' | 'hidden';
  /** A regular file of at most `limit` bytes as text; undefined where it is none, larger, or not ours to read. */
  read(path: string, limit: number): string | undefined;
  /** Names in a directory; none where there is no directory or we may not look. */
  list(path: string): readonly string[];
}

const ABSENT: readonly unknown[] = ['ENOENT', 'ENOTDIR'];

/** `root` is for tests that have a copy of `/etc` somewhere. */
export function nodeFiles(root = ''): NodeFiles {
  return {
    look(path) {
      try {
        const { ino, size, ctimeMs } = lstatSync(root + path);
        return { inode: ino, size, changedMs: ctimeMs };
      } catch (error) {
        return error instanceof Error && 'code' in error && ABSENT.includes(error.code) ? 'absent' : 'hidden';
      }
    },
    read(path, limit) {
      try {
        return readWhole(root + path, limit);
      } catch {
        return undefined;
      }
    },
    list(path) {
      try {
        return readdirSync(root + path);
      } catch {
        return [];
      }
    },
  };
}

/** NONBLOCK, because opening a FIFO waits for its writer; the size is bounded before anything is allocated. */
function readWhole(path: string, limit: number): string | undefined {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile() || stat.size > limit) return undefined;
    const bytes = Buffer.alloc(stat.size);
    let used = 0;
    for (let got = 1; got > 0 && used < bytes.length; used += got)
      got = readSync(file, bytes, used, bytes.length - used, used);
    return bytes.toString('utf8', 0, used);
  } finally {
    closeSync(file);
  }
}
