/**
 * The shipper, end to end. It sees signed batches and nothing else; it holds no key that signs events.
 *
 *     spool -> send -> receipt -> verify -> receipts directory     ship()
 *
 * The agent removes a batch when it finds its receipt; the shipper then removes the receipt, which nobody needs any more.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeBatch, splitBatch } from '#protocol/batch.ts';
import { sha256Hex } from '#protocol/encoding.ts';
import { ProtocolError } from '#protocol/error.ts';
import type { VerifierKey } from '#protocol/note.ts';
import { verifyReceipt } from '#protocol/receipt.ts';
import { decodeRestart, isRestart } from '#protocol/restart.ts';
import { writeDurably } from '../../service/durable.ts';
import { readGiven } from '../../service/given.ts';
import { DirectoryWatch } from '../changed.ts';
import { forgetRefusal } from './refusal.ts';
import { Refused, type Connection, type Uplink } from './uplink.ts';

export interface Ways {
  readonly spool: string;
  readonly receipts: string;
  readonly logKey: VerifierKey;
}

/** After so many, receipts that are not needed any more go: agent and shipper look through all that lie there again and again. */
const ROUND = 256;
const BATCH_NAME = /^(\d{16})\.batch$/;
const ASKED = /^[0-9a-f]{16}$/;
const ASKED_BYTES = 16;
const RECEIPT_NAME = /^(\d{16})\.tlog-proof$/;

/** Carries what waits, then what comes, over one connection; throws when that is gone, and is called again. */
export async function ship(ways: Ways, uplink: Uplink, signal: AbortSignal): Promise<void> {
  // First, because here is the waiting after a failure, whatever failed.
  await using connection = await uplink.connect(signal);
  mkdirSync(ways.receipts, { recursive: true, mode: 0o750 });
  using watched = new DirectoryWatch(ways.spool, '.batch', 'ask');
  discardWorthless(ways);
  const until = AbortSignal.any([signal, connection.closed]);
  while (!signal.aborted) {
    connection.closed.throwIfAborted();
    await answerAgent(ways, connection);
    const unsent = unproven(ways);
    await shipEach(unsent.slice(0, ROUND), ways, connection, () => {
      uplink.succeeded();
      forgetRefusal(ways.receipts);
    });
    if (unsent.length <= ROUND) await watched.changed(until);
  }
}

/** An agent without a chain asks where it goes on; only a connection that has carried nothing yet knows. */
async function answerAgent({ spool, receipts }: Ways, connection: Connection): Promise<void> {
  const number = ASKED.exec(readGiven(join(spool, 'ask'), ASKED_BYTES)?.toString() ?? '')?.[0];
  const names = readdirSync(receipts).filter((name) => name.endsWith('.anchor'));
  for (const name of names) if (name !== `${number}.anchor`) rmSync(join(receipts, name), { force: true });
  if (number === undefined || names.includes(`${number}.anchor`)) return;
  const anchor = await connection.anchor();
  if (anchor === undefined) throw new Error('the agent asks where its chain goes on; the collector is asked again');
  await keepDurably(join(receipts, `${number}.anchor`), Buffer.from(anchor));
}

/** Batches without a receipt, in order. Receipts whose batch is gone are not needed any more. */
function unproven({ spool, receipts }: Ways): readonly number[] {
  const waiting = sequences(spool, BATCH_NAME);
  const proven = sequences(receipts, RECEIPT_NAME);
  for (const sequence of proven)
    if (!waiting.has(sequence)) rmSync(join(receipts, receiptName(sequence)), { force: true });
  return [...waiting].filter((sequence) => !proven.has(sequence));
}

/** A receipt that proves nothing, damaged perhaps, would keep its batch waiting for ever: it is asked for again. */
function discardWorthless({ spool, receipts, logKey }: Ways): void {
  const waiting = sequences(spool, BATCH_NAME);
  for (const sequence of sequences(receipts, RECEIPT_NAME)) {
    const path = join(receipts, receiptName(sequence));
    const batch = waiting.has(sequence) ? readWaiting(join(spool, batchName(sequence))) : undefined;
    if (batch !== undefined && !isProof(batch, readFileSync(path), logKey)) rmSync(path, { force: true });
  }
}

function isProof(batch: Uint8Array, receipt: Uint8Array, logKey: VerifierKey): boolean {
  try {
    return verifyReceipt({ noteBytes: splitBatch(batch).noteBytes, receipt, logKey }) !== undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

/** Sends in order, several under way at once. What it began it has ended, receipts written included, when it returns or throws. */
async function shipEach(
  unsent: readonly number[],
  ways: Ways,
  connection: Connection,
  succeeded: () => void,
): Promise<void> {
  const underWay: Promise<void>[] = [];
  try {
    for (const sequence of unsent) {
      const bytes = readWaiting(join(ways.spool, batchName(sequence)));
      if (bytes === undefined) continue;
      const damage = damageOf(bytes, sequence);
      // Those behind it wait until the agent, which hears of refusals, has set it aside.
      if (damage !== undefined) throw new Refused(sequence, damage, 'it is damaged on this disk');
      await connection.room();
      const kept = connection
        .send(sequence, bytes)
        .then((receipt) => keep(sequence, bytes, receipt, ways))
        .then(succeeded);
      // What fails for one ends the connection for all: nobody waits for answers that are not wanted any more.
      kept.catch((error: unknown) => connection.end(error instanceof Error ? error : new Error(String(error))));
      underWay.push(kept);
    }
  } finally {
    // Two that keep the same receipt would write over one another.
    await Promise.allSettled(underWay);
  }
  await Promise.all(underWay);
}

/** What the collector would find too; whether the node signed it only agent and collector know. */
function damageOf(bytes: Uint8Array, sequence: number): string | undefined {
  try {
    if (isRestart(bytes)) return decodeRestart(bytes).restart.sequence === sequence ? undefined : 'wrong-number';
    const { statement, body } = decodeBatch(bytes);
    if (statement.sequence !== sequence) return 'wrong-number';
    return sha256Hex(body) === statement.body.sha256 ? undefined : 'body-mismatch';
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    // Of a later release than this shipper: the collector may know it.
    return error.code === 'unknown-version' ? undefined : error.code;
  }
}

/** A receipt is kept only when it proves that this very statement is in the log. */
async function keep(
  sequence: number,
  bytes: Uint8Array,
  receipt: Uint8Array,
  { receipts, logKey }: Ways,
): Promise<void> {
  if (!isProof(bytes, receipt, logKey)) {
    throw new Error(`the receipt for batch ${sequence} proves nothing; is log_key the key of this collector?`);
  }
  await keepDurably(join(receipts, receiptName(sequence)), receipt);
}

async function keepDurably(path: string, bytes: Uint8Array): Promise<void> {
  await writeDurably(`${path}.tmp`, bytes);
  renameSync(`${path}.tmp`, path);
}

const batchName = (sequence: number): string => `${String(sequence).padStart(16, '0')}.batch`;
const receiptName = (sequence: number): string => `${String(sequence).padStart(16, '0')}.tlog-proof`;

function sequences(directory: string, pattern: RegExp): ReadonlySet<number> {
  const found = readdirSync(directory).map((name) => Number(pattern.exec(name)?.[1] ?? 0));
  return new Set(found.filter((sequence) => sequence > 0).toSorted((a, b) => a - b));
}

/** A batch that the agent removed meanwhile has its receipt already. */
function readWaiting(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
