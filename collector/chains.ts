/**
 * Batches on their way into the log, by node and number. Those of one node enter the log in the order in which they
 * came, and a number that is on its way is not begun twice, however many connections bring it.
 */
import type { Statement } from '#protocol/statement.ts';
import type { State } from './state.ts';

/** A batch that is logged, or soon will be. */
export interface Known {
  readonly digest: string;
  readonly logged: Promise<number>;
}

/** The entry stands in the log's queue; `logged` gives its index once it is durable. */
export interface Queued {
  readonly logged: Promise<number>;
}

export class Chains {
  readonly #state: State;
  readonly #onTheWay = new Map<string, Known>();
  readonly #last = new Map<string, Promise<Queued>>();

  constructor(state: State) {
    this.#state = state;
  }

  find({ node, sequence }: Statement): Known | undefined {
    const onTheWay = this.#onTheWay.get(`${node} ${sequence}`);
    if (onTheWay !== undefined) return onTheWay;
    const logged = this.#state.find(node, sequence);
    return logged && { digest: logged.digest, logged: Promise.resolve(logged.logIndex) };
  }

  /**
   * Starts `enter`, which must wait for `before`, the node's batch ahead of it, before it queues its own. When one fails,
   * those behind it fail too: a chain is not logged with a hole that we made.
   */
  add(
    { node, sequence }: Statement,
    digest: string,
    enter: (before: Promise<unknown>) => Promise<Queued>,
  ): Promise<number> {
    const queued = enter(this.#last.get(node) ?? Promise.resolve());
    const logged = queued.then((entry) => entry.logged);
    const name = `${node} ${sequence}`;
    this.#last.set(node, queued);
    this.#onTheWay.set(name, { digest, logged });
    const forget = (): void => {
      this.#onTheWay.delete(name);
      if (this.#last.get(node) === queued) this.#last.delete(node);
    };
    logged.then(forget, forget);
    return logged;
  }
}
