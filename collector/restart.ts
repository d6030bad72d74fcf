/**
 * A node that lost its chain goes on from the last entry that the log has of it. Anything else that calls itself a restart is
 * refused: one from an older entry, or a second one from the same, is a second story.
 */
import { sha256Hex } from '#protocol/encoding.ts';
import { Rejection } from '#protocol/error.ts';
import { verifyNote } from '#protocol/note.ts';
import { checkRestart, decodeRestart, formatAnchor } from '#protocol/restart.ts';
import type { Chains, Queued } from './chains.ts';
import type { EvidenceStore } from './evidence.ts';
import type { TransparencyLog } from './log.ts';
import type { RegisteredNode } from './registry.ts';
import type { State } from './state.ts';

/** What is asked of a collector here. */
export interface Restarting {
  readonly registry: { node(name: string): RegisteredNode | undefined };
  readonly chains: Chains;
  readonly evidence: EvidenceStore;
  readonly log: TransparencyLog;
  readonly state: State;
}

interface Accepted {
  readonly sequence: number;
  readonly receipt: string;
}

export async function acceptRestart(collector: Restarting, bytes: Uint8Array): Promise<Accepted> {
  const { note, restart } = decodeRestart(bytes);
  const { node, sequence, role, cohort } = restart;
  const registered = collector.registry.node(node);
  if (registered === undefined) throw new Rejection('unknown-node', `${node} is not registered for this sender`);
  if (verifyNote(note, [registered.batchKey]) === undefined)
    throw new Rejection('bad-signature', `the restart of ${node} is not signed by its batch key`);
  if (role !== registered.role || cohort !== registered.cohort)
    throw new Rejection('wrong-role', `${node} is registered as ${registered.role} of ${registered.cohort}`);

  // From here to add() nothing waits: of two restarts one comes first, and what follows one comes behind it.
  const digest = sha256Hex(note.textBytes);
  const known = collector.chains.find(restart);
  if (known !== undefined && known.digest !== digest) {
    await collector.evidence.keepFork(restart, digest, bytes);
    throw new Rejection('fork', `${node} began its chain anew at ${sequence}, where the log has another entry`);
  }
  if (known === undefined) {
    if (collector.chains.isBusy(node)) throw new Error(`entries of ${node} are still on their way; it asks again`);
    const last = collector.state.last(node);
    const problem = checkRestart(last && { ...last, index: last.logIndex }, restart);
    if (problem !== undefined) throw new Rejection('wrong-anchor', `${node} began its chain anew: ${problem}`);
  }
  const logged = known?.logged ?? collector.chains.add(restart, digest, (before) => log(collector, bytes, before));
  return { sequence, receipt: await collector.log.receipt(await logged) };
}

async function log({ log: entries, state }: Restarting, bytes: Uint8Array, before: Promise<unknown>): Promise<Queued> {
  await before;
  const logged = entries.append(bytes).then(async (index) => {
    await state.follow(entries, () => Date.now() * 1_000);
    return index;
  });
  return { logged };
}

/** For a node that asks where its chain stands: its last entry and the proof that the log has it. */
export async function anchorOf(
  { chains, state, log: entries }: Pick<Restarting, 'chains' | 'state' | 'log'>,
  node: string,
): Promise<string> {
  await chains.settled(node);
  const last = state.last(node);
  if (last === undefined) return formatAnchor('none');
  for await (const { entry } of entries.entries(last.logIndex))
    return formatAnchor({ noteBytes: entry, receipt: Buffer.from(await entries.receipt(last.logIndex)) });
  throw new Error(`the log does not have entry ${last.logIndex}`);
}
