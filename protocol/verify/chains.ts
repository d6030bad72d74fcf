/** The chains of nodes: each statement and each restart after the one before it, signed by who was registered then. */
import { APPROVED_KINDS } from '../approval.ts';
import type { Hole, Holes } from '../holes.ts';
import { verifyNote, type Note } from '../note.ts';
import { checkRestart, linkOf, type Restart } from '../restart.ts';
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
  type Statement,
} from '../statement.ts';
import { CLASSES } from '../vocabulary.ts';
import {
  approvalKey,
  noting,
  type Archive,
  type ArchiveProblem,
  type Chain,
  type Findings,
  type NodeReport,
  type RegisteredNode,
} from './archive.ts';
import { verifyBody } from './body.ts';

/** Losses of all segments of the chain, which each count their own. */
export function reportOf(
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

/** The first of the rules that a statement names which nobody approved for its role and vocabulary before. */
function unapprovedIn(
  { vocabulary, role, ...statement }: Statement,
  approved: ReadonlySet<string>,
): string | undefined {
  return APPROVED_KINDS.map((kind) => ({ kind, digest: statement[kind], vocabulary })).find(
    (asked) =>
      asked.digest !== NO_RULES &&
      !approved.has(approvalKey({ ...asked, role })) &&
      !approved.has(approvalKey({ ...asked, role: 'any' })),
  )?.digest;
}

export async function verifyStatement(
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
    const unapproved = unapprovedIn(statement, findings.approvalKeys);
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
export function verifyRestart(
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
