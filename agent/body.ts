/**
 * The open batch: released lines, written behind each other as they come, so that nothing of an event but its bytes
 * lives longer than the chunk it came in.
 */
import type { Counts } from '#protocol/statement.ts';
import type { EventClass } from '#protocol/vocabulary.ts';
import type { ReleasedEvent } from '../redaction-rules/compile.ts';

const FIRST_BYTES = 65_536;
/** A character is at most three bytes of UTF-8; a line that is ASCII, as ours are, is one each. */
const MOST_BYTES_A_CHARACTER = 3;

export class Body {
  #buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #used = 0;
  #lines = 0;
  #events: Partial<Record<EventClass, number>> = {};
  #first = 0;
  #last = 0;
  #firstEpoch = 0;
  #lastEpoch = 0;

  add({ class: cls, line, time, epoch }: ReleasedEvent): void {
    this.#reserve(line.length * MOST_BYTES_A_CHARACTER + 1);
    this.#used += this.#buffer.write(line, this.#used);
    this.#buffer[this.#used++] = 0x0a;
    this.#firstEpoch = this.#lines === 0 ? epoch : Math.min(epoch, this.#firstEpoch);
    this.#lastEpoch = this.#lines === 0 ? epoch : Math.max(epoch, this.#lastEpoch);
    this.#lines++;
    this.#events[cls] = (this.#events[cls] ?? 0) + 1;
    if (this.#first === 0 || time < this.#first) this.#first = time;
    if (time > this.#last) this.#last = time;
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#used + bytes));
    this.#buffer.copy(larger, 0, 0, this.#used);
    this.#buffer = larger;
  }

  /** Empty again, in the same memory. */
  clear(): void {
    this.#used = this.#lines = this.#first = this.#last = 0;
    this.#events = {};
  }

  get lines(): number {
    return this.#lines;
  }

  get bytes(): number {
    return this.#used;
  }

  /** Shares memory: good until {@link clear}. */
  get plain(): Uint8Array {
    return this.#buffer.subarray(0, this.#used);
  }

  get events(): Counts {
    return this.#events;
  }

  /** Of the pseudonyms; means nothing when there is no event. */
  get epochs(): { readonly first: number; readonly last: number } {
    return { first: this.#firstEpoch, last: this.#lastEpoch };
  }

  /** Times as released; zeros when there is no event. */
  get time(): { readonly first: number; readonly last: number } {
    return { first: this.#first, last: this.#last };
  }
}
