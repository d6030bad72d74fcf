/**
 * What a log asks of a witness (C2SP tlog-witness, add-checkpoint): the size that the witness saw last, the proof that the log
 * only grew since, and the checkpoint. The answer are signature lines (cosignature.ts), or the size that it did see last.
 */
import { decodeBase64, decodeText, encodeBase64, encodeText, parseDecimal } from './encoding.ts';
import { ProtocolError } from './error.ts';
import { HASH_BYTES, type Hash } from './merkle.ts';
import { MAX_NOTE_BYTES } from './note.ts';

const MAX_PROOF_HASHES = 63;
/** A line of the proof is 44 characters of base64 and a newline. */
export const MAX_REQUEST_BYTES = MAX_NOTE_BYTES + 64 + 45 * MAX_PROOF_HASHES;

export interface AddCheckpoint {
  readonly oldSize: number;
  readonly proof: readonly Hash[];
  /** The signed checkpoint, as the log gave it. */
  readonly checkpoint: Uint8Array;
}

export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): Uint8Array {
  const lines = [`old ${oldSize}`, ...proof.map(encodeBase64), '', ''];
  return encodeText(lines.join('\n') + decodeText(checkpoint));
}

export function parseAddCheckpoint(bytes: Uint8Array): AddCheckpoint {
  if (bytes.length > MAX_REQUEST_BYTES) throw new ProtocolError('too-large', `a request of ${bytes.length} bytes`);
  const text = decodeText(bytes);
  const blank = text.indexOf('\n\n');
  if (blank < 0) throw new ProtocolError('truncated', 'no blank line ends the proof');
  const [old = '', ...lines] = text.slice(0, blank).split('\n', MAX_PROOF_HASHES + 2);
  if (!old.startsWith('old ')) throw new ProtocolError('bad-checkpoint', 'the first line is not the old size');
  if (lines.length > MAX_PROOF_HASHES) throw new ProtocolError('too-large', 'a proof of more than 63 hashes');
  const proof = lines.map((line) => {
    const hash = decodeBase64(line);
    if (hash.length !== HASH_BYTES) throw new ProtocolError('bad-checkpoint', `a hash of ${hash.length} bytes`);
    return hash;
  });
  return { oldSize: parseDecimal(old.slice('old '.length)), proof, checkpoint: encodeText(text.slice(blank + 2)) };
}
