/**
 * One process alone in a directory. The lock is the operating system's own, held through SQLite: it ends with the
 * process however that ends, so there is no stale lock to judge.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Throws when another process (or this one) holds the directory. */
export function lockDirectory(directory: string): Disposable {
  const file = join(directory, 'lock');
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new Error(`${file} is held by another process; stop that one first`, { cause });
  }
  return {
    [Symbol.dispose]: () => {
      if (database.isOpen) database.close();
    },
  };
}
