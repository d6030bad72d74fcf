/** What was measured, as the tables that stand in the README. */
import type { ApplicationRow } from './applications.ts';
import type { ClassRow } from './classes.ts';
import type { CollectorCost } from './collector.ts';
import type { BacktestRow, NodesRow } from './backtest.ts';
import type { DetectionRow } from './detection.ts';
import type { LineRow } from './line.ts';
import type { Memory } from './processes.ts';
import type { RedactionRow } from './redaction.ts';

/** Empty when there is nothing to show. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

const percent = (share: number): string => `${share > 0 ? '+' : '−'}${Math.abs(share * 100).toFixed(1)} %`;

export const lineTable = (rows: readonly LineRow[]): string =>
  table(
    ['load', 'tool', 'µs an operation', 'its own', 'slow-down', 'load', 'lost'],
    rows.map((row) => [
      row.load.split(':')[0] ?? '',
      row.tool,
      row.totalMicroseconds.toFixed(1),
      row.toolMicroseconds.toFixed(1),
      row.slowdownMicroseconds.toFixed(1),
      `× ${row.slowdownRatio.toFixed(2)}`,
      row.lost,
    ]),
  );

const sizes = ({ rss, pss }: Memory): string => `${rss} / ${pss}`;

/** Resident and proportional, MB. */
export const memoryTable = (rows: readonly LineRow[]): string =>
  table(
    ['process', 'tool', 'load', 'idle, MB resident / proportional', 'loaded'],
    rows
      .filter(({ load }) => load.startsWith('paced'))
      .flatMap((row) =>
        Object.entries(row.loaded).flatMap(([name, loaded]) => {
          const idle = row.idle[name];
          return idle === undefined || loaded.rss === 0
            ? []
            : [[name, row.tool, row.load.split(':')[0] ?? '', sizes(idle), sizes(loaded)]];
        }),
      ),
  );

export const applicationTable = (rows: readonly ApplicationRow[]): string =>
  table(
    ['work', 'tool', 'median', 'slower', 'its own processor time', 'rounds'],
    rows.map((row) => [
      row.work,
      row.tool,
      row.median.toFixed(2),
      percent(row.slower),
      percent(row.dearer),
      row.values.map((value) => value.toFixed(2)).join(', '),
    ]),
  );

export const classTable = (rows: readonly ClassRow[]): string =>
  table(
    ['one deed', 'events', 'in the kernel, µs an event', ...Object.keys(rows[0]?.processes ?? {})],
    rows.map((row) => [
      row.deed,
      String(row.events),
      row.kernel.toFixed(2),
      ...Object.values(row.processes).map((microseconds) => microseconds.toFixed(1)),
    ]),
  );

export const redactionTable = (rows: readonly RedactionRow[]): string =>
  table(
    ['command lines', 'redactor', 'events a second and core', 'hushwatch, in the same round', 'rounds', 'bytes out'],
    rows.map((row) => [
      row.mix,
      row.name,
      String(row.rate),
      `× ${row.ratio.toFixed(2)}`,
      String(row.rounds),
      row.bytesPerEvent === 0 ? '-' : String(row.bytesPerEvent),
    ]),
  );

export const detectionTable = (rows: readonly DetectionRow[]): string =>
  table(
    [
      'where',
      'events',
      'nodes',
      'rules',
      'of them run',
      'events a second and core',
      'µs an event',
      'matches in 1,000',
      'compiled in, ms',
      'memory, MB',
    ],
    rows.map((row) => [
      row.place,
      row.events,
      String(row.nodes),
      String(row.rules),
      String(row.running),
      String(row.eventsPerCoreSecond),
      row.microsecondsPerEvent.toFixed(2),
      String(row.matchesPerThousand),
      String(row.compileMs),
      row.memory.toFixed(1),
    ]),
  );

export function collectorLines(cost: CollectorCost | undefined): string {
  if (cost === undefined) return '';
  const rate = (name: string, { eventsPerCoreSecond, microsecondsPerEvent }: CollectorCost['accept']): string =>
    `collector, ${name}: ${eventsPerCoreSecond} events a second and core, ${microsecondsPerEvent.toFixed(1)} µs an event`;
  return [rate('accept()', cost.accept), rate('detection', cost.watch)].join('\n');
}

export function backtestLines(found: { readonly backtest: BacktestRow; readonly nodes: NodesRow } | undefined): string {
  if (found === undefined) return '';
  const { backtest, nodes } = found;
  const many = (n: number): string => n.toLocaleString('en');
  return [
    `back-test of ${many(backtest.events)} events, both sides: ${backtest.seconds} s (${backtest.processorSeconds} s of processor time), ${many(backtest.eventsPerSecond)} events a second, ${backtest.memory} MB at most`,
    `${many(nodes.nodes)} nodes, ${many(nodes.events)} events: ${nodes.memory} MB; ${nodes.saved} MB saved in ${nodes.savingSeconds} s, others waited ${nodes.longestPauseMs} ms at most`,
  ].join('\n');
}
