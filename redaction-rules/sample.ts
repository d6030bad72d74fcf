/**
 * A fair sample of whatever comes, in bounded memory: everything while there is room, then those whose hash is smallest.
 *
 * The hash of a key decides, not when or how often it came: what is in the sample was counted from its first appearance
 * on, so its numbers are exact, and two samples can be compared over the hashes that both would have taken.
 */
import { hash } from 'node:crypto';

const SPACE = 2 ** 48;

/** 48 bits of SHA-256: nobody can choose keys that crowd others out. */
export const hash48 = (key: string): number => Buffer.from(hash('sha256', key), 'hex').readUIntBE(0, 6);

export class Sample<Value> {
  readonly #limit: number;
  readonly #make: () => Value;
  readonly #kept = new Map<string, { readonly hash: number; readonly value: Value }>();
  #below = SPACE;

  constructor(limit: number, make: () => Value) {
    this.#limit = limit;
    this.#make = make;
  }

  /** Share of all keys that are in the sample; 1: nothing was left out. */
  get rate(): number {
    return this.#below / SPACE;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** What is counted under this key; undefined when the key is not in the sample. */
  at(key: string): Value | undefined {
    const known = this.#kept.get(key);
    if (known !== undefined) return known.value;
    const own = hash48(key);
    if (own >= this.#below) return undefined;
    const value = this.#make();
    this.#kept.set(key, { hash: own, value });
    while (this.#kept.size > this.#limit) this.#halve();
    return own < this.#below ? value : undefined;
  }

  has(key: string): boolean {
    return this.#kept.has(key);
  }

  /** Keys with a hash below a share of all, which is at most {@link rate}. */
  *keys(rate = this.rate): Generator<string> {
    for (const [key, one] of this.#kept) if (one.hash < rate * SPACE) yield key;
  }

  *values(): Generator<Value> {
    for (const { value } of this.#kept.values()) yield value;
  }

  #halve(): void {
    this.#below /= 2;
    for (const [key, one] of this.#kept) if (one.hash >= this.#below) this.#kept.delete(key);
  }
}
