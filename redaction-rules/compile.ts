/**
 * From a ruleset to the function that redacts: raw event in, released line out.
 *
 * Promises: no clock, no file, no network. What is not named by a rule does not come out. The line depends only on
 * what is released; the values of dropped attributes are never looked at. Memory is bounded whatever comes.
 *
 * Speed comes from remembering how a value was rendered (texts repeat), never from skipping a rule.
 */
import {
  ATTRIBUTES,
  EVENTS,
  isAttributeName,
  type AttributeName,
  type EventClass,
  type EventName,
  type Value,
} from '#protocol/vocabulary.ts';
import { FOREVER, HOUR_US, turnTo, type PseudonymKeys, type Root } from './keys.ts';
import type { Rule } from './rule.ts';
import { isOfType, type EventRules, type Ruleset } from './ruleset.ts';
import { spell } from './spelling.ts';
import { compileTransform, type Apply, type Keyed } from './transform.ts';

export type { PseudonymKeys } from './keys.ts';

export interface RawEventLike {
  readonly name: string;
  /** Microseconds since 1970, UTC. */
  readonly time: number;
  readonly attributes: Readonly<Record<string, unknown>>;
}

declare const released: unique symbol;

/** What may leave the node. Only a {@link Redactor} makes one. */
export interface ReleasedEvent {
  readonly class: EventClass;
  /** As released: rounded down by the ruleset's resolution. */
  readonly time: number;
  /** Which epoch its pseudonyms belong to; 0 where pseudonyms do not change. */
  readonly epoch: number;
  /** One JSON object, without newline. */
  readonly line: string;
  readonly [released]: true;
}

export interface Redactor {
  /** undefined: the event is withheld, because nothing is known about it; the caller counts. */
  redact(event: RawEventLike): ReleasedEvent | undefined;
  /** Attributes that were dropped because the event does not have them or their value was of another type. */
  readonly unknown: number;
  /** The same by name; attributes outside the vocabulary are counted together. */
  readonly unknownNames: ReadonlyMap<string, number>;
}

/** Values and how they were rendered. Two generations: what is used stays, the rest is forgotten a generation at a time. */
class Recent<Key> {
  readonly #limit: number;
  #young = new Map<Key, string>();
  #old = new Map<Key, string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: Key): string | undefined {
    const found = this.#young.get(key);
    if (found !== undefined) return found;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: Key, rendered: string): void {
    if (this.#young.size >= this.#limit) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, rendered);
  }
}

/** JSON of what is released of a value, `''` if nothing is, undefined if it is of the wrong type. */
type Render = (value: unknown, time: number) => string | undefined;

const json = (value: Value | undefined): string => (value === undefined ? '' : spell(value));

const MAX_CACHED_TEXT = 1024;
const MAX_CACHED_LIST = 4096;

function renderText(apply: Apply, cache: Recent<string>): Render {
  return (value, time) => {
    if (typeof value !== 'string') return undefined;
    const known = cache.get(value);
    if (known !== undefined) return known;
    const rendered = json(apply(value, time));
    if (value.length <= MAX_CACHED_TEXT) cache.set(value, rendered);
    return rendered;
  };
}

const NUL = '\0';

function renderList(apply: Apply, cache: Recent<string>): Render {
  return (value, time) => {
    if (!Array.isArray(value)) return undefined;
    const items: readonly unknown[] = value;
    // Only lists without NUL are remembered, so the number of items makes the joined text unambiguous.
    let key = String(items.length);
    for (const item of items) {
      if (typeof item !== 'string') return undefined;
      key += NUL + item;
    }
    const known = cache.get(key);
    if (known !== undefined) return known;
    const rendered = isOfType(items, 'string[]') ? json(apply(items, time)) : '';
    if (key.length <= MAX_CACHED_LIST && !items.some((item) => String(item).includes(NUL))) cache.set(key, rendered);
    return rendered;
  };
}

function renderNumber(apply: Apply, rule: Rule, isInteger: boolean): Render {
  const isValid = isInteger ? Number.isSafeInteger : Number.isFinite;
  if (rule.do === 'keep') return (value) => (isValid(value) ? String(value) : undefined);
  return (value, time) => (typeof value === 'number' && isValid(value) ? json(apply(value, time)) : undefined);
}

/** Whole numbers have few values where they are pseudonyms: users, groups. */
function renderNumberCached(apply: Apply): Render {
  const cache = new Recent<number>(FEW_ENTRIES);
  return (value, time) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) return undefined;
    const known = cache.get(value);
    if (known !== undefined) return known;
    const rendered = json(apply(value, time));
    cache.set(value, rendered);
    return rendered;
  };
}

const renderBoolean: Render = (value) => (value === true ? 'true' : value === false ? 'false' : undefined);

/** Entries a generation; two generations are kept. Paths are many, most other texts few. */
const CACHE_ENTRIES: Readonly<Partial<Record<Rule['do'], number>>> = { path: 12_288, argv: 2048, pseudonym: 4096 };
const FEW_ENTRIES = 1024;

/** The caches of one epoch; rules that render alike share one. */
type Caches = Map<string, Recent<string>>;

function cacheFor(caches: Caches, rule: Rule, attribute: AttributeName): Recent<string> {
  const { type } = ATTRIBUTES[attribute];
  const shared =
    rule.do === 'path'
      ? `path ${type} ${rule.templateName} ${rule.scope} ${rule.domain} ${rule.users} ${rule.length} ${rule.forever}`
      : `${attribute} ${caches.size}`;
  let cache = caches.get(shared);
  if (cache === undefined) {
    cache = new Recent<string>(CACHE_ENTRIES[rule.do] ?? FEW_ENTRIES);
    caches.set(shared, cache);
  }
  return cache;
}

function compileRender(rule: Rule, attribute: AttributeName, keyed: Keyed, caches: Caches): Render | undefined {
  const { type } = ATTRIBUTES[attribute];
  const apply = compileTransform(rule, attribute, type, keyed);
  if (apply === undefined) return undefined;
  switch (type) {
    case 'string':
      return renderText(apply, cacheFor(caches, rule, attribute));
    case 'string[]':
      return renderList(apply, cacheFor(caches, rule, attribute));
    case 'boolean':
      return renderBoolean;
    case 'int':
    case 'double':
      return rule.do === 'pseudonym' ? renderNumberCached(apply) : renderNumber(apply, rule, type === 'int');
  }
}

interface Slot {
  readonly attribute: AttributeName;
  /** `,"attribute":` */
  readonly lead: string;
  readonly render: Render | undefined;
}

interface Plan {
  readonly class: EventClass;
  /** `{"event":"…","time":` */
  readonly head: string;
  readonly slots: readonly Slot[];
  readonly carried: ReadonlySet<string>;
}

/** Every event of the vocabulary under the keys of one epoch. */
function compilePlans(ruleset: Ruleset, keyed: Keyed): ReadonlyMap<string, Plan> {
  const caches: Caches = new Map();
  // One rule object serves many events: rendered once, remembered once.
  const renders = new Map<Rule, Map<AttributeName, Render | undefined>>();
  const renderOf = (rule: Rule, attribute: AttributeName): Render | undefined => {
    let byAttribute = renders.get(rule);
    if (byAttribute === undefined) renders.set(rule, (byAttribute = new Map()));
    if (!byAttribute.has(attribute)) byAttribute.set(attribute, compileRender(rule, attribute, keyed, caches));
    return byAttribute.get(attribute);
  };
  const planOf = (name: EventName, rules: EventRules): Plan => ({
    class: EVENTS[name].class,
    head: `{"event":${JSON.stringify(name)},"time":`,
    carried: new Set(rules.keys()),
    slots: [...rules].map(([attribute, rule]) => ({
      attribute,
      lead: `,${JSON.stringify(attribute)}:`,
      render: renderOf(rule, attribute),
    })),
  });
  return new Map([...ruleset.events].map(([name, rules]) => [name, planOf(name, rules)]));
}

interface Epoch {
  readonly number: number;
  readonly generation: number | undefined;
  readonly plans: ReadonlyMap<string, Plan>;
}

export function compileRuleset(ruleset: Ruleset, keys: PseudonymKeys): Redactor {
  const { resolution } = ruleset.time;
  const epochLength = ruleset.epoch?.length ?? Number.POSITIVE_INFINITY;
  const compileEpoch = (epoch: number): Epoch => {
    const when = ruleset.epoch === undefined ? FOREVER : { epoch, hour: Math.floor((epoch * epochLength) / HOUR_US) };
    return {
      number: epoch,
      generation: keys.generation,
      plans: compilePlans(ruleset, { keys: turnedTo(keys, when.hour), when }),
    };
  };
  let current = compileEpoch(0);
  // Events come slightly out of order; around the turn of an epoch both are needed.
  let previous = current;
  const unknownNames = new Map<string, number>();
  let unknown = 0;
  let timeNumber = -1;
  let timeText = '';

  const countUnknown = (attribute: string): void => {
    unknown++;
    const name = isAttributeName(attribute) ? attribute : 'not in the vocabulary';
    unknownNames.set(name, (unknownNames.get(name) ?? 0) + 1);
  };
  const plansAt = (time: number): ReadonlyMap<string, Plan> => {
    const number = Math.floor(time / epochLength);
    if (number === current.number && keys.generation === current.generation) return current.plans;
    const isPrevious = number === previous.number && keys.generation === previous.generation;
    [previous, current] = [current, isPrevious ? previous : compileEpoch(number)];
    return current.plans;
  };
  const textOf = (time: number): string => {
    const coarse = Math.floor(time / resolution) * resolution;
    if (coarse !== timeNumber) {
      timeNumber = coarse;
      timeText = String(coarse);
    }
    return timeText;
  };

  return {
    redact({ name, time, attributes }) {
      if (!Number.isSafeInteger(time) || time < 0) return undefined;
      const plan = plansAt(time).get(name);
      if (plan === undefined) return undefined;
      let line = plan.head + textOf(time);
      let present = 0;
      for (const slot of plan.slots) {
        const value = attributes[slot.attribute];
        if (value === undefined) continue;
        present++;
        if (slot.render === undefined) continue;
        const text = slot.render(value, time);
        if (text === undefined) countUnknown(slot.attribute);
        else if (text !== '') line += slot.lead + text;
      }
      if (definedIn(attributes) !== present) countForeign(plan, attributes, countUnknown);
      // oxlint-disable-next-line no-unsafe-type-assertion -- the one place a ReleasedEvent is made
      return { class: plan.class, time: timeNumber, epoch: current.number, line: `${line}}` } as ReleasedEvent;
    },
    get unknown() {
      return unknown;
    },
    unknownNames,
  };
}

/** The roots as they are at that hour, turned once for all rules. */
function turnedTo({ node, cohort, fleet }: PseudonymKeys, hour: number): PseudonymKeys {
  const turn = (root: Root): Root => (root instanceof Uint8Array ? root : turnTo(root, hour));
  return { node: turn(node), cohort: cohort && turn(cohort), fleet: fleet && turn(fleet) };
}

/** Without a list of names: this runs for every event. */
function definedIn(attributes: Readonly<Record<string, unknown>>): number {
  let count = 0;
  for (const name in attributes) if (attributes[name] !== undefined) count++;
  return count;
}

function countForeign(plan: Plan, attributes: Readonly<Record<string, unknown>>, count: (name: string) => void): void {
  for (const name of Object.keys(attributes)) {
    if (!plan.carried.has(name) && attributes[name] !== undefined) count(name);
  }
}
