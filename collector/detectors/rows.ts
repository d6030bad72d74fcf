/** Rows that are made one after the other, when they are asked for. As JSON they are an array. */
export class Rows implements Iterable<unknown> {
  readonly #make: () => Iterable<unknown>;

  constructor(make: () => Iterable<unknown>) {
    this.#make = make;
  }

  [Symbol.iterator](): Iterator<unknown> {
    return this.#make()[Symbol.iterator]();
  }

  toJSON(): readonly unknown[] {
    return [...this.#make()];
  }
}
