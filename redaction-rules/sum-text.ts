/** Sums in words: what they hold back, what they tell, and what is different between those of two rulesets. */
import type { AttributeName, EventName } from '#protocol/vocabulary.ts';
import type { Change, DiffRow } from './difference.ts';
import { spanInWords } from './exposure.ts';
import { noiseOf, told, type Asked, type Conditions, type Sum, type SumSize } from './sums.ts';
import type { PseudonymKeys } from './keys.ts';

/** What there may be in an example window, and the keys of examples. */
const EXAMPLE = 4242;

/** A sum as tools read it. */
export interface SumRow extends SumSize {
  readonly sum: string;
  readonly events: readonly EventName[];
  readonly where: readonly string[];
  readonly unless: readonly string[];
  readonly summary: string;
  readonly why: string;
  readonly for: readonly string[];
  readonly example: { readonly in: number; readonly out: number };
}

export function sumRows(sums: readonly Sum[], keys: PseudonymKeys): readonly SumRow[] {
  return sums.map((sum) => ({
    sum: sum.name,
    events: sum.events,
    where: inWords(sum.where),
    unless: inWords(sum.unless),
    ...{ window: sum.window, quantum: sum.quantum, scale: sum.scale, floor: sum.floor },
    summary: sizeInWords(sum),
    why: sum.why,
    for: sum.for,
    example: { in: EXAMPLE, out: exampleOf(sum, keys) },
  }));
}

/** `one number for each window of 1 hour, …` */
export const sizeInWords = ({ window, quantum, scale, floor }: SumSize): string =>
  `one number for each window of ${spanInWords(window)}, rounded to ${quantum}, with noise of scale ${scale}, told from ${floor} on`;

function exampleOf(sum: Sum, keys: PseudonymKeys): number {
  const [event = 'process.exec'] = sum.events;
  const account = { ...sum, sum: sum.name, of: event, class: 'process', counter: 'withheld' } as const;
  return told(account, EXAMPLE, noiseOf(account, 0, keys));
}

const inWords = (conditions: Conditions): readonly string[] =>
  [...conditions].map(([attribute, asked]) => `${attribute} is ${askedInWords(asked)}`);

function askedInWords(asked: Asked): string {
  return asked === 'any' ? 'there' : [...partsOf(asked)].join(' or ');
}

const partsOf = (asked: Asked): ReadonlySet<string> =>
  asked === 'any'
    ? new Set(['any'])
    : new Set([...[...asked.values].map(String), ...asked.below.map((directory) => `below ${directory}`)]);

/** Below the tables of `rules explain`. */
export function sumsText(rows: readonly SumRow[]): string {
  if (rows.length === 0) return '';
  const lines = rows.map(
    ({ sum, events, where, unless, summary, why, example, for: purposes }) =>
      `  ${sum}: ${events.join(', ')}\n` +
      where.map((condition) => `      whose ${condition}\n`).join('') +
      unless.map((condition) => `      not if ${condition}\n`).join('') +
      `      ${summary}; ${example.in} -> ${example.out}\n      ${why}\n      used by ${purposes.join(', ') || 'nobody'}\n`,
  );
  return `\nsums  Events that do not leave one by one, unless a rule on the node matches them.\n${lines.join('')}`;
}

/** What two rulesets differ in by their sums. */
export function diffSums(before: readonly Sum[], after: readonly Sum[], keys: PseudonymKeys): readonly DiffRow[] {
  const names = new Set([...before, ...after].map(({ name }) => name));
  return [...names].flatMap((name) => {
    const [was, is] = [before, after].map((sums) => sums.find((sum) => sum.name === name));
    if (was !== undefined && is !== undefined) return changesOf(was, is, keys);
    const sum = was ?? is;
    if (sum === undefined) return [];
    return [held(is === undefined ? 'less' : 'more', sum, `in the sum ${name}, ${sizeInWords(sum)}`)];
  });
}

const TELLS: AttributeName = 'hushwatch.sum.count';

/** Events that are held back now, or no longer. */
function held(change: 'more' | 'less', { events }: Pick<Sum, 'events'>, what: string): DiffRow {
  const alone = 'the event';
  return change === 'more'
    ? {
        ...{ change: 'no longer leaves', attribute: TELLS, events, what: `one by one; now ${what}` },
        example: { in: alone, before: alone, after: undefined },
      }
    : {
        ...{ change: 'newly leaves', attribute: TELLS, events, what: `one by one; was ${what}` },
        example: { in: alone, before: undefined, after: alone },
      };
}

function changesOf(was: Sum, is: Sum, keys: PseudonymKeys): readonly DiffRow[] {
  const { name } = is;
  const of = (events: readonly EventName[], than: readonly EventName[]): readonly EventName[] =>
    events.filter((event) => !than.includes(event));
  const [gained, gone] = [of(is.events, was.events), of(was.events, is.events)];
  return [
    ...(gained.length > 0 ? [held('more', { events: gained }, `in the sum ${name}`)] : []),
    ...(gone.length > 0 ? [held('less', { events: gone }, `in the sum ${name}`)] : []),
    ...conditionsOf('where', was, is),
    ...conditionsOf('unless', was, is),
    ...sizesOf(was, is, keys),
  ];
}

/** More values in `where` hold back more, in `unless` less. */
function conditionsOf(key: 'where' | 'unless', was: Sum, is: Sum): readonly DiffRow[] {
  const rows: DiffRow[] = [];
  for (const attribute of new Set([...was[key].keys(), ...is[key].keys()])) {
    const [before, now] = [was[key].get(attribute), is[key].get(attribute)].map((asked) =>
      asked === undefined ? undefined : partsOf(asked),
    );
    const words = `in the sum ${is.name}: ${key} ${attribute}`;
    const all = key === 'where';
    if (before === undefined || now === undefined) {
      const isNew = before === undefined;
      // A condition more, or an exception more: in either case more leaves by itself.
      rows.push(held(isNew ? 'less' : 'more', is, `${words}, which is ${isNew ? 'new' : 'gone'}`));
      continue;
    }
    const more = [...now].filter((value) => !before.has(value));
    const fewer = [...before].filter((value) => !now.has(value));
    if (more.length > 0) rows.push(held(all ? 'more' : 'less', is, `${words} +${more.join(' +')}`));
    if (fewer.length > 0) rows.push(held(all ? 'less' : 'more', is, `${words} -${fewer.join(' -')}`));
  }
  return rows;
}

function sizesOf(was: Sum, is: Sum, keys: PseudonymKeys): readonly DiffRow[] {
  const keysOf = ['window', 'quantum', 'scale', 'floor'] as const;
  const words = (key: (typeof keysOf)[number], value: number): string =>
    key === 'window' ? spanInWords(value) : String(value);
  return keysOf.flatMap((key): readonly DiffRow[] => {
    if (was[key] === is[key]) return [];
    const change: Change = is[key] < was[key] ? 'more precise' : 'less precise';
    return [
      {
        ...{ change, attribute: TELLS, events: ['hushwatch.sum'] },
        what: `sum ${is.name}: ${key}: ${words(key, was[key])} -> ${words(key, is[key])}`,
        example: { in: EXAMPLE, before: exampleOf(was, keys), after: exampleOf(is, keys) },
      },
    ];
  });
}
