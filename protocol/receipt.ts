/**
 * A receipt (C2SP tlog-proof): proof that a signed statement stands in the log, in a
 * checkpoint that the log, and witnesses if asked for, have signed. It needs nothing else to
 * be checked, now or in ten years.
 */
import { openCheckpoint, type VerifiedCheckpoint } from './checkpoint.ts';
import type { CosignerKey } from './cosignature.ts';
import { decodeBase64, decodeText, encodeBase64, encodeText, parseDecimal } from './encoding.ts';
import { ProtocolError } from './error.ts';
import { HASH_BYTES, leafHash, verifyInclusion, type Hash } from './merkle.ts';
import { MAX_NOTE_BYTES, type VerifierKey } from './note.ts';

const HEADER = 'c2sp.org/tlog-proof@v1';
/** A tree of 2^53 leaves is as high as this. */
const MAX_PROOF_HASHES = 53;
export const MAX_RECEIPT_BYTES = MAX_NOTE_BYTES + 4096;

export interface Receipt {
  /** Of the entry in the log, from 0. */
  readonly index: number;
  readonly proof: readonly Hash[];
  /** The signed checkpoint, as the log gave it. */
  readonly checkpoint: Uint8Array;
}

export function formatReceipt({ index, proof, checkpoint }: Receipt): string {
  const lines = [HEADER, `index ${index}`, ...proof.map(encodeBase64)];
  return `${lines.join('\n')}\n\n${decodeText(checkpoint)}`;
}

/** Extra data is refused: no signature covers it, so nothing of ours carries any. */
export function parseReceipt(bytes: Uint8Array): Receipt {
  if (bytes.length > MAX_RECEIPT_BYTES) throw new ProtocolError('too-large', `a receipt of ${bytes.length} bytes`);
  const text = decodeText(bytes);
  const blank = text.indexOf('\n\n');
  if (blank < 0) throw new ProtocolError('truncated', 'no blank line ends the proof');
  const [header, index = '', ...hashes] = text.slice(0, blank).split('\n', MAX_PROOF_HASHES + 3);
  if (header !== HEADER) throw new ProtocolError('bad-receipt', `the first line is not ${HEADER}`);
  if (!index.startsWith('index ')) throw new ProtocolError('bad-receipt', 'the second line is not the index');
  if (hashes.length > MAX_PROOF_HASHES) throw new ProtocolError('too-large', 'a proof higher than any tree');
  return {
    index: parseDecimal(index.slice('index '.length)),
    proof: hashes.map(parseHash),
    checkpoint: encodeText(text.slice(blank + 2)),
  };
}

function parseHash(line: string): Hash {
  const hash = decodeBase64(line);
  if (hash.length !== HASH_BYTES) throw new ProtocolError('bad-receipt', `a hash of ${hash.length} bytes`);
  return hash;
}

export interface ReceiptClaim {
  /** The signed statement, byte for byte as it was sent. */
  readonly noteBytes: Uint8Array;
  readonly receipt: Uint8Array;
  readonly logKey: VerifierKey;
  readonly witnesses?: readonly CosignerKey[];
  /** How many of the witnesses must have cosigned; all of them unless said otherwise. */
  readonly quorum?: number;
}

export interface VerifiedReceipt {
  readonly index: number;
  readonly checkpoint: VerifiedCheckpoint;
}

/** `undefined` when the receipt does not prove that this note is in this log. */
export function verifyReceipt(claim: ReceiptClaim): VerifiedReceipt | undefined {
  const { noteBytes, logKey, witnesses = [], quorum = witnesses.length } = claim;
  const { index, proof, checkpoint: checkpointBytes } = parseReceipt(claim.receipt);
  const checkpoint = openCheckpoint(checkpointBytes, logKey, witnesses);
  if (checkpoint === undefined || checkpoint.cosignatures.length < quorum) return undefined;
  const isIncluded = verifyInclusion(leafHash(noteBytes), index, checkpoint.size, proof, checkpoint.root);
  return isIncluded ? { index, checkpoint } : undefined;
}
