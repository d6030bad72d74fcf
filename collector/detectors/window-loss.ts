/**
 * What a node lost lately: a story that took an hour says what was lost in that hour, not in its last batch alone.
 */
import { itemsOf } from './saved.ts';

const MAX_NODES = 10_000;
const MAX_KEPT = 200;

/** [time of the batch's last event, events lost] */
type Lost = readonly [number, number];

export class WindowLoss {
  readonly #lost = new Map<string, Lost[]>();

  constructor(saved: unknown) {
    for (const item of itemsOf(saved)) {
      const [node, kept] = itemsOf(item);
      if (typeof node === 'string') this.#lost.set(node, itemsOf(kept).flatMap(lostOf));
    }
  }

  add(node: string, time: number, lost: number): void {
    if (lost === 0) return;
    const kept = this.#lost.get(node) ?? [];
    kept.push([time, lost]);
    if (kept.length > MAX_KEPT) kept.shift();
    this.#lost.delete(node);
    this.#lost.set(node, kept);
    const [oldest] = this.#lost.keys();
    if (this.#lost.size > MAX_NODES && oldest !== undefined) this.#lost.delete(oldest);
  }

  /** Since this time; what was lost between two batches counts to the later one. */
  since(node: string, time: number): number {
    return (this.#lost.get(node) ?? []).reduce((sum, [at, lost]) => (at >= time ? sum + lost : sum), 0);
  }

  save(): unknown {
    return [...this.#lost];
  }
}

function lostOf(saved: unknown): readonly Lost[] {
  const [time, lost] = itemsOf(saved);
  return typeof time === 'number' && typeof lost === 'number' ? [[time, lost]] : [];
}
