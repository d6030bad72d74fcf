/**
 * A collector's archive, checked by a stranger with public keys alone. Every byte counts
 * towards the log's signed root; every entry is a statement that its node signed; every chain
 * is whole; every number adds up; every body is there and is what was signed.
 *
 * What it cannot see: entries that were never logged, and a log cut off at its end — unless
 * someone brings a receipt or an older checkpoint. Then it sees those too.
 */
import { openApproval } from './approval.ts';
import { decodeEntry } from './entry.ts';
import { Holes } from './holes.ts';
import { leafHash, rootOf, type Hash } from './merkle.ts';
import { SumsTold } from './sums-told.ts';
import { entriesPath, readHashes, TILE_WIDTH, tilePath, tileWidth } from './tiles.ts';
import {
  approvalKey,
  noting,
  readLog,
  type Archive,
  type ArchiveReport,
  type Findings,
  type RegisteredNode,
} from './verify/archive.ts';
import { reportOf, verifyRestart, verifyStatement } from './verify/chains.ts';
import { verifyChange } from './verify/changes.ts';
import {
  compareTile,
  readBundle,
  verifyCosigned,
  verifyLogCheckpoint,
  verifyReceipts,
  verifyRoot,
  verifyUpperTiles,
} from './verify/log.ts';

export type { Archive, ArchiveReader, ArchiveReport, RestartReport } from './verify/archive.ts';
export { ARCHIVE_PROBLEM_CODES } from './verify/archive.ts';
export { bodyPath } from './verify/body.ts';

/** A signed size is only a number: an archive that is not there must not keep us busy for years. */
const MAX_PROBLEMS = 1000;

export async function verifyArchive(archive: Archive): Promise<ArchiveReport> {
  const findings: Findings = {
    problems: [],
    chains: new Map(),
    bodies: { present: 0, expired: 0, missing: 0 },
    approved: [],
    approvalKeys: new Set(),
    changes: [],
    linesChecked: 0,
    holes: new Holes(),
    sums: new SumsTold(),
  };
  const checkpoint = await verifyLogCheckpoint(archive, findings);
  if (checkpoint !== undefined) {
    const tileRoots = await verifyEntries(archive, checkpoint.size, findings);
    await verifyUpperTiles(archive, checkpoint.size, tileRoots, findings);
    await verifyRoot(archive, checkpoint, findings);
    await verifyReceipts(archive, checkpoint.size, findings);
  }
  for (const { where, message } of findings.holes.unexplained) findings.problems.push({ code: 'gap', where, message });
  const witnessed = checkpoint && (await verifyCosigned(archive, checkpoint.size, findings));
  return {
    ok: findings.problems.length === 0,
    origin: checkpoint?.origin,
    entries: checkpoint?.size ?? 0,
    witnessed,
    bodies: findings.bodies,
    receipts: archive.receipts?.length ?? 0,
    approved: archive.reviewers === undefined ? undefined : findings.approved,
    changes: findings.changes,
    linesChecked: findings.linesChecked,
    nodes: [...findings.chains.values()].map((chain) => reportOf(chain, findings.holes)),
    problems: findings.problems,
  };
}

/** Every entry against its level 0 tile and against its node. Returns the roots of the full tiles. */
async function verifyEntries(archive: Archive, size: number, findings: Findings): Promise<Hash[]> {
  const nodes = new Map(archive.nodes.map((node) => [node.name, node]));
  const roots: Hash[] = [];
  for (let index = 0; index * TILE_WIDTH < size; index++) {
    if (findings.problems.length >= MAX_PROBLEMS) {
      const where = `entry ${index * TILE_WIDTH}`;
      findings.problems.push({ code: 'too-many-problems', where, message: 'stopped here' });
      break;
    }
    const tile = { level: 0, index, width: tileWidth(0, index, size) };
    const bundle = await noting(findings, `log/${entriesPath(tile)}`, () => readBundle(archive, tile));
    const hashes = await noting(findings, `log/${tilePath(tile)}`, () => readHashes(readLog(archive), tile));
    const leaves = bundle?.map(leafHash);
    if (leaves && hashes) compareTile(`log/${tilePath(tile)}`, leaves, hashes, findings);
    if (tile.width === TILE_WIDTH) roots.push(rootOf(hashes ?? leaves ?? []));
    for (const [i, entry] of (bundle ?? []).entries()) {
      const at = index * TILE_WIDTH + i;
      await noting(findings, `entry ${at}`, () => verifyEntry(archive, nodes, entry, at, findings));
    }
  }
  return roots;
}

async function verifyEntry(
  archive: Archive,
  nodes: ReadonlyMap<string, RegisteredNode>,
  entry: Uint8Array,
  index: number,
  findings: Findings,
): Promise<void> {
  const where = `entry ${index}`;
  const decoded = decodeEntry(entry);
  if (decoded.kind === 'batch') return await verifyStatement(archive, nodes, decoded, index, findings);
  if (decoded.kind === 'restart') return verifyRestart(nodes, decoded, index, findings);
  if (decoded.kind === 'change') return await verifyChange(archive, entry, where, findings);
  if (decoded.kind === 'later') {
    const message = `${decoded.header}: verify with a later version`;
    findings.problems.push({ code: 'unknown-version', where, message });
    return;
  }
  if (archive.reviewers === undefined) return;
  const approved = openApproval(entry, archive.reviewers);
  if (approved === undefined) {
    findings.problems.push({ code: 'unapproved', where, message: 'too few reviewers signed this approval' });
    return;
  }
  findings.approved.push({ ...approved, where });
  findings.approvalKeys.add(approvalKey(approved));
}
