/**
 * The alert budget: how many stories a day a person wants to read. Stories are ranked by score; those that would not
 * have been among the best of the last week, at so many a day, are kept and not shown.
 *
 * Critical stories are always shown. Time is that of the stories, so a replay shows the same ones.
 */
import { DAY, type Story } from './detector.ts';
import { itemsOf, memberOf, numberOf } from './saved.ts';
import { isAtLeast } from './points.ts';

const WINDOW = 7 * DAY;
const MAX_KEPT = 10_000;

interface Scored {
  readonly id: string;
  readonly time: number;
  readonly score: number;
}

export class Budget {
  readonly #perDay: number;
  #scored: Scored[];
  #since: number | undefined;

  /** `perDay`: 0 shows all of medium severity and above. */
  constructor(perDay: number, saved?: unknown) {
    this.#perDay = perDay;
    this.#since = numberOf(memberOf(saved, 'since'));
    this.#scored = itemsOf(memberOf(saved, 'scored')).flatMap(scoredOf);
  }

  /** Whether a story, as it is now, is worth one of the places. */
  admits({ id, score, severity, last }: Pick<Story, 'id' | 'score' | 'severity' | 'last'>): boolean {
    if (!isAtLeast(severity, 'medium')) return false;
    if (this.#perDay === 0) return true;
    this.#since ??= last;
    this.#scored = this.#scored.filter((each) => each.id !== id && each.time > last - WINDOW).slice(1 - MAX_KEPT);
    const better = this.#scored.filter((each) => each.score >= score).length;
    this.#scored.push({ id, time: last, score });
    const days = Math.min(Math.max(last - this.#since, DAY), WINDOW) / DAY;
    return severity === 'critical' || better < this.#perDay * days;
  }

  save(): unknown {
    return { since: this.#since, scored: this.#scored.map(({ id, time, score }) => [id, time, score]) };
  }
}

function scoredOf(saved: unknown): readonly Scored[] {
  const [id, time, score] = itemsOf(saved);
  return typeof id === 'string' && typeof time === 'number' && typeof score === 'number' ? [{ id, time, score }] : [];
}
