/** What a correlation counts in a window of matches, and whether that is what its rule waits for. */
import type { Expression } from './sigma/expression.ts';
import type { SigmaCorrelation, Threshold } from './sigma/rule.ts';
import { hasNot, holds } from './sigma/words.ts';

/** [time, index of the rule, log index, line, value, times: identical operations that were merged into one event] */
export type Entry = readonly [number, number, number, number, string, number];

/** The measure when the window meets the condition. `window` is in order of time, and not empty. */
export function measureIfMet(correlation: SigmaCorrelation, window: readonly Entry[]): number | undefined {
  if (correlation.expression !== undefined) return wordsIfMet(correlation, correlation.expression, window);
  const measure = measureOf(correlation, window);
  if (measure === undefined) return undefined;
  const { condition, rules } = correlation;
  const isMet =
    condition.length === 0 ? measure >= rules.length : condition.every((threshold) => meets(measure, threshold));
  return isMet ? measure : undefined;
}

function measureOf({ type, rules, percentile }: SigmaCorrelation, window: readonly Entry[]): number | undefined {
  switch (type) {
    case 'event_count':
      return window.reduce((sum, [, , , , , times]) => sum + times, 0);
    case 'value_count':
      return new Set(window.map(([, , , , value]) => value)).size;
    case 'value_sum':
      return sumOf(numbersIn(window));
    case 'value_avg': {
      const numbers = numbersIn(window);
      return numbers.length === 0 ? undefined : sumOf(numbers) / timesOf(numbers);
    }
    case 'value_median': {
      const numbers = numbersIn(window).toSorted(byValue);
      const half = timesOf(numbers) / 2;
      const [low, high] = [numberAt(numbers, Math.ceil(half)), numberAt(numbers, Math.floor(half) + 1)];
      return low === undefined || high === undefined ? undefined : (low + high) / 2;
    }
    case 'value_percentile': {
      const numbers = numbersIn(window).toSorted(byValue);
      return numberAt(numbers, Math.ceil((timesOf(numbers) * percentile) / 100));
    }
    case 'temporal':
      return rulesIn(window).size;
    case 'temporal_ordered': {
      // How many of the rules matched, each after the one before it.
      let reached = 0;
      for (const [, rule] of window) if (rule === reached) reached++;
      return Math.min(reached, rules.length);
    }
  }
}

/** [number, times] */
type Numbers = readonly (readonly [number, number])[];

const numbersIn = (window: readonly Entry[]): Numbers =>
  window.flatMap(([, , , , value, times]) =>
    value === '' || !Number.isFinite(Number(value)) ? [] : [[Number(value), times] as const],
  );

const byValue = ([a]: readonly [number, number], [b]: readonly [number, number]): number => a - b;
const sumOf = (numbers: Numbers): number => numbers.reduce((sum, [value, times]) => sum + value * times, 0);
const timesOf = (numbers: Numbers): number => numbers.reduce((sum, [, times]) => sum + times, 0);

/** The number in this place, counted from one, of numbers in order. */
function numberAt(numbers: Numbers, place: number): number | undefined {
  let before = 0;
  return numbers.find(([, times]) => (before += times) >= place)?.[0];
}

const rulesIn = (window: readonly Entry[]): ReadonlySet<number> => new Set(window.map(([, rule]) => rule));

function meets(measure: number, { how, number }: Threshold): boolean {
  switch (how) {
    case 'lt':
      return measure < number;
    case 'lte':
      return measure <= number;
    case 'gt':
      return measure > number;
    case 'gte':
      return measure >= number;
    case 'eq':
      return measure === number;
    case 'neq':
      return measure !== number;
  }
}

/** How many of the rules came, when the words hold. What must not come must not come at all, in order or not. */
function wordsIfMet(
  { type }: SigmaCorrelation,
  words: Expression<number>,
  window: readonly Entry[],
): number | undefined {
  const came = rulesIn(window);
  const inOrder = type === 'temporal_ordered' ? chainIn(window, came) : came;
  return holds(words, inOrder, came) ? inOrder.size : undefined;
}

/** The rules that came after those listed before them. */
function chainIn(window: readonly Entry[], came: ReadonlySet<number>): ReadonlySet<number> {
  const chain = new Set<number>();
  let after = 0;
  for (const wanted of [...came].toSorted((a, b) => a - b)) {
    const at = window.findIndex(([, rule], index) => index >= after && rule === wanted);
    if (at < 0) continue;
    chain.add(wanted);
    after = at + 1;
  }
  return chain;
}

/**
 * Whether more matches can undo what the condition saw: "fewer than three", "and not". Such a window is judged when
 * its time is over; all others the moment that they hold.
 */
export function isRevocable({ type, condition, expression }: SigmaCorrelation): boolean {
  if (expression !== undefined) return hasNot(expression);
  const isGrowing = type.endsWith('_count') || type.startsWith('temporal') || type === 'value_sum';
  return isGrowing && condition.some(({ how }) => how !== 'gt' && how !== 'gte');
}
