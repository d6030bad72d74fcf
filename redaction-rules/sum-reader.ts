/**
 * Reads the `sums:` of a ruleset. Promises that what decides whether an event is held back leaves in clear, for each event of
 * the sum, and that the numbers which are told can be told.
 */
import {
  ATTRIBUTES,
  EVENTS,
  isAttributeName,
  isEventName,
  type AttributeName,
  type EventName,
} from '#protocol/vocabulary.ts';
import { readList, readMap, readText, scalarOf, suggest, type Entry, type Located, type Problems } from './document.ts';
import { compilePath } from './path.ts';
import { parseDuration, readPurposes, readWhy, reportUnknown, type Names } from './rule-reader.ts';
import { holds, type Rule } from './rule.ts';
import { isPlainName } from './shapes.ts';
import type { Asked, Conditions, Sum } from './sums.ts';

type Events = ReadonlyMap<EventName, ReadonlyMap<AttributeName, Rule>>;

const KEYS = ['events', 'where', 'unless', 'window', 'quantum', 'scale', 'floor', 'why', 'for'];
const SHORTEST = 6e8;
const LONGEST = 8.64e10;
const MINUTE = 6e7;
/** What a ruleset must release for its sums to be heard. */
const TOLD: readonly AttributeName[] = [
  'hushwatch.sum.name',
  'hushwatch.sum.of',
  'hushwatch.sum.count',
  'hushwatch.sum.duration',
];

export function readSums(entry: Entry | undefined, events: Events, names: Names, problems: Problems): readonly Sum[] {
  if (entry === undefined) return [];
  const told = events.get('hushwatch.sum');
  for (const attribute of TOLD) {
    if (told?.has(attribute) === true && told.get(attribute)?.do !== 'keep')
      problems.report(entry.key, `${attribute} does not leave`, 'let its rule say `do: keep`; sums are told by it');
  }
  return [...(readMap(entry.value, problems, 'write `name: { events: […], … }` lines') ?? [])].flatMap(
    ([name, { key, value }]) => {
      if (!/^[a-z][a-z0-9 -]{0,62}$/.test(name))
        problems.report(key, 'not a plain name', 'use a to z, digits, blanks and hyphens');
      return readSum(name, value, events, names, problems) ?? [];
    },
  );
}

function readSum(name: string, at: Located, events: Events, names: Names, problems: Problems): Sum | undefined {
  const entries = readMap(at, problems, 'write `{ events: […], where: {…}, window: 1h, …, why: … }`');
  if (entries === undefined) return undefined;
  reportUnknown(entries, KEYS, problems);
  const summed = readSummed(at, entries.get('events'), problems);
  for (const event of summed) {
    if (events.get(event)?.get('detection.rules')?.do === 'drop')
      problems.report(at, `${event} leaves without detection.rules`, 'keep them: what a rule matched is not held back');
  }
  const conditions = (key: 'where' | 'unless'): Conditions =>
    readConditions(key, entries.get(key), summed, events, problems);
  const where = conditions('where');
  if (where.size === 0) problems.report(at, '`where` is missing', 'say whose events: `where: { attribute: [value] }`');
  const number = (key: string): number => readNumber(key, at, entries.get(key), problems);
  const sum = {
    name,
    events: summed,
    where,
    unless: conditions('unless'),
    window: readWindow(at, entries.get('window'), problems),
    quantum: number('quantum'),
    scale: number('scale'),
    floor: number('floor'),
    why: readWhy(at, entries, problems),
    for: readPurposes(entries, names, problems),
  };
  if (entries.has('floor') && sum.floor < sum.quantum)
    problems.report(at, 'a floor below the quantum', 'raise `floor:`; it would be no floor');
  return sum;
}

function readSummed(at: Located, entry: Entry | undefined, problems: Problems): readonly EventName[] {
  if (entry === undefined) problems.report(at, '`events` is missing', 'add `events:`, a list of events');
  const items = entry === undefined ? [] : (readList(entry.value, problems, 'write a list of events') ?? []);
  const summed = new Set<EventName>();
  for (const item of items) {
    const name = readText(item, problems, 'write the name of an event') ?? '';
    if (!isEventName(name)) problems.report(item, 'no such event', suggest(name, Object.keys(EVENTS)));
    else if (EVENTS[name].class === 'self')
      problems.report(item, 'what Hushwatch says of itself', 'take it out; it is never summed');
    else if (summed.has(name)) problems.report(item, 'an event that was there before', 'keep one of them');
    else summed.add(name);
  }
  return [...summed];
}

function readConditions(
  key: 'where' | 'unless',
  entry: Entry | undefined,
  summed: readonly EventName[],
  events: Events,
  problems: Problems,
): Conditions {
  const conditions = new Map<AttributeName, Asked>();
  if (entry === undefined) return conditions;
  for (const [name, { key: at, value }] of readMap(entry.value, problems, 'write `attribute: [value]` lines') ?? []) {
    if (!isAttributeName(name)) {
      problems.report(at, 'no such attribute', suggest(name, Object.keys(ATTRIBUTES)));
      continue;
    }
    const carrying = summed.filter((event) => EVENTS[event].attributes.some((carried) => carried === name));
    // An exception need not be possible everywhere; a condition that cannot hold would let everything leave.
    if (carrying.length < (key === 'where' ? summed.length : 1))
      problems.report(at, 'not all events of the sum carry this attribute', 'make a sum of its own for those that do');
    const asked = readAsked(name, value, problems);
    for (const event of carrying) {
      const rule = events.get(event)?.get(name);
      const hidden = rule === undefined ? undefined : hiddenOf(asked, rule);
      if (hidden !== undefined)
        problems.report(at, `${event} does not tell ${hidden} in clear`, 'ask for what leaves, or change its rule');
    }
    conditions.set(name, asked);
  }
  return conditions;
}

const REST = '{rest}';
/** A path with this end is a directory with all that lies below it. */
const BELOW = `/${REST}`;

function readAsked(attribute: AttributeName, at: Located, problems: Problems): Asked {
  if (scalarOf(at) === 'any') return 'any';
  const values = new Set<unknown>();
  const below: string[] = [];
  const { type } = ATTRIBUTES[attribute];
  for (const item of readList(at, problems, 'write a list of values, or `any`') ?? []) {
    const value = scalarOf(item);
    const fits =
      type === 'int'
        ? Number.isSafeInteger(value)
        : type === 'boolean'
          ? typeof value === 'boolean'
          : type === 'string';
    if (!fits || (type === 'string' && typeof value !== 'string'))
      problems.report(
        item,
        `not a value of ${attribute}`,
        `it is of type ${type}; only text, whole numbers, yes and no`,
      );
    else if (typeof value === 'string' && value.endsWith(BELOW)) below.push(value.slice(0, -REST.length));
    else values.add(value);
  }
  return { values, below };
}

/** The first value that a rule does not tell as it is; `it` where the attribute does not leave at all. */
function hiddenOf(asked: Asked, rule: Rule): string | undefined {
  if (asked === 'any') return rule.do === 'drop' ? 'it' : undefined;
  const directory = asked.below.find((one) => rule.do !== 'path' || !staysClear(one.slice(0, -1), rule));
  const hidden = directory ?? [...asked.values].find((value) => !staysClear(value, rule));
  return typeof hidden === 'string' || hidden === undefined ? hidden : JSON.stringify(hidden);
}

const MARK = '\0';

function staysClear(value: unknown, rule: Rule): boolean {
  if (rule.do === 'keep') return true;
  if (typeof value !== 'string' && typeof value !== 'number') return false;
  if (rule.do === 'allow') return holds(rule.values, value);
  if (rule.do === 'pseudonym') return holds(rule.keep, value);
  if (rule.do !== 'path' || typeof value !== 'string') return false;
  const hide = (): string => MARK;
  return compilePath(rule.template)(value, { plain: isPlainName, pseudonym: hide, user: hide }) === value;
}

function readWindow(at: Located, entry: Entry | undefined, problems: Problems): number {
  const window = entry === undefined ? undefined : parseDuration(scalarOf(entry.value));
  if (window !== undefined && window >= SHORTEST && window <= LONGEST && window % MINUTE === 0) return window;
  const where = entry?.value ?? at;
  problems.report(
    where,
    entry === undefined ? '`window` is missing' : 'not a window',
    'write whole minutes, 10m to 1d',
  );
  return SHORTEST;
}

function readNumber(key: string, at: Located, entry: Entry | undefined, problems: Problems): number {
  const value = entry === undefined ? undefined : scalarOf(entry.value);
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 2 ** 30) return value;
  const wrong = entry === undefined ? `\`${key}\` is missing` : 'not a whole number in range';
  problems.report(entry?.value ?? at, wrong, `write \`${key}:\`, a number from 1 to ${2 ** 30}`);
  return 1;
}
