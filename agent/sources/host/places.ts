/**
 * Where the machine tells of itself, and how that is read: files of the kernel and nothing else, bounded, and what could not be
 * read is counted by its name. No program is started.
 */
import { readdir, readFile } from 'node:fs/promises';

/** What is read, in words that may leave. */
export const SUBJECTS = ['command-line', 'disks', 'interfaces', 'load', 'mounts', 'pressure', 'processes'] as const;
export type Subject = (typeof SUBJECTS)[number];

export interface Places {
  readonly proc: string;
  readonly sys: string;
}

/** One line too many is a kernel that we do not know. */
const MAX_CHARACTERS = 4 << 20;

export class Unreadable extends Error {}

const isOfTheSystem = (error: unknown): boolean => error instanceof Error && 'syscall' in error;

export class PlaceReader {
  readonly #failing = new Set<Subject>();
  #told: string = '';
  #failed = 0;

  /** Nothing where it cannot be read: counted, and told by {@link report}. */
  async attempt<T>(subject: Subject, read: () => Promise<T>): Promise<T | undefined> {
    try {
      const value = await read();
      this.#failing.delete(subject);
      return value;
    } catch (error) {
      if (!(error instanceof Unreadable) && !isOfTheSystem(error)) throw error;
      this.#failing.add(subject);
      this.#failed++;
      return undefined;
    }
  }

  /** What cannot be read, when that is not what was said last; and how often reading failed since. */
  report(): { readonly failing: readonly Subject[]; readonly failed: number } | undefined {
    const failing = [...this.#failing].toSorted();
    if (failing.join() === this.#told) return undefined;
    this.#told = failing.join();
    const failed = this.#failed;
    this.#failed = 0;
    return { failing, failed };
  }
}

export async function linesOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'latin1');
  if (text.length > MAX_CHARACTERS) throw new Unreadable('longer than the kernel makes it');
  return text.split('\n').filter((line) => line !== '');
}

/** Processes that we may see. */
export async function processCount(places: Places): Promise<number> {
  return (await readdir(places.proc)).filter((name) => /^[0-9]+$/.test(name)).length;
}

/** Share of the last minute in which somebody waited for it, 0 to 1. */
export async function pressure(places: Places, of: 'cpu' | 'memory' | 'io'): Promise<number> {
  const [some = ''] = await linesOf(`${places.proc}/pressure/${of}`);
  const share = /^some avg10=[0-9.]+ avg60=([0-9]{1,3}\.[0-9]{2}) /.exec(some)?.[1];
  if (share === undefined) throw new Unreadable('not as the kernel writes pressure');
  return Number(share) / 100;
}
