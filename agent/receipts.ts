/**
 * Takes what the shipper left: receipts, for which the batches go that they prove to be in the log; and refusals, for which a
 * batch is looked at again.
 *
 * The shipper is less trusted than the agent: a receipt counts only when the log's key signed it and it proves this
 * very statement. What does not is counted and left where it lies. A refusal is a question, not an order: only what the agent
 * itself finds damaged is set aside.
 */
import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ProtocolError } from '#protocol/error.ts';
import type { VerifierKey } from '#protocol/note.ts';
import { MAX_RECEIPT_BYTES, verifyReceipt } from '#protocol/receipt.ts';
import { DirectoryWatch } from './changed.ts';
import { troubleOf } from './disk.ts';
import { lastRefusal } from './shipper/refusal.ts';
import type { FileSpool } from './spool.ts';
import type { Trouble } from './trouble.ts';

const RECEIPT_NAME = /^(\d{16})\.tlog-proof$/;

export interface ReceiptCounts {
  accepted: number;
  refused: number;
}

export interface Taking {
  /** Of the shipper. */
  readonly directory: string;
  readonly spool: FileSpool;
  readonly logKey: VerifierKey;
  readonly counts: ReceiptCounts;
  readonly trouble: Pick<Trouble, 'again' | 'over'>;
  /** A batch was not what was signed any more, and was set aside. */
  readonly damaged: (sequence: number, problem: string) => void;
}

export async function takeReceipts(taking: Taking, signal: AbortSignal): Promise<void> {
  const taker = new Taker(taking);
  using watched = new DirectoryWatch(taking.directory, '.tlog-proof', 'refusal');
  while (!signal.aborted) {
    try {
      await taker.look();
      taking.trouble.over(true);
    } catch (error) {
      if (!(error instanceof Error) || troubleOf(error) === undefined) throw error;
      taking.trouble.again(error);
    }
    await watched.changed(signal);
  }
}

class Taker {
  readonly #taking: Taking;
  /** What was looked at in vain, and when it was written: it is looked at again when it has become another. */
  readonly #vain = new Map<string, number>();

  constructor(taking: Taking) {
    this.#taking = taking;
  }

  async look(): Promise<void> {
    const { directory, spool } = this.#taking;
    for (const name of (await readdir(directory)).toSorted()) {
      const sequence = Number(RECEIPT_NAME.exec(name)?.[1] ?? 0);
      if (!spool.isWaiting(sequence)) this.#vain.delete(name);
      else if ((await this.#isNews(name)) && (await this.#take(name, sequence))) this.#vain.delete(name);
    }
    const refused = lastRefusal(directory)?.sequence ?? 0;
    if (spool.isWaiting(refused) && (await this.#isNews('refusal'))) await this.#examine(refused);
  }

  async #isNews(name: string): Promise<boolean> {
    const written = (await lstat(join(this.#taking.directory, name)).catch(() => undefined))?.mtimeMs ?? 0;
    if (this.#vain.get(name) === written) return false;
    this.#vain.set(name, written);
    return true;
  }

  async #take(name: string, sequence: number): Promise<boolean> {
    const { directory, spool, counts } = this.#taking;
    if (await this.#proves(join(directory, name), sequence)) {
      await spool.forget(sequence);
      counts.accepted++;
      return true;
    }
    counts.refused++;
    // It may be the batch that is not what it was.
    return this.#examine(sequence);
  }

  async #examine(sequence: number): Promise<boolean> {
    const { spool, damaged } = this.#taking;
    const problem = await spool.damage(sequence);
    if (problem === undefined) return false;
    await spool.setAside(sequence);
    damaged(sequence, problem);
    return true;
  }

  async #proves(path: string, sequence: number): Promise<boolean> {
    const { spool, logKey } = this.#taking;
    const receipt = await readGiven(path, MAX_RECEIPT_BYTES);
    if (receipt === undefined) return false;
    try {
      const noteBytes = await spool.note(sequence);
      return verifyReceipt({ noteBytes, receipt, logKey }) !== undefined;
    } catch (error) {
      if (error instanceof ProtocolError) return false;
      throw error;
    }
  }
}

/** `undefined` for what is no plain file of at most that size: a pipe or a link must neither stop us nor fill our memory. */
export async function readGiven(path: string, limit: number): Promise<Uint8Array | undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > limit) return undefined;
    const bytes = Buffer.alloc(stat.size);
    const { bytesRead } = await file.read(bytes, 0, stat.size, 0);
    return bytes.subarray(0, bytesRead);
  } catch {
    return undefined; // Gone, or not ours to read: the shipper's affair.
  }
}
