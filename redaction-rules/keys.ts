/**
 * Pseudonyms: HMAC-SHA-256 under a key that never leaves the node, cut short and written in base32.
 *
 * Each purpose, domain and epoch has a key of its own, so two attributes can be joined only where their rules name
 * the same domain, and nothing can be joined across epochs.
 */
import { createHmac, hash } from 'node:crypto';

export const SCOPES = ['node', 'cohort', 'fleet'] as const;
export type Scope = (typeof SCOPES)[number];

/** 32 secret bytes each. `node` is the node's own; `cohort` and `fleet` are shared by the nodes that should be comparable. */
export interface PseudonymKeys {
  readonly node: Uint8Array;
  readonly cohort?: Uint8Array;
  readonly fleet?: Uint8Array;
}

const KEY_BYTES = 32;

/** The key for one purpose, domain and epoch. */
export function deriveKey(
  keys: PseudonymKeys,
  scope: Scope,
  purpose: 'pseudonym' | 'prefix4' | 'prefix6' | 'noise',
  domain: string,
  epoch: number,
): Buffer {
  const root = keys[scope];
  if (root === undefined) throw new Error(`no ${scope} key: the ruleset has pseudonyms of scope ${scope}`);
  if (root.length !== KEY_BYTES) throw new Error(`the ${scope} key has ${root.length} bytes, not ${KEY_BYTES}`);
  return createHmac('sha256', root).update(`hushwatch/${purpose}/1\n${domain}\n${epoch}`).digest();
}

const BLOCK_BYTES = 64;
const MAX_FAST_BYTES = 1024;

/**
 * HMAC-SHA-256 of texts under one key, as a text of 32 characters, one a byte. Its two hashes are made one by one, from
 * buffers that are used again: a third of the time of `createHmac`, which is kept for texts that do not fit.
 */
export function keyedHash(key: Uint8Array): (text: string) => string {
  const inner = Buffer.alloc(BLOCK_BYTES + MAX_FAST_BYTES);
  const outer = Buffer.alloc(BLOCK_BYTES + 32);
  for (let at = 0; at < BLOCK_BYTES; at++) {
    inner[at] = (key[at] ?? 0) ^ 0x36;
    outer[at] = (key[at] ?? 0) ^ 0x5c;
  }
  return (text) => {
    if (text.length * 3 > MAX_FAST_BYTES) return createHmac('sha256', key).update(text).digest('latin1');
    const length = inner.write(text, BLOCK_BYTES, 'utf8');
    outer.write(hash('sha256', inner.subarray(0, BLOCK_BYTES + length), 'latin1'), BLOCK_BYTES, 'latin1');
    return hash('sha256', outer, 'latin1');
  };
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** RFC 4648 alphabet in lower case, no padding; `length` characters of it. `bytes` has one character a byte. */
export function base32(bytes: string, length: number): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (let at = 0; text.length < length;) {
    if (held < 5) {
      bits = ((bits & 31) << 8) | bytes.charCodeAt(at++);
      held += 8;
    }
    held -= 5;
    text += BASE32.charAt((bits >> held) & 31);
  }
  return text;
}

/** `p-` and `length` characters of five bits. */
export function pseudonymiser(key: Uint8Array, length: number): (text: string) => string {
  const hashOf = keyedHash(key);
  return (text) => `p-${base32(hashOf(text), length)}`;
}

/** Where the pseudonyms of whole numbers begin: beyond every id, port and inode that is small enough to be guessed. */
export const NUMBER_PSEUDONYM_MIN = 2 ** 40;
export const NUMBER_PSEUDONYM_MAX = 2 ** 41 - 1;

export function numberPseudonymiser(key: Uint8Array): (value: number) => number {
  return (value) => NUMBER_PSEUDONYM_MIN + createHmac('sha256', key).update(`int\n${value}`).digest().readUIntBE(0, 5);
}

/**
 * Noise that cannot be averaged away: Laplace, of the given scale, drawn from the key and the number of the window,
 * so that within one window it is always the same.
 */
export function frozenNoise(key: Uint8Array, scale: number, window: number): number {
  const bytes = createHmac('sha256', key).update(String(window)).digest();
  const uniform = (bytes.readUIntBE(0, 6) + 0.5) / 2 ** 48 - 0.5;
  return -scale * Math.sign(uniform) * Math.log(1 - 2 * Math.abs(uniform));
}
