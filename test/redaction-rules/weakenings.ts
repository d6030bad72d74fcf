/**
 * Every way in which one rule of a ruleset can be made weaker by one step, on the parsed ruleset: what a tired reviewer could
 * wave through. Each comes with a ruleset of nothing but the rule that was weakened and its examples, so that trying
 * thousands of them takes seconds.
 */
import { ATTRIBUTES, type AttributeName, type EventName, type ValueType } from '#protocol/vocabulary.ts';
import { RANGES, isRangeName, type RangeName } from '../../redaction-rules/address.ts';
import { SCOPES } from '../../redaction-rules/keys.ts';
import type { PathTemplate } from '../../redaction-rules/path.ts';
import type { Rule, Transform, Values } from '../../redaction-rules/rule.ts';
import type { Example, Ruleset } from '../../redaction-rules/ruleset.ts';

export interface Weakening {
  /** What was done to which rule, for people. */
  readonly name: string;
  readonly attribute: AttributeName;
  /** The weakened rule, in the events that have it, with what examples say of its attribute. */
  readonly ruleset: Ruleset;
}

/** What somebody might add to a list: names of people, customers, projects and machines, and a password. */
const ADDED = ['alex', 'robin', 'maria', 'kowalski', 'acme', 'acme-bank', 'zanzibar', 'db-1', 'hunter2'];

export function* weakenings(ruleset: Ruleset): Generator<Weakening> {
  const templates = new Set<string>();
  for (const { attribute, rule, events } of rulesOf(ruleset)) {
    for (const [name, weaker] of weakerRules(rule, attribute, ruleset)) {
      yield { name: `${attribute}: ${name}`, attribute, ruleset: narrowed(ruleset, attribute, weaker, events) };
    }
    // A template stands in the ruleset once, whoever uses it: tried on the first path and the first command line.
    if ('template' in rule && !templates.has(`${rule.do} ${rule.templateName}`)) {
      templates.add(`${rule.do} ${rule.templateName}`);
      for (const [name, template] of looser(rule.template)) {
        const weaker = narrowed(ruleset, attribute, { ...rule, template }, events);
        yield { name: `paths: ${rule.templateName}: ${name} (${attribute})`, attribute, ruleset: weaker };
      }
    }
    // The same rule is everywhere; somebody may undo it in one event alone.
    if (rule.do === 'keep' || events.length === 1) continue;
    for (const event of events) {
      const kept = narrowed(ruleset, attribute, changed(rule, { do: 'keep' }), [event]);
      yield { name: `${event}: ${attribute}: ${rule.do} -> keep`, attribute, ruleset: kept };
    }
  }
  yield* weakerTimes(ruleset);
}

interface Place {
  readonly attribute: AttributeName;
  readonly rule: Rule;
  readonly events: EventName[];
}

/** Each rule once, with the events that have it. */
export function rulesOf(ruleset: Ruleset): readonly Place[] {
  const places = new Map<Rule, Place>();
  for (const [event, rules] of ruleset.events) {
    for (const [attribute, rule] of rules) {
      const known = places.get(rule);
      if (known === undefined) places.set(rule, { attribute, rule, events: [event] });
      else known.events.push(event);
    }
  }
  return [...places.values()];
}

/** A ruleset of one rule, and what the examples say of its attribute. */
export function narrowed(
  ruleset: Ruleset,
  attribute: AttributeName,
  rule: Rule,
  events: readonly EventName[],
): Ruleset {
  const of = (values: Example['in']): Example['in'] => {
    const value = values[attribute];
    return value === undefined ? {} : { [attribute]: value };
  };
  return {
    ...ruleset,
    events: new Map(events.map((event) => [event, new Map([[attribute, rule]])])),
    // Sums are weakened apart: what decides about them is not here any more.
    sums: [],
    examples: ruleset.examples
      .filter(
        ({ event, in: given, sum }) => sum === undefined && events.includes(event) && Object.hasOwn(given, attribute),
      )
      .map((example) => ({ ...example, in: of(example.in), out: of(example.out) })),
  };
}

type Named = readonly [name: string, rule: Rule];

const changed = ({ why, for: purposes, reason }: Rule, transform: Transform): Rule => ({
  ...transform,
  why,
  for: purposes,
  reason,
});

function* weakerRules(rule: Rule, attribute: AttributeName, ruleset: Ruleset): Generator<Named> {
  if (rule.do === 'keep') return;
  const { type } = ATTRIBUTES[attribute];
  for (const transform of weakerTransforms(rule, type)) {
    yield [`${rule.do} -> ${transform.do}`, changed(rule, transform)];
  }
  if ('scope' in rule) {
    for (const scope of SCOPES.slice(SCOPES.indexOf(rule.scope) + 1)) yield [`scope: ${scope}`, { ...rule, scope }];
  }
  if ('forever' in rule && !rule.forever) yield ['forever', { ...rule, forever: true }];
  // A pseudonym of a number has no letters.
  if ('length' in rule && rule.length < 52 && type !== 'int') yield ['length: 52', { ...rule, length: 52 }];
  yield* joined(rule, attribute, ruleset);
  yield* widened(rule, type);
}

const PSEUDONYM = { do: 'pseudonym', scope: 'node', domain: 'x', length: 16, forever: false } as const;
const NOTHING: Values = { texts: new Set(), ranges: [] };

/** Other transformations that tell more. */
function weakerTransforms(rule: Rule, type: ValueType): readonly Transform[] {
  const keep: Transform = { do: 'keep' };
  const pseudonym: readonly Transform[] =
    type === 'double' || type === 'boolean' ? [] : [{ ...PSEUDONYM, keep: NOTHING }];
  const measure: readonly Transform[] =
    type === 'string' ? [{ do: 'length' }] : type === 'string[]' ? [{ do: 'count' }] : [];
  switch (rule.do) {
    case 'drop':
      return [keep, ...pseudonym, ...measure];
    case 'count':
    case 'length':
    case 'allow':
      return [keep, ...pseudonym];
    case 'prefix':
      return [keep, { do: 'truncate-address', ipv4: 24, ipv6: 48, keep: rule.keep }];
    case 'noise':
      return [keep, { do: 'round', quantum: rule.quantum }];
    case 'argv':
    case 'path':
      return [keep, { do: 'mask', patterns: ['[0-9]{4,}'] }];
    default:
      return [keep];
  }
}

const hasUsers = (template: PathTemplate): boolean => template.readable.some((pattern) => pattern.includes('{user}'));

/** A domain that another rule has: what could be told apart can be joined. */
function* joined(rule: Rule, attribute: AttributeName, ruleset: Ruleset): Generator<Named> {
  if (!('domain' in rule)) return;
  const isNumber = ATTRIBUTES[attribute].type === 'int';
  const others = new Set<string>();
  for (const place of rulesOf(ruleset)) {
    if (!('domain' in place.rule) || (ATTRIBUTES[place.attribute].type === 'int') !== isNumber) continue;
    // Under another scope's key nothing could be joined.
    if (place.rule.scope !== rule.scope) continue;
    if ((place.rule.do === 'prefix') !== (rule.do === 'prefix')) continue;
    others.add(place.rule.domain);
    if ('users' in place.rule && hasUsers(place.rule.template)) others.add(place.rule.users);
    if ('hosts' in place.rule) others.add(place.rule.hosts);
  }
  for (const other of others) {
    if (other !== rule.domain) yield [`domain: ${other}`, { ...rule, domain: other }];
    if ('users' in rule && hasUsers(rule.template) && other !== rule.users)
      yield [`users: ${other}`, { ...rule, users: other }];
    if ('hosts' in rule && other !== rule.hosts) yield [`hosts: ${other}`, { ...rule, hosts: other }];
  }
}

/** The same transformation with parameters that let more through. */
function* widened(rule: Rule, type: ValueType): Generator<Named> {
  if (rule.do === 'pseudonym') {
    for (const [name, keep] of largerValues(rule.keep, type)) yield [`keep: ${name}`, { ...rule, keep }];
  }
  if (rule.do === 'allow') {
    for (const [name, values] of largerValues(rule.values, type)) yield [`values: ${name}`, { ...rule, values }];
  }
  if (rule.do === 'prefix' || rule.do === 'truncate-address' || rule.do === 'argv') {
    for (const range of Object.keys(RANGES).filter(isRangeName)) {
      const keep: readonly RangeName[] = [...rule.keep, range];
      if (!rule.keep.includes(range)) yield [`keep: +${range}`, { ...rule, keep }];
    }
  }
  if (rule.do === 'truncate-address') {
    yield ['ipv4: +1', { ...rule, ipv4: rule.ipv4 + 1 }];
    yield ['ipv6: +1', { ...rule, ipv6: rule.ipv6 + 1 }];
  }
  if (rule.do === 'mask') yield* unmasked(rule);
  if (rule.do === 'round' || rule.do === 'noise') {
    for (const by of [2, 10, 1000]) yield [`quantum: 1/${by}`, { ...rule, quantum: rule.quantum / by }];
  }
  if (rule.do === 'noise') {
    for (const by of [2, 10, 1000]) yield [`scale: 1/${by}`, { ...rule, scale: rule.scale / by }];
    yield ['window: 1/60', { ...rule, window: rule.window / 60 }];
  }
  if (rule.do === 'argv') yield* wordier(rule);
}

function* unmasked(rule: Extract<Rule, { do: 'mask' }>): Generator<Named> {
  for (const pattern of rule.patterns) {
    // A mask without patterns is `keep`, which is there already.
    if (rule.patterns.length > 1)
      yield [`patterns: -${pattern}`, { ...rule, patterns: rule.patterns.filter((one) => one !== pattern) }];
  }
}

function* wordier(rule: Extract<Rule, { do: 'argv' }>): Generator<Named> {
  if (rule.values === 'drop') yield ['values: pseudonym', { ...rule, values: 'pseudonym' }];
  for (let numbers = rule.numbers + 1; numbers <= 9; numbers++) yield [`numbers: ${numbers}`, { ...rule, numbers }];
  for (const word of ADDED) {
    yield [`words: +${word}`, { ...rule, words: new Set([...rule.words, word]) }];
    yield [`options: +${word}`, { ...rule, options: new Set([...rule.options, word]) }];
  }
}

/** Ranges of numbers grow at both ends and by single ones; lists of texts by names. */
function* largerValues(values: Values, type: ValueType): Generator<readonly [string, Values]> {
  if (type === 'int') {
    for (const range of [
      [1000, 1000],
      [1234, 1234],
      [60_000, 65_533],
      [0, Number.MAX_SAFE_INTEGER],
    ] as const) {
      yield [`+${range.join('-')}`, { ...values, ranges: [...values.ranges, range] }];
    }
    for (const [at, [first, last]] of values.ranges.entries()) {
      const ranges = values.ranges.map((range, other) => (other === at ? ([first, last + 1] as const) : range));
      yield [`${first}-${last + 1}`, { ...values, ranges }];
    }
    return;
  }
  for (const text of ADDED) yield [`+${text}`, { ...values, texts: new Set([...values.texts, text]) }];
}

/** Directories that somebody might want to read, and names in them. */
const READABLE = [
  '/{names}',
  '/home/{names}',
  '/home/{name}',
  '/home/{user}/{name}',
  '/home/{user}/acme',
  '/root/{name}',
  '/opt/{name}',
  '/opt/{names}',
  '/srv/{name}',
  '/srv/acme',
  '/tmp/{name}',
  '/data/{name}',
  '/etc/{name}',
  '/mnt/{names}',
  '/media/{user}/{name}',
  '/var/lib/{name}',
  '/var/log/{name}',
  '/run/user/{number}',
  '/home/alex',
];

function* looser(template: PathTemplate): Generator<readonly [string, PathTemplate]> {
  for (const [at, pattern] of template.readable.entries()) {
    for (const other of looserPatterns(pattern)) {
      // A template that knows no users has nobody to compare with.
      if (other.includes('{user}') && !hasUsers(template)) continue;
      const readable = template.readable.map((one, index) => (index === at ? other : one));
      yield [`readable: ${pattern} -> ${other}`, { ...template, readable }];
    }
  }
  for (const pattern of READABLE) {
    if (!template.readable.includes(pattern))
      yield [`readable: +${pattern}`, { ...template, readable: [...template.readable, pattern] }];
  }
  for (const name of ADDED) {
    yield [`names: +${name}`, { ...template, names: new Set([...template.names, name]) }];
    yield [`extensions: +${name}`, { ...template, extensions: new Set([...template.extensions, name]) }];
  }
}

/** One placeholder of a path, one step looser. */
function* looserPatterns(pattern: string): Generator<string> {
  const segments = pattern.split('/');
  for (const [at, segment] of segments.entries()) {
    const isLast = at === segments.length - 1;
    const put = (other: string): string => segments.with(at, other).join('/');
    if (['{any}', '{user}', '{number}'].includes(segment)) {
      yield put('{name}');
      if (isLast) yield put('{names}');
    }
    if (segment === '{any}') yield put('{user}');
    if (segment === '{rest}') yield* [put('{any}'), put('{name}'), put('{names}')];
    if (segment === '{name}' && isLast) yield put('{names}');
  }
}

/** Finer times and longer epochs; shown on the first attribute that has a pseudonym, since they are everybody's. */
function* weakerTimes(ruleset: Ruleset): Generator<Weakening> {
  const shown = rulesOf(ruleset).find(({ rule }) => rule.do === 'pseudonym' && !rule.forever);
  if (shown === undefined) return;
  const base = narrowed(ruleset, shown.attribute, shown.rule, shown.events);
  const { attribute } = shown;
  const { resolution } = ruleset.time;
  for (const by of [2, 10, 1000].filter((one) => resolution % one === 0)) {
    const time = { ...ruleset.time, resolution: resolution / by };
    yield { name: `time: resolution 1/${by}`, attribute, ruleset: { ...base, time } };
  }
  const { epoch } = ruleset;
  if (epoch === undefined) return;
  yield { name: 'epoch: none', attribute, ruleset: { ...base, epoch: undefined } };
  for (const by of [1.5, 2, 12]) {
    const longer = { ...epoch, length: epoch.length * by };
    yield { name: `epoch: ${by} times as long`, attribute, ruleset: { ...base, epoch: longer } };
  }
}
