/**
 * Suppressions: what an operator has decided not to be told of, for a reason, until a day. What is suppressed is found and
 * kept all the same, marked, and weighs nothing; when the day is past it comes back by itself.
 *
 * Time is that of the alert, so a replay under the same file suppresses the same.
 */
import type { Alert } from './detector.ts';

export interface Suppression {
  readonly id: string;
  readonly owner: string;
  readonly reason: string;
  /** µs since 1970; from then on it holds no more. */
  readonly expires: number;
  /** Each that is there must be that of the alert; `detector` or `rule` is. */
  readonly detector: string | undefined;
  readonly rule: string | undefined;
  readonly node: string | undefined;
  /** At the root of the alert's process tree, as it was released. */
  readonly program: string | undefined;
}

/** The first that holds; undefined: the alert is told. */
export function suppressionOf(
  suppressions: readonly Suppression[],
  alert: Pick<Alert, 'time' | 'detector' | 'rule' | 'node'>,
  program: string | undefined,
): Suppression | undefined {
  const isSame = (wanted: string | undefined, is: string | undefined): boolean => wanted === undefined || wanted === is;
  return suppressions.find(
    (each) =>
      alert.time < each.expires &&
      isSame(each.detector, alert.detector) &&
      isSame(each.rule, alert.rule) &&
      isSame(each.node, alert.node) &&
      isSame(each.program, program),
  );
}
