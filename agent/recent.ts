/**
 * What came lately, by key: at least the last `least` of it, at most twice as many.
 *
 * Two maps, of which the older is let go when the newer is full. To take the oldest entry out of one map instead means to look
 * for it behind all that were taken out before, which was a third of what an agent under load did.
 */
export class Recent<Key, Value> {
  readonly #least: number;
  #newer = new Map<Key, Value>();
  #older = new Map<Key, Value>();

  constructor(least: number) {
    this.#least = least;
  }

  /** Asking for it makes it recent. */
  get(key: Key): Value | undefined {
    const newer = this.#newer.get(key);
    if (newer !== undefined) return newer;
    const older = this.#older.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: Key, value: Value): void {
    if (this.#newer.size >= this.#least && !this.#newer.has(key)) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(key, value);
  }

  delete(key: Key): void {
    this.#newer.delete(key);
    this.#older.delete(key);
  }
}
