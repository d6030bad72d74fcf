/** What detected when: the changes as they stand in the log, each with the proof that it does, and what waits to be put in force. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { changesBetween, formatChange, type ItemChange, type Lineup } from '#protocol/change.ts';
import { openCheckpoint } from '#protocol/checkpoint.ts';
import { proveInclusion } from '#protocol/merkle.ts';
import { parseVerifierKey } from '#protocol/note.ts';
import { formatReceipt, verifyReceipt } from '#protocol/receipt.ts';
import { readNodesFrom } from '#protocol/tiles.ts';
import { isMissing } from '../disk.ts';
import { loggedLineup } from '../in-force.ts';
import type { ChangeRow } from '../state.ts';
import { entryAt } from './replay.ts';

export interface ProvenChange extends ChangeRow {
  /** A tlog-proof under the checkpoint of now. */
  readonly proof: string;
  /** The proof, the log's signature and the entry fit together, and the entry says what the row does. */
  readonly isProven: boolean;
}

export async function proveChanges(home: string, rows: readonly ChangeRow[]): Promise<readonly ProvenChange[]> {
  const logKey = parseVerifierKey(readFileSync(join(home, 'log.pub'), 'utf8').trim());
  const checkpoint = readFileSync(join(home, 'log/checkpoint'));
  const size = openCheckpoint(checkpoint, logKey)?.size ?? 0;
  const nodes = readNodesFrom((path) => readIfThere(join(home, 'log', path)), size);
  return await Promise.all(
    rows.map(async (row) => {
      const { logIndex: index } = row;
      const proof = formatReceipt({ index, proof: await proveInclusion(index, size, nodes), checkpoint });
      const noteBytes = entryAt(home, index, size);
      const says = Buffer.from(noteBytes)
        .toString('utf8')
        .startsWith(`${formatChange(row)}\n`);
      const isProven = says && verifyReceipt({ noteBytes, receipt: Buffer.from(proof), logKey }) !== undefined;
      return { ...row, proof, isProven };
    }),
  );
}

async function readIfThere(file: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** What an apply would change, by names alone. */
export const waitingIn = (home: string, rows: readonly ChangeRow[], onDisk: Lineup): readonly ItemChange[] =>
  changesBetween(loggedLineup(home, rows.at(-1)?.after), onDisk);

const SHOWN = 12;

export function describeItems(
  items: readonly ItemChange[],
  all: number,
  titleOf: (item: ItemChange) => string,
): string {
  const lines = items.slice(0, SHOWN).map((item) => `    ${item.how} ${item.kind} ${titleOf(item)}\n`);
  return `${lines.join('')}${all > lines.length ? `    … and ${all - lines.length} more\n` : ''}`;
}

export function describeChanges(changes: readonly ProvenChange[], titleOf: (item: ItemChange) => string): string {
  return changes
    .map(({ time, who, reason, listed, changes: all, after, logIndex, isProven }) => {
      const proof = isProven
        ? `proven to be entry ${logIndex} of the log`
        : `NOT PROVEN to be entry ${logIndex} of the log`;
      const at = new Date(time / 1_000).toISOString();
      return `${at} ${who}: ${reason}\n  ${proof}; line-up ${after.slice(0, 12)}\n${describeItems(listed, all, titleOf)}`;
    })
    .join('');
}
