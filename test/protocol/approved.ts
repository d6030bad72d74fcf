/** Rules that a reviewer of the tests said yes to, with the proof that a log of the tests knows. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatApproval, type Approval } from '#protocol/approval.ts';
import { formatVerifierKey, signNote } from '#protocol/note.ts';
import { archiveOf, receiptOf } from './archive.ts';
import { fixedKey } from './sample.ts';

export const reviewerKey = fixedKey('reviewer-1', 31);
export const REVIEWER_LIST = `quorum 1\n${formatVerifierKey(reviewerKey.verifier)}\n`;
export const approvalNote = (approval: Approval): Uint8Array => signNote(formatApproval(approval), reviewerKey);

/** `reviewers`, and in `approvals/` a note and a proof for each, as a node wants to see them. */
export async function writeApproved(directory: string, approvals: readonly Approval[]): Promise<void> {
  const notes = approvals.map(approvalNote);
  const log = archiveOf(notes);
  mkdirSync(join(directory, 'approvals'), { recursive: true });
  writeFileSync(join(directory, 'reviewers'), REVIEWER_LIST);
  for (const [i, { digest }] of approvals.entries()) {
    writeFileSync(join(directory, 'approvals', `${digest}.approval`), notes[i] ?? '');
    writeFileSync(join(directory, 'approvals', `${digest}.tlog-proof`), await receiptOf(log, i, notes.length));
  }
}
