/**
 * A question saved as a detector: Sigma rules, one for each kind of event that it is about, ready to be put in git. What Sigma
 * could not ask as it was asked is refused, so that the rule finds what the search found.
 */
import { stringify } from 'yaml';
import { EVENTS, isEventName, type EventName } from '#protocol/vocabulary.ts';
import type { ReleasedRecord } from '../detectors/detector.ts';
import type { Level } from '../detectors/sigma/rule.ts';
import { namesIn, QuestionError, testsIn, type Literal, type Query, type Test } from './query.ts';

export interface Wanted {
  readonly query: Query;
  /** As it was typed. */
  readonly text: string;
  readonly title: string;
  readonly level: Level;
  readonly author: string;
  readonly day: string;
  /** A new UUID for each rule. */
  readonly newId: () => string;
}

/** The file of rules, as YAML. */
export function toSigma({ query, text, title, level, author, day, newId }: Wanted): string {
  if (title.trim() === '' || title.length > 200) throw new QuestionError('give it a title of up to 200 characters');
  const { events, condition } = eventsAsked(query);
  refuseWhatSigmaCannot(condition, events);
  const detection = detectionOf(condition);
  const rules = events.map((event) => ({
    title: events.length === 1 ? title : `${title} (${event})`,
    id: newId(),
    status: 'experimental',
    description: `Saved from a search for events: ${text}`,
    author,
    date: day,
    logsource: { product: 'linux', category: event },
    detection,
    falsepositives: ['Say here what is harmless and looks the same.'],
    level,
  }));
  return rules.map((rule) => stringify(rule, { lineWidth: 120, aliasDuplicateObjects: false })).join('---\n');
}

/** What `tests/NAME.yaml` beside the rule may say must match: found events, as far as the rule reads them. */
export function toExamples(query: Query, found: readonly ReleasedRecord[]): string {
  const names = [...namesIn(query)].filter((name) => name !== 'event' && name !== 'node');
  const examples = found.map((record) => ({
    event: record.event,
    ...Object.fromEntries(names.flatMap((name) => (record[name] === undefined ? [] : [[name, record[name]]]))),
  }));
  const distinct = [...new Map(examples.map((each) => [JSON.stringify(each), each])).values()];
  return stringify({ match: distinct, quiet: [] }, { lineWidth: 120 });
}

/** A name for the file: `Ran from /tmp` -> `ran-from-tmp`. */
export const fileNameOf = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .slice(0, 60) || 'saved-search';

/** Which kinds of event the whole question is about, and what else it asks of them. */
function eventsAsked(query: Query): { readonly events: readonly EventName[]; readonly condition: Query } {
  const parts = query.is === 'and' ? query.of : [query];
  const about = parts.find((part): part is Test => part.is === 'test' && part.name === 'event' && part.how === '=');
  if (about === undefined) {
    const carriers = carriersOf(namesIn(query));
    const near = carriers.length === 0 ? 'process.exec' : carriers.slice(0, 3).join(' or ');
    throw new QuestionError(
      `a detector is about one kind of event, or a few: begin with \`event = \` and its name, such as ${near}`,
    );
  }
  const events = about.values.flatMap((name) => (typeof name === 'string' && isEventName(name) ? [name] : []));
  const rest = parts.filter((part) => part !== about);
  const [only] = rest;
  if (only === undefined)
    throw new QuestionError(`every ${events.join(', ')} would alert; ask for something that they have in common`);
  return { events, condition: rest.length === 1 ? only : { is: 'and', of: rest } };
}

function carriersOf(names: ReadonlySet<string>): readonly string[] {
  const wanted = [...names].filter((name) => name !== 'event' && name !== 'node');
  return Object.entries(EVENTS).flatMap(([event, { attributes }]) => {
    const carried: readonly string[] = attributes;
    return wanted.length > 0 && wanted.every((name) => carried.includes(name)) ? [event] : [];
  });
}

/** `p-` and base32: it stands for a value that only its node knows, until its epoch ends. */
const PSEUDONYM = /(?:^|[/.@])p-[a-z2-7]{6,}/;

function refuseWhatSigmaCannot(condition: Query, events: readonly EventName[]): void {
  for (const { name, values } of testsIn(condition)) {
    if (name === 'event')
      throw new QuestionError('name the kinds of event once, at the beginning, and not within `not` or `or`');
    if (name === 'node') throw new QuestionError('a detector is for all nodes; leave `node` out');
    const without = events.find((event) => !carries(event, name));
    if (without !== undefined) throw new QuestionError(`${without} carries no ${name}; leave one of them out`);
    const pseudonym = values.find((value) => typeof value === 'string' && PSEUDONYM.test(value));
    if (pseudonym !== undefined)
      throw new QuestionError(
        `${String(pseudonym)} is a pseudonym: it changes with its epoch and differs from node to node`,
      );
  }
}

function carries(event: EventName, name: string): boolean {
  const attributes: readonly string[] = EVENTS[event].attributes;
  return attributes.includes(name);
}

type Selection = Record<string, Literal | readonly Literal[]>;

/** What must hold together is one selection, as people write rules; the rest are numbered parts of a condition. */
function detectionOf(condition: Query): Record<string, unknown> {
  const parts = condition.is === 'and' ? condition.of : [condition];
  const selection: Selection = {};
  const selections = new Map<string, Selection>();
  const nameOf = (test: Test): string => {
    const name = `part_${selections.size + 1}`;
    selections.set(name, itemOf(test));
    return name;
  };
  const words = parts.flatMap((part) => {
    const [key, value] = part.is === 'test' ? (Object.entries(itemOf(part))[0] ?? []) : [];
    if (key === undefined || value === undefined || Object.hasOwn(selection, key)) return [conditionOf(part, nameOf)];
    selection[key] = value;
    return [];
  });
  const hasSelection = Object.keys(selection).length > 0;
  return {
    ...(hasSelection ? { selection } : {}),
    ...Object.fromEntries(selections),
    condition: [...(hasSelection ? ['selection'] : []), ...words].join(' and '),
  };
}

function conditionOf(query: Query, nameOf: (test: Test) => string): string {
  switch (query.is) {
    case 'all':
      return '';
    case 'test':
      return nameOf(query);
    case 'not':
      return `not ${conditionOf(query.of, nameOf)}`;
    case 'and':
    case 'or':
      return `(${query.of.map((part) => conditionOf(part, nameOf)).join(` ${query.is} `)})`;
  }
}

const MODIFIERS: Readonly<Record<Test['how'], string>> = {
  '=': '',
  contains: '|contains',
  startswith: '|startswith',
  endswith: '|endswith',
  matches: '|re',
  exists: '|exists',
  '<': '|lt',
  '<=': '|lte',
  '>': '|gt',
  '>=': '|gte',
};

function itemOf({ name, how, values }: Test): Selection {
  if (how === 'exists') return { [`${name}|exists`]: true };
  const isText = values.some((value) => typeof value === 'string');
  const cased = isText && how !== 'matches' ? '|cased' : '';
  const written = values.map((value) => (typeof value === 'string' && how !== 'matches' ? asPattern(value) : value));
  const [only] = written;
  return { [`${name}${MODIFIERS[how]}${cased}`]: written.length === 1 && only !== undefined ? only : written };
}

/** Sigma's wildcards, taken literally. */
const asPattern = (text: string): string => text.replaceAll(/[\\*?]/g, String.raw`\$&`);
