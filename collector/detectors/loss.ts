/** How much a node lost or sampled away from one batch to the next; alerts say it, because what was lost cannot alert. */
import { lostIn, type Statement } from '#protocol/statement.ts';
import { CLASSES } from '#protocol/vocabulary.ts';
import { numbersOf } from './saved.ts';

export class LossLedger {
  readonly #totals: Map<string, number>;

  constructor(saved: unknown) {
    this.#totals = numbersOf(saved);
  }

  /** Events that this statement counts as lost or sampled beyond the one before. */
  observe(statement: Statement): number {
    const total = CLASSES.reduce((sum, name) => sum + lostIn(statement, name) + (statement.sampled[name] ?? 0), 0);
    const before = this.#totals.get(statement.node) ?? 0;
    this.#totals.set(statement.node, total);
    return Math.max(0, total - before);
  }

  save(): unknown {
    return Object.fromEntries(this.#totals);
  }
}
