/**
 * What stands in the log: statements of batches, restarts of chains, approvals of the rules that they name, and changes of
 * what detects. Told apart by the first line.
 */
import { APPROVAL_HEADER, decodeApproval, type Approval } from './approval.ts';
import { decodeStatementNote } from './batch.ts';
import { CHANGE_HEADER, decodeChange, type Change } from './change.ts';
import type { Note } from './note.ts';
import { decodeRestart, isRestart, RESTART_HEADER, type Restart } from './restart.ts';
import { STATEMENT_HEADERS, type Statement } from './statement.ts';

export type Entry =
  | { readonly kind: 'batch'; readonly note: Note; readonly statement: Statement }
  | { readonly kind: 'restart'; readonly note: Note; readonly restart: Restart }
  /** Of a later version than this reader knows. */
  | { readonly kind: 'later'; readonly header: string }
  | { readonly kind: 'approval'; readonly note: Note; readonly approval: Approval }
  | { readonly kind: 'change'; readonly note: Note; readonly change: Change };

const beginsWith = (bytes: Uint8Array, header: string): boolean => {
  const line = Buffer.from(`${header}\n`);
  return line.equals(bytes.subarray(0, line.length));
};

const KNOWN: readonly string[] = [...STATEMENT_HEADERS, RESTART_HEADER, APPROVAL_HEADER, CHANGE_HEADER];

/** The first line, where it is of our kind and not known here. */
function laterHeader(bytes: Uint8Array): string | undefined {
  const start = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  const header = /^(hushwatch\/[a-z]{1,32}\/v[1-9][0-9]{0,5})\n/.exec(start)?.[1];
  return header === undefined || KNOWN.includes(header) ? undefined : header;
}

/** Throws what the decoder of its kind throws. Nothing is verified yet. */
export function decodeEntry(bytes: Uint8Array): Entry {
  const header = laterHeader(bytes);
  if (header !== undefined) return { kind: 'later', header };
  if (isRestart(bytes)) return { kind: 'restart', ...decodeRestart(bytes) };
  if (beginsWith(bytes, APPROVAL_HEADER)) return { kind: 'approval', ...decodeApproval(bytes) };
  if (beginsWith(bytes, CHANGE_HEADER)) return { kind: 'change', ...decodeChange(bytes) };
  return { kind: 'batch', ...decodeStatementNote(bytes) };
}
