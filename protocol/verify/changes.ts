/** Changes of what detects: by the log, each after the one before, and true of the line-ups that they name. */
import { isChange, lineupPath, NO_LINEUP, NOTHING_DETECTS, openChange, parseLineup, type Lineup } from '../change.ts';
import { decodeText, sha256Hex } from '../encoding.ts';
import type { Archive, Findings } from './archive.ts';

export async function verifyChange(
  archive: Archive,
  entry: Uint8Array,
  where: string,
  findings: Findings,
): Promise<void> {
  const problem = (message: string): void => void findings.problems.push({ code: 'wrong-change', where, message });
  const change = openChange(entry, archive.logKey);
  if (change === undefined) return problem('not signed by the key of the log');
  const last = findings.changes.at(-1)?.after ?? NO_LINEUP;
  findings.changes.push({ ...change, where });
  if (change.before !== last) return problem('does not follow the change before it');
  const [before, after] = [await readLineup(archive, change.before), await readLineup(archive, change.after)];
  if (before === undefined || after === undefined) return problem('a line-up is missing, or not what was hashed');
  if (!isChange(change, before, after)) problem('lists other changes than those of its line-ups');
}

async function readLineup({ reader }: Archive, digest: string): Promise<Lineup | undefined> {
  if (digest === NO_LINEUP) return NOTHING_DETECTS;
  const bytes = await reader.readFile(lineupPath(digest));
  return bytes === undefined || sha256Hex(bytes) !== digest ? undefined : parseLineup(decodeText(bytes));
}
