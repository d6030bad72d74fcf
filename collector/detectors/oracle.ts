/**
 * What a rule that runs on a node can tell about attributes that do not leave it.
 *
 * A match is one answer, so it tells one bit an event at most. That bit is worth more the closer it pins a value down: a
 * rule is public, so who sees that it matched knows that the value is among those it asks for. Computed from the rule
 * alone, never from events, and never understated: where rules say nothing that can be counted, it is left open.
 */
import { ATTRIBUTES, isAttributeName, type Sensitivity } from '#protocol/vocabulary.ts';
import type { Network } from './sigma/address.ts';
import type { BoundRule } from './sigma/bind.ts';
import { testsOf, type Anchoring, type Expression, type Test } from './sigma/expression.ts';
import type { Source } from './sigma/mapping.ts';
import { isMany, type Pattern } from './sigma/pattern.ts';
import { clearOf, type PlannedRule } from './sigma/plan.ts';
import type { Level } from './sigma/rule.ts';

/** How close an answer comes to a value; the closest first. */
export const CLOSENESS = [
  'value',
  'beginning',
  'end',
  'part',
  'regex',
  'network',
  'number',
  'date',
  'other attribute',
  'presence',
] as const;
export type Closeness = (typeof CLOSENESS)[number];

/** One thing that a value may be, after an answer. */
export interface Alternative {
  readonly how: Closeness;
  /** What the rule's author wrote; never a value that was seen. */
  readonly text: string;
}

/** The value is one of these. */
export interface Told {
  readonly alternatives: readonly Alternative[];
  /** Bits that stay open at most, where all alternatives are whole values: 0 says the value outright. */
  readonly openBits: number | undefined;
}

export interface HiddenAttribute {
  readonly attribute: string;
  readonly sensitivity: Sensitivity | undefined;
  /** What leaves of it all the same, in words. */
  readonly leavesAs: string;
  /** Different questions that the rule asks of it. */
  readonly questions: number;
  /** What a match says of this attribute alone; undefined: nothing. */
  readonly onMatch: Told | undefined;
  /** The same of an event that did not match. */
  readonly onSilence: Told | undefined;
}

export interface OracleRow {
  readonly id: string;
  readonly file: string;
  readonly title: string;
  readonly level: Level;
  readonly events: readonly string[];
  readonly hidden: readonly HiddenAttribute[];
  /** What one event tells through this rule, at most: it matched, or it did not. */
  readonly bitsPerEvent: 1;
}

/** All rules that look at one kind of event, together. */
export interface OracleTotal {
  readonly event: string;
  readonly rules: number;
  /** log2 of the answers that so many rules can give: an upper bound, many of them exclude each other. */
  readonly bitsPerEvent: number;
}

/** What a ruleset lets out of an attribute: structurally a row of its exposure. */
export interface Exposed {
  readonly event: string;
  readonly attribute: string;
  readonly leaves: boolean;
  readonly do: string;
  readonly summary: string;
}

/** `event attribute` -> what leaves of it, for what does not leave in clear. */
type Hidden = (event: string, attribute: string) => string | undefined;

/** Rows of the rules that run on nodes, those that tell most first. */
export function oracleOf(plan: readonly PlannedRule[], rows: readonly Exposed[]): readonly OracleRow[] {
  const clear = clearOf(rows);
  const summaries = new Map(rows.map(({ event, attribute, summary }) => [`${event} ${attribute}`, summary]));
  const hidden: Hidden = (event, attribute) => {
    const place = `${event} ${attribute}`;
    return clear.has(place) ? undefined : (summaries.get(place) ?? 'nothing');
  };
  return plan
    .filter(({ runs }) => runs === 'node')
    .flatMap(rowsOf(hidden))
    .toSorted((a, b) => severity(a) - severity(b) || (a.file < b.file ? -1 : 1));
}

export function totalsOf(plan: readonly PlannedRule[]): readonly OracleTotal[] {
  const rules = new Map<string, Set<string>>();
  for (const { rule, runs, bound } of plan) {
    if (runs !== 'node') continue;
    for (const { event } of bound) rules.set(event, (rules.get(event) ?? new Set()).add(rule.id));
  }
  return [...rules]
    .map(([event, { size }]) => ({ event, rules: size, bitsPerEvent: size }))
    .toSorted((a, b) => b.rules - a.rules);
}

/** A row for each way in which a rule reads: events of which it asks the same share one. */
function rowsOf(leavesAs: Hidden): (planned: PlannedRule) => readonly OracleRow[] {
  return ({ rule, bound }) => {
    const rows = new Map<string, { hidden: readonly HiddenAttribute[]; events: string[] }>();
    for (const one of bound) {
      const hidden = hiddenOf(one, leavesAs);
      const key = JSON.stringify(hidden);
      const known = rows.get(key);
      if (known === undefined) rows.set(key, { hidden, events: [one.event] });
      else known.events.push(one.event);
    }
    const { id, file, title, level } = rule;
    return [...rows.values()]
      .filter(({ hidden }) => hidden.length > 0)
      .map(({ hidden, events }) => ({ id, file, title, level, events, hidden, bitsPerEvent: 1 }));
  };
}

function hiddenOf({ event, needs, condition }: BoundRule, hidden: Hidden): readonly HiddenAttribute[] {
  return needs
    .flatMap((attribute) => {
      const leavesAs = hidden(event, attribute);
      if (leavesAs === undefined) return [];
      return {
        attribute,
        sensitivity: isAttributeName(attribute) ? ATTRIBUTES[attribute].sensitivity : undefined,
        leavesAs,
        questions: questionsOn(condition, attribute),
        onMatch: toldOf(implied(condition, attribute, true)),
        onSilence: toldOf(implied(condition, attribute, false)),
      };
    })
    .toSorted((a, b) => weightOf(a) - weightOf(b));
}

const reads = (source: Source, attribute: string): boolean => source.take === 'everything' || source.name === attribute;

function questionsOn(condition: Expression<Source>, attribute: string): number {
  const asked = [...testsOf(condition)].filter(
    ({ field, test }) => reads(field, attribute) || (test.is === 'field' && reads(test.other, attribute)),
  );
  return new Set(asked.map((test) => JSON.stringify(test, spellBigints))).size;
}

const spellBigints = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString(16) : value);

/**
 * What the attribute must be when the condition came out as said: any of what is returned. undefined: it may be anything.
 * Of several things that are all true the closest is taken, so what is told is never less than this.
 */
function implied(tree: Expression<Source>, attribute: string, holds: boolean): readonly Alternative[] | undefined {
  switch (tree.kind) {
    case 'constant':
      return undefined;
    case 'not':
      return implied(tree.of, attribute, !holds);
    case 'test':
      return alternativeOf(tree.field, tree.test, attribute, holds);
    case 'and':
    case 'or': {
      const parts = tree.of.map((part) => implied(part, attribute, holds));
      return (tree.kind === 'and') === holds ? closest(parts) : anyOf(parts, 0);
    }
    case 'some': {
      const parts = tree.of.map((part) => implied(part, attribute, holds));
      // Of N parts `least` hold; or so many do not hold that the rest is fewer than `least`.
      const sure = holds ? tree.least : tree.of.length - tree.least + 1;
      return anyOf(parts, sure - 1);
    }
  }
}

type Parts = readonly (readonly Alternative[] | undefined)[];

/** At least one part is true; where more are, so many that say nothing can be left out. */
function anyOf(parts: Parts, spare: number): readonly Alternative[] | undefined {
  const telling = parts.filter((part) => part !== undefined);
  return parts.length - telling.length > spare ? undefined : telling.flat();
}

const closest = (parts: Parts): readonly Alternative[] | undefined =>
  parts.filter((part) => part !== undefined).toSorted((a, b) => weight(toldOf(a)) - weight(toldOf(b)))[0];

function alternativeOf(
  field: Source,
  test: Test<Source>,
  attribute: string,
  holds: boolean,
): readonly Alternative[] | undefined {
  if (!reads(field, attribute) && !(test.is === 'field' && reads(test.other, attribute))) return undefined;
  if (test.is === 'null' || test.is === 'exists') {
    const present = (test.is === 'exists' && test.expected) === holds;
    return [{ how: 'presence', text: present ? 'present' : 'absent' }];
  }
  return holds ? [describe(field, test)] : undefined;
}

function describe(field: Source, test: Exclude<Test<Source>, { is: 'null' | 'exists' }>): Alternative {
  switch (test.is) {
    case 'text':
      return { how: HOW[anchoringOf(test.pattern, field)], text: spelled(test.pattern) };
    case 'regex':
      return { how: 'regex', text: test.source };
    case 'cidr':
      return { how: 'network', text: spelledNetwork(test.network) };
    case 'compare':
      return { how: 'number', text: `${SIGNS[test.how]} ${test.number}` };
    case 'date':
      return { how: 'date', text: `${test.part}${test.how === 'eq' ? '' : ` ${SIGNS[test.how]}`} ${test.number}` };
    case 'field':
      return { how: 'other attribute', text: 'name' in test.other ? test.other.name : '' };
  }
}

const SIGNS = { eq: '=', lt: '<', lte: '≤', gt: '>', gte: '≥' } as const;

const HOW: Readonly<Record<Anchoring, Closeness>> = { whole: 'value', start: 'beginning', end: 'end', any: 'part' };

/** A wildcard inside says two parts; the last name of a path is its end, and an item of a list a part of it. */
function anchoringOf(pattern: Pattern, field: Source): Anchoring {
  const [first, last] = [pattern[0], pattern.at(-1)];
  const isWhole = pattern.every((part) => typeof part === 'string' || ('wild' in part && part.wild === 'dash'));
  const isList = 'name' in field && isAttributeName(field.name) && ATTRIBUTES[field.name].type === 'string[]';
  if (field.take === 'everything' || field.take === 'item' || (field.take === 'attribute' && isList)) return 'any';
  if (field.take === 'basename') return isMany(last) ? 'any' : 'end';
  if (isWhole) return 'whole';
  if (!isMany(first)) return 'start';
  return isMany(last) ? 'any' : 'end';
}

const spelled = (pattern: Pattern): string =>
  pattern
    .map((part) =>
      typeof part === 'string' ? part : 'wild' in part ? { many: '*', one: '?', dash: '-' }[part.wild] : '',
    )
    .join('');

function spelledNetwork({ bits, prefix, head }: Network): string {
  const digits = (head << BigInt(bits - prefix)).toString(16).padStart(bits / 4, '0');
  const parts = digits.match(bits === 32 ? /../g : /..../g) ?? [];
  const address = bits === 32 ? parts.map((part) => Number.parseInt(part, 16)).join('.') : parts.join(':');
  return `${address}/${prefix}`;
}

function toldOf(found: readonly Alternative[] | undefined): Told | undefined {
  if (found === undefined) return undefined;
  const alternatives = [...new Map(found.map((one) => [`${one.how} ${one.text}`, one])).values()].toSorted(
    (a, b) => CLOSENESS.indexOf(a.how) - CLOSENESS.indexOf(b.how),
  );
  const isCounted = alternatives.length > 0 && alternatives.every(({ how }) => how === 'value');
  return { alternatives, openBits: isCounted ? Math.log2(alternatives.length) : undefined };
}

/** Small tells much: the loosest alternative decides, then how many there are. */
function weight(told: Told | undefined): number {
  if (told === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(0, ...told.alternatives.map(looseness)) * 1e4 + Math.min(told.alternatives.length, 9999);
}

/** A whole value is closest; then texts, by how many characters of the value they say. */
function looseness({ how, text }: Alternative): number {
  if (how === 'value') return 0;
  if (how === 'beginning' || how === 'end' || how === 'part')
    return 1000 - Math.min(999, text.replaceAll(/[*?]/g, '').length);
  return 1000 + CLOSENESS.indexOf(how);
}

const weightOf = ({ onMatch, onSilence }: HiddenAttribute): number => Math.min(weight(onMatch), weight(onSilence));
const severity = ({ hidden }: OracleRow): number => Math.min(1e8, ...hidden.map(weightOf));
