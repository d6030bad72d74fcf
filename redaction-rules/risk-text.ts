/** Risk in words and columns. */
import { changesOf, type Below, type Risk, type RiskChange, type TupleRisk } from './risk.ts';

const percent = (share: number | undefined): string => (share === undefined ? '-' : `${(share * 100).toFixed(1)} %`);
const about = ({ sampled }: { readonly sampled: number }): string => (sampled < 1 ? '~' : '');

export function riskText(risk: Risk, ks: readonly number[]): string {
  const heads = ['event', 'combination', 'events', 'distinct', 'bits', ...ks.flatMap((k) => headsFor(k))];
  const rows = risk.tuples.map((tuple) => [
    tuple.event,
    tuple.attributes.join(' + '),
    String(tuple.events),
    `${about(tuple)}${tuple.distinct}`,
    `${about(tuple)}${tuple.entropyBits.toFixed(1)}`,
    ...tuple.below.flatMap((below) => [percent(below.processes), percent(below.events), percent(below.nodes)]),
  ]);
  return `${opening(risk)}\n${columns([heads, ...rows])}\n${joinText(risk)}${nodesText(risk)}${lastingText(risk)}`;
}

const headsFor = (k: number): readonly string[] => [`<${k} processes`, `of events`, `<${k} nodes`];

function opening({ events, epochs, unreadable }: Risk): string {
  const strange = unreadable === 0 ? '' : `; ${unreadable} lines are no released event`;
  const within =
    epochs > 1
      ? ` in ${epochs} epochs. Pseudonyms of different epochs do not join: what follows is counted within each`
      : '';
  return (
    `${events} events${within}${strange}\n` +
    'Combinations of released values that fewer than k processes, or nodes, share; ~ estimated from a sample.\n'
  );
}

function joinText({ joins }: Risk): string {
  const rows = joins.map((join) => [
    join.attributes.join(' = '),
    `${about(join)}${join.shared} pseudonyms in both`,
    `${percent(join.share)} of the smaller`,
  ]);
  return `joined by equal pseudonyms${rows.length === 0 ? ': nothing\n' : `\n${columns(rows)}`}`;
}

function nodesText({ acrossNodes }: Risk): string {
  const rows = acrossNodes
    .filter(({ onSeveralNodes }) => onSeveralNodes > 0)
    .map((one) => [one.attribute, `${about(one)}${one.onSeveralNodes} of ${about(one)}${one.pseudonyms} pseudonyms`]);
  if (acrossNodes.length === 0) return '';
  return `\nseen on more than one node${rows.length === 0 ? ': no pseudonym\n' : `\n${columns(rows)}`}`;
}

function lastingText({ lasting, epochs }: Risk): string {
  const rows = lasting
    .filter(({ inSeveralEpochs }) => inSeveralEpochs > 0)
    .map((one) => [one.attribute, `${about(one)}${one.inSeveralEpochs} of ${about(one)}${one.pseudonyms} pseudonyms`]);
  if (epochs < 2) return '';
  return `\nthe same in more than one epoch${rows.length === 0 ? ': no pseudonym\n' : `\n${columns(rows)}`}`;
}

export function changeText(before: Risk, after: Risk, ks: readonly number[]): string {
  const heads = ['event', 'combination', 'distinct', 'bits', ...ks.map((k) => `events of <${k} processes`)];
  const rows = changesOf(before, after).map((change) => [
    change.event,
    change.attributes.join(' + '),
    fromTo(change, (tuple) => `${about(tuple)}${tuple.distinct}`),
    fromTo(change, (tuple) => `${about(tuple)}${tuple.entropyBits.toFixed(1)}`),
    ...ks.map((k) => fromTo(change, (tuple) => percent(belowOf(tuple, k)?.events))),
  ]);
  const names = ({ joins }: Risk): ReadonlySet<string> =>
    new Set(joins.map(({ attributes }) => attributes.join(' = ')));
  const [had, has] = [names(before), names(after)];
  const gained = [...has].filter((name) => !had.has(name)).map((name) => `  ${name}: joins now\n`);
  const gone = [...had].filter((name) => !has.has(name)).map((name) => `  ${name}: no longer joins\n`);
  const joins = gained.length + gone.length === 0 ? 'the same attributes join\n' : [...gained, ...gone].join('');
  return `before: ${opening(before)}after: ${opening(after)}\n${columns([heads, ...rows])}\n${joins}`;
}

const belowOf = ({ below }: TupleRisk, k: number): Below | undefined => below.find((one) => one.k === k);

function fromTo({ before, after }: RiskChange, say: (tuple: TupleRisk) => string): string {
  const [was, is] = [before, after].map((tuple) => (tuple === undefined ? 'none' : say(tuple)));
  return was === is ? (was ?? '') : `${was ?? ''} -> ${is ?? ''}`;
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]): string => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ');
  return rows.map((row) => `  ${line(row).trimEnd()}\n`).join('');
}
