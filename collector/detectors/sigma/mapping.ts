/**
 * From Sigma's names to our events: which events a log source means, and where a field's value is found.
 *
 * The mapping is data (mapping.yaml); this file reads and applies it. A field that no event of ours
 * carries makes its test false: the rule stays useful where another branch can match, and is blind,
 * with the reason, where none can.
 */
import {
  ATTRIBUTES,
  EVENTS,
  isAttributeName,
  isEventName,
  type AttributeName,
  type EventName,
} from '#protocol/vocabulary.ts';
import { mapOf, readDocuments, refuseStrangers, textOf, textsOf, type MapNode, type Node } from './document.ts';
import { SigmaError } from './error.ts';
import { and, FALSE, not, or, some, testsOf, TRUE, type Expression, type Test } from './expression.ts';
import { compileItem, type FieldName } from './modifiers.ts';
import { compilePattern, fillPlaceholders, literalOf } from './pattern.ts';
import { compileRegex } from './regex.ts';
import type { LogSource, SigmaRule } from './rule.ts';
import { didYouMean } from './suggest.ts';

/** Where the value of a field is found in an event. */
export type Source =
  | { readonly take: 'attribute'; readonly name: string }
  /** A list, joined by spaces. */
  | { readonly take: 'joined'; readonly name: string }
  | { readonly take: 'item'; readonly name: string; readonly index: number }
  /** The last component of a path. */
  | { readonly take: 'basename'; readonly name: string }
  /** Every text in the event, for keywords on events that have no mapping. */
  | { readonly take: 'everything' };

type FieldSource = Source | { readonly take: 'constant'; readonly values: readonly string[] };

interface Target {
  /** Name of the event; `*` for events that come without a vocabulary. */
  readonly event: string;
  readonly where: Expression<FieldName>;
  readonly fields: ReadonlyMap<string, FieldSource>;
  /** Fields that keywords are looked for in. */
  readonly keywords: readonly string[];
  /** The target is meant only by rules that name this field. */
  readonly named: string | undefined;
}

interface Route {
  readonly logsource: LogSource;
  readonly targets: readonly Target[];
  /** Why rules for this log source cannot match anything here. */
  readonly blind: string | undefined;
}

export interface Mapping {
  readonly fields: ReadonlyMap<string, FieldSource>;
  readonly placeholders: ReadonlyMap<string, readonly string[]>;
  /** Beginnings of paths that may be links -> what the kernel resolves them to. */
  readonly resolved: ReadonlyMap<string, string>;
  readonly routes: readonly Route[];
}

/** A rule as it applies to one kind of event. */
export interface BoundRule {
  readonly rule: SigmaRule;
  readonly event: string;
  readonly condition: Expression<Source>;
  /** Attributes the condition reads. */
  readonly needs: readonly string[];
}

export interface Binding {
  readonly rule: SigmaRule;
  readonly bound: readonly BoundRule[];
  /** Fields of the rule that no event carries; with nothing bound, the reason the rule is blind. */
  readonly missing: readonly string[];
  readonly blind: string | undefined;
}

/** Events without a vocabulary: every field is a key of the event. */
export const GENERIC: Mapping = {
  fields: new Map(),
  placeholders: new Map(),
  resolved: new Map(),
  routes: [
    {
      logsource: { product: undefined, category: undefined, service: undefined },
      blind: undefined,
      targets: [{ event: '*', where: TRUE, fields: new Map(), keywords: ['*'], named: undefined }],
    },
  ],
};

const KEYS = ['fields', 'placeholders', 'resolved', 'routes'];

export function parseMapping(text: string, file: string): Mapping {
  const [map] = readDocuments(text, file);
  if (map === undefined) throw new SigmaError(file, 1, 'empty mapping');
  refuseStrangers(map, KEYS, file, 'mapping');
  const under = (key: string): MapNode | undefined => (map.entries.has(key) ? mapOf(map, key, file) : undefined);
  const given = under('placeholders');
  const links = under('resolved');
  const routes = map.entries.get('routes');
  if (routes !== undefined && routes.value.kind !== 'list')
    throw new SigmaError(file, routes.line, 'routes: expected a list');
  return {
    fields: parseFields(map, 'fields', file),
    placeholders: new Map(given && [...given.entries.keys()].map((name) => [name, textsOf(given, name, file)])),
    resolved: new Map(links && [...links.entries.keys()].map((from) => [from, textOf(links, from, file) ?? ''])),
    routes: routes?.value.kind === 'list' ? routes.value.items.map((item) => parseRoute(item, file)) : [],
  };
}

/** One mapping laid over another: its fields and values win, its routes are asked first. */
export function overlay(under: Mapping, over: Mapping): Mapping {
  return {
    fields: new Map([...under.fields, ...over.fields]),
    placeholders: new Map([...under.placeholders, ...over.placeholders]),
    resolved: new Map([...under.resolved, ...over.resolved]),
    routes: [...over.routes, ...under.routes],
  };
}

function parseRoute(item: Node, file: string): Route {
  if (item.kind !== 'map')
    throw new SigmaError(file, item.line, 'a route is a map with logsource and events, or blind');
  refuseStrangers(item, ['logsource', 'events', 'blind'], file, 'route');
  const from = mapOf(item, 'logsource', file);
  if (from !== undefined) refuseStrangers(from, ['product', 'category', 'service'], file, 'logsource');
  const [product, category, service] = ['product', 'category', 'service'].map((key) => from && textOf(from, key, file));
  const events = item.entries.get('events')?.value;
  const blind = textOf(item, 'blind', file);
  if ((events === undefined) === (blind === undefined)) {
    throw new SigmaError(file, item.line, 'a route needs either events or blind');
  }
  const targets = events?.kind === 'list' ? events.items.map((one) => parseTarget(one, file)) : [];
  return { logsource: { product, category, service }, targets, blind };
}

const TARGET_KEYS = ['event', 'where', 'fields', 'keywords', 'named'];

function parseTarget(item: Node, file: string): Target {
  if (item.kind !== 'map') throw new SigmaError(file, item.line, 'an entry of events is a map with `event`');
  const event = textOf(item, 'event', file) ?? '';
  if (!isEventName(event)) {
    const near = didYouMean(event, Object.keys(EVENTS));
    throw new SigmaError(file, item.line, `event: \`${event}\` is not in the vocabulary${near}`);
  }
  refuseStrangers(item, TARGET_KEYS, file, event);
  const where = item.entries.has('where') ? mapOf(item, 'where', file) : undefined;
  const tests = [...(where?.entries ?? [])].map(([key, { value }]) => {
    const [name, ...modifiers] = key.split('|');
    return compileItem(name, modifiers, value, (line, problem) => {
      throw new SigmaError(file, line, problem);
    });
  });
  return {
    event,
    where: and(tests),
    fields: parseFields(item, 'fields', file),
    keywords: textsOf(item, 'keywords', file),
    named: textOf(item, 'named', file),
  };
}

function parseFields(map: MapNode, key: string, file: string): ReadonlyMap<string, FieldSource> {
  const fields = new Map<string, FieldSource>();
  const from = map.entries.has(key) ? mapOf(map, key, file) : undefined;
  for (const [field, { line, value }] of from?.entries ?? []) fields.set(field, parseSource(value, line, file));
  return fields;
}

function parseSource(node: Node, line: number, file: string): FieldSource {
  if (node.kind === 'scalar') return { take: 'attribute', name: attributeName(node, file) };
  const [entry, more] = node.kind === 'map' ? [...node.entries] : [];
  if (entry === undefined || more !== undefined) {
    throw new SigmaError(file, line, 'a field is an attribute, or one of joined, basename, item N, constant');
  }
  const [how, { value }] = entry;
  if (how === 'constant') {
    const items = value.kind === 'list' ? value.items : [value];
    return { take: 'constant', values: items.map((item) => (item.kind === 'scalar' ? String(item.value) : '')) };
  }
  const name = attributeName(value, file);
  if (how === 'joined' || how === 'basename') return { take: how, name };
  const index = /^item (\d{1,3})$/.exec(how)?.[1];
  if (index === undefined) throw new SigmaError(file, line, `\`${how}\` is none of joined, basename, item N, constant`);
  return { take: 'item', name, index: Number(index) };
}

function attributeName(node: Node, file: string): AttributeName {
  const name = node.kind === 'scalar' ? String(node.value) : '';
  if (!isAttributeName(name)) {
    const near = didYouMean(name, Object.keys(ATTRIBUTES));
    throw new SigmaError(file, node.line, `\`${name}\` is no attribute of the vocabulary${near}`);
  }
  return name;
}

/** Finds the events a rule is about and puts attributes in place of its field names. */
export function bindRule(rule: SigmaRule, mapping: Mapping): Binding {
  const nothing = { rule, bound: [], missing: [] };
  if (rule.taxonomy !== 'sigma')
    return { ...nothing, blind: `written with the names of ${rule.taxonomy}; only those of sigma are mapped` };
  if (rule.status === 'unsupported')
    return { ...nothing, blind: 'its author says that it cannot be used: unsupported' };
  const route = routeOf(rule.logsource, mapping);
  if (route === undefined)
    return { ...nothing, blind: `no events here come from ${describeLogSource(rule.logsource, mapping)}` };
  if (route.blind !== undefined) return { ...nothing, blind: route.blind };
  const perTarget: { readonly bound: BoundRule | undefined; readonly lost: Lost }[] = [];
  for (const target of route.targets) if (isMeant(target, rule)) perTarget.push(bindTarget(rule, target, mapping));
  const bound = perTarget.flatMap((one) => one.bound ?? []);
  // What one event lacks another may carry; what all lack is the reason.
  const lacks = (lost: Lost, what: string): boolean => lost.has(what) || lost.has(what.split('=', 1)[0] ?? '');
  const lost = new Set(perTarget.flatMap((one) => [...one.lost]));
  const everywhere = [...lost].filter((what) => perTarget.every((one) => lacks(one.lost, what)));
  const missing = everywhere.filter(
    (what) => what.includes('=') || !everywhere.some((other) => other.startsWith(`${what}=`)),
  );
  if (bound.length > 0) return { rule, bound, missing, blind: undefined };
  return {
    rule,
    bound,
    missing,
    blind: `no event carries ${missing.join(', ') || 'all that the rule needs together'}${nearFields(missing, route, mapping)}`,
  };
}

function nearFields(missing: readonly string[], { targets }: Route, mapping: Mapping): string {
  const known = [...mapping.fields.keys(), ...targets.flatMap(({ fields }) => [...fields.keys()])];
  return missing.map((field) => didYouMean(field, known)).find((near) => near !== '') ?? '';
}

/** Where a field of the rule is found in one kind of event. */
export function locateField(rule: SigmaRule, event: string, field: string, mapping: Mapping): Source | undefined {
  const route = routeOf(rule.logsource, mapping);
  const target = route?.targets.find((one) => one.event === event || one.event === '*');
  const source = target === undefined ? undefined : sourceOf(field, target, mapping);
  return source?.take === 'constant' ? undefined : source;
}

const routeOf = (logsource: LogSource, mapping: Mapping): Route | undefined =>
  mapping.routes.find((one) => isRouted(logsource, one.logsource)) ?? ownEvents(logsource);

/** A route is meant when it names exactly what the rule names; a route without any of it takes all. */
function isRouted(rule: LogSource, route: LogSource): boolean {
  const any = route.product === undefined && route.category === undefined && route.service === undefined;
  const product = rule.product === undefined || route.product === rule.product;
  return any || (product && route.category === rule.category && route.service === rule.service);
}

/** `category: file.rename` and the like: our own rules may name an event of the vocabulary. */
function ownEvents(logsource: LogSource): Route | undefined {
  const { category } = logsource;
  if (category === undefined || !isEventName(category)) return undefined;
  const target: Target = { event: category, where: TRUE, fields: new Map(), keywords: [], named: undefined };
  return { logsource, blind: undefined, targets: [target] };
}

function describeLogSource({ product, category, service }: LogSource, mapping: Mapping): string {
  const near = (['category', 'service'] as const).map((part) => {
    const word = { category, service }[part];
    const known = mapping.routes.flatMap(({ logsource }) => logsource[part] ?? []);
    return word === undefined || known.includes(word) ? '' : didYouMean(word, known);
  });
  return [product, category, service].filter((part) => part !== undefined).join('/') + near.join('');
}

/** What an event does not carry: a field of the rule, or `field=value` where the event stands for another value. */
type Lost = ReadonlySet<string>;

const MAX_TESTS = 100_000;

const isMeant = (target: Target, rule: SigmaRule): boolean =>
  target.named === undefined || [...testsOf(rule.condition)].some((test) => test.field === target.named);

function bindTarget(
  rule: SigmaRule,
  target: Target,
  mapping: Mapping,
): { readonly bound: BoundRule | undefined; readonly lost: Lost } {
  const lost = new Set<string>();
  const bind = (tree: Expression<FieldName>): Expression<Source> => bindExpression(tree, target, mapping, lost);
  const condition = bind(rule.condition);
  if (condition.kind === 'constant') return { bound: undefined, lost };
  const whole = and([bind(target.where), condition]);
  const needs = new Set<string>();
  let tests = 0;
  for (const test of testsOf(whole)) {
    if (++tests > MAX_TESTS)
      throw new SigmaError(rule.file, rule.line, `placeholders make more than ${MAX_TESTS} questions of it`);
    for (const source of sourcesOf(test)) needs.add(source.take === 'everything' ? '*' : source.name);
  }
  return { bound: { rule, event: target.event, condition: whole, needs: [...needs].toSorted() }, lost };
}

function* sourcesOf(test: Extract<Expression<Source>, { kind: 'test' }>): Generator<Source> {
  yield test.field;
  if (test.test.is === 'field') yield test.test.other;
}

function bindExpression(
  tree: Expression<FieldName>,
  target: Target,
  mapping: Mapping,
  missing: Set<string>,
): Expression<Source> {
  const bind = (part: Expression<FieldName>): Expression<Source> => bindExpression(part, target, mapping, missing);
  switch (tree.kind) {
    case 'constant':
      return tree;
    case 'and':
      return and(tree.of.map(bind));
    case 'or':
      return or(tree.of.map(bind));
    case 'some':
      return some(tree.least, tree.of.map(bind));
    case 'not':
      return not(bind(tree.of));
    case 'test':
      return bindTest(tree.field, tree.test, target, mapping, missing);
  }
}

function bindTest(
  field: FieldName,
  test: Test<FieldName>,
  target: Target,
  mapping: Mapping,
  missing: Set<string>,
): Expression<Source> {
  if (field === undefined) {
    if (target.keywords.length === 0) missing.add('keywords');
    return or(target.keywords.map((keyword) => bindTest(keyword, test, target, mapping, missing)));
  }
  if (test.is === 'text' && test.pattern.some((part) => typeof part === 'object' && 'placeholder' in part)) {
    const filled = fillPlaceholders(test.pattern, mapping.placeholders);
    if ('unknown' in filled) {
      missing.add(`values for %${filled.unknown}%`);
      return FALSE;
    }
    return or(filled.patterns.map((pattern) => bindTest(field, { ...test, pattern }, target, mapping, missing)));
  }
  const source = sourceOf(field, target, mapping);
  if (source === undefined) {
    missing.add(field);
    return FALSE;
  }
  if (source.take === 'constant') {
    if (source.values.some((value) => holds(test, value))) return TRUE;
    missing.add(describeTest(field, test));
    return FALSE;
  }
  if (test.is === 'text' && 'name' in source && source.name.endsWith('.path'))
    return resolvedTest(source, test, mapping);
  if (test.is !== 'field') return { kind: 'test', field: source, test };
  const other = test.other === undefined ? undefined : sourceOf(test.other, target, mapping);
  if (other !== undefined && other.take !== 'constant')
    return { kind: 'test', field: source, test: { ...test, other } };
  missing.add(test.other ?? '');
  return FALSE;
}

/** The path as the rule says it, or as the kernel does. */
function resolvedTest(
  source: Source,
  test: Extract<Test<never>, { is: 'text' }>,
  mapping: Mapping,
): Expression<Source> {
  const [first, ...rest] = test.pattern;
  const tests = [test];
  for (const [from, to] of mapping.resolved) {
    if (typeof first !== 'string' || !first.startsWith(from)) continue;
    tests.push({ ...test, pattern: [to + first.slice(from.length), ...rest] });
  }
  return or(tests.map((one): Expression<Source> => ({ kind: 'test', field: source, test: one })));
}

const describeTest = (field: string, test: Test<FieldName>): string =>
  test.is === 'text' ? `${field}=${literalOf(test.pattern) ?? '…'}` : field;

function sourceOf(field: string, target: Target, mapping: Mapping): FieldSource | undefined {
  if (target.event === '*') return field === '*' ? { take: 'everything' } : { take: 'attribute', name: field };
  const source = target.fields.get(field) ?? mapping.fields.get(field) ?? attributeSource(field);
  if (source === undefined || source.take === 'constant' || source.take === 'everything') return source;
  return isEventName(target.event) && carries(target.event, source.name) ? source : undefined;
}

/** Attributes of the vocabulary may be used as fields; `name[2]` is the third item of a list. */
function attributeSource(field: string): Source | undefined {
  if (isAttributeName(field)) return { take: 'attribute', name: field };
  const [, name, index] = /^(.+)\[(\d{1,3})\]$/.exec(field) ?? [];
  return name !== undefined && isAttributeName(name) ? { take: 'item', name, index: Number(index) } : undefined;
}

function carries(event: EventName, attribute: string): boolean {
  const attributes: readonly string[] = EVENTS[event].attributes;
  return attributes.includes(attribute);
}

/** A test on a value known while binding. */
function holds(test: Test<FieldName>, value: string): boolean {
  switch (test.is) {
    case 'text':
      return compilePattern(test.pattern, test.cased)(test.cased ? value : value.toLowerCase());
    case 'regex':
      return compileRegex(test)(value);
    case 'exists':
      return test.expected;
    case 'null':
    case 'cidr':
    case 'compare':
    case 'date':
    case 'field':
      return false;
  }
}
