/**
 * What an alert weighs. Points come from its severity and shrink when the same comes often on the same node: a rule
 * that matches there every hour says little when it matches again.
 */
import { alertId, DAY, type Alert, type Severity } from './detector.ts';
import { decayed } from './decay.ts';
import { mapOf, numberOf, putLast, rowsOf } from './saved.ts';
import { LEVELS } from './sigma/rule.ts';

/** Each level outweighs three of the one below. */
export const POINTS: Readonly<Record<Severity, number>> = {
  informational: 1,
  low: 4,
  medium: 16,
  high: 48,
  critical: 144,
};

export const isAtLeast = (severity: Severity, least: Severity): boolean =>
  LEVELS.indexOf(severity) >= LEVELS.indexOf(least);

const HALF_LIFE = 7 * DAY;
const CAPACITY = 20_000;
/** Below this share of its points something is ordinary here. */
const ORDINARY = 0.2;

interface Told {
  readonly count: number;
  readonly at: number;
}

export interface Weight {
  readonly points: number;
  /** As given, or a step less: what comes daily and is only of medium severity is not worth waking anybody. */
  readonly severity: Severity;
  /** How often the same came here before, decayed with a half-life of seven days. */
  readonly before: number;
}

export class Commonness {
  readonly #told: Map<string, Told>;

  constructor(saved?: unknown) {
    this.#told = mapOf(saved, ([count, at]) => {
      const told = { count: numberOf(count), at: numberOf(at) };
      return told.count === undefined || told.at === undefined ? undefined : { count: told.count, at: told.at };
    });
  }

  /** Weighs an alert, and remembers that it came. `program` is the root of its process tree. */
  weigh({ detector, rule, node, severity, time }: Alert, program: string | undefined): Weight {
    const key = alertId(detector, rule, node, program ?? '').slice(0, 16);
    const told = this.#told.get(key);
    const before = told === undefined ? 0 : decayed(told.count, time - told.at, HALF_LIFE);
    putLast(this.#told, key, { count: before + 1, at: Math.max(time, told?.at ?? 0) }, CAPACITY);
    const share = 1 / (1 + before);
    const isTiresome = severity === 'medium' && share < ORDINARY;
    // What is grave stays grave, however often: half of its points at least.
    const kept = isAtLeast(severity, 'high') ? Math.max(share, 0.5) : share;
    return { points: round(POINTS[severity] * kept), severity: isTiresome ? 'low' : severity, before };
  }

  save(): unknown {
    return rowsOf(this.#told, ({ count, at }) => [count, at]);
  }
}

export const round = (value: number, digits = 2): number => Math.round(value * 10 ** digits) / 10 ** digits;
