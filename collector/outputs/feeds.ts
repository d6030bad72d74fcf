/** The outputs that are fed: all of them can be put in place of all others, without a story lost or fed by two at once. */
import type { Logger } from 'pino';
import type { State } from '../state.ts';
import { feedOutput, type Output } from './output.ts';

export class Feeds implements AsyncDisposable {
  readonly #state: State;
  readonly #logger: Logger;
  readonly #broken = Promise.withResolvers<Error>();
  #outputs: readonly Output[] = [];
  #ending = new AbortController();
  #feeding: readonly Promise<void>[] = [];
  #becoming: Promise<void> = Promise.resolve();

  constructor(state: State, logger: Logger) {
    this.#state = state;
    this.#logger = logger;
  }

  get outputs(): readonly Output[] {
    return this.#outputs;
  }

  /** Resolves when the state underneath is gone; never while all is well. */
  get broken(): Promise<Error> {
    return this.#broken.promise;
  }

  /** One after the other, whoever asks: the end of the collector may come while outputs are changed. */
  async become(outputs: readonly Output[]): Promise<void> {
    this.#becoming = this.#becoming.then(() => this.#change(outputs));
    await this.#becoming;
  }

  /** Those before have ended when these begin: two would share a cursor. */
  async #change(outputs: readonly Output[]): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#feeding);
    const ending = new AbortController();
    this.#ending = ending;
    this.#outputs = outputs;
    this.#feeding = outputs.map((output) => this.#feed(output, ending.signal));
  }

  async #feed(output: Output, signal: AbortSignal): Promise<void> {
    try {
      await feedOutput(this.#state, output, this.#logger, signal);
    } catch (error) {
      this.#broken.resolve(error instanceof Error ? error : new Error(String(error)));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.become([]);
  }
}
