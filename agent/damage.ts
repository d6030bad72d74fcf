/**
 * Batches that the disk damaged while they waited: each is told by an event of the next batch, so that whoever finds a hole in
 * the chain finds the node's own word for it beside. How many events were in it the statements before and after say.
 */
import type { RawEvent } from './event.ts';

export class Damage {
  readonly #untold: RawEvent[] = [];
  #wake: () => void = () => {};

  note(sequence: number, problem: string): void {
    this.#untold.push({
      name: 'hushwatch.spool.damage',
      time: Date.now() * 1_000,
      attributes: { 'hushwatch.batch.sequence': sequence, 'hushwatch.batch.problem': problem },
    });
    this.#wake();
  }

  async *events(signal: AbortSignal): AsyncGenerator<readonly RawEvent[]> {
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      if (this.#untold.length > 0) yield this.#untold.splice(0);
      else await new Promise<void>((settle) => (this.#wake = settle));
    }
  }
}
