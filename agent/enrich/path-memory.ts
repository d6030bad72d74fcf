/**
 * Under which name a file was opened for writing: asked when it is closed and the kernel cannot say any more. Bounded; the
 * oldest goes first. A name that was given to another file since is one that this may get wrong, so who uses it says so.
 */
import type { Inode } from '../sources/frame.ts';

const FILES = 4096;

export class PathMemory {
  readonly #paths = new Map<string, string>();

  note(file: Inode, path: string): void {
    const key = keyOf(file);
    if (this.#paths.get(key) === path) return;
    const oldest = this.#paths.size < FILES ? undefined : this.#paths.keys().next().value;
    if (oldest !== undefined) this.#paths.delete(oldest);
    this.#paths.set(key, path);
  }

  of(file: Inode): string | undefined {
    return this.#paths.get(keyOf(file));
  }
}

const keyOf = ({ major, minor, inode }: Inode): string => `${major}:${minor}:${inode}`;
