/**
 * Takes what the shipper left: receipts, for which the batches go that they prove to be in the log; and refusals, for which a
 * batch is looked at again.
 *
 * The shipper is less trusted than the agent: a receipt counts only when the log's key signed it and it proves this
 * very statement. What does not is counted and left where it lies. A refusal is a question, not an order: only what the agent
 * itself finds damaged is set aside.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { ProtocolError } from '#protocol/error.ts';
import type { VerifierKey } from '#protocol/note.ts';
import { MAX_RECEIPT_BYTES, verifyReceipt } from '#protocol/receipt.ts';
import { readGiven } from '../service/given.ts';
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
    for (const name of readdirSync(directory).toSorted()) {
      const sequence = Number(RECEIPT_NAME.exec(name)?.[1] ?? 0);
      if (!spool.isWaiting(sequence)) this.#vain.delete(name);
      else if (this.#isNews(name)) {
        if (await this.#take(name, sequence)) this.#vain.delete(name);
        // However many there are, events do not wait behind all of them.
        await breathe();
      }
    }
    const refused = lastRefusal(directory)?.sequence ?? 0;
    if (spool.isWaiting(refused) && this.#isNews('refusal')) await this.#examine(refused);
  }

  #isNews(name: string): boolean {
    const written = writtenAt(join(this.#taking.directory, name));
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
    const receipt = readGiven(path, MAX_RECEIPT_BYTES);
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

function writtenAt(path: string): number {
  try {
    return lstatSync(path).mtimeMs;
  } catch {
    return 0; // Gone, or not ours to look at: the shipper's affair.
  }
}
