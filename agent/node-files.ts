/**
 * What the agent may see of the node's own files: with no capability, and never a container's or a chroot's, whatever path
 * an event names. Paths in events are those of the process that acted; that the node's file changed is asked here.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { readGiven } from '../service/given.ts';

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
    read: (path, limit) => readGiven(root + path, limit)?.toString(),
    list(path) {
      try {
        return readdirSync(root + path);
      } catch {
        return [];
      }
    },
  };
}
