/**
 * Batches on their way into the log, by node and number. Those of one node enter the log in the order in which they
 * came, and a number that is on its way is not begun twice, however many connections bring it.
 */
import type { Statement } from '#protocol/statement.ts';
import type { State } from './state.ts';

type Place = Pick<Statement, 'node' | 'sequence'>;

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

  /** When nothing of the node is on its way any more: its last entry is known. Another may be added right after. */
  async settled(node: string): Promise<void> {
    for (let last = this.#last.get(node); last !== undefined; last = this.#last.get(node)) {
      await last.then((entry) => entry.logged).catch(() => {});
      // Those who wait for it longer than we do forget it now.
      await new Promise((settle) => setImmediate(settle));
    }
  }

  /** Whether an entry of the node is on its way. */
  isBusy(node: string): boolean {
    return this.#last.has(node);
  }

  find({ node, sequence }: Place): Known | undefined {
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
    { node, sequence }: Place,
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
