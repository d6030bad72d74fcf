/** What stands in the log: statements of batches, and approvals of the rules that they name. Told apart by the first line. */
import { APPROVAL_HEADER, decodeApproval, type Approval } from './approval.ts';
import { decodeStatementNote } from './batch.ts';
import type { Note } from './note.ts';
import type { Statement } from './statement.ts';

export type Entry =
  | { readonly kind: 'batch'; readonly note: Note; readonly statement: Statement }
  | { readonly kind: 'approval'; readonly note: Note; readonly approval: Approval };

const BEGINS_APPROVAL = Buffer.from(`${APPROVAL_HEADER}\n`);

/** Throws what the decoder of its kind throws. Nothing is verified yet. */
export function decodeEntry(bytes: Uint8Array): Entry {
  const isApproval = BEGINS_APPROVAL.equals(bytes.subarray(0, BEGINS_APPROVAL.length));
  return isApproval ? { kind: 'approval', ...decodeApproval(bytes) } : { kind: 'batch', ...decodeStatementNote(bytes) };
}
