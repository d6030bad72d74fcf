/**
 * Witness cosignatures, version 1 (C2SP tlog-cosignature, Ed25519): "at this time, this was
 * the largest checkpoint of this log that I saw, and it continued all that I saw before".
 */
import { sign } from 'node:crypto';
import { encodeText } from './encoding.ts';
import {
  COSIGNATURE,
  parsePublicKey,
  readPrivateKey,
  signatureBy,
  signingKey,
  verifyEd25519,
  type Note,
  type PrivateKey,
  type PublicKey,
  type SignatureLine,
} from './note.ts';

export type CosignerKey = PublicKey<typeof COSIGNATURE>;
export type CosigningKey = PrivateKey<typeof COSIGNATURE>;

export interface Cosignature {
  readonly witness: CosignerKey;
  /** Seconds since 1970, as the witness says. */
  readonly time: number;
}

export function parseCosignerKey(vkey: string): CosignerKey {
  return parsePublicKey(vkey, COSIGNATURE);
}

export function parseCosigningKey(name: string, pem: string): CosigningKey {
  return signingKey(name, COSIGNATURE, readPrivateKey(pem));
}

/** The signature line that a witness adds to the checkpoint with this text. */
export function cosign(text: string, { key, verifier }: CosigningKey, time: number): SignatureLine {
  const stamp = Buffer.alloc(8);
  stamp.writeBigUInt64BE(BigInt(time));
  const signature = Buffer.concat([stamp, sign(null, cosignedMessage(encodeText(text), time), key)]);
  return { name: verifier.name, id: verifier.id, signature };
}

/** The cosignatures by these witnesses; `undefined` if one of them is wrong. Unknown witnesses are ignored. */
export function verifyCosignatures(note: Note, witnesses: readonly CosignerKey[]): readonly Cosignature[] | undefined {
  const found: Cosignature[] = [];
  for (const witness of witnesses) {
    const line = signatureBy(note, witness);
    if (line === undefined) continue;
    const time = timeOf(line.signature);
    if (time === undefined) return undefined;
    if (!verifyEd25519(witness.key, cosignedMessage(note.textBytes, time), line.signature.subarray(8)))
      return undefined;
    found.push({ witness, time });
  }
  return found;
}

function timeOf(signature: Uint8Array): number | undefined {
  if (signature.length !== 8 + 64) return undefined;
  const time = Number(Buffer.from(signature).readBigUInt64BE(0));
  return Number.isSafeInteger(time) ? time : undefined;
}

function cosignedMessage(text: Uint8Array, time: number): Uint8Array {
  return Buffer.concat([Buffer.from(`cosignature/v1\ntime ${time}\n`), text]);
}
