/**
 * May these rules be used here? Only if enough reviewers signed them, the log's proof says that everybody can see so, they
 * are for this role and this vocabulary, and no later version was ever in force on this node. Anything else is a refusal
 * that says what to do; there is nothing laxer to fall back to.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  openApproval,
  parseReviewers,
  type ApprovedKind,
  type ApprovedRules,
  type Reviewers,
} from '#protocol/approval.ts';
import { ProtocolError } from '#protocol/error.ts';
import type { VerifierKey } from '#protocol/note.ts';
import { verifyReceipt } from '#protocol/receipt.ts';
import { vocabularyDigest } from '#protocol/vocabulary.ts';
import { readTrusted } from '../config/trusted.ts';
import { ConfigError } from '../config/yaml.ts';

const MAX_REVIEWERS_BYTES = 65_536;

/** The rules may not be used; the message names the file and the remedy. */
export class NotApproved extends Error {
  override readonly name = 'NotApproved';
}

export interface ApprovalPlaces {
  /** Directory of `DIGEST.approval` and `DIGEST.tlog-proof`. */
  readonly approvals: string;
  /** File with the quorum and the reviewers' keys. */
  readonly reviewers: string;
  /** File in which the latest version of each name is remembered. */
  readonly versions: string;
  readonly logKey: VerifierKey;
  readonly role: string;
}

export interface Wanted {
  readonly kind: ApprovedKind;
  readonly digest: string;
}

export function requireApproval(wanted: Wanted, places: ApprovalPlaces): ApprovedRules {
  const approval = lookAtApproval(wanted, places);
  remember(approval, places.versions);
  return approval;
}

/** As {@link requireApproval}, but changes nothing: the version that it finds is not in force by that. */
export function lookAtApproval(wanted: Wanted, places: ApprovalPlaces): ApprovedRules {
  const file = join(places.approvals, `${wanted.digest}.approval`);
  try {
    const approval = openSigned(file, places);
    refuseOther(approval, wanted, file, places.role);
    refuseUnlogged(file, join(places.approvals, `${wanted.digest}.tlog-proof`), places.logKey);
    refuseOlder(approval, file, places.versions);
    return approval;
  } catch (error) {
    if (error instanceof ProtocolError) throw new NotApproved(`${file}: ${error.message}; fetch it again`);
    throw error;
  }
}

function openSigned(file: string, { reviewers }: ApprovalPlaces): ApprovedRules {
  for (const needed of [reviewers, file])
    if (!existsSync(needed)) throw new NotApproved(`${needed}: no such file; ask the reviewers for it`);
  const approval = openApproval(readFileSync(file), reviewersIn(reviewers));
  if (approval === undefined) throw new NotApproved(`${file}: too few of the reviewers in ${reviewers} signed it`);
  return approval;
}

/** Whoever may write the list approves rules. */
function reviewersIn(file: string): Reviewers {
  try {
    return parseReviewers(Buffer.from(readTrusted(file, MAX_REVIEWERS_BYTES)));
  } catch (error) {
    if (error instanceof ConfigError) throw new NotApproved(error.message);
    throw error;
  }
}

function refuseOther(approval: ApprovedRules, wanted: Wanted, file: string, role: string): void {
  if (approval.kind !== wanted.kind || approval.digest !== wanted.digest)
    throw new NotApproved(`${file}: approves other rules; fetch the approval of those that are installed`);
  if (approval.role !== 'any' && approval.role !== role)
    throw new NotApproved(`${file}: approves rules for role ${approval.role}; this node is ${role}`);
  if (approval.vocabulary !== vocabularyDigest())
    throw new NotApproved(`${file}: approves the rules for another vocabulary; have them approved for this version`);
}

function refuseUnlogged(file: string, proof: string, logKey: VerifierKey): void {
  if (!existsSync(proof)) throw new NotApproved(`${proof}: no such file; publish the approval and fetch its proof`);
  const verified = verifyReceipt({ noteBytes: readFileSync(file), receipt: readFileSync(proof), logKey });
  if (verified === undefined) throw new NotApproved(`${proof}: does not prove that this approval is in the log`);
}

function versionsIn(memory: string): Versions {
  if (!existsSync(memory)) return {};
  try {
    const versions: Versions = JSON.parse(readFileSync(memory, 'utf8'));
    return versions;
  } catch {
    throw new NotApproved(`${memory}: cannot be read, so nobody knows what was in force here; restore it`);
  }
}

type Versions = Readonly<Record<string, number>>;

/** The memory against rollback: what was in force once makes everything before it old. */
function refuseOlder({ kind, name, version }: ApprovedRules, file: string, memory: string): void {
  const latest = versionsIn(memory)[`${kind} ${name}`] ?? 0;
  if (version < latest)
    throw new NotApproved(`${file}: version ${version} of ${name}, but version ${latest} was in force here before`);
}

function remember({ kind, name, version }: ApprovedRules, memory: string): void {
  const known = versionsIn(memory);
  const key = `${kind} ${name}`;
  if (version === known[key]) return;
  writeFileSync(`${memory}.new`, JSON.stringify({ ...known, [key]: version }), { mode: 0o600 });
  renameSync(`${memory}.new`, memory);
}
