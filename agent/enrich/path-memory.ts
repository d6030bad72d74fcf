/**
 * Under which name a file was opened for writing: asked when it is closed and the kernel cannot say any more. Bounded: of the
 * files that share a place the last one is known. A name that was given to another file since is one that this may get wrong,
 * so who uses it says so.
 */
import type { Inode } from '../sources/frame.ts';

interface Named {
  readonly file: Inode;
  path: string;
}

const PLACES = 32_768;

export class PathMemory {
  readonly #named: (Named | undefined)[] = new Array<Named | undefined>(PLACES).fill(undefined);

  note(file: Inode, path: string): void {
    const place = placeOf(file);
    const known = this.#named[place];
    if (known !== undefined && isSame(known.file, file)) known.path = path;
    else this.#named[place] = { file, path };
  }

  of(file: Inode): string | undefined {
    const known = this.#named[placeOf(file)];
    return known !== undefined && isSame(known.file, file) ? known.path : undefined;
  }
}

const isSame = (a: Inode, b: Inode): boolean => a.inode === b.inode && a.minor === b.minor && a.major === b.major;

/** Files that were made one after the other lie side by side. */
const placeOf = ({ inode, major, minor }: Inode): number => (inode + minor * 7_919 + major * 61) % PLACES;
