/**
 * Where the chain of a node goes on that has none. A new node, and one whose disk was wiped, cannot tell which they are: they ask.
 *
 *     spool/ask               a number that we drew: the shipper sees it and asks the collector
 *     receipts/NUMBER.anchor  the collector's word: the node's last entry and the proof that it is in the log, or `none`
 *
 * Nothing is signed before the answer. What happens meanwhile waits in front of the spool, and beyond that in the kernel, which
 * counts what it has to drop.
 */
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeEntry } from '#protocol/entry.ts';
import { sha256Hex } from '#protocol/encoding.ts';
import { ProtocolError } from '#protocol/error.ts';
import { verifyNote, type VerifierKey } from '#protocol/note.ts';
import { verifyReceipt } from '#protocol/receipt.ts';
import { MAX_ANCHOR_BYTES, parseAnchor, type Restart } from '#protocol/restart.ts';
import { DirectoryWatch } from './changed.ts';
import { readGiven } from '../service/given.ts';
import type { FileSpool, Herald } from './spool.ts';

export interface Asking {
  readonly spool: string;
  readonly receipts: string;
  readonly logKey: VerifierKey;
  /** Our own: whoever signed the last entry with another one lost that. */
  readonly identity: VerifierKey;
  readonly tell: (problem: string) => void;
}

/** We were told to stop before the answer came. */
export class Undecided extends Error {
  override readonly name = 'Undecided';
}

/** Returns when the spool may be appended to; what it then holds is on the disk. */
export async function beginChain(spool: FileSpool, herald: Herald, asking: Asking, signal: AbortSignal): Promise<void> {
  const number = randomBytes(8).toString('hex');
  const ask = join(asking.spool, 'ask');
  await writeFile(ask, number, { mode: 0o640 });
  const anchor = await answerOf(`${number}.anchor`, asking, signal);
  // Before anything is promised: asked twice is no harm, and the shipper is not to ask when it sees the restart.
  await rm(ask, { force: true });
  if (anchor !== 'none') await spool.restart(restartFrom(anchor, herald));
}

interface Found {
  readonly sequence: number;
  readonly digest: string;
  readonly index: number;
  readonly reason: Restart['reason'];
}

async function answerOf(name: string, asking: Asking, signal: AbortSignal): Promise<Found | 'none'> {
  const file = join(asking.receipts, name);
  using watched = new DirectoryWatch(asking.receipts, '.anchor');
  let refused: string | undefined;
  while (!signal.aborted) {
    const bytes = readGiven(file, MAX_ANCHOR_BYTES);
    const found = bytes === undefined ? undefined : foundIn(bytes, asking);
    if (found !== undefined && !(found instanceof ProtocolError)) return found;
    if (found !== undefined && found.message !== refused) asking.tell((refused = found.message));
    await watched.changed(signal);
  }
  throw new Undecided('stopped before the collector said where the chain goes on');
}

/** The shipper is believed nothing: the log's key must have signed it, and it must be ours. */
function foundIn(bytes: Uint8Array, { logKey, identity }: Asking): Found | 'none' | ProtocolError {
  try {
    const anchor = parseAnchor(bytes);
    if (anchor === 'none') return 'none';
    const proven = verifyReceipt({ ...anchor, logKey });
    if (proven === undefined) return new ProtocolError('bad-restart', 'the anchor proves nothing; is log_key right?');
    const entry = decodeEntry(anchor.noteBytes);
    const place = entry.kind === 'batch' ? entry.statement : entry.kind === 'restart' ? entry.restart : undefined;
    if (place === undefined || !('note' in entry) || place.node !== identity.name)
      return new ProtocolError('bad-restart', 'the anchor is no entry of this node');
    const reason = verifyNote(entry.note, [identity]) === undefined ? 'key-lost' : 'state-lost';
    return { sequence: place.sequence, digest: sha256Hex(entry.note.textBytes), index: proven.index, reason };
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
}

function restartFrom({ sequence, digest, index, reason }: Found, herald: Herald): Restart {
  const { node, boot, role, cohort, agent } = herald;
  const place = { sequence: sequence + 1, previous: digest, index };
  return { node, boot, role, cohort, agent, ...place, reason, time: Date.now() * 1_000 };
}
