/** Names of users, from /etc/passwd, read again when it changes. Of two lines with one name or one number the first counts, as for the system. */
import { readFileSync, statSync } from 'node:fs';

export class UserNames {
  readonly #file: string;
  #names = new Map<number, string>();
  #ids = new Map<string, number>();
  #version = '';

  constructor(file = '/etc/passwd') {
    this.#file = file;
    this.refresh();
  }

  of(uid: number): string | undefined {
    return this.#names.get(uid);
  }

  /** Undefined where nobody here has that name. */
  idOf(name: string): number | undefined {
    return this.#ids.get(name);
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
    const users = fields.filter((f) => f.length >= 7);
    // A map keeps the last of equal keys.
    users.reverse();
    this.#names = new Map(users.map(([user = '', , uid]) => [Number(uid), user]));
    this.#ids = new Map(users.map(([user = '', , uid]) => [user, Number(uid)]));
  }
}
