/** Statistics that a few extreme values cannot move: median, and deviation by the median of absolute deviations. */

export interface Spread {
  readonly median: number;
  /** 1.4826 times the MAD: the standard deviation, if the values were normally distributed. */
  readonly deviation: number;
  readonly least: number;
  readonly most: number;
  readonly values: number;
}

/** `undefined` of nothing. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const median = middle(sorted);
  const deviation = 1.4826 * middle(sorted.map((value) => Math.abs(value - median)).sort((a, b) => a - b));
  return { median, deviation, least: sorted[0] ?? 0, most: sorted.at(-1) ?? 0, values: values.length };
}

function middle(sorted: readonly number[]): number {
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? 0) + upper) / 2;
}

/** Counts scatter by their square root even when nothing changes; never less than that, nor than a tenth. */
export const countDeviation = ({ median, deviation }: Spread): number =>
  Math.max(deviation, Math.sqrt(median + 1), median / 10);
