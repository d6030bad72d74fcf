/** The node's files, in memory, on a clock that a test moves. */
import { posix } from 'node:path';
import type { NodeFiles } from '../../../agent/node-files.ts';

export class FakeFiles implements NodeFiles {
  readonly #files = new Map<string, { text: string; inode: number; changedMs: number }>();
  readonly #directories = new Map([['/', 0]]);
  readonly hidden = new Set<string>();
  #inodes = 0;
  nowMs = 1_700_000_000_000;

  put(path: string, text = ''): void {
    this.#files.set(path, { text, inode: ++this.#inodes, changedMs: this.nowMs });
    this.#directories.set(posix.dirname(path), this.nowMs);
  }

  remove(path: string): void {
    this.#files.delete(path);
    this.#directories.set(posix.dirname(path), this.nowMs);
  }

  text(path: string): string {
    return this.#files.get(path)?.text ?? '';
  }

  look(path: string): ReturnType<NodeFiles['look']> {
    if ([...this.hidden].some((directory) => path.startsWith(directory))) return 'hidden';
    const directory = this.#directories.get(path);
    if (directory !== undefined) return { inode: 0, size: 0, changedMs: directory };
    const file = this.#files.get(path);
    return file === undefined ? 'absent' : { inode: file.inode, size: file.text.length, changedMs: file.changedMs };
  }

  read(path: string, limit: number): string | undefined {
    const text = this.#files.get(path)?.text;
    return text === undefined || text.length > limit ? undefined : text;
  }

  list(directory: string): readonly string[] {
    return [...this.#files.keys()]
      .filter((path) => path.startsWith(`${directory}/`))
      .map((path) => path.slice(directory.length + 1).split('/')[0] ?? '');
  }
}
