/**
 * Compiles rules to one matcher per kind of event.
 *
 *     event -> scan its texts once for the literals rules require -> evaluate only the rules found
 *
 * Pure: no clock, no file, no network. The same matcher runs on the node, before redaction, and on the
 * collector. It holds no event after `match` returned.
 */
import { ATTRIBUTES, isAttributeName, type Value } from '#protocol/vocabulary.ts';
import { bindRule, type BoundRule } from './bind.ts';
import { Fields } from './fields.ts';
import { buildScanner, Candidates, guardOf, type Scanner } from './literals.ts';
import type { Mapping, Source } from './mapping.ts';
import { compileExpression, type Predicate, type Scene } from './predicate.ts';
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
