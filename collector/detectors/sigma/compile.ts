/**
 * Compiles rules to one matcher per kind of event.
 *
 *     event -> scan its texts once for the literals rules require -> evaluate only the rules found
 *
 * Pure: no clock, no file, no network. The same matcher runs on the node, before redaction, and on the
 * collector. It holds no event after `match` returned.
 */
import { isAttributeName, ATTRIBUTES, type Value } from '#protocol/vocabulary.ts';
import { isInNetwork } from './address.ts';
import type { Comparison, DatePart, Expression, Test } from './expression.ts';
import { buildScanner, Candidates, guardOf, type Scanner } from './literals.ts';
import { bindRule, type BoundRule, type Mapping, type Source } from './mapping.ts';
import { compilePattern, literalOf } from './pattern.ts';
import { compileRegex } from './regex.ts';
import type { SigmaRule } from './rule.ts';

/** Structurally agent/event.ts RawEvent; attributes are read by name and never kept. */
export interface MatchableEvent {
  readonly name: string;
  readonly attributes: { readonly [name: string]: Value | null | undefined };
}

export interface Matcher {
  /** Ids of the rules that match, in the order the rules were given. */
  match(event: MatchableEvent): readonly string[];
  /** Names of the events some rule looks at; `*` when any. */
  readonly events: ReadonlySet<string>;
}

const NONE: readonly string[] = [];

export function compileRules(rules: readonly SigmaRule[], mapping: Mapping): Matcher {
  return compileBound(rules.flatMap((rule) => bindRule(rule, mapping).bound));
}

/** As {@link compileRules}, for rules that are bound already, say those that a plan gave to one side. */
export function compileBound(bound: readonly BoundRule[]): Matcher {
  const byEvent = new Map<string, BoundRule[]>();
  for (const one of bound) {
    const list = byEvent.get(one.event);
    if (list === undefined) byEvent.set(one.event, [one]);
    else list.push(one);
  }
  const programs = new Map([...byEvent].map(([event, list]) => [event, compileProgram(list)]));
  const fallback = programs.get('*');
  return {
    events: new Set(programs.keys()),
    match: (event): readonly string[] => {
      const program = programs.get(event.name) ?? fallback;
      return program === undefined ? NONE : program(event);
    },
  };
}

type Attributes = MatchableEvent['attributes'];
type Predicate = (fields: Fields) => boolean;
type Text = string | readonly string[] | undefined;

/** The fields of one event at a time, each computed when first asked for. */
class Fields {
  readonly #sources: readonly Source[];
  readonly #text: Text[];
  readonly #lower: Text[];
  readonly #textRound: Float64Array;
  readonly #lowerRound: Float64Array;
  #round = 0;
  #attributes: Attributes = {};

  /** Another number for each event. */
  get round(): number {
    return this.#round;
  }

  constructor(sources: readonly Source[]) {
    this.#sources = sources;
    this.#text = sources.map(() => undefined);
    this.#lower = sources.map(() => undefined);
    this.#textRound = new Float64Array(sources.length);
    this.#lowerRound = new Float64Array(sources.length);
  }

  begin(attributes: Attributes): void {
    this.#attributes = attributes;
    this.#round++;
  }

  /** Lets go of the event; nothing raw outlives the call that brought it. */
  end(): void {
    this.#attributes = {};
    this.#text.fill(undefined);
    this.#lower.fill(undefined);
  }

  text(slot: number): Text {
    if (this.#textRound[slot] !== this.#round) {
      this.#textRound[slot] = this.#round;
      const source = this.#sources[slot];
      this.#text[slot] = source === undefined ? undefined : readSource(source, this.#attributes);
    }
    return this.#text[slot];
  }

  lower(slot: number): Text {
    if (this.#lowerRound[slot] !== this.#round) {
      this.#lowerRound[slot] = this.#round;
      const text = this.text(slot);
      this.#lower[slot] =
        typeof text === 'string'
          ? text.toLowerCase()
          : text === undefined
            ? undefined
            : text.map((item) => item.toLowerCase());
    }
    return this.#lower[slot];
  }
}

/** The text of a field, or its texts. */
export function readSource(source: Source, attributes: MatchableEvent['attributes']): Text {
  if (source.take === 'everything') {
    return Object.values(attributes).flatMap((value) => (value === undefined || value === null ? [] : asText(value)));
  }
  const value = attributes[source.name];
  if (value === undefined || value === null) return undefined;
  switch (source.take) {
    case 'attribute':
      return asText(value);
    case 'joined':
      return typeof value === 'object' ? value.join(' ') : String(value);
    case 'item':
      return typeof value === 'object' ? value[source.index] : undefined;
    case 'basename':
      return typeof value === 'string' ? value.slice(value.lastIndexOf('/') + 1) : undefined;
  }
}

const asText = (value: Value): string | readonly string[] =>
  typeof value === 'string' || typeof value === 'object' ? value : String(value);

const isWeak = (source: Source): boolean =>
  // Attributes with a handful of values (file.open.access) rule nothing out.
  source.take === 'attribute' && isAttributeName(source.name) && ATTRIBUTES[source.name].sensitivity === 'system';

function compileProgram(bound: readonly BoundRule[]): (event: MatchableEvent) => readonly string[] {
  const sources: Source[] = [];
  const slots = new Map<string, number>();
  const slotOf = (source: Source): number => {
    const key = JSON.stringify(source);
    const known = slots.get(key);
    if (known !== undefined) return known;
    slots.set(key, sources.length);
    return sources.push(source) - 1;
  };
  const scene: Scene = { slotOf, asked: new Map() };
  const predicates = bound.map(({ condition }) => compileExpression(condition, scene));
  const guarded = new Map<number, { text: string; at: 'any' | 'start' | 'end' | 'whole'; rule: number }[]>();
  const always: number[] = [];
  bound.forEach(({ condition }, rule) => {
    const guard = guardOf(condition, isWeak);
    if (guard === undefined) always.push(rule);
    for (const { source, text, at } of guard ?? []) {
      const slot = slotOf(source);
      const list = guarded.get(slot);
      if (list === undefined) guarded.set(slot, [{ text, at, rule }]);
      else list.push({ text, at, rule });
    }
  });
  const scanners = [...guarded].map(([slot, literals]) => ({ slot, scanner: buildScanner(literals) }));
  const ids = bound.map(({ rule }) => rule.id);
  return makeProgram(new Fields(sources), scanners, always, predicates, ids);
}

function makeProgram(
  fields: Fields,
  scanners: readonly { readonly slot: number; readonly scanner: Scanner }[],
  always: readonly number[],
  predicates: readonly Predicate[],
  ids: readonly string[],
): (event: MatchableEvent) => readonly string[] {
  const candidates = new Candidates(ids.length);
  const collect = (): readonly string[] => {
    const order = candidates.rules.subarray(0, candidates.count).sort();
    let matched: string[] | undefined;
    for (const rule of order) {
      const id = ids[rule];
      if (id === undefined || predicates[rule]?.(fields) !== true) continue;
      if (matched === undefined) matched = [id];
      else if (!matched.includes(id)) matched.push(id);
    }
    return matched ?? NONE;
  };
  return ({ attributes }) => {
    fields.begin(attributes);
    candidates.clear();
    for (const rule of always) candidates.add(rule);
    for (const { slot, scanner } of scanners) {
      const text = fields.text(slot);
      if (typeof text === 'string') scanner.scan(text, candidates);
      else if (text !== undefined) for (const item of text) scanner.scan(item, candidates);
    }
    const matched = candidates.count === 0 ? NONE : collect();
    fields.end();
    return matched;
  };
}

/** What the rules of one kind of event share. */
interface Scene {
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

function compileExpression(tree: Expression<Source>, scene: Scene): Predicate {
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
