/**
 * A batch on disk and on the wire: the signed statement, then the body (zstd-compressed lines
 * of released events). The line of types is ClaimedBatch -> VerifiedBatch -> lines: a body is
 * not unpacked before the signature and its hash hold. Nothing here copies a body.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { decodeText, sha256Hex } from './encoding.ts';
import { ProtocolError } from './error.ts';
import { parseNote, verifyNote, type Note, type VerifierKey } from './note.ts';
import {
  MAX_BODY_BYTES,
  MAX_EVENTS,
  MAX_UNPACKED_BYTES,
  parseStatement,
  sumOf,
  type Counts,
  type Statement,
} from './statement.ts';

export const MAX_BATCH_NOTE_BYTES = 60_000;
export const MAX_BATCH_BYTES = MAX_BATCH_NOTE_BYTES + MAX_BODY_BYTES;
export const MAX_LINE_BYTES = 65_536;

/** What someone sent: well-formed, and so far only a claim. Shares memory with the bytes it was decoded from. */
export interface ClaimedBatch {
  /** The signed note as it came: text and signatures. The log entry. */
  readonly noteBytes: Uint8Array;
  readonly note: Note;
  readonly statement: Statement;
  /** The packed body as it came. */
  readonly body: Uint8Array;
}

declare const verified: unique symbol;

/** A batch that its node signed and whose body is the one signed. Only {@link verifyBatch} makes one. */
export interface VerifiedBatch extends ClaimedBatch {
  readonly [verified]: true;
}

export function encodeBatch(batch: { readonly note: Uint8Array; readonly body: Uint8Array }): Uint8Array {
  return Buffer.concat([batch.note, batch.body]);
}

/** Signed note and body, unread: enough for a receipt, whatever version the statement is of. */
export function splitBatch(bytes: Uint8Array): Pick<ClaimedBatch, 'noteBytes' | 'body'> {
  if (bytes.length > MAX_BATCH_BYTES) throw new ProtocolError('too-large', `a batch of ${bytes.length} bytes`);
  const end = noteLength(bytes);
  return { noteBytes: bytes.subarray(0, end), body: bytes.subarray(end) };
}

export function decodeBatch(bytes: Uint8Array): ClaimedBatch {
  const { noteBytes, body } = splitBatch(bytes);
  const { note, statement } = decodeStatementNote(noteBytes);
  if (body.length < statement.body.bytes) throw new ProtocolError('truncated', 'the body is shorter than stated');
  if (body.length > statement.body.bytes) throw new ProtocolError('trailing-bytes', 'the body is longer than stated');
  return { noteBytes, note, statement, body };
}

/** The signed statement alone, as it stands in the log. */
export function decodeStatementNote(noteBytes: Uint8Array): { readonly note: Note; readonly statement: Statement } {
  if (noteBytes.length > MAX_BATCH_NOTE_BYTES) {
    throw new ProtocolError('too-large', `a statement of ${noteBytes.length} bytes with its signatures`);
  }
  const note = parseNote(noteBytes);
  return { note, statement: parseStatement(note.text) };
}

const EM_DASH = Buffer.from('— ');

/** A statement holds no blank line, and no zstd frame begins as a signature line does: the first other line ends the note. */
function noteLength(bytes: Uint8Array): number {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAX_BATCH_NOTE_BYTES + 1));
  const code = bytes.length > MAX_BATCH_NOTE_BYTES ? 'too-large' : 'truncated';
  const blank = view.indexOf('\n\n');
  if (blank < 0) throw new ProtocolError(code, 'no blank line ends the statement');
  let end = blank + 2;
  while (view.subarray(end, end + EM_DASH.length).equals(EM_DASH)) {
    const newline = view.indexOf(0x0a, end);
    if (newline < 0) throw new ProtocolError(code, 'a signature line has no end');
    end = newline + 1;
  }
  return end;
}

/**
 * `undefined` when the node's key did not sign this statement: no signature, a wrong one, or
 * a statement that speaks for another node. Throws when it signed but the body is another.
 */
export function verifyBatch(key: VerifierKey, claimed: ClaimedBatch): VerifiedBatch | undefined {
  if (claimed.statement.node !== key.name || verifyNote(claimed.note, [key]) === undefined) return undefined;
  if (sha256Hex(claimed.body) !== claimed.statement.body.sha256) {
    throw new ProtocolError('body-mismatch', 'the body has another hash than stated');
  }
  // oxlint-disable-next-line no-unsafe-type-assertion -- the one place a VerifiedBatch is made
  return claimed as VerifiedBatch;
}

export interface PackedBody {
  readonly bytes: Uint8Array;
  /** For the statement. */
  readonly body: Statement['body'];
}

export function packBody(lines: readonly string[]): PackedBody {
  return packPlain(Buffer.from(lines.map((line) => `${line}\n`).join('')), lines.length);
}

/** As {@link packBody}, for lines that stand behind each other already, each with its newline. */
export function packPlain(plain: Uint8Array, lines: number): PackedBody {
  if (plain.length > MAX_UNPACKED_BYTES || lines > MAX_EVENTS) {
    throw new ProtocolError('too-large', `a body of ${lines} lines and ${plain.length} bytes`);
  }
  const bytes = zstdCompressSync(plain);
  if (bytes.length > MAX_BODY_BYTES) throw new ProtocolError('too-large', `a body of ${bytes.length} bytes`);
  return { bytes, body: { sha256: sha256Hex(bytes), bytes: bytes.length, unpacked: plain.length } };
}

/** The released events, a line each. */
export function unpackBody(batch: VerifiedBatch): readonly string[] {
  return unpackLines(batch.body, batch.statement.body.unpacked, batch.statement.events);
}

/** As {@link unpackBody}, for a body found by the hash that a verified statement names. */
export function unpackLines(body: Uint8Array, unpacked: number, events: Counts): readonly string[] {
  const plain = decompress(body, unpacked);
  if (plain.length !== unpacked) throw new ProtocolError('body-mismatch', 'the body unpacks to another length');
  checkLines(plain, sumOf(events));
  const text = decodeText(plain);
  return text === '' ? [] : text.slice(0, -1).split('\n');
}

function decompress(body: Uint8Array, unpacked: number): Uint8Array {
  if (frameLength(body) !== body.length) throw new ProtocolError('bad-body', 'not exactly one zstd frame');
  try {
    return zstdDecompressSync(body, {
      maxOutputLength: Math.max(1, unpacked),
      params: { [constants.ZSTD_d_windowLogMax]: 25 },
    });
  } catch (cause) {
    if (cause instanceof RangeError) throw new ProtocolError('body-mismatch', 'the body unpacks to more than stated');
    throw new ProtocolError('bad-body', 'the body does not unpack', { cause });
  }
}

/**
 * How long the zstd frame at the start is (RFC 8878, 3.1.1), read from its block headers.
 * Without this a second or skippable frame could ride along, seen by some tools and not by
 * others. Dictionaries are refused. `undefined` when it is not a whole frame.
 */
function frameLength(body: Uint8Array): number | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (view.byteLength < 6 || view.getUint32(0) !== 0x28b52ffd) return undefined;
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x0b) !== 0) return undefined; // a dictionary, or a reserved bit
  const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  let at = 5 + (singleSegment ? 0 : 1) + sizeBytes;
  for (let last = false; !last;) {
    if (at + 3 > view.byteLength) return undefined;
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    last = (header & 1) === 1;
    const isRepeatedByte = ((header >> 1) & 3) === 1;
    at += 3 + (isRepeatedByte ? 1 : header >> 3);
  }
  return at + ((descriptor & 0x04) === 0 ? 0 : 4);
}

function checkLines(plain: Uint8Array, expected: number): void {
  let start = 0;
  let lines = 0;
  for (; start < plain.length; lines++) {
    const end = plain.indexOf(0x0a, start);
    if (end < 0) throw new ProtocolError('bad-body', 'the last line has no end');
    if (end === start) throw new ProtocolError('bad-body', 'an empty line');
    if (end - start > MAX_LINE_BYTES) throw new ProtocolError('too-large', `a line of ${end - start} bytes`);
    start = end + 1;
  }
  if (lines !== expected) throw new ProtocolError('body-mismatch', `${lines} lines, ${expected} events stated`);
}
