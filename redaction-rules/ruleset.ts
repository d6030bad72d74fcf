/**
 * A ruleset: what may leave a node of one role. Data, hashed and never executed.
 *
 * `parseRuleset` promises that every attribute of every event has a rule with a `why`, that nothing is named which
 * does not exist, and that whatever stays readable on a sensitive attribute names its reason. Otherwise it throws a
 * RulesetError that lists everything that is wrong, each with file, line, column and what to do.
 */
import { createHash } from 'node:crypto';
import { isMap, isScalar, isSeq } from 'yaml';
import {
  ATTRIBUTES,
  EVENTS,
  isAttributeName,
  isEventName,
  type AttributeName,
  type EventName,
  type Value,
} from '#protocol/vocabulary.ts';
import {
  readDocument,
  readList,
  readMap,
  readText,
  scalarOf,
  suggest,
  type Entry,
  type Located,
  type Problems,
} from './document.ts';
import { HOUR_US } from './keys.ts';
import { PLACEHOLDERS, type PathTemplate } from './path.ts';
import { parseDuration, readRule, readWhy, reportUnknown, type Names } from './rule-reader.ts';
import type { Rule } from './rule.ts';
import { readSums } from './sum-reader.ts';
import type { Sum } from './sums.ts';

export const ROLES = ['guest', 'host', 'generic'] as const;
export type Role = (typeof ROLES)[number];

/** A raw event and what leaves of it. `…` in `out` stands for a pseudonym or for what was taken away. */
export interface Example {
  readonly name: string;
  readonly event: EventName;
  readonly line: number;
  readonly in: Readonly<Record<string, Value>>;
  readonly out: Readonly<Record<string, Value>>;
  /** Texts that stand nowhere in the released line. */
  readonly never: readonly string[];
  /** The sum that the event goes into instead of leaving. */
  readonly sum: string | undefined;
}

/** SHA-256, hex, of the file: what statements and approvals name. */
export const rulesetDigest = (text: string): string => createHash('sha256').update(text).digest('hex');

export type EventRules = ReadonlyMap<AttributeName, Rule>;

export interface Ruleset {
  readonly name: string;
  readonly version: number;
  readonly role: Role;
  readonly file: string;
  /** SHA-256, hexadecimal, of the file's bytes. */
  readonly digest: string;
  /** Microseconds to which the time of an event is rounded down. */
  readonly time: { readonly resolution: number; readonly why: string };
  /** Microseconds after which pseudonyms change; undefined: never. */
  readonly epoch: { readonly length: number; readonly why: string } | undefined;
  readonly reasons: ReadonlyMap<string, string>;
  readonly purposes: ReadonlyMap<string, string>;
  readonly events: ReadonlyMap<EventName, EventRules>;
  readonly examples: readonly Example[];
  /** Events that leave as numbers only. */
  readonly sums: readonly Sum[];
}

/** The ruleset was not understood or does not cover the vocabulary; nothing may be released under it. */
export class RulesetError extends Error {
  override readonly name = 'RulesetError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/**
 * Whether every attribute must have a rule. Of a ruleset from before the vocabulary grew, under which evidence lies, what it
 * did not know did not leave.
 */
export type Covers = 'all' | 'what it knew';

const KEYS = [
  'name',
  'version',
  'role',
  'time',
  'epoch',
  'reasons',
  'purposes',
  'lists',
  'paths',
  'attributes',
  'events',
  'sums',
];

export function parseRuleset(text: string, file: string, covers: Covers = 'all'): Ruleset {
  const { root, problems } = readDocument(text, file);
  if (root === undefined) throw new RulesetError(problems.texts);
  const top: Located = { node: root, key: '' };
  const entries = readMap(top, problems, 'begin with `name:`, `version:` and `role:`') ?? new Map<string, Entry>();
  reportUnknown(entries, KEYS, problems);
  const names: Names = {
    reasons: readSentences(entries.get('reasons'), problems),
    purposes: readSentences(entries.get('purposes'), problems),
    lists: readLists(entries.get('lists'), problems),
    templates: readTemplates(entries.get('paths'), problems),
    used: new Set(),
  };
  const read = readEvents(top, entries, names, covers, problems);
  const ruleset = {
    name: readName(top, entries, problems),
    version: readVersion(top, entries, problems),
    role: readRole(top, entries, problems),
    file,
    digest: rulesetDigest(text),
    time: readTime(top, entries, problems),
    epoch: readEpoch(entries, problems),
    reasons: names.reasons,
    purposes: names.purposes,
    ...read,
    sums: readSums(entries.get('sums'), read.events, names, problems),
  };
  // A misspelt name would be reported twice.
  if (problems.texts.length === 0) reportUnused(entries, names, problems);
  if (problems.texts.length > 0) throw new RulesetError(problems.texts);
  return ruleset;
}

function needed(
  top: Located,
  entries: ReadonlyMap<string, Entry>,
  key: string,
  problems: Problems,
  remedy: string,
): Located | undefined {
  const entry = entries.get(key);
  if (entry === undefined) problems.report(top, `\`${key}\` is missing`, remedy);
  return entry?.value;
}

function readName(top: Located, entries: ReadonlyMap<string, Entry>, problems: Problems): string {
  const at = needed(top, entries, 'name', problems, 'add `name:`, such as generic-linux');
  const name = at === undefined ? '' : (readText(at, problems, 'write a name such as generic-linux') ?? '');
  if (at !== undefined && name !== '' && !/^[a-z][a-z0-9-]{0,62}$/.test(name)) {
    problems.report(at, 'not a plain name', 'use a to z, digits and hyphens');
  }
  return name;
}

function readVersion(top: Located, entries: ReadonlyMap<string, Entry>, problems: Problems): number {
  const at = needed(top, entries, 'version', problems, 'add `version:`, a number that grows with every change');
  const version = at === undefined ? 1 : scalarOf(at);
  if (typeof version === 'number' && Number.isSafeInteger(version) && version > 0) return version;
  if (at !== undefined) problems.report(at, 'not a whole number above 0', 'write 1, 2, 3, …');
  return 1;
}

function readRole(top: Located, entries: ReadonlyMap<string, Entry>, problems: Problems): Role {
  const at = needed(top, entries, 'role', problems, `add \`role:\`, one of ${ROLES.join(', ')}`);
  const role = ROLES.find((candidate) => candidate === (at === undefined ? undefined : scalarOf(at)));
  if (role === undefined && at !== undefined) {
    problems.report(at, 'no such role', suggest(String(scalarOf(at)), ROLES));
  }
  return role ?? 'generic';
}

function readTimed(at: Located, key: string, problems: Problems): { readonly length: number; readonly why: string } {
  const entries = readMap(at, problems, `write \`{ ${key}: …, why: … }\``);
  if (entries === undefined) return { length: 1, why: '' };
  reportUnknown(entries, [key, 'why'], problems);
  const why = readWhy(at, entries, problems);
  const entry = entries.get(key);
  const length = entry === undefined ? undefined : parseDuration(scalarOf(entry.value));
  if (entry === undefined) problems.report(at, `\`${key}\` is missing`, `add \`${key}:\`, such as 1ms`);
  else if (length === undefined) {
    problems.report(entry.value, 'not a duration', 'write a number and us, ms, s, m, h or d, such as 250ms');
  }
  return { length: length ?? 1, why };
}

function readTime(top: Located, entries: ReadonlyMap<string, Entry>, problems: Problems): Ruleset['time'] {
  const at = needed(top, entries, 'time', problems, 'add `time: { resolution: 1ms, why: … }`');
  const { length, why } = at === undefined ? { length: 1, why: '' } : readTimed(at, 'resolution', problems);
  return { resolution: length, why };
}

function readEpoch(entries: ReadonlyMap<string, Entry>, problems: Problems): Ruleset['epoch'] {
  const at = entries.get('epoch')?.value;
  if (at === undefined) return undefined;
  const epoch = readTimed(at, 'length', problems);
  if (epoch.length % HOUR_US !== 0) problems.report(at, 'not whole hours', 'write an epoch such as 12h or 30d');
  return epoch;
}

function readSentences(entry: Entry | undefined, problems: Problems): ReadonlyMap<string, string> {
  const sentences = new Map<string, string>();
  if (entry === undefined) return sentences;
  for (const [name, sentence] of readMap(entry.value, problems, 'write `name: sentence` lines') ?? []) {
    sentences.set(name, readText(sentence.value, problems, 'write a sentence') ?? '');
  }
  return sentences;
}

function readLists(entry: Entry | undefined, problems: Problems): Names['lists'] {
  const lists = new Map<string, readonly Located[]>();
  if (entry === undefined) return lists;
  for (const [name, list] of readMap(entry.value, problems, 'write `name: [value, …]` lines') ?? []) {
    lists.set(name, readList(list.value, problems, 'write a list') ?? []);
  }
  return lists;
}

function readTextList(entry: Entry | undefined, problems: Problems): readonly string[] {
  const items = entry === undefined ? [] : (readList(entry.value, problems, 'write a list') ?? []);
  return items.flatMap((item) => readText(item, problems, 'put it in quotes') ?? []);
}

const TEMPLATE_KEYS = ['readable', 'names', 'extensions'];

function readTemplates(entry: Entry | undefined, problems: Problems): ReadonlyMap<string, PathTemplate> {
  const templates = new Map<string, PathTemplate>();
  if (entry === undefined) return templates;
  for (const [name, template] of readMap(entry.value, problems, 'write `name: { readable: […] }`') ?? []) {
    const entries = readMap(template.value, problems, 'write `{ readable: […], names: […], extensions: […] }`');
    if (entries === undefined) continue;
    reportUnknown(entries, TEMPLATE_KEYS, problems);
    templates.set(name, {
      readable: readReadable(entries.get('readable'), problems),
      names: new Set(readTextList(entries.get('names'), problems)),
      extensions: new Set(readTextList(entries.get('extensions'), problems)),
    });
  }
  return templates;
}

function readReadable(entry: Entry | undefined, problems: Problems): readonly string[] {
  const items = entry === undefined ? [] : (readList(entry.value, problems, 'write a list of paths') ?? []);
  return items.flatMap((item) => {
    const pattern = readText(item, problems, 'write a path');
    if (pattern === undefined) return [];
    const wrong = patternProblem(pattern);
    if (wrong !== undefined) problems.report(item, wrong.wrong, wrong.remedy);
    return wrong === undefined ? [pattern] : [];
  });
}

function patternProblem(pattern: string): { readonly wrong: string; readonly remedy: string } | undefined {
  const [first, ...segments] = pattern.split('/');
  if (first !== '' || segments.length === 0) return { wrong: 'not an absolute path', remedy: 'begin with /' };
  for (const [at, segment] of segments.entries()) {
    if (segment === '' || segment === '.' || segment === '..') {
      return { wrong: 'an empty or dotted segment', remedy: 'write each segment once, without a slash at the end' };
    }
    const isPlaceholder = PLACEHOLDERS.some((placeholder) => placeholder === segment);
    if (/[{}*?]/.test(segment) && !isPlaceholder) {
      return { wrong: `no placeholder \`${segment.slice(0, 80)}\``, remedy: suggest(segment, PLACEHOLDERS) };
    }
    if ((segment === '{names}' || segment === '{rest}') && at < segments.length - 1) {
      return { wrong: `${segment} before the end`, remedy: 'let it stand last; it stands for all that follows' };
    }
  }
  return undefined;
}

interface EventEntries {
  readonly at: Located;
  readonly rules: ReadonlyMap<AttributeName, Rule>;
}

function readEvents(
  top: Located,
  entries: ReadonlyMap<string, Entry>,
  names: Names,
  covers: Covers,
  problems: Problems,
): { readonly events: ReadonlyMap<EventName, EventRules>; readonly examples: readonly Example[] } {
  const attributesAt = needed(
    top,
    entries,
    'attributes',
    problems,
    'add `attributes:`, a rule for each attribute of the vocabulary',
  );
  const common =
    attributesAt === undefined
      ? new Map<AttributeName, Rule>()
      : readRules(attributesAt, [], undefined, names, problems);
  const overrides = new Map<EventName, EventEntries>();
  const examples: Example[] = [];
  const eventsAt = entries.get('events')?.value;
  for (const [name, entry] of eventsAt === undefined
    ? []
    : (readMap(eventsAt, problems, 'write `event: { … }`') ?? [])) {
    if (!isEventName(name)) {
      problems.report(entry.key, 'no such event', suggest(name, Object.keys(EVENTS)));
      continue;
    }
    overrides.set(name, { at: entry.key, rules: readRules(entry.value, ['examples'], name, names, problems) });
    examples.push(...readExamples(entry.value, name, problems));
  }
  const events = new Map<EventName, EventRules>();
  const missing = new Set<AttributeName>();
  for (const name of Object.keys(EVENTS).filter(isEventName)) {
    const own = overrides.get(name);
    const rules = new Map<AttributeName, Rule>();
    for (const attribute of EVENTS[name].attributes) {
      const rule = own?.rules.get(attribute) ?? common.get(attribute);
      if (rule === undefined) missing.add(attribute);
      else rules.set(attribute, rule);
    }
    events.set(name, rules);
  }
  const declared =
    attributesAt === undefined
      ? new Set<string>()
      : new Set(
          (isMap(attributesAt.node) ? attributesAt.node.items : []).map((pair) =>
            isScalar(pair.key) ? String(pair.key.value) : '',
          ),
        );
  for (const attribute of missing) {
    if (covers === 'what it knew' || declared.has(attribute)) continue;
    const at = { node: attributesAt?.node ?? top.node, key: `attributes: ${attribute}` };
    problems.report(at, 'has no rule', 'add one; what should not leave says `do: drop` and why');
  }
  return { events, examples };
}

function readRules(
  at: Located,
  others: readonly string[],
  event: EventName | undefined,
  names: Names,
  problems: Problems,
): Map<AttributeName, Rule> {
  const rules = new Map<AttributeName, Rule>();
  const carried: readonly string[] = event === undefined ? Object.keys(ATTRIBUTES) : EVENTS[event].attributes;
  for (const [name, entry] of readMap(at, problems, 'write `attribute: { do: …, why: … }` lines') ?? []) {
    if (others.includes(name)) continue;
    if (!isAttributeName(name)) {
      problems.report(entry.key, 'no such attribute', suggest(name, [...carried, ...others]));
    } else if (!carried.includes(name)) {
      problems.report(entry.key, `${event ?? ''} does not carry this attribute`, 'remove the rule');
    } else {
      const rule = readRule(name, entry.value, names, problems);
      if (rule !== undefined) rules.set(name, rule);
    }
  }
  return rules;
}

const EXAMPLE_KEYS = ['name', 'in', 'out', 'never', 'sum'];

function readExamples(at: Located, event: EventName, problems: Problems): readonly Example[] {
  const entry = (isMap(at.node) ? readMap(at, problems, '') : undefined)?.get('examples');
  const items = entry === undefined ? [] : (readList(entry.value, problems, 'write a list of examples') ?? []);
  return items.flatMap((item) => {
    const entries = readMap(item, problems, 'write `{ name: …, in: …, out: … }`');
    if (entries === undefined) return [];
    reportUnknown(entries, EXAMPLE_KEYS, problems);
    for (const key of ['name', 'in', entries.has('sum') ? 'sum' : 'out']) {
      if (!entries.has(key))
        problems.report(item, `\`${key}\` is missing`, 'an example has `name`, `in` and `out`, or `sum`');
    }
    if (entries.has('sum') && (entries.has('out') || entries.has('never')))
      problems.report(item, '`sum` beside what leaves', 'keep one; an event of a sum does not leave');
    const sumAt = entries.get('sum')?.value;
    const nameAt = entries.get('name')?.value;
    return {
      name: nameAt === undefined ? '' : (readText(nameAt, problems, 'say in words what the example shows') ?? ''),
      event,
      line: problems.lineOf(item),
      in: readValues(entries.get('in'), event, true, problems),
      out: readValues(entries.get('out'), event, false, problems),
      never: readTextList(entries.get('never'), problems),
      sum: sumAt === undefined ? undefined : readText(sumAt, problems, 'write the name of one of `sums`'),
    };
  });
}

type ValueType = (typeof ATTRIBUTES)[AttributeName]['type'];
const TYPE_WORDS: Readonly<Record<ValueType, string>> = {
  string: 'text',
  int: 'a whole number that is known exactly',
  double: 'a number',
  boolean: 'true or false',
  'string[]': 'a list of texts',
};
const REMEDIES: Readonly<Record<ValueType, string>> = {
  string: 'put it in quotes',
  int: 'write one below 2^53',
  double: 'write a number',
  boolean: 'write true or false',
  'string[]': 'put each text in quotes',
};

function readValues(
  entry: Entry | undefined,
  event: EventName,
  typed: boolean,
  problems: Problems,
): Readonly<Record<string, Value>> {
  const values: Record<string, Value> = {};
  if (entry === undefined) return values;
  const carried: readonly string[] = EVENTS[event].attributes;
  for (const [name, at] of readMap(entry.value, problems, 'write `attribute: value` lines') ?? []) {
    if (!isAttributeName(name) || !carried.includes(name)) {
      problems.report(at.key, `${event} has no such attribute`, suggest(name, carried));
      continue;
    }
    const value = valueOf(at.value);
    const { type } = ATTRIBUTES[name];
    if (value === undefined || (typed && !isOfType(value, type))) {
      problems.report(at.value, `not ${TYPE_WORDS[type]}`, REMEDIES[type]);
    } else values[name] = value;
  }
  return values;
}

function valueOf(at: Located): Value | undefined {
  const value = isSeq(at.node) ? at.node.items.map((item) => (isScalar(item) ? item.value : undefined)) : scalarOf(at);
  if (Array.isArray(value)) {
    const texts = value.filter((item) => typeof item === 'string');
    return texts.length === value.length ? texts : undefined;
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
}

/** Whether a value is of the vocabulary's type; whole numbers beyond 2^53 are not known exactly and are not. */
export function isOfType(value: unknown, type: (typeof ATTRIBUTES)[AttributeName]['type']): value is Value {
  switch (type) {
    case 'string':
      return typeof value === 'string';
    case 'int':
      return Number.isSafeInteger(value);
    case 'double':
      return Number.isFinite(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'string[]':
      return Array.isArray(value) && value.every((item) => typeof item === 'string');
  }
}

function reportUnused(entries: ReadonlyMap<string, Entry>, names: Names, problems: Problems): void {
  const groups = { reasons: names.reasons, purposes: names.purposes, lists: names.lists, paths: names.templates };
  for (const [group, known] of Object.entries(groups)) {
    for (const name of known.keys()) {
      if (names.used.has(`${group}/${name}`)) continue;
      const at = { node: entries.get(group)?.value.node, key: `${group}: ${name}` };
      problems.report(at, 'used by no rule', 'remove it');
    }
  }
}
