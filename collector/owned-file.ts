/** Files that a command changes in the directory of a service: whole or not at all, and the service's own afterwards. */
import {
  closeSync,
  existsSync,
  fchownSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

export function replaceOwned(file: string, text: string, mode: number): void {
  const { uid, gid } = statSync(existsSync(file) ? file : dirname(file));
  rmSync(`${file}.new`, { force: true });
  // Whoever does this is perhaps root, and the collector, whose directory this is, is not: no link of its making is followed.
  const made = openSync(`${file}.new`, 'wx', mode);
  try {
    writeSync(made, text);
    fchownSync(made, uid, gid);
    fsyncSync(made);
  } finally {
    closeSync(made);
  }
  renameSync(`${file}.new`, file);
}
