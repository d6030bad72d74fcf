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

  /** Those before have ended when these begin: two would share a cursor. */
  async become(outputs: readonly Output[]): Promise<void> {
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
