/**
 * Signed notes (C2SP signed-note): text, a blank line, signature lines. The one format of
 * everything that is signed here. A note's text means nothing until {@link verifyNote} has
 * returned it; signatures are checked over the bytes as they travelled.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { decodeBase64, decodeText, encodeBase64, encodeText } from './encoding.ts';
import { ProtocolError } from './error.ts';

export const MAX_NOTE_BYTES = 131_072;
export const MAX_SIGNATURES = 16;

/** The byte that tells what a key signs: 1 the note's text, 4 a checkpoint and the time (see cosignature.ts). */
export const NOTE_SIGNATURE = 1;
export const COSIGNATURE = 4;
type SignatureType = typeof NOTE_SIGNATURE | typeof COSIGNATURE;

export interface SignatureLine {
  readonly name: string;
  /** Key id, eight hexadecimal digits. */
  readonly id: string;
  readonly signature: Uint8Array;
}

/** A well-formed note that nobody has verified yet. */
export interface Note {
  readonly text: string;
  /** The text as it travelled; what the signatures cover. */
  readonly textBytes: Uint8Array;
  readonly signatures: readonly SignatureLine[];
}

declare const verified: unique symbol;

/** A note that at least one trusted key signed. Only {@link verifyNote} makes one. */
export interface VerifiedNote extends Note {
  readonly [verified]: true;
  readonly signers: readonly VerifierKey[];
}

export interface PublicKey<Type extends SignatureType> {
  readonly type: Type;
  readonly name: string;
  readonly id: string;
  readonly key: KeyObject;
}
export type VerifierKey = PublicKey<typeof NOTE_SIGNATURE>;

export interface PrivateKey<Type extends SignatureType> {
  readonly key: KeyObject;
  readonly verifier: PublicKey<Type>;
}
export type SigningKey = PrivateKey<typeof NOTE_SIGNATURE>;

/** Splits a note and checks its form, not its signatures. The result shares memory with `bytes`. */
export function parseNote(bytes: Uint8Array): Note {
  if (bytes.length > MAX_NOTE_BYTES) throw new ProtocolError('too-large', `a note of ${bytes.length} bytes`);
  const whole = decodeText(bytes);
  const blank = whole.lastIndexOf('\n\n');
  if (blank < 0) throw new ProtocolError('bad-note', 'no blank line between text and signatures');
  const text = whole.slice(0, blank + 1);
  return {
    text,
    textBytes: bytes.subarray(0, Buffer.byteLength(text)),
    signatures: parseSignatures(whole.slice(blank + 2)),
  };
}

function parseSignatures(block: string): readonly SignatureLine[] {
  if (!block.endsWith('\n')) throw new ProtocolError('bad-note', 'the last signature line has no end');
  const lines = block.slice(0, -1).split('\n', MAX_SIGNATURES + 1);
  if (lines.length > MAX_SIGNATURES) throw new ProtocolError('too-large', `more than ${MAX_SIGNATURES} signatures`);
  const signatures = lines.map(parseSignature);
  if (new Set(signatures.map((line) => `${line.name} ${line.id}`)).size !== signatures.length) {
    throw new ProtocolError('bad-note', 'one key signed twice');
  }
  return signatures;
}

function parseSignature(line: string): SignatureLine {
  const [dash, name, encoded, more] = line.split(' ', 4);
  if (dash !== '—' || name === undefined || encoded === undefined || more !== undefined || !isKeyName(name)) {
    throw new ProtocolError('bad-note', 'a signature line is not: em dash, key name, base64');
  }
  const blob = decodeBase64(encoded);
  if (blob.length < 5) throw new ProtocolError('bad-note', 'a signature of no bytes');
  return { name, id: Buffer.from(blob.subarray(0, 4)).toString('hex'), signature: blob.subarray(4) };
}

export const isKeyName = (name: string): boolean => name !== '' && !/[\p{White_Space}+]/u.test(name);

export function formatNote(text: string, signatures: readonly SignatureLine[]): Uint8Array {
  if (!text.endsWith('\n')) throw new ProtocolError('bad-note', 'the text does not end its last line');
  const lines = signatures.map((line) => {
    const blob = Buffer.concat([Buffer.from(line.id, 'hex'), line.signature]);
    return `— ${line.name} ${encodeBase64(blob)}\n`;
  });
  return encodeText(`${text}\n${lines.join('')}`);
}

/** The note of `text`, signed by `key` beside the signatures it already has. */
export function signNote(text: string, key: SigningKey, existing: readonly SignatureLine[] = []): Uint8Array {
  return formatNote(text, [...existing, signText(encodeText(text), key)]);
}

function signText(text: Uint8Array, { key, verifier }: SigningKey): SignatureLine {
  return { name: verifier.name, id: verifier.id, signature: sign(null, text, key) };
}

/**
 * Checks every signature by a trusted key; unknown keys are ignored. `undefined` when no
 * trusted key signed, and also when one trusted key's signature is wrong beside good ones.
 */
export function verifyNote(note: Note, trusted: readonly VerifierKey[]): VerifiedNote | undefined {
  const signers: VerifierKey[] = [];
  for (const key of trusted) {
    const line = signatureBy(note, key);
    if (line === undefined) continue;
    if (!verifyEd25519(key.key, note.textBytes, line.signature)) return undefined;
    signers.push(key);
  }
  if (signers.length === 0) return undefined;
  const signed: Note & { readonly signers: readonly VerifierKey[] } = { ...note, signers };
  // oxlint-disable-next-line no-unsafe-type-assertion -- the one place a VerifiedNote is made
  return signed as VerifiedNote;
}

export function signatureBy(note: Note, key: PublicKey<SignatureType>): SignatureLine | undefined {
  return note.signatures.find((line) => line.name === key.name && line.id === key.id);
}

export function verifyEd25519(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  return signature.length === 64 && verify(null, message, key, signature);
}

/** Reads `name+id+base64`, the text form of a public key. */
export function parseVerifierKey(vkey: string): VerifierKey {
  return parsePublicKey(vkey, NOTE_SIGNATURE);
}

export function parsePublicKey<Type extends SignatureType>(vkey: string, type: Type): PublicKey<Type> {
  if (vkey.length > 1024) throw new ProtocolError('too-large', 'a verifier key of more than 1,024 characters');
  const [, name = '', id = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+([^\n]+)$/.exec(vkey) ?? [];
  const material = decodeBase64(encoded);
  if (material[0] !== type) throw new ProtocolError('bad-key', `not a key of type ${type}`);
  const key = publicKey(name, type, material.subarray(1));
  if (key.id !== id) throw new ProtocolError('bad-key', 'the key id does not belong to name and key');
  return key;
}

export function formatVerifierKey(key: PublicKey<SignatureType>): string {
  return `${key.name}+${key.id}+${encodeBase64(Buffer.concat([Buffer.of(key.type), rawPublicKey(key.key)]))}`;
}

export function publicKey<Type extends SignatureType>(name: string, type: Type, raw: Uint8Array): PublicKey<Type> {
  if (!isKeyName(name)) throw new ProtocolError('bad-key', 'a key name is not empty and holds no space or plus');
  if (raw.length !== 32) throw new ProtocolError('bad-key', 'an Ed25519 public key has 32 bytes');
  if (isWeakPoint(raw)) throw new ProtocolError('bad-key', 'anyone can sign for this public key');
  const id = createHash('sha256').update(`${name}\n`).update(Buffer.of(type)).update(raw).digest('hex').slice(0, 8);
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
  return { type, name, id, key };
}

/** What stands before the 32 bytes in the DER form of an Ed25519 public key. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

function rawPublicKey(key: KeyObject): Uint8Array {
  return key.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);
}

/**
 * The five y coordinates of the points whose order divides eight, little-endian. For such a
 * key a signature can be made without any secret, and node:crypto would accept it.
 */
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
];

/** Small order, or y not below the field's prime 2^255 - 19 (a second spelling of y - p). */
function isWeakPoint(raw: Uint8Array): boolean {
  const y = Buffer.from(raw);
  y[31] = (y[31] ?? 0) & 0x7f; // the highest bit is the sign of x
  const hex = y.toString('hex');
  return SMALL_ORDER.includes(hex) || /^(?:e[d-f]|f[0-9a-f])(?:ff){30}7f$/.test(hex);
}

export function generateSigningKey(name: string): SigningKey {
  return signingKey(name, NOTE_SIGNATURE, generateKeyPairSync('ed25519').privateKey);
}

/** Reads a private key as {@link formatSigningKey} writes it: PKCS #8, PEM. */
export function parseSigningKey(name: string, pem: string): SigningKey {
  return signingKey(name, NOTE_SIGNATURE, readPrivateKey(pem));
}

export function formatSigningKey(key: PrivateKey<SignatureType>): string {
  return key.key.export({ format: 'pem', type: 'pkcs8' }).toString();
}

export function readPrivateKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // Without the cause: it may quote the key.
    throw new ProtocolError('bad-key', 'not a private key in PEM');
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new ProtocolError('bad-key', 'not an Ed25519 private key');
  return key;
}

export function signingKey<Type extends SignatureType>(name: string, type: Type, key: KeyObject): PrivateKey<Type> {
  return { key, verifier: publicKey(name, type, rawPublicKey(createPublicKey(key))) };
}
