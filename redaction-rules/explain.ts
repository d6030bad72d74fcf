/**
 * A ruleset explained: what leaves of each attribute of each event, why, who uses it, which detection rules read it, and
 * a value before and after.
 */
import { ATTRIBUTES, EVENTS, type EventName } from '#protocol/vocabulary.ts';
import type { PlannedRule } from '../collector/detectors/sigma/plan.ts';
import { compileRuleset } from './compile.ts';
import { EXAMPLE_KEYS, releasedOf } from './examples.ts';
import { exposure, type ExposureRow } from './exposure.ts';
import type { Ruleset } from './ruleset.ts';

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

export function explainText(ruleset: Ruleset, rows: readonly ExplainedRow[]): string {
  const head = [
    `${ruleset.name} ${ruleset.version}, role ${ruleset.role}`,
    `sha256 ${ruleset.digest}`,
    `time: to ${ruleset.time.resolution} µs. ${ruleset.time.why}`,
    ...[...ruleset.reasons].map(([name, text]) => `reason ${name}: ${text}`),
  ];
  const tables = [...byEvent(rows)].map(([event, own]) => `${event}  ${EVENTS[event].brief}\n${table(own)}`);
  return `${head.join('\n')}\n\n${tables.join('\n')}`;
}

const HEADINGS = ['attribute', 'sensitivity', 'what leaves', 'example', 'why', 'for'];

function table(rows: readonly ExplainedRow[]): string {
  const cells = rows.map((row) => [
    row.attribute,
    row.sensitivity,
    row.summary,
    row.leaves ? `${shown(row.example.in)} -> ${shown(row.example.out)}` : `${shown(row.example.in)} -> nothing`,
    row.reason === undefined ? row.why : `${row.why} (${row.reason})`,
    users(row),
  ]);
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
