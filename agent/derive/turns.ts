/**
 * Whose turn it was: which of those who put a file in place made it what it was at a time that the file system tells.
 *
 * A rename sets the change time of the file that it moves, by a clock that may be some milliseconds behind, and its event has
 * the time at which the call ended, which may be long after on a busy machine. But tools that change accounts wait for each
 * other: nobody begins before the one before has ended. So who made a state is the first whose call ended after the state
 * began. Bounded.
 */
export interface Turn<T> {
  readonly who: T;
  /** When the call ended, µs. */
  readonly us: number;
}

/** Between the clock of events and that of file systems. */
const SKEW_US = 2_000;
/** A call takes no longer, and the file system's clock is no further behind. */
const LONGEST_US = 500_000;
const MOST = 1_024;

export class Turns<T> {
  /** By time. */
  readonly #turns: Turn<T>[] = [];

  add(turn: Turn<T>): void {
    const at = this.#turns.findLastIndex(({ us }) => us <= turn.us);
    this.#turns.splice(at + 1, 0, turn);
    if (this.#turns.length > MOST) this.#turns.shift();
  }

  /** Who made what a file was at `changedUs`, after those who made what it was at `sinceUs`; none if nobody is known to. */
  between(sinceUs: number, changedUs: number): readonly Turn<T>[] {
    const last = this.#at(changedUs);
    if (last < 0) return [];
    const before = this.#at(sinceUs);
    const first = before >= 0 ? before + 1 : this.#turns.findIndex(({ us }) => us > sinceUs);
    return this.#turns.slice(Math.min(first, last), last + 1);
  }

  /** Of a state: the nearest within what clocks differ by, else the first after. */
  #at(changedUs: number): number {
    const first = this.#turns.findIndex(({ us }) => us >= changedUs - SKEW_US);
    let best = first;
    const distance = (i: number): number => Math.abs((this.#turns[i]?.us ?? Infinity) - changedUs);
    for (let i = first + 1; first >= 0 && (this.#turns[i]?.us ?? Infinity) <= changedUs + SKEW_US; i++)
      if (distance(i) < distance(best)) best = i;
    return best >= 0 && (this.#turns[best]?.us ?? Infinity) - changedUs <= LONGEST_US ? best : -1;
  }
}
