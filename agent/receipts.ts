/**
 * Takes receipts that the shipper left and forgets the batches that they prove to be in the log.
 *
 * The shipper is less trusted than the agent: a receipt counts only when the log's key signed it and it proves this
 * very statement. What does not is counted and left where it lies.
 */
import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
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
  const refused = new Map<string, number>();
  using watched = new DirectoryWatch(directory, '.tlog-proof');
  while (!signal.aborted) {
    for (const name of (await readdir(directory)).toSorted()) {
      const sequence = Number(RECEIPT_NAME.exec(name)?.[1] ?? 0);
      if (!spool.waiting.includes(sequence)) continue;
      // One that was refused is looked at again when it has become another.
      const version = (await lstat(join(directory, name)).catch(() => undefined))?.mtimeMs ?? 0;
      if (refused.get(name) === version) continue;
      if (await proves(join(directory, name), spool, sequence, logKey)) {
        await spool.forget(sequence);
        counts.accepted++;
      } else {
        refused.set(name, version);
        counts.refused++;
      }
    }
    await watched.changed(signal);
  }
}

async function proves(path: string, spool: FileSpool, sequence: number, logKey: VerifierKey): Promise<boolean> {
  const receipt = await readReceipt(path);
  if (receipt === undefined) return false;
  const noteBytes = await spool.note(sequence);
  try {
    return verifyReceipt({ noteBytes, receipt, logKey }) !== undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

/** `undefined` for what is no plain file of a receipt's size: a pipe or a link must neither stop us nor fill our memory. */
async function readReceipt(path: string): Promise<Uint8Array | undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > MAX_RECEIPT_BYTES) return undefined;
    const bytes = Buffer.alloc(stat.size);
    const { bytesRead } = await file.read(bytes, 0, stat.size, 0);
    return bytes.subarray(0, bytesRead);
  } catch {
    return undefined; // Gone, or not ours to read: the shipper's affair.
  }
}
