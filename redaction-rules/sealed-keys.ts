/**
 * Roots of pseudonyms that several nodes share, on their way from the privacy authority to one node: sealed to that node's
 * key (HPKE, RFC 9180, X25519, HKDF-SHA-256, AES-256-GCM), in a note that the authority signed. Whoever carries
 * it learns nothing; no collector ever needs it.
 *
 *     hushwatch/keys/v1
 *     node node-1
 *     cohort subnet-1
 *     cohort-root <encapsulated> <sealed>
 *     fleet-root <encapsulated> <sealed>
 *
 * A root that is not given is `-`. What is sealed: 32 lasting bytes, the hour (8 bytes, big-endian), 32 bytes of the chain.
 */
import { AEAD_AES_256_GCM, CipherSuite, KDF_HKDF_SHA256, KEM_DHKEM_X25519_HKDF_SHA256 } from 'hpke';
import { decodeBase64, encodeBase64, encodeText } from '#protocol/encoding.ts';
import { parseNote, signNote, verifyNote, type SigningKey, type VerifierKey } from '#protocol/note.ts';
import { KEY_BYTES, type TurningRoot } from './keys.ts';

const HEADER = 'hushwatch/keys/v1';
const NAME = /^[a-z0-9][a-z0-9.-]{0,62}$/;
const suite = new CipherSuite(KEM_DHKEM_X25519_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_256_GCM);

/** The note is not what it should be; the message says what to do. */
export class SealedKeysError extends Error {
  override readonly name = 'SealedKeysError';
}

const SHARED = ['cohort', 'fleet'] as const;
export type SharedScope = (typeof SHARED)[number];
export type SharedRoots = { readonly [scope in SharedScope]?: TurningRoot | undefined };

/** A node's key pair for sealed things, 32 bytes each. */
export interface SealKey {
  readonly secret: Uint8Array;
  readonly public: Uint8Array;
}

export async function generateSealKey(): Promise<SealKey> {
  const pair = await suite.GenerateKeyPair(true);
  return {
    secret: await suite.SerializePrivateKey(pair.privateKey),
    public: await suite.SerializePublicKey(pair.publicKey),
  };
}

export interface Addressee {
  readonly node: string;
  readonly cohort: string;
  readonly publicKey: Uint8Array;
}

/** What is sealed is bound to its place: a root for one node, cohort and scope opens as no other. */
const infoOf = (node: string, cohort: string, scope: SharedScope): Uint8Array =>
  encodeText(`${HEADER}\nnode ${node}\ncohort ${cohort}\n${scope}\n`);

export async function sealKeys(to: Addressee, roots: SharedRoots, authority: SigningKey): Promise<Uint8Array> {
  const publicKey = await suite.DeserializePublicKey(to.publicKey);
  const lines = [HEADER, `node ${to.node}`, `cohort ${to.cohort}`];
  for (const scope of SHARED) {
    const root = roots[scope];
    if (root === undefined) {
      lines.push(`${scope}-root -`);
      continue;
    }
    const info = infoOf(to.node, to.cohort, scope);
    const { encapsulatedSecret, ciphertext } = await suite.Seal(publicKey, packRoot(root), { info });
    lines.push(`${scope}-root ${encodeBase64(encapsulatedSecret)} ${encodeBase64(ciphertext)}`);
  }
  return signNote(`${lines.join('\n')}\n`, authority);
}

export interface Opener {
  readonly node: string;
  readonly cohort: string;
  readonly secret: Uint8Array;
  readonly authority: VerifierKey;
}

/** Throws a SealedKeysError, or the ProtocolError of a note that is none. */
export async function openKeys(bytes: Uint8Array, by: Opener): Promise<SharedRoots> {
  const note = parseNote(bytes);
  if (verifyNote(note, [by.authority]) === undefined) throw new SealedKeysError('not signed by the authority');
  const [header, node, cohort, ...roots] = note.text.split('\n', 7);
  if (header !== HEADER || roots.length !== 3 || roots[2] !== '')
    throw new SealedKeysError(`not a note of ${HEADER}; ask the authority for another`);
  if (node !== `node ${by.node}` || cohort !== `cohort ${by.cohort}` || !NAME.test(by.node) || !NAME.test(by.cohort))
    throw new SealedKeysError('sealed for another node or cohort; ask the authority for one of your own');
  const key = await suite.DeserializePrivateKey(by.secret, false);
  const open = async (scope: SharedScope, line: string): Promise<TurningRoot | undefined> => {
    const [name, encapsulated, sealed, more] = line.split(' ', 4);
    if (name !== `${scope}-root` || encapsulated === undefined || more !== undefined)
      throw new SealedKeysError(`no line ${scope}-root where it should stand`);
    if (encapsulated === '-' && sealed === undefined) return undefined;
    return await openRoot(
      key,
      infoOf(by.node, by.cohort, scope),
      decodeBase64(encapsulated),
      decodeBase64(sealed ?? ''),
    );
  };
  return { cohort: await open('cohort', roots[0] ?? ''), fleet: await open('fleet', roots[1] ?? '') };
}

type PrivateKey = Awaited<ReturnType<typeof suite.DeserializePrivateKey>>;

async function openRoot(
  key: PrivateKey,
  info: Uint8Array,
  encapsulated: Uint8Array,
  sealed: Uint8Array,
): Promise<TurningRoot> {
  let opened: Uint8Array;
  try {
    opened = await suite.Open(key, encapsulated, sealed, { info });
  } catch {
    // Without the cause: what could be opened is a secret.
    throw new SealedKeysError('cannot be opened with this key; send the authority the public half of it');
  }
  return unpackRoot(opened);
}

const PACKED_BYTES = 2 * KEY_BYTES + 8;

export function packRoot({ lasting, hour, chain }: TurningRoot): Uint8Array {
  const hourBytes = Buffer.alloc(8);
  hourBytes.writeBigUInt64BE(BigInt(hour));
  return Buffer.concat([lasting, hourBytes, chain]);
}

export function unpackRoot(bytes: Uint8Array): TurningRoot {
  const packed = Buffer.from(bytes);
  if (packed.length !== PACKED_BYTES) throw new SealedKeysError(`a root has ${PACKED_BYTES} bytes`);
  const hour = Number(packed.readBigUInt64BE(KEY_BYTES));
  if (!Number.isSafeInteger(hour)) throw new SealedKeysError('a root with an hour beyond all time');
  return { lasting: packed.subarray(0, KEY_BYTES), hour, chain: packed.subarray(KEY_BYTES + 8) };
}
