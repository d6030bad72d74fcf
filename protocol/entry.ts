/**
 * What stands in the log: statements of batches, approvals of the rules that they name, and changes of what detects. Told
 * apart by the first line.
 */
import { APPROVAL_HEADER, decodeApproval, type Approval } from './approval.ts';
import { decodeStatementNote } from './batch.ts';
import { CHANGE_HEADER, decodeChange, type Change } from './change.ts';
import type { Note } from './note.ts';
import type { Statement } from './statement.ts';

export type Entry =
  | { readonly kind: 'batch'; readonly note: Note; readonly statement: Statement }
  | { readonly kind: 'approval'; readonly note: Note; readonly approval: Approval }
  | { readonly kind: 'change'; readonly note: Note; readonly change: Change };

const beginsWith = (bytes: Uint8Array, header: string): boolean => {
  const line = Buffer.from(`${header}\n`);
  return line.equals(bytes.subarray(0, line.length));
};

/** Throws what the decoder of its kind throws. Nothing is verified yet. */
export function decodeEntry(bytes: Uint8Array): Entry {
  if (beginsWith(bytes, APPROVAL_HEADER)) return { kind: 'approval', ...decodeApproval(bytes) };
  if (beginsWith(bytes, CHANGE_HEADER)) return { kind: 'change', ...decodeChange(bytes) };
  return { kind: 'batch', ...decodeStatementNote(bytes) };
}
