/** What is in force now; whoever follows it hears when it is another. */
export class InForce<T> {
  #now: T;
  #changing = new AbortController();

  constructor(now: T) {
    this.#now = now;
  }

  get now(): T {
    return this.#now;
  }

  /** Given when what {@link now} is, is over. */
  get changed(): AbortSignal {
    return this.#changing.signal;
  }

  become(next: T): void {
    const over = this.#changing;
    this.#now = next;
    this.#changing = new AbortController();
    over.abort();
  }
}
