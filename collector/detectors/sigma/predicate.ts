/** Expressions as functions of an event's fields: what is cheap is asked first, what is dear once for all rules. */
import { isInNetwork } from './address.ts';
import type { Comparison, DatePart, Expression, Test } from './expression.ts';
import type { Fields } from './fields.ts';
import type { Source } from './mapping.ts';
import { compilePattern, literalOf } from './pattern.ts';
import { compileRegex } from './regex.ts';

export type Predicate = (fields: Fields) => boolean;

/** What the rules of one kind of event share. */
export interface Scene {
  readonly slotOf: (source: Source) => number;
  /** Dear questions that are already compiled. */
  readonly asked: Map<string, Predicate>;
}

/** Compiled once and asked once an event, however many rules ask it. */
function askedOnce(key: string, { asked }: Scene, make: () => Predicate): Predicate {
  const known = asked.get(key);
  if (known !== undefined) return known;
  const ask = make();
  let round = -1;
  let answer = false;
  const once: Predicate = (fields) => {
    if (round !== fields.round) {
      round = fields.round;
      answer = ask(fields);
    }
    return answer;
  };
  asked.set(key, once);
  return once;
}

export function compileExpression(tree: Expression<Source>, scene: Scene): Predicate {
  switch (tree.kind) {
    case 'constant':
      return () => tree.value;
    case 'not': {
      const inner = compileExpression(tree.of, scene);
      return (fields) => !inner(fields);
    }
    case 'test':
      return compileTest(scene.slotOf(tree.field), tree.test, scene);
    case 'and': {
      const parts = tree.of.toSorted((a, b) => costOf(a) - costOf(b)).map((part) => compileExpression(part, scene));
      return (fields) => {
        for (const part of parts) if (!part(fields)) return false;
        return true;
      };
    }
    case 'or': {
      const parts = compileAlternatives(tree.of, scene);
      return (fields) => {
        for (const part of parts) if (part(fields)) return true;
        return false;
      };
    }
    case 'some': {
      const parts = tree.of.map((part) => compileExpression(part, scene));
      return (fields) => {
        let met = 0;
        for (const part of parts) if (part(fields) && ++met >= tree.least) return true;
        return false;
      };
    }
  }
}

/** What is cheap and says no spares what is dear. */
function costOf(tree: Expression<Source>): number {
  switch (tree.kind) {
    case 'constant':
      return 0;
    case 'not':
      return costOf(tree.of);
    case 'test':
      return COSTS[tree.test.is];
    default:
      return Math.max(...tree.of.map(costOf)) + tree.of.length / 100;
  }
}

const COSTS = { null: 0, exists: 0, compare: 1, text: 2, field: 3, date: 5, cidr: 10, regex: 100 } as const;

/** Whole values of one field become one set look-up. */
function compileAlternatives(of: readonly Expression<Source>[], scene: Scene): readonly Predicate[] {
  const values = new Map<number, Set<string>>();
  const rest: Predicate[] = [];
  for (const part of of.toSorted((a, b) => costOf(a) - costOf(b))) {
    const whole =
      part.kind === 'test' && part.test.is === 'text' && !part.test.cased ? literalOf(part.test.pattern) : undefined;
    if (part.kind !== 'test' || whole === undefined) {
      rest.push(compileExpression(part, scene));
      continue;
    }
    const slot = scene.slotOf(part.field);
    values.set(slot, (values.get(slot) ?? new Set()).add(whole.toLowerCase()));
  }
  return [...[...values].map(([slot, set]) => onAny(slot, false, (text) => set.has(text))), ...rest];
}

/** The test holds for the field's text, or for any item of a list. */
function onAny(slot: number, cased: boolean, test: (text: string) => boolean): Predicate {
  return (fields) => {
    const text = cased ? fields.text(slot) : fields.lower(slot);
    if (typeof text === 'string') return test(text);
    return text !== undefined && text.some(test);
  };
}

function compileTest(slot: number, test: Test<Source>, scene: Scene): Predicate {
  switch (test.is) {
    case 'text':
      return onAny(slot, test.cased, compilePattern(test.pattern, test.cased));
    case 'regex':
      return askedOnce(`${slot} ${test.flags} ${test.source}`, scene, () => onAny(slot, true, compileRegex(test)));
    case 'cidr':
      return onAny(slot, true, (text) => isInNetwork(text, test.network));
    case 'compare':
      return onAny(slot, true, (text) => compares(numberIn(text), test.how, test.number));
    case 'date':
      return onAny(slot, true, (text) => compares(datePartOf(text, test.part), test.how, test.number));
    case 'null':
      return (fields) => fields.text(slot) === undefined;
    case 'exists':
      return (fields) => (fields.text(slot) !== undefined) === test.expected;
    case 'field':
      return compileReference(slot, scene.slotOf(test.other), test);
  }
}

function compileReference(slot: number, other: number, test: Extract<Test<Source>, { is: 'field' }>): Predicate {
  const compare = {
    whole: (text: string, with_: string): boolean => text === with_,
    any: (text: string, with_: string): boolean => text.includes(with_),
    start: (text: string, with_: string): boolean => text.startsWith(with_),
    end: (text: string, with_: string): boolean => text.endsWith(with_),
  }[test.anchoring];
  return (fields) => {
    const left = test.cased ? fields.text(slot) : fields.lower(slot);
    const right = test.cased ? fields.text(other) : fields.lower(other);
    if (left === undefined || right === undefined) return false;
    return listOf(left).some((text) => listOf(right).some((with_) => compare(text, with_)));
  };
}

const listOf = (text: string | readonly string[]): readonly string[] => (typeof text === 'string' ? [text] : text);

const numberIn = (text: string): number => (text.trim() === '' ? NaN : Number(text));

function compares(value: number, how: Comparison | 'eq', number: number): boolean {
  switch (how) {
    case 'eq':
      return value === number;
    case 'lt':
      return value < number;
    case 'lte':
      return value <= number;
    case 'gt':
      return value > number;
    case 'gte':
      return value >= number;
  }
}

/** Part of a date in UTC; numbers are microseconds since 1970, as everywhere here. */
function datePartOf(text: string, part: DatePart): number {
  const date = new Date(/^\d+$/.test(text) ? Number(text) / 1000 : Date.parse(text));
  if (Number.isNaN(date.getTime())) return NaN;
  switch (part) {
    case 'minute':
      return date.getUTCMinutes();
    case 'hour':
      return date.getUTCHours();
    case 'day':
      return date.getUTCDate();
    case 'month':
      return date.getUTCMonth() + 1;
    case 'year':
      return date.getUTCFullYear();
    case 'week':
      return isoWeek(date);
  }
}

function isoWeek(date: Date): number {
  const day = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()));
  // The Thursday of a week decides which year's week it is.
  day.setUTCDate(day.getUTCDate() + 4 - (day.getUTCDay() || 7));
  return Math.ceil(((day.getTime() - Date.UTC(day.getUTCFullYear(), 0, 1)) / 86_400_000 + 1) / 7);
}
