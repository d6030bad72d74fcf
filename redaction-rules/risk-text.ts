/** Risk in words and tables, for a terminal and, by `report-tables.ts`, for a page. */
import type { Table } from './report-tables.ts';
import { changesOf, type Below, type Risk, type RiskChange, type TupleRisk } from './risk.ts';

const percent = (share: number | undefined): string => (share === undefined ? '-' : `${(share * 100).toFixed(1)} %`);
const about = ({ sampled }: { readonly sampled: number }): string => (sampled < 1 ? '~' : '');

export const riskText = (risk: Risk, ks: readonly number[]): string =>
  `${opening(risk)}\n${riskTables(risk, ks).map(tableText).join('\n')}`;

export function riskTables(risk: Risk, ks: readonly number[]): readonly Table[] {
  const heads = ['event', 'combination', 'events', 'distinct', 'bits', ...ks.flatMap((k) => headsFor(k))];
  const rows = risk.tuples.map((tuple) => [
    tuple.event,
    tuple.attributes.join(' + '),
    String(tuple.events),
    `${about(tuple)}${tuple.distinct}`,
    `${about(tuple)}${tuple.entropyBits.toFixed(1)}`,
    ...tuple.below.flatMap((below) => [percent(below.processes), percent(below.events), percent(below.nodes)]),
  ]);
  return [{ caption: '', heads, rows, none: '' }, joinTable(risk), ...nodesTable(risk), ...lastingTable(risk)];
}

const headsFor = (k: number): readonly string[] => [`<${k} processes`, `of events`, `<${k} nodes`];

/** What was counted, and how to read it. */
export function opening({ events, epochs, unreadable }: Risk): string {
  const strange = unreadable === 0 ? '' : `; ${unreadable} lines are no released event`;
  const within =
    epochs > 1
      ? ` in ${epochs} epochs. Pseudonyms of different epochs do not join: what follows is counted within each`
      : '';
  return (
    `${events === 1 ? '1 event' : `${events} events`}${within}${strange}\n` +
    'Combinations of released values that fewer than k processes, or nodes, share; ~ estimated from a sample.\n'
  );
}

function joinTable({ joins }: Risk): Table {
  const rows = joins.map((join) => [
    join.attributes.join(' = '),
    `${about(join)}${join.shared} pseudonyms in both`,
    `${percent(join.share)} of the smaller`,
  ]);
  return { caption: 'joined by equal pseudonyms', heads: [], rows, none: 'nothing' };
}

function nodesTable({ acrossNodes }: Risk): readonly Table[] {
  const rows = acrossNodes
    .filter(({ onSeveralNodes }) => onSeveralNodes > 0)
    .map((one) => [one.attribute, `${about(one)}${one.onSeveralNodes} of ${about(one)}${one.pseudonyms} pseudonyms`]);
  return acrossNodes.length === 0
    ? []
    : [{ caption: 'seen on more than one node', heads: [], rows, none: 'no pseudonym' }];
}

function lastingTable({ lasting, epochs }: Risk): readonly Table[] {
  const rows = lasting
    .filter(({ inSeveralEpochs }) => inSeveralEpochs > 0)
    .map((one) => [one.attribute, `${about(one)}${one.inSeveralEpochs} of ${about(one)}${one.pseudonyms} pseudonyms`]);
  return epochs < 2 ? [] : [{ caption: 'the same in more than one epoch', heads: [], rows, none: 'no pseudonym' }];
}

export const changeText = (before: Risk, after: Risk, ks: readonly number[]): string =>
  `before: ${opening(before)}after: ${opening(after)}\n${changeTables(before, after, ks).map(tableText).join('\n')}`;

export function changeTables(before: Risk, after: Risk, ks: readonly number[]): readonly Table[] {
  const heads = [
    ...['event', 'combination', 'distinct', 'bits'],
    ...ks.flatMap((k) => [`events of <${k} processes`, `<${k} nodes`]),
  ];
  const rows = changesOf(before, after).map((change) => [
    change.event,
    change.attributes.join(' + '),
    fromTo(change, (tuple) => `${about(tuple)}${tuple.distinct}`),
    fromTo(change, (tuple) => `${about(tuple)}${tuple.entropyBits.toFixed(1)}`),
    ...ks.flatMap((k) => [
      fromTo(change, (tuple) => percent(belowOf(tuple, k)?.events)),
      fromTo(change, (tuple) => percent(belowOf(tuple, k)?.nodes)),
    ]),
  ]);
  const names = ({ joins }: Risk): ReadonlySet<string> =>
    new Set(joins.map(({ attributes }) => attributes.join(' = ')));
  const [had, has] = [names(before), names(after)];
  const gained = [...has].filter((name) => !had.has(name)).map((name) => [`${name}: joins now`]);
  const gone = [...had].filter((name) => !has.has(name)).map((name) => [`${name}: no longer joins`]);
  return [
    { caption: '', heads, rows, none: '' },
    { caption: 'attributes that join', heads: [], rows: [...gained, ...gone], none: 'the same' },
  ];
}

const belowOf = ({ below }: TupleRisk, k: number): Below | undefined => below.find((one) => one.k === k);

function fromTo({ before, after }: RiskChange, say: (tuple: TupleRisk) => string): string {
  const [was, is] = [before, after].map((tuple) => (tuple === undefined ? 'none' : say(tuple)));
  return was === is ? (was ?? '') : `${was ?? ''} -> ${is ?? ''}`;
}

function tableText({ caption, heads, rows, none }: Table): string {
  if (rows.length === 0 && caption !== '') return `${caption}: ${none}\n`;
  return `${caption === '' ? '' : `${caption}\n`}${columns(heads.length === 0 ? rows : [heads, ...rows])}`;
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]): string => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ');
  return rows.map((row) => `  ${line(row).trimEnd()}\n`).join('');
}
