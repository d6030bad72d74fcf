/**
 * Checkpoints (C2SP tlog-checkpoint): origin, size and root of a log, as a signed note. The
 * log's key is named as its origin. Extension lines are neither written nor accepted: nobody
 * audits them.
 */
import { verifyCosignatures, type CosignerKey, type Cosignature } from './cosignature.ts';
import { decodeBase64, encodeBase64, parseDecimal } from './encoding.ts';
import { ProtocolError } from './error.ts';
import { HASH_BYTES, type Hash } from './merkle.ts';
import { parseNote, signNote, verifyNote, type SigningKey, type VerifierKey } from './note.ts';

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
}

declare const verified: unique symbol;

/** A checkpoint that its log signed. Only {@link openCheckpoint} makes one. */
export interface VerifiedCheckpoint extends Checkpoint {
  readonly [verified]: true;
  /** By the witnesses that were asked for. */
  readonly cosignatures: readonly Cosignature[];
}

export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${encodeBase64(root)}\n`;
}

export function parseCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', root = '', end, ...more] = text.split('\n', 5);
  if (origin === '' || end !== '' || more.length > 0) {
    throw new ProtocolError('bad-checkpoint', 'not the three lines origin, size and root');
  }
  const hash = decodeBase64(root);
  if (hash.length !== HASH_BYTES) throw new ProtocolError('bad-checkpoint', `a root of ${hash.length} bytes`);
  return { origin, size: parseDecimal(size), root: hash };
}

export function signCheckpoint(checkpoint: Omit<Checkpoint, 'origin'>, key: SigningKey): Uint8Array {
  return signNote(formatCheckpoint({ ...checkpoint, origin: key.verifier.name }), key);
}

/**
 * `undefined` unless this log signed it under its own origin, and every signature by one of
 * the witnesses is right. How many cosignatures are enough is for the caller to say.
 */
export function openCheckpoint(
  bytes: Uint8Array,
  log: VerifierKey,
  witnesses: readonly CosignerKey[] = [],
): VerifiedCheckpoint | undefined {
  const note = parseNote(bytes);
  if (verifyNote(note, [log]) === undefined) return undefined;
  const checkpoint = parseCheckpoint(note.text);
  const cosignatures = verifyCosignatures(note, witnesses);
  if (checkpoint.origin !== log.name || cosignatures === undefined) return undefined;
  const opened: Checkpoint & { readonly cosignatures: readonly Cosignature[] } = { ...checkpoint, cosignatures };
  // oxlint-disable-next-line no-unsafe-type-assertion -- the one place a VerifiedCheckpoint is made
  return opened as VerifiedCheckpoint;
}
