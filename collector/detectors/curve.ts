/**
 * What a budget of so many stories a day would have shown, and what it would have cost: for each budget, the stories
 * that are told and how many of those that matter are among them. Computed by the same {@link Budget} that decides
 * live, over the stories as they ended. Pure.
 */
import { Budget } from './budget.ts';
import { DAY, type Severity, type Story } from './detector.ts';
import { isAtLeast } from './points.ts';

/** What somebody said last about a story. */
export type Marks = ReadonlyMap<string, 'acknowledged' | 'true' | 'false'>;

/** A finding that a detector's own examples say must alert, with the score that it would have. */
export interface KnownFinding {
  readonly score: number;
  readonly severity: Severity;
}

export interface CurveRow {
  /** Stories a day; 0 is no budget. */
  readonly budget: number;
  readonly shown: number;
  readonly shownADay: number;
  readonly markedTrue: number;
  readonly markedFalse: number;
  readonly examples: number;
}

export interface Curve {
  readonly days: number;
  readonly stories: number;
  readonly markedTrue: number;
  readonly markedFalse: number;
  readonly examples: number;
  readonly rows: readonly CurveRow[];
}

export function curveOf(
  stories: readonly Story[],
  marks: Marks,
  known: readonly KnownFinding[],
  budgets: readonly number[],
): Curve {
  const worth = stories.filter(({ severity }) => isAtLeast(severity, 'medium')).toSorted((a, b) => a.last - b.last);
  const span = (worth.at(-1)?.last ?? 0) - (worth[0]?.last ?? 0);
  const days = Math.max(1, span / DAY);
  const counted = (among: readonly Story[], mark: 'true' | 'false'): number =>
    among.filter(({ id }) => marks.get(id) === mark).length;
  const findings = known.filter(({ severity }) => isAtLeast(severity, 'medium'));
  return {
    days,
    stories: worth.length,
    markedTrue: counted(worth, 'true'),
    markedFalse: counted(worth, 'false'),
    examples: findings.length,
    rows: budgets.map((budget) => {
      const gate = new Budget(budget);
      const shown = worth.filter((story) => gate.admits(story));
      return {
        budget,
        shown: shown.length,
        shownADay: shown.length / days,
        markedTrue: counted(shown, 'true'),
        markedFalse: counted(shown, 'false'),
        examples: findings.filter((finding) => isKept(finding, worth, budget, days)).length,
      };
    }),
  };
}

/** Were it to happen after these stories, it would be among the best of them. */
function isKept({ score, severity }: KnownFinding, worth: readonly Story[], budget: number, days: number): boolean {
  if (budget === 0 || severity === 'critical') return true;
  return worth.filter((story) => story.score >= score).length < budget * days;
}

export function describeCurve({ days, stories, markedTrue, markedFalse, examples, rows }: Curve): string {
  const table = [
    ['budget', 'shown', 'a day', 'marked true', 'marked false', 'examples kept'],
    ...rows.map((row) => [
      row.budget === 0 ? 'none' : String(row.budget),
      String(row.shown),
      row.shownADay.toFixed(1),
      `${row.markedTrue} of ${markedTrue}`,
      `${row.markedFalse} of ${markedFalse}`,
      `${row.examples} of ${examples}`,
    ]),
  ];
  const width = (column: number): number => Math.max(...table.map((row) => (row[column] ?? '').length));
  const lines = table.map((row) => row.map((cell, column) => cell.padStart(width(column))).join('  '));
  const head = `${stories} stories of medium severity or above in ${days.toFixed(1)} days`;
  return [`${head} (${(stories / days).toFixed(1)} a day)`, '', ...lines, ''].join('\n');
}
