/** The log itself: its checkpoint, its tiles, what witnesses saw of it, and receipts that somebody kept. */
import { openCheckpoint, type VerifiedCheckpoint } from '../checkpoint.ts';
import { equalBytes } from '../encoding.ts';
import { ProtocolError } from '../error.ts';
import { rootOf, treeRoot, type Hash, type ReadNode } from '../merkle.ts';
import { parseReceipt, verifyReceipt } from '../receipt.ts';
import { decodeEntries, entriesPath, readHashes, readNodesFrom, TILE_WIDTH, tilePath, tileWidth } from '../tiles.ts';
import { noting, readLog, type Archive, type ArchiveProblem, type Findings, type Witnessed } from './archive.ts';

export async function verifyLogCheckpoint(
  archive: Archive,
  findings: Findings,
): Promise<VerifiedCheckpoint | undefined> {
  const where = 'log/checkpoint';
  const bytes = await archive.reader.readFile(where);
  if (bytes === undefined) {
    findings.problems.push({ code: 'no-checkpoint', where, message: 'no such file' });
    return undefined;
  }
  return await noting(findings, where, () => {
    const checkpoint = openCheckpoint(bytes, archive.logKey);
    if (checkpoint !== undefined) return checkpoint;
    const message = `not signed as ${archive.logKey.name} should`;
    findings.problems.push({ code: 'unsigned-checkpoint', where, message });
    return undefined;
  });
}

/** The last checkpoint that enough witnesses cosigned; this log must be its continuation. */
export async function verifyCosigned(
  archive: Archive,
  size: number,
  findings: Findings,
): Promise<Witnessed | undefined> {
  const { logKey, witnesses = [], quorum = witnesses.length } = archive;
  if (witnesses.length === 0) return undefined;
  const where = 'log/cosigned';
  return await noting(findings, where, async () => {
    const bytes = await archive.reader.readFile(where);
    const cosigned = bytes && openCheckpoint(bytes, logKey, witnesses);
    const problem = (code: ArchiveProblem['code'], message: string): undefined => {
      findings.problems.push({ code, where, message });
    };
    const by = cosigned?.cosignatures ?? [];
    if (cosigned === undefined || by.length < quorum)
      return problem('unwitnessed', `${by.length} of the ${quorum} witnesses that are asked for cosigned it`);
    if (cosigned.size > size) return problem('rewritten', `they saw ${cosigned.size} entries, now there are ${size}`);
    const root = await treeRoot(cosigned.size, readNodesFrom(readLog(archive), size));
    if (!equalBytes(root, cosigned.root))
      return problem('rewritten', `the first ${cosigned.size} entries are not those that they saw`);
    return { size: cosigned.size, by: by.map(({ witness, time }) => ({ name: witness.name, time })) };
  });
}

export async function readBundle(
  archive: Archive,
  bundle: { readonly index: number; readonly width: number },
): Promise<readonly Uint8Array[]> {
  const read = readLog(archive);
  const bytes = await read(entriesPath(bundle));
  if (bytes !== undefined) return decodeEntries(bytes, bundle.width);
  // A partial bundle may have been removed once the full one was there.
  const full = await read(entriesPath({ index: bundle.index, width: TILE_WIDTH }));
  if (full === undefined) throw new ProtocolError('bad-tile', 'the entry bundle is missing');
  return decodeEntries(full, TILE_WIDTH).slice(0, bundle.width);
}

export function compareTile(
  where: string,
  expected: readonly Hash[],
  found: readonly Hash[],
  findings: Findings,
): void {
  const differs = found.findIndex((hash, i) => {
    const other = expected[i];
    return other === undefined || !equalBytes(hash, other);
  });
  if (differs < 0) return;
  findings.problems.push({ code: 'tile-mismatch', where, message: `hash ${differs} is not that of what lies below` });
}

/** Each hash of a tile above level 0 is the root of a full tile below it. */
export async function verifyUpperTiles(
  archive: Archive,
  size: number,
  tileRoots: readonly Hash[],
  findings: Findings,
): Promise<void> {
  let below = tileRoots;
  for (let level = 1; below.length > 0; level++) {
    const roots: Hash[] = [];
    for (let index = 0; index * TILE_WIDTH < below.length; index++) {
      const tile = { level, index, width: tileWidth(level, index, size) };
      const where = `log/${tilePath(tile)}`;
      const expected = below.slice(index * TILE_WIDTH, (index + 1) * TILE_WIDTH);
      const hashes = await noting(findings, where, () => readHashes(readLog(archive), tile));
      if (hashes !== undefined) compareTile(where, expected, hashes, findings);
      if (tile.width === TILE_WIDTH) roots.push(rootOf(expected));
    }
    below = roots;
  }
}

export async function verifyRoot(
  archive: Archive,
  { size, root }: VerifiedCheckpoint,
  findings: Findings,
): Promise<void> {
  const nodes = readNodesFrom(readLog(archive), size);
  await noting(findings, 'log/checkpoint', async () => {
    if (equalBytes(await treeRoot(size, nodes), root)) return;
    findings.problems.push({ code: 'root-mismatch', where: 'log/checkpoint', message: 'the tiles have another root' });
  });
}

export async function verifyReceipts(archive: Archive, size: number, findings: Findings): Promise<void> {
  const nodes = readNodesFrom(readLog(archive), size);
  for (const { where, bytes } of archive.receipts ?? []) {
    await noting(findings, where, async () => {
      const problem = await verifyKeptReceipt(archive, size, bytes, nodes);
      if (problem !== undefined) findings.problems.push({ ...problem, where });
    });
  }
}

async function verifyKeptReceipt(
  archive: Archive,
  size: number,
  receipt: Uint8Array,
  nodes: ReadNode,
): Promise<Pick<ArchiveProblem, 'code' | 'message'> | undefined> {
  const { logKey } = archive;
  const { index, checkpoint } = parseReceipt(receipt);
  const kept = openCheckpoint(checkpoint, logKey);
  if (kept === undefined || index >= kept.size) {
    return { code: 'wrong-receipt', message: 'not signed by the log, or for an entry beyond its size' };
  }
  if (kept.size > size) return { code: 'rewritten', message: `the log had ${kept.size} entries, now ${size}` };
  if (!equalBytes(await treeRoot(kept.size, nodes), kept.root)) {
    return { code: 'rewritten', message: `the first ${kept.size} entries are not those of the receipt` };
  }
  const bundle = Math.floor(index / TILE_WIDTH);
  const entries = await readBundle(archive, { index: bundle, width: tileWidth(0, bundle, size) });
  const noteBytes = entries[index % TILE_WIDTH] ?? new Uint8Array();
  if (verifyReceipt({ noteBytes, receipt, logKey }) !== undefined) return undefined;
  return { code: 'wrong-receipt', message: 'proves another entry' };
}
