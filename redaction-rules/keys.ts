/**
 * Pseudonyms: HMAC-SHA-256 under a key that never leaves the node, cut short and written in base32.
 *
 * Each purpose, domain and epoch has a key of its own, so two attributes can be joined only where their rules name
 * the same domain, and nothing can be joined across epochs.
 */
import { createHmac } from 'node:crypto';

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

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** RFC 4648 alphabet in lower case, no padding; `length` characters of it. */
export function base32(bytes: Uint8Array, length: number): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (let at = 0; text.length < length;) {
    if (held < 5) {
      bits = ((bits & 31) << 8) | (bytes[at++] ?? 0);
      held += 8;
    }
    held -= 5;
    text += BASE32.charAt((bits >> held) & 31);
  }
  return text;
}

/** `p-` and `length` characters of five bits. */
export function pseudonymiser(key: Uint8Array, length: number): (text: string) => string {
  return (text) => `p-${base32(createHmac('sha256', key).update(text).digest(), length)}`;
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
