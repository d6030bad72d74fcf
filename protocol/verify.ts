/**
 * A collector's archive, checked by a stranger with public keys alone. Every byte counts
 * towards the log's signed root; every entry is a statement that its node signed; every chain
 * is whole; every number adds up; every body is there and is what was signed.
 *
 * What it cannot see: entries that were never logged, and a log cut off at its end — unless
 * someone brings a receipt or an older checkpoint. Then it sees those too.
 */
import { APPROVED_KINDS, openApproval, type Approval, type Reviewers } from './approval.ts';
import { unpackLines } from './batch.ts';
import {
  isChange,
  lineupPath,
  NO_LINEUP,
  NOTHING_DETECTS,
  openChange,
  parseLineup,
  type Change,
  type Lineup,
} from './change.ts';
import { openCheckpoint, type VerifiedCheckpoint } from './checkpoint.ts';
import type { CosignerKey } from './cosignature.ts';
import { decodeText, equalBytes, sha256Hex } from './encoding.ts';
import { decodeEntry } from './entry.ts';
import { ProtocolError, type ProtocolErrorCode, type RejectionCode } from './error.ts';
import { Holes, type Hole } from './holes.ts';
import { recordOf } from './line.ts';
import { leafHash, rootOf, treeRoot, type Hash, type ReadNode } from './merkle.ts';
import { verifyNote, type Note, type VerifierKey } from './note.ts';
import { parseReceipt, verifyReceipt } from './receipt.ts';
import { checkRestart, linkOf, type Restart, type RestartReason } from './restart.ts';
import {
  checkSuccession,
  lostIn,
  NO_RULES,
  PLACES,
  statementDigest,
  sumOf,
  type Counts,
  type Epochs,
  type Link,
  type Lost,
  type Place,
  type Role,
  type Statement,
} from './statement.ts';
import { SumsTold } from './sums-told.ts';
import { decodeEntries, entriesPath, readHashes, readNodesFrom, TILE_WIDTH, tilePath, tileWidth } from './tiles.ts';
import { CLASSES, EVENTS, isEventName, vocabularyDigest, type EventClass } from './vocabulary.ts';

/** Reads a file of the archive by its path; `undefined` when there is none. */
export interface ArchiveReader {
  readFile(path: string): Promise<Uint8Array | undefined>;
}

export interface RegisteredNode {
  readonly name: string;
  readonly key: VerifierKey;
  /** Keys that signed before, the latest first. */
  readonly formerKeys?: readonly VerifierKey[];
  readonly role?: Role;
  readonly cohort?: string;
}

export interface Archive {
  readonly reader: ArchiveReader;
  readonly logKey: VerifierKey;
  readonly nodes: readonly RegisteredNode[];
  readonly witnesses?: readonly CosignerKey[];
  /** How many of the witnesses must have cosigned `log/cosigned`; all of them unless said otherwise. */
  readonly quorum?: number;
  /** Who approves rules. Without them nobody can say whether the rules that batches name were approved, and nobody asks. */
  readonly reviewers?: Reviewers;
  /** What is wrong with a line that should be what a ruleset, given by its digest, releases. Without it nobody asks. */
  readonly checkLine?: (ruleset: string, line: string) => string | undefined;
  /** Whether `checkLine` knows enough to judge a line of another vocabulary than ours; without it nobody asks of those. */
  readonly canJudge?: (ruleset: string, line: string) => boolean;
  /** Receipts that nodes or auditors kept: proof against a log rewritten or cut off since. */
  readonly receipts?: readonly { readonly where: string; readonly bytes: Uint8Array }[];
  /** Bodies that end before this time (µs since 1970) may have been removed by retention. */
  readonly bodiesSince?: number;
}

/** What can be wrong with an archive beyond what can be wrong with its parts. */
export const ARCHIVE_PROBLEM_CODES = {
  'no-checkpoint': 'There is no log/checkpoint.',
  'unsigned-checkpoint': "The checkpoint is not signed by the log's key.",
  unwitnessed: 'Fewer witnesses than asked for cosigned a checkpoint of this log.',
  'tile-mismatch': 'A tile does not hold the hashes of what lies below it.',
  'root-mismatch': 'The tiles do not add up to the root that the log signed.',
  unapproved:
    'An approval that too few reviewers signed, or a batch whose rules were not approved in the log before it.',
  'wrong-change':
    'A change of what detects that the log did not sign, that does not follow the one before, or whose line-up says otherwise.',
  'missing-body': 'A body is not there, and not old enough to have expired.',
  'wrong-receipt': 'A receipt that does not prove what it says.',
  rewritten: 'A receipt shows a log that this log is not the continuation of.',
  'too-many-problems': 'The entries after this one were not looked at.',
} as const;

/** A signed size is only a number: an archive that is not there must not keep us busy for years. */
const MAX_PROBLEMS = 1000;

export interface ArchiveProblem {
  readonly code: keyof typeof ARCHIVE_PROBLEM_CODES | ProtocolErrorCode | RejectionCode;
  readonly where: string;
  readonly message: string;
}

/** Where a chain was begun anew, and between which times (µs since 1970) nobody can say what is missing. */
export interface RestartReport {
  readonly sequence: number;
  readonly reason: RestartReason;
  readonly where: string;
  /** The latest event before it; 0 where there was none. */
  readonly from: number;
  readonly to: number;
}

export interface NodeReport {
  readonly name: string;
  readonly batches: number;
  /** Sequence numbers. */
  readonly first: number;
  readonly last: number;
  readonly events: number;
  readonly lost: number;
  readonly lostBy: Lost;
  /** Batches, and the events in them, that were damaged before they came, as the node itself says. */
  readonly damaged: { readonly batches: number; readonly events: number };
  /** Microseconds since 1970. */
  readonly lastTime: number;
  readonly restarts: readonly RestartReport[];
  /** Of the pseudonyms, over all batches that named some; undefined where none did. Lengths and scopes are the last ones. */
  readonly epochs: Epochs | undefined;
}

/** An approval and where in the log it stands. */
export interface ApprovedEntry extends Approval {
  readonly where: string;
  readonly reviewers: readonly string[];
}

/** A change of what detects, and where in the log it stands. */
export interface ChangeEntry extends Change {
  readonly where: string;
}

export interface Witnessed {
  /** Entries of the log. */
  readonly size: number;
  /** When, in seconds since 1970, as they say. */
  readonly by: readonly { readonly name: string; readonly time: number }[];
}

export interface ArchiveReport {
  readonly ok: boolean;
  readonly origin: string | undefined;
  /** Entries of the log. */
  readonly entries: number;
  /** What enough witnesses saw of it; undefined where nobody asked, and where too few did. */
  readonly witnessed: Witnessed | undefined;
  readonly bodies: { readonly present: number; readonly expired: number; readonly missing: number };
  readonly receipts: number;
  /** Every approval in the log that enough reviewers signed; undefined where nobody said who they are. */
  readonly approved: readonly ApprovedEntry[] | undefined;
  /** Every change of what detects that the log signed, oldest first. */
  readonly changes: readonly ChangeEntry[];
  /** Released lines that were held against their ruleset. */
  readonly linesChecked: number;
  readonly nodes: readonly NodeReport[];
  readonly problems: readonly ArchiveProblem[];
}

/** The last entry of a node that was found good, and what was counted on the way. */
interface Chain {
  readonly node: string;
  /** The last statement, or what a restart leaves. */
  last: Statement | Link;
  /** Where it stands in the log. */
  index: number;
  /** How old the key is that signed it: 0 the registered one, then the former ones. */
  age: number;
  /** Of the statements that restarts left behind. */
  readonly left: Statement[];
  readonly restarts: RestartReport[];
  readonly first: number;
  batches: number;
  events: number;
  lastTime: number;
  epochs: Epochs | undefined;
}

interface Findings {
  readonly problems: ArchiveProblem[];
  readonly chains: Map<string, Chain>;
  readonly bodies: { present: number; expired: number; missing: number };
  /** Those that stand in the log so far. */
  readonly approved: ApprovedEntry[];
  readonly changes: ChangeEntry[];
  linesChecked: number;
  readonly holes: Holes;
  readonly sums: SumsTold;
}

export async function verifyArchive(archive: Archive): Promise<ArchiveReport> {
  const findings: Findings = {
    problems: [],
    chains: new Map(),
    bodies: { present: 0, expired: 0, missing: 0 },
    approved: [],
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

/** Losses of all segments of the chain, which each count their own. */
function reportOf(
  { node, last, left, restarts, first, batches, events, lastTime, epochs }: Chain,
  holes: Holes,
): NodeReport {
  const statements = 'seen' in last ? [...left, last] : left;
  const lostBy = statements.map(({ lost }) => lost).reduce(addLost, {});
  const lost = statements.reduce((sum, one) => sum + CLASSES.reduce((more, name) => more + lostIn(one, name), 0), 0);
  const counted = { batches, events, lost, lostBy, damaged: holes.explained(node), lastTime, epochs };
  return { name: node, first, last: last.sequence, restarts, ...counted };
}

function addLost(a: Lost, b: Lost): Lost {
  const sumAt = (place: Place): Counts => {
    const counts = CLASSES.map((name) => [name, (a[place]?.[name] ?? 0) + (b[place]?.[name] ?? 0)] as const);
    return Object.fromEntries(counts.filter(([, n]) => n > 0));
  };
  return Object.fromEntries(PLACES.filter((place) => a[place] ?? b[place]).map((place) => [place, sumAt(place)]));
}

/** Runs a check; wrong bytes become a problem at `where`, anything else is not ours to explain. */
async function noting<T>(findings: Findings, where: string, check: () => Promise<T> | T): Promise<T | undefined> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    findings.problems.push({ code: error.code, where, message: error.message });
    return undefined;
  }
}

async function verifyLogCheckpoint(archive: Archive, findings: Findings): Promise<VerifiedCheckpoint | undefined> {
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
async function verifyCosigned(archive: Archive, size: number, findings: Findings): Promise<Witnessed | undefined> {
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

const readLog =
  (archive: Archive) =>
  async (path: string): Promise<Uint8Array | undefined> =>
    await archive.reader.readFile(`log/${path}`);

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

async function readBundle(
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

function compareTile(where: string, expected: readonly Hash[], found: readonly Hash[], findings: Findings): void {
  const differs = found.findIndex((hash, i) => {
    const other = expected[i];
    return other === undefined || !equalBytes(hash, other);
  });
  if (differs < 0) return;
  findings.problems.push({ code: 'tile-mismatch', where, message: `hash ${differs} is not that of what lies below` });
}

/** Each hash of a tile above level 0 is the root of a full tile below it. */
async function verifyUpperTiles(
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

async function verifyRoot(archive: Archive, { size, root }: VerifiedCheckpoint, findings: Findings): Promise<void> {
  const nodes = readNodesFrom(readLog(archive), size);
  await noting(findings, 'log/checkpoint', async () => {
    if (equalBytes(await treeRoot(size, nodes), root)) return;
    findings.problems.push({ code: 'root-mismatch', where: 'log/checkpoint', message: 'the tiles have another root' });
  });
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
  if (approved !== undefined) findings.approved.push({ ...approved, where });
  else findings.problems.push({ code: 'unapproved', where, message: 'too few reviewers signed this approval' });
}

/** By the log, after the one before, and true of the line-ups that it names. */
async function verifyChange(archive: Archive, entry: Uint8Array, where: string, findings: Findings): Promise<void> {
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

/** The first of the rules that a statement names which nobody approved for its role and vocabulary before. */
function unapprovedIn(statement: Statement, approved: readonly ApprovedEntry[]): string | undefined {
  const { vocabulary, role } = statement;
  return APPROVED_KINDS.map((kind) => ({ kind, digest: statement[kind] })).find(
    ({ kind, digest }) =>
      digest !== NO_RULES &&
      !approved.some(
        (one) =>
          one.kind === kind &&
          one.digest === digest &&
          one.vocabulary === vocabulary &&
          (one.role === role || one.role === 'any'),
      ),
  )?.digest;
}

async function verifyStatement(
  archive: Archive,
  nodes: ReadonlyMap<string, RegisteredNode>,
  { note, statement }: { readonly note: Note; readonly statement: Statement },
  index: number,
  findings: Findings,
): Promise<void> {
  const where = `entry ${index} (${statement.node} #${statement.sequence})`;
  const problem = (code: ArchiveProblem['code'], message: string): void => {
    findings.problems.push({ code, where, message });
  };
  const node = nodes.get(statement.node);
  if (node === undefined) return problem('unknown-node', 'no such node is registered');
  const chain = findings.chains.get(statement.node);
  const age = ageOfKey(node, note, chain);
  if (age === undefined) return problem('bad-signature', 'not signed by the registered key');
  if (statement.role !== (node.role ?? statement.role) || statement.cohort !== (node.cohort ?? statement.cohort)) {
    problem('wrong-role', 'registered with another role or cohort');
  }
  if (archive.reviewers !== undefined) {
    const unapproved = unapprovedIn(statement, findings.approved);
    if (unapproved !== undefined) problem('unapproved', `rules ${unapproved.slice(0, 12)} were not approved before`);
  }
  for (const { code, message } of checkSuccession(chain?.last, statement)) {
    // Until all is read nobody knows whether the node owns up to it.
    if (code === 'gap') findings.holes.add(holeBefore(statement, chain?.last, where, message));
    else problem(code, message);
  }
  extendChain(findings, chain, statement, { index, age });
  await noting(findings, where, () => verifyBody(archive, statement, where, findings));
}

function holeBefore(after: Statement, before: Statement | Link | undefined, where: string, message: string): Hole {
  // Counters begin anew after a restart.
  const released = before !== undefined && 'seen' in before ? sumOf(before.released) : 0;
  const events = sumOf(after.released) - sumOf(after.events) - released;
  return { node: after.node, first: (before?.sequence ?? 0) + 1, last: after.sequence - 1, events, where, message };
}

/** Which of its node's keys signed a note. A key that was replaced signs nothing after its successor did. */
function ageOfKey(node: RegisteredNode, note: Note, chain: Chain | undefined): number | undefined {
  const { name, key, formerKeys = [] } = node;
  const keys = [key, ...formerKeys].slice(0, (chain?.age ?? formerKeys.length) + 1);
  const age = keys.findIndex((one) => one.name === name && verifyNote(note, [one]) !== undefined);
  return age < 0 ? undefined : age;
}

/** The chain goes on from there, if it is where the chain ended. */
function verifyRestart(
  nodes: ReadonlyMap<string, RegisteredNode>,
  { note, restart }: { readonly note: Note; readonly restart: Restart },
  index: number,
  { problems, chains, sums }: Findings,
): void {
  const where = `entry ${index} (${restart.node} #${restart.sequence})`;
  const node = nodes.get(restart.node);
  const chain = chains.get(restart.node);
  const age = node && ageOfKey(node, note, chain);
  if (age === undefined) {
    problems.push({ code: 'bad-signature', where, message: 'not signed by the registered key' });
    return;
  }
  const last = chain && { ...chain.last, digest: digestOf(chain.last), index: chain.index };
  const message = checkRestart(last, restart);
  if (message !== undefined) problems.push({ code: 'wrong-anchor', where, message });
  if (chain === undefined || message !== undefined) return;
  if ('seen' in chain.last) chain.left.push(chain.last);
  sums.begin(restart.node);
  const { sequence, reason, time } = restart;
  chain.restarts.push({ sequence, reason, where: `entry ${index}`, from: chain.lastTime, to: time });
  Object.assign(chain, { last: linkOf(restart), index, age });
}

const digestOf = (last: Statement | Link): string => ('seen' in last ? statementDigest(last) : last.digest);

/** A statement out of its place is reported, and the chain goes on from the highest number. */
function extendChain(
  { chains }: Findings,
  chain: Chain | undefined,
  statement: Statement,
  placed: Pick<Chain, 'index' | 'age'>,
): void {
  const events = sumOf(statement.events);
  if (chain === undefined) {
    const { node, sequence, time } = statement;
    const epochs = widened(undefined, statement);
    const counted = { first: sequence, batches: 1, events, lastTime: time.last, epochs };
    chains.set(node, { node, last: statement, ...placed, left: [], restarts: [], ...counted });
  } else if (statement.sequence > chain.last.sequence) {
    Object.assign(chain, placed);
    chain.last = statement;
    chain.batches += 1;
    chain.events += events;
    chain.lastTime = Math.max(chain.lastTime, statement.time.last);
    chain.epochs = widened(chain.epochs, statement);
  }
}

/** With another length epochs are counted anew. */
function widened(before: Epochs | undefined, { epochs }: Statement): Epochs | undefined {
  if (epochs === undefined || epochs === 'none') return before;
  if (before?.hours !== epochs.hours) return epochs;
  return { ...epochs, first: Math.min(before.first, epochs.first), last: Math.max(before.last, epochs.last) };
}

/** Where the body with this hash lies. */
export function bodyPath(sha256: string): string {
  return `evidence/${sha256.slice(0, 2)}/${sha256}.ndjson.zst`;
}

async function verifyBody(archive: Archive, statement: Statement, where: string, findings: Findings): Promise<void> {
  const { body, events, time, vocabulary } = statement;
  const bytes = await archive.reader.readFile(bodyPath(body.sha256));
  if (bytes === undefined) {
    const expired = time.last < (archive.bodiesSince ?? 0);
    findings.bodies[expired ? 'expired' : 'missing'] += 1;
    if (!expired) findings.problems.push({ code: 'missing-body', where, message: bodyPath(body.sha256) });
    return;
  }
  findings.bodies.present += 1;
  if (bytes.length !== body.bytes || sha256Hex(bytes) !== body.sha256) {
    throw new ProtocolError('body-mismatch', `${bodyPath(body.sha256)} has another length or hash`);
  }
  const lines = unpackLines(bytes, body.unpacked, events);
  checkLines(archive, statement, lines, where, findings);
  findings.holes.hear(statement.node, statement.sequence, lines);
  const uncounted = findings.sums.hear(statement, lines);
  if (uncounted !== undefined) findings.problems.push({ code: 'wrong-events', where, message: uncounted });
  const found = countByClass(lines, vocabulary === vocabularyDigest());
  if (found === undefined || CLASSES.every((name) => (found[name] ?? 0) === (events[name] ?? 0))) return;
  findings.problems.push({ code: 'wrong-events', where, message: 'the body holds other classes than stated' });
}

/** A sender need not have redacted: what its ruleset releases can be asked of every line again. */
function checkLines(
  { checkLine, canJudge = () => false }: Archive,
  { ruleset, vocabulary }: Statement,
  lines: readonly string[],
  where: string,
  findings: Findings,
): void {
  if (checkLine === undefined || ruleset === NO_RULES) return;
  const isOurs = vocabulary === vocabularyDigest();
  for (const [at, line] of lines.entries()) {
    if (!isOurs && !canJudge(ruleset, line)) continue;
    const message = checkLine(ruleset, line);
    if (message !== undefined) {
      findings.problems.push({ code: 'not-released', where, message: `line ${at + 1}: ${message}` });
      return;
    }
    findings.linesChecked += 1;
  }
}

/** `undefined` when a line speaks a vocabulary that is not ours, so that its classes are not known. */
function countByClass(lines: readonly string[], isOurs: boolean): Counts | undefined {
  const counts: Partial<Record<EventClass, number>> = {};
  for (const line of lines) {
    const name = eventOf(line);
    if (isEventName(name)) {
      const { class: eventClass } = EVENTS[name];
      counts[eventClass] = (counts[eventClass] ?? 0) + 1;
    } else if (isOurs) {
      throw new ProtocolError('bad-body', 'a line names an event that the vocabulary does not have');
    } else {
      return undefined;
    }
  }
  return counts;
}

function eventOf(line: string): string {
  const record = recordOf(line);
  if (record === undefined) throw new ProtocolError('bad-body', 'a line is not a JSON object');
  const { event, time } = record;
  if (typeof event === 'string' && Number.isSafeInteger(time)) return event;
  throw new ProtocolError('bad-body', 'a line is not an event with a time');
}

async function verifyReceipts(archive: Archive, size: number, findings: Findings): Promise<void> {
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
