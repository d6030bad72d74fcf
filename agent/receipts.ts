/**
 * Takes receipts that the shipper left and forgets the batches that they prove to be in the log.
 *
 * The shipper is less trusted than the agent: a receipt counts only when the log's key signed it and it proves this
 * very statement. What does not is counted and left where it lies.
 */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ProtocolError } from '#protocol/error.ts';
import type { VerifierKey } from '#protocol/note.ts';
import { MAX_RECEIPT_BYTES, verifyReceipt } from '#protocol/receipt.ts';
import { DirectoryWatch } from './changed.ts';
import type { FileSpool } from './spool.ts';

const RECEIPT_NAME = /^(\d{16})\.tlog-proof$/;

export interface ReceiptCounts {
  accepted: number;
  refused: number;
}

export async function takeReceipts(
  directory: string,
  spool: FileSpool,
  logKey: VerifierKey,
  counts: ReceiptCounts,
  signal: AbortSignal,
): Promise<void> {
  const refused = new Set<string>();
  using watched = new DirectoryWatch(directory);
  while (!signal.aborted) {
    for (const name of (await readdir(directory)).toSorted()) {
      const sequence = Number(RECEIPT_NAME.exec(name)?.[1] ?? 0);
      if (!spool.waiting.includes(sequence) || refused.has(name)) continue;
      if (await proves(join(directory, name), spool, sequence, logKey)) {
        await spool.forget(sequence);
        counts.accepted++;
      } else {
        refused.add(name);
        counts.refused++;
      }
    }
    await watched.changed(signal);
  }
}

async function proves(path: string, spool: FileSpool, sequence: number, logKey: VerifierKey): Promise<boolean> {
  try {
    const receipt = await readFile(path);
    if (receipt.length > MAX_RECEIPT_BYTES) return false;
    return verifyReceipt({ noteBytes: await spool.note(sequence), receipt, logKey }) !== undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}
