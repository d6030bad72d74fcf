/** The oracle of the spool: derives again from the disk what must always hold there. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { decodeBatch, unpackBody, verifyBatch } from '#protocol/batch.ts';
import { NO_PREVIOUS, statementDigest, type Statement } from '#protocol/statement.ts';
import { realDisk } from '../../agent/disk.ts';
import { FileSpool } from '../../agent/spool.ts';
import { nodeKey } from '../protocol/sample.ts';

/** What a test knows of a spool from outside. */
export interface Memory {
  /** Digest of every statement that anybody could read, by number, for ever. */
  readonly shown: Map<number, string>;
  /** Numbers that `append` returned from and that were not forgotten. */
  readonly promised: Set<number>;
}

export const newMemory = (): Memory => ({ shown: new Map(), promised: new Set() });

/** Everything under its own name is a whole batch; no number stands for two statements; what is promised is there. */
export function readWhole(directory: string, memory: Memory): readonly Statement[] {
  const names = readdirSync(directory).filter((name) => name.endsWith('.batch'));
  const statements = names.toSorted().map((name) => {
    const batch = verifyBatch(nodeKey.verifier, decodeBatch(readFileSync(join(directory, name))));
    if (batch === undefined) throw new Error(`${name} is not signed`);
    unpackBody(batch);
    expect(name).toBe(`${String(batch.statement.sequence).padStart(16, '0')}.batch`);
    return batch.statement;
  });
  for (const statement of statements) show(statement, memory);
  for (const [i, statement] of statements.entries()) {
    const before = statements[i - 1];
    if (before !== undefined) expect(statement.sequence).toBe(before.sequence + 1);
    const known = memory.shown.get(statement.sequence - 1);
    if (known !== undefined) expect(statement.previous).toBe(known);
    if (statement.sequence === 1) expect(statement.previous).toBe(NO_PREVIOUS);
  }
  return statements;
}

function show(statement: Statement, { shown }: Memory): void {
  const digest = statementDigest(statement);
  expect(shown.get(statement.sequence) ?? digest, `number ${statement.sequence} used twice`).toBe(digest);
  shown.set(statement.sequence, digest);
}

/** As after any crash: the bytes as they lie, then opened again. Returns the spool that goes on from here. */
export async function checkSpool(directory: string, memory: Memory, limit = 1 << 20): Promise<FileSpool> {
  readWhole(directory, memory);
  const spool = await FileSpool.open(directory, nodeKey, limit, realDisk);
  const statements = readWhole(directory, memory);
  expect(spool.waiting).toEqual(statements.map(({ sequence }) => sequence));
  for (const sequence of memory.promised) expect(spool.waiting).toContain(sequence);
  expect(readdirSync(directory).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  const last = statements.at(-1);
  if (last !== undefined) expect(spool.last).toEqual(last);
  if (spool.last !== undefined) {
    show(spool.last, memory);
    expect(Math.max(...memory.shown.keys())).toBe(spool.last.sequence);
  } else expect(memory.shown.size).toBe(0);
  expect(spool.bytes).toBe(
    readdirSync(directory)
      .filter((name) => name.endsWith('.batch'))
      .reduce((sum, name) => sum + readFileSync(join(directory, name)).length, 0),
  );
  return spool;
}
