/**
 * Under which name a file was opened for writing: asked when it is closed and the kernel cannot say any more. Bounded; the
 * oldest goes first. A name that was given to another file since is one that this may get wrong, so who uses it says so.
 */
import { Recent } from '../recent.ts';
import type { Inode } from '../sources/frame.ts';

interface Named {
  readonly file: Inode;
  path: string;
}

const FILES = 4096;

export class PathMemory {
  readonly #paths = new Recent<number, Named>(FILES);

  note(file: Inode, path: string): void {
    const known = this.#find(file);
    if (known === undefined) this.#paths.set(keyOf(file), { file, path });
    else known.path = path;
  }

  of(file: Inode): string | undefined {
    return this.#find(file)?.path;
  }

  #find(file: Inode): Named | undefined {
    const known = this.#paths.get(keyOf(file));
    return known !== undefined && isSame(known.file, file) ? known : undefined;
  }
}

const isSame = (a: Inode, b: Inode): boolean => a.inode === b.inode && a.minor === b.minor && a.major === b.major;

const DEVICES = 4096;

/** A number, which is quicker to find than a text. Of two files that share one, on very many devices, the later is known. */
const keyOf = ({ inode, major, minor }: Inode): number => inode * DEVICES + ((minor * 61 + major) % DEVICES);
