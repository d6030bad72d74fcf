/**
 * A ruleset explained: what leaves of each attribute of each event, why, who uses it, which detection rules read it, and
 * a value before and after.
 */
import { ATTRIBUTES, EVENTS, type EventName } from '#protocol/vocabulary.ts';
import type { PlannedRule } from '../collector/detectors/sigma/plan.ts';
import { compileRuleset } from './compile.ts';
import { EXAMPLE_KEYS, releasedOf } from './examples.ts';
import { exposure, spanInWords, type ExposureRow } from './exposure.ts';
import type { Ruleset } from './ruleset.ts';
import { sumRows, sumsText, type SumRow } from './sum-text.ts';

export type { SumRow } from './sum-text.ts';

export interface ExplainedRow extends ExposureRow {
  /** A value that could be real, and what leaves of it. */
  readonly example: { readonly in: unknown; readonly out: unknown };
  /** Files of the detection rules that read it; those on the node read it before redaction. */
  readonly readOnNode: readonly string[];
  readonly readOnCollector: readonly string[];
}

export function explainRows(ruleset: Ruleset, plan: readonly PlannedRule[]): readonly ExplainedRow[] {
  const redactor = compileRuleset(ruleset, EXAMPLE_KEYS);
  const [onNode, onCollector] = [readersOf(plan, 'node'), readersOf(plan, 'collector')];
  return exposure(ruleset).map((row) => {
    const value = ATTRIBUTES[row.attribute].example;
    const out = releasedOf(redactor, row.event, { [row.attribute]: value });
    const place = `${row.event} ${row.attribute}`;
    return {
      ...row,
      example: { in: value, out: out[row.attribute] },
      readOnNode: onNode.get(place) ?? [],
      readOnCollector: onCollector.get(place) ?? [],
    };
  });
}

/** The sums that take some of these events. */
export const explainSums = ({ sums }: Ruleset, events: ReadonlySet<string>): readonly SumRow[] =>
  sumRows(sums, EXAMPLE_KEYS).filter((sum) => sum.events.some((event) => events.has(event)));

/** `event attribute` -> files of the rules that run on that side and read it. */
function readersOf(plan: readonly PlannedRule[], side: PlannedRule['runs']): ReadonlyMap<string, readonly string[]> {
  const readers = new Map<string, string[]>();
  for (const { rule, runs, bound } of plan) {
    if (runs !== side) continue;
    for (const place of new Set(bound.flatMap(({ event, needs }) => needs.map((name) => `${event} ${name}`)))) {
      readers.set(place, [...(readers.get(place) ?? []), rule.file]);
    }
  }
  return readers;
}

/** `sigma, responder; 12 rules on the node` */
export function users({ for: purposes, readOnNode, readOnCollector }: ExplainedRow): string {
  const counted = (files: readonly string[], where: string): readonly string[] =>
    files.length === 0 ? [] : [`${files.length === 1 ? '1 rule' : `${files.length} rules`} ${where}`];
  const rules = [...counted(readOnNode, 'on the node'), ...counted(readOnCollector, 'on the collector')];
  return [...(purposes.length === 0 ? [] : [purposes.join(', ')]), ...rules].join('; ');
}

/** Rows by event, in the order of the ruleset. */
export function byEvent(rows: readonly ExplainedRow[]): ReadonlyMap<EventName, readonly ExplainedRow[]> {
  const events = new Map<EventName, ExplainedRow[]>();
  for (const row of rows) {
    const own = events.get(row.event);
    if (own === undefined) events.set(row.event, [row]);
    else own.push(row);
  }
  return events;
}

/** A table for each event; below one another where a terminal of so many columns would break the lines. */
export function explainText(ruleset: Ruleset, rows: readonly ExplainedRow[], columns?: number): string {
  const head = [
    `${ruleset.name} ${ruleset.version}, role ${ruleset.role}`,
    `sha256 ${ruleset.digest}`,
    `time: rounded down to ${spanInWords(ruleset.time.resolution)}. ${ruleset.time.why}`,
    ...[...ruleset.reasons].map(([name, text]) => `reason ${name}: ${text}`),
  ];
  const notAlone = (event: string): string => {
    const sums = explainSums(ruleset, new Set([event])).map(({ sum }) => sum);
    return sums.length === 0 ? '' : `  Not one by one: what the sum ${sums.join(', or ')} takes, see below.`;
  };
  const tables = [...byEvent(rows)].map(
    ([event, own]) => `${event}  ${EVENTS[event].brief}${notAlone(event)}\n${fitting(own, columns)}`,
  );
  const events = new Set<string>(rows.map(({ event }) => event));
  return `${head.join('\n')}\n\n${tables.join('\n')}${sumsText(explainSums(ruleset, events))}`;
}

function fitting(rows: readonly ExplainedRow[], columns = Number.POSITIVE_INFINITY): string {
  const lines = table(rows);
  const widest = Math.max(...lines.split('\n').map((line) => line.length));
  return widest <= columns ? lines : rows.map(paragraph).join('');
}

function paragraph(row: ExplainedRow): string {
  const [attribute, sensitivity, summary, example, why, used] = cellsOf(row);
  const told = [summary, example, why, used === '' ? 'used by nobody' : `used by ${used}`].map(
    (cell) => `      ${cell}\n`,
  );
  return `  ${attribute}  (${sensitivity})\n${told.join('')}`;
}

function cellsOf(row: ExplainedRow): readonly string[] {
  const { attribute, sensitivity, summary, leaves, example, why, reason } = row;
  return [
    attribute,
    sensitivity,
    summary,
    leaves ? `${shown(example.in)} -> ${shown(example.out)}` : `${shown(example.in)} -> nothing`,
    reason === undefined ? why : `${why} (${reason})`,
    users(row),
  ];
}

const HEADINGS = ['attribute', 'sensitivity', 'what leaves', 'example', 'why', 'for'];

function table(rows: readonly ExplainedRow[]): string {
  const cells = rows.map(cellsOf);
  const widths = HEADINGS.map((heading, at) => Math.max(heading.length, ...cells.map((row) => row[at]?.length ?? 0)));
  return [HEADINGS, ...cells]
    .map(
      (row) =>
        `  ${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** A value for a line of text. */
export function shown(value: unknown): string {
  const text = Array.isArray(value) ? value.join(' ') : String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
