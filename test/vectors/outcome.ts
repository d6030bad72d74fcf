/** What a reader of the protocol makes of a vector: the decoded value, `"refused"` (the signature or proof says no) or an error code. */
import { decodeBatch, unpackBody, verifyBatch } from '#protocol/batch.ts';
import { openChange } from '#protocol/change.ts';
import { ProtocolError } from '#protocol/error.ts';
import { parseVerifierKey, verifyNote } from '#protocol/note.ts';
import { verifyReceipt } from '#protocol/receipt.ts';
import { decodeRestart, linkOf } from '#protocol/restart.ts';

export interface Vector {
  readonly kind: 'batch' | 'change' | 'receipt' | 'restart';
  readonly name: string;
  /** Verifier key: of the node, or of the log. */
  readonly key: string;
  /** For a receipt: the signed statement, base64. */
  readonly note?: string;
  /** The input, base64. */
  readonly bytes: string;
  readonly outcome: unknown;
}

export function outcomeOf(vector: Omit<Vector, 'outcome'>): unknown {
  try {
    return READERS[vector.kind](vector) ?? 'refused';
  } catch (error) {
    if (error instanceof ProtocolError) return { error: error.code };
    throw error;
  }
}

const READERS = { batch: readBatch, change: readChange, receipt: readReceipt, restart: readRestart };

function readChange({ key, bytes }: Omit<Vector, 'outcome'>): unknown {
  return openChange(Buffer.from(bytes, 'base64'), parseVerifierKey(key));
}

function readRestart({ key, bytes }: Omit<Vector, 'outcome'>): unknown {
  const { note, restart } = decodeRestart(Buffer.from(bytes, 'base64'));
  return verifyNote(note, [parseVerifierKey(key)]) && { restart, digest: linkOf(restart).digest };
}

function readBatch({ key, bytes }: Omit<Vector, 'outcome'>): unknown {
  const batch = verifyBatch(parseVerifierKey(key), decodeBatch(Buffer.from(bytes, 'base64')));
  return batch && { statement: batch.statement, lines: unpackBody(batch) };
}

function readReceipt({ key, note = '', bytes }: Omit<Vector, 'outcome'>): unknown {
  const verified = verifyReceipt({
    noteBytes: Buffer.from(note, 'base64'),
    receipt: Buffer.from(bytes, 'base64'),
    logKey: parseVerifierKey(key),
  });
  return verified && { index: verified.index, size: verified.checkpoint.size };
}
