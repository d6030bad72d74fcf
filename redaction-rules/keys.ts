/**
 * Pseudonyms: HMAC-SHA-256 under a key that never leaves the node, cut short and written in base32.
 *
 * Each purpose, domain and epoch has a key of its own, so two attributes can be joined only where their rules name
 * the same domain, and nothing can be joined across epochs.
 */
import { createHmac, hash, hkdfSync } from 'node:crypto';

export const SCOPES = ['node', 'cohort', 'fleet'] as const;
export type Scope = (typeof SCOPES)[number];

/** Pseudonyms change at whole hours; an epoch is a number of them. µs. */
export const HOUR_US = 3_600_000_000;

/**
 * A root that forgets: one secret that lasts, for pseudonyms that are to last, and one that turns into the next each hour
 * and cannot be turned back. Who has it now can make every later pseudonym and no earlier one.
 */
export interface TurningRoot {
  readonly lasting: Uint8Array;
  /** Hours since 1970 of `chain`. */
  readonly hour: number;
  readonly chain: Uint8Array;
}

/** 32 bytes that never change, or a root that forgets. */
export type Root = Uint8Array | TurningRoot;

/** `node` is the node's own; `cohort` and `fleet` are shared by the nodes that should be comparable. */
export interface PseudonymKeys {
  readonly node: Root;
  readonly cohort?: Root | undefined;
  readonly fleet?: Root | undefined;
  /** Another number when the roots were replaced. */
  readonly generation?: number;
}

export const KEY_BYTES = 32;

/** The same root at a later hour; unchanged when it is there already. RFC 5869, one step an hour. */
export function turnTo({ lasting, hour, chain }: TurningRoot, later: number): TurningRoot {
  let turned = Buffer.from(chain);
  for (let at = hour; at < later; at++)
    turned = Buffer.from(hkdfSync('sha256', turned, Buffer.alloc(0), 'hushwatch/hour/1', KEY_BYTES));
  return { lasting, hour: Math.max(hour, later), chain: turned };
}

/** When a value got its pseudonym: the epoch by number, and the hour in which it began. */
export interface When {
  readonly epoch: number;
  readonly hour: number;
}

/** For pseudonyms that do not change. */
export const FOREVER: When = { epoch: 0, hour: -1 };

/** The rules have pseudonyms that this node has no root for. */
export class MissingRoot extends Error {
  override readonly name = 'MissingRoot';

  constructor(scope: Scope) {
    super(`no ${scope} key: the ruleset has pseudonyms of scope ${scope}; ask the privacy authority for sealed keys`);
  }
}

/** The key for one purpose, domain and epoch. What is earlier than the root remembers gets the earliest that it has. */
export function deriveKey(
  keys: PseudonymKeys,
  scope: Scope,
  purpose: 'pseudonym' | 'prefix4' | 'prefix6' | 'noise' | 'sum',
  domain: string,
  when: When,
): Buffer {
  const root = keys[scope];
  if (root === undefined) throw new MissingRoot(scope);
  const secret = secretOf(root, when);
  if (secret.length !== KEY_BYTES) throw new Error(`the ${scope} key has ${secret.length} bytes, not ${KEY_BYTES}`);
  return createHmac('sha256', secret).update(`hushwatch/${purpose}/1\n${domain}\n${when.epoch}`).digest();
}

function secretOf(root: Root, when: When): Uint8Array {
  if (root instanceof Uint8Array) return root;
  return when.hour < 0 ? root.lasting : turnTo(root, when.hour).chain;
}

const BLOCK_BYTES = 64;
const MAX_FAST_BYTES = 1024;

/**
 * HMAC-SHA-256 of texts under one key, as a text of 32 characters, one a byte. Its two hashes are made one by one, from
 * buffers and views that are used again: a third of the time of `createHmac`, which is kept for texts that do not fit.
 */
export function keyedHash(key: Uint8Array): (text: string) => string {
  const inner = Buffer.alloc(BLOCK_BYTES + MAX_FAST_BYTES);
  const outer = Buffer.alloc(BLOCK_BYTES + 32);
  for (let at = 0; at < BLOCK_BYTES; at++) {
    inner[at] = (key[at] ?? 0) ^ 0x36;
    outer[at] = (key[at] ?? 0) ^ 0x5c;
  }
  const beginnings: (Buffer | undefined)[] = [];
  return (text) => {
    if (text.length * 3 > MAX_FAST_BYTES) return createHmac('sha256', key).update(text).digest('latin1');
    const length = BLOCK_BYTES + inner.write(text, BLOCK_BYTES);
    const beginning = (beginnings[length] ??= inner.subarray(0, length));
    outer.write(hash('sha256', beginning, 'latin1'), BLOCK_BYTES, 'latin1');
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
const NUMBER_PSEUDONYM_BYTES = 5;

export function numberPseudonymiser(key: Uint8Array): (value: number) => number {
  const hashOf = keyedHash(key);
  return (value) => {
    const bytes = hashOf(`int\n${value}`);
    let number = 0;
    for (let at = 0; at < NUMBER_PSEUDONYM_BYTES; at++) number = number * 256 + bytes.charCodeAt(at);
    return NUMBER_PSEUDONYM_MIN + number;
  };
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
