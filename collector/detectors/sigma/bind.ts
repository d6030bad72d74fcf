/**
 * A rule put on our events: which of them its log source means, and attributes in place of its field names.
 *
 * A field that no event of ours carries makes its test false: the rule stays useful where another branch can match, and
 * is blind, with the reason, where none can.
 */
import { EVENTS, isAttributeName, isEventName, type EventName } from '#protocol/vocabulary.ts';
import { SigmaError } from './error.ts';
import { and, FALSE, not, or, some, testsOf, TRUE, type Expression, type Test } from './expression.ts';
import type { FieldSource, Mapping, Route, Source, Target } from './mapping.ts';
import type { FieldName } from './modifiers.ts';
import { compilePattern, fillPlaceholders, literalOf } from './pattern.ts';
import { compileRegex } from './regex.ts';
import type { LogSource, SigmaRule } from './rule.ts';
import { didYouMean } from '../../../config/suggest.ts';

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
