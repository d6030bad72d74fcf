/** A SQLite database, asked with statements that are prepared once; rows are read by column, with the type that the column has. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';

export type Row = Record<string, SQLInputValue | undefined>;

export class Database implements Disposable {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  /** All of the work or none of it. */
  transaction<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const made = this.#database.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }

  run(sql: string, ...values: readonly SQLInputValue[]): { readonly changes: number | bigint } {
    return this.#prepared(sql).run(...values);
  }

  row(sql: string, ...values: readonly SQLInputValue[]): Row | undefined {
    return this.#prepared(sql).get(...values);
  }

  rows(sql: string, ...values: readonly SQLInputValue[]): readonly Row[] {
    return this.#prepared(sql).all(...values);
  }
}

export const text = (value: SQLInputValue | undefined): string => (typeof value === 'string' ? value : '');
export const number = (value: SQLInputValue | undefined): number => Number(value ?? 0);
export const parseJson = (value: SQLInputValue | undefined): unknown => JSON.parse(text(value));
