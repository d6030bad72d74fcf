/**
 * One stream in pieces, end to end: a piece ends when it is cut, or with the stream. What was asked for when it was cut belongs to the
 * next piece, so nothing is lost and nothing comes twice.
 */
export class Pieces<T> {
  readonly #source: AsyncIterator<T>;
  #asked: Promise<IteratorResult<T>> | undefined;
  #isCut = false;
  #isOver = false;
  #wake = (): void => {};

  constructor(stream: AsyncIterable<T>) {
    this.#source = stream[Symbol.asyncIterator]();
  }

  /** No further piece would hold anything. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends the piece that is being read, or that is read next. */
  cut(): void {
    this.#isCut = true;
    this.#wake();
  }

  /** The next piece, which begins with `first`. */
  async *piece(...first: readonly T[]): AsyncGenerator<T> {
    yield* first;
    for (let got = await this.#next(); got !== undefined; got = await this.#next()) {
      if (got.done === true) {
        this.#isOver = true;
        return;
      }
      yield got.value;
    }
    this.#isCut = false;
  }

  /** `undefined` when cut. No race with a promise that lives long: each would leave something behind in it. */
  async #next(): Promise<IteratorResult<T> | undefined> {
    if (this.#isCut) return undefined;
    const asked = (this.#asked ??= this.#source.next());
    const got = await new Promise<IteratorResult<T> | undefined>((settle, fail) => {
      this.#wake = () => settle(undefined);
      asked.then(settle, fail);
    });
    if (got !== undefined) this.#asked = undefined;
    return got;
  }
}
