/**
 * The collector, end to end. Read this file first.
 *
 *     receive -> verify -> validate -> evidence -> log -> receipt      accept()
 *                                      evidence -> detect -> alert       watch()
 *
 * accept() is on the node's clock and does only what a receipt promises: the batch is its node's, holds nothing but
 * released events, lies on the disk, and is in the log. watch() follows the log at its own pace from a cursor of its
 * own, so a slow or broken detector can neither delay a receipt nor miss an event; a replay is watch() again.
 *
 * The types are the line: ClaimedBatch -> VerifiedBatch -> ReleasedBatch -> StoredBatch, each made in one place.
 */
import { decodeBatch, encodeBatch, verifyBatch, type VerifiedBatch } from '#protocol/batch.ts';
import { sha256Hex } from '#protocol/encoding.ts';
import { Rejection } from '#protocol/error.ts';
import { isRestart } from '#protocol/restart.ts';
import { NO_RULES } from '#protocol/statement.ts';
import type { Approved } from './approvals.ts';
import type { Chains, Queued } from './chains.ts';
import type { Detection } from './detectors/detection.ts';
import { checkEpochs, type EpochRules } from './epochs.ts';
import type { EvidenceStore } from './evidence.ts';
import type { TransparencyLog } from './log.ts';
import type { RegisteredNode } from './registry.ts';
import {
  checkReleased,
  nothingIsReleased,
  OUR_VOCABULARY,
  type ReleasedBatch,
  type ReleasedValidator,
} from './released.ts';
import { acceptRestart } from './restart.ts';
import type { State } from './state.ts';
import { detect, NOTHING, type Follower } from './watch.ts';

/** What accept() asks, and where it puts things. */
export interface Collector {
  readonly registry: { node(name: string): RegisteredNode | undefined };
  readonly rulesets: {
    validatorOf(digest: string): ReleasedValidator | undefined;
    epochsOf(digest: string): EpochRules | undefined;
    isUnreadable(digest: string): boolean;
  };
  readonly approvals: Approved;
  readonly chains: Chains;
  readonly evidence: EvidenceStore;
  readonly log: TransparencyLog;
  readonly state: State;
}

/** What the node is told: a tlog-proof that its statement is in the log. */
export interface Accepted {
  readonly sequence: number;
  readonly receipt: string;
}

export async function accept(collector: Collector, bytes: Uint8Array): Promise<Accepted> {
  if (isRestart(bytes)) return await acceptRestart(collector, bytes);
  const claimed = decodeBatch(bytes);
  const { node, sequence, role, cohort } = claimed.statement;

  const registered = collector.registry.node(node);
  if (registered === undefined) throw new Rejection('unknown-node', `${node} is not registered for this sender`);

  const batch = verifyBatch(registered.batchKey, claimed);
  if (batch === undefined) throw new Rejection('bad-signature', `${node} #${sequence} is not signed by its batch key`);
  if (role !== registered.role || cohort !== registered.cohort) {
    throw new Rejection('wrong-role', `${node} is registered as ${registered.role} of ${registered.cohort}`);
  }

  const digest = sha256Hex(batch.note.textBytes);
  const known = collector.chains.find(batch.statement);
  if (known !== undefined) {
    if (known.digest !== digest) return await refuseFork(collector, batch);
    return { sequence, receipt: await collector.log.receipt(await known.logged) };
  }

  const released = releasedBy(collector, batch);

  // From decodeBatch() to here nothing waited: two copies of one batch cannot both come this far.
  const logged = collector.chains.add(batch.statement, digest, (before) => keepAndLog(collector, released, before));
  return { sequence, receipt: await collector.log.receipt(await logged) };
}

/** Approved rules made it, and it holds what they release and nothing else. */
function releasedBy({ rulesets, approvals }: Collector, batch: VerifiedBatch): ReleasedBatch {
  const { node, role, ruleset, rulepack, vocabulary } = batch.statement;
  // A node without rules that it may use releases nothing; what it counts and says is welcome.
  if (ruleset === NO_RULES && rulepack === NO_RULES) return checkReleased(nothingIsReleased, batch);
  if ((vocabulary !== OUR_VOCABULARY && !approvals.knows(vocabulary)) || rulesets.isUnreadable(ruleset)) {
    throw new Rejection('unknown-vocabulary', `its events speak vocabulary ${vocabulary.slice(0, 12)}`);
  }
  const validate = rulesets.validatorOf(ruleset);
  const epochs = rulesets.epochsOf(ruleset);
  if (validate === undefined || epochs === undefined) {
    throw new Rejection('unknown-ruleset', `${node} used rules ${ruleset.slice(0, 12)}, which are not in rulesets/`);
  }
  if (!approvals.has('ruleset', ruleset, vocabulary, role)) {
    throw new Rejection(
      'unknown-ruleset',
      `${node} used rules ${ruleset.slice(0, 12)}, whose approval is not in the log`,
    );
  }
  // The log knows packs of former versions too; a match of a rule that is not held any more is told by its name alone.
  if (!approvals.has('rulepack', rulepack, vocabulary, role)) {
    throw new Rejection(
      'unknown-rulepack',
      `${node} ran rules ${rulepack.slice(0, 12)}, whose approval is not in the log`,
    );
  }
  checkEpochs(epochs, batch.statement);
  return checkReleased(validate, batch);
}

/** Evidence first; then its place in the log, behind the node's batch before it; then the index that finds it again. */
async function keepAndLog(collector: Collector, batch: ReleasedBatch, before: Promise<unknown>): Promise<Queued> {
  const [stored] = await Promise.all([collector.evidence.keep(batch), before]);
  const logged = collector.log.append(stored.noteBytes).then(async (index) => {
    await collector.state.follow(collector.log, nowUs);
    return index;
  });
  return { logged };
}

/** Two statements of one number are proof against the node's key, or its operator: kept, never logged. */
async function refuseFork(collector: Collector, batch: VerifiedBatch): Promise<never> {
  const { node, sequence } = batch.statement;
  const bytes = encodeBatch({ note: batch.noteBytes, body: batch.body });
  await collector.evidence.keepFork(batch.statement, sha256Hex(batch.note.textBytes), bytes);
  throw new Rejection('fork', `${node} signed another statement with number ${sequence} before`);
}

/** Follows the evidence until asked to stop. `changeTo` is told where in the log another line-up begins. The same lines live, after a crash, and over old evidence. */
export async function watch(
  follower: Follower,
  detection: Detection,
  signal: AbortSignal,
  changeTo: (lineup: string) => void = () => {},
): Promise<void> {
  for await (const step of follower.steps(signal)) {
    if (step.lineup !== undefined) changeTo(step.lineup);
    const found = detect(detection, step);
    await follower.commit(found);
  }
  await follower.commit(NOTHING, true);
}

export const nowUs = (): number => Date.now() * 1000;
