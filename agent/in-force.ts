/** The agent as its rules stand now; whoever follows them hears when they are others. */
import type { Agent } from './agent.ts';

export class InForce {
  #agent: Agent;
  #changing = new AbortController();

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  get agent(): Agent {
    return this.#agent;
  }

  /** Given when what {@link agent} is now is not any more. */
  get changed(): AbortSignal {
    return this.#changing.signal;
  }

  become(agent: Agent): void {
    const over = this.#changing;
    this.#agent = agent;
    this.#changing = new AbortController();
    over.abort();
  }
}
