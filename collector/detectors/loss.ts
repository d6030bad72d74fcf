/** How much a node lost or sampled away from one batch to the next; alerts say it, because what was lost cannot alert. */
import { lostIn, type Statement } from '#protocol/statement.ts';
import { CLASSES } from '#protocol/vocabulary.ts';
import { HOUR } from './detector.ts';
import { mapOf, memberOf, numberOf, numbersOf, rowsOf } from './saved.ts';

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

interface Hours {
  readonly hour: number;
  readonly now: number;
  readonly before: number;
}

/** What a node lost or sampled away in this hour and the one before, by the collector's time. */
export class RecentLoss {
  readonly #ledger: LossLedger;
  readonly #nodes: Map<string, Hours>;

  constructor(saved: unknown) {
    this.#ledger = new LossLedger(memberOf(saved, 'totals'));
    this.#nodes = mapOf(memberOf(saved, 'hours'), (row) => {
      const [hour, now, before] = row.map(numberOf);
      return hour === undefined || now === undefined || before === undefined ? undefined : { hour, now, before };
    });
  }

  observe(statement: Statement, receivedAt: number): void {
    const lost = this.#ledger.observe(statement);
    const hour = Math.floor(receivedAt / HOUR);
    const known = this.#nodes.get(statement.node) ?? { hour, now: 0, before: 0 };
    const passed = hour - known.hour;
    const before = passed <= 0 ? known.before : passed === 1 ? known.now : 0;
    const now = (passed <= 0 ? known.now : 0) + lost;
    this.#nodes.set(statement.node, { hour: Math.max(hour, known.hour), now, before });
  }

  around(node: string): number {
    const { now, before } = this.#nodes.get(node) ?? { now: 0, before: 0 };
    return now + before;
  }

  save(): unknown {
    const hours = rowsOf(this.#nodes, ({ hour, now, before }) => [hour, now, before]);
    return { totals: this.#ledger.save(), hours };
  }
}
