/** Names of users, from /etc/passwd, read again when it changes. */
import { readFileSync, statSync } from 'node:fs';

export class UserNames {
  readonly #file: string;
  #names = new Map<number, string>();
  #version = '';

  constructor(file = '/etc/passwd') {
    this.#file = file;
    this.refresh();
  }

  of(uid: number): string | undefined {
    return this.#names.get(uid);
  }

  refresh(): void {
    const stat = statSync(this.#file, { throwIfNoEntry: false });
    const version = stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
    if (version === this.#version) return;
    this.#version = version;
    const fields =
      stat === undefined
        ? []
        : readFileSync(this.#file, 'utf8')
            .split('\n')
            .map((line) => line.split(':'));
    this.#names = new Map(fields.filter((f) => f.length >= 7).map(([user = '', , uid]) => [Number(uid), user]));
  }
}
