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

class Places {
  readonly #named: (Named | undefined)[];

  constructor(places: number) {
    this.#named = new Array<Named | undefined>(places).fill(undefined);
  }

  set(file: Inode, path: string): void {
    const known = this.#at(file);
    if (known === undefined) this.#named[this.#placeOf(file)] = { file, path };
    else known.path = path;
  }

  delete(file: Inode): void {
    if (this.#at(file) !== undefined) this.#named[this.#placeOf(file)] = undefined;
  }

  of(file: Inode): string | undefined {
    return this.#at(file)?.path;
  }

  #at(file: Inode): Named | undefined {
    const known = this.#named[this.#placeOf(file)];
    return known !== undefined && isSame(known.file, file) ? known : undefined;
  }

  #placeOf(file: Inode): number {
    return sumOf(file) % this.#named.length;
  }
}

const PLACES = 32_768;
/** Of longer names fewer are known: many of the longest there are would fill the heap. Who makes them pushes out their like. */
export const LONG_NAME = 256;
const LONG_PLACES = 2_048;

export class PathMemory {
  readonly #short = new Places(PLACES);
  readonly #long = new Places(LONG_PLACES);

  note(file: Inode, path: string): void {
    const isLong = path.length > LONG_NAME;
    (isLong ? this.#long : this.#short).set(file, path);
    (isLong ? this.#short : this.#long).delete(file);
  }

  of(file: Inode): string | undefined {
    return this.#short.of(file) ?? this.#long.of(file);
  }
}

const isSame = (a: Inode, b: Inode): boolean => a.inode === b.inode && a.minor === b.minor && a.major === b.major;

/** Files that were made one after the other lie side by side. */
const sumOf = ({ inode, major, minor }: Inode): number => inode + minor * 7_919 + major * 61;
