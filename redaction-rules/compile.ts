/**
 * From a ruleset to the function that redacts: raw event in, released line out.
 *
 * Promises: no clock, no file, no network. What is not named by a rule does not come out. The line depends only on
 * what is released; the values of dropped attributes are never looked at. Memory is bounded whatever comes.
 *
 * Speed comes from remembering how a value was rendered (texts repeat), never from skipping a rule.
 */
import { EVENTS, isAttributeName, type AttributeName, type EventClass, type EventName } from '#protocol/vocabulary.ts';
import { FOREVER, HOUR_US, turnTo, type PseudonymKeys, type Root, type When } from './keys.ts';
import { compileRender, type Render, type Renders } from './render.ts';
import type { Rule } from './rule.ts';
import type { EventRules, Ruleset } from './ruleset.ts';

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
  /** Whether an approved rule matched it on the node. */
  readonly matched: boolean;
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

interface Slot {
  readonly attribute: AttributeName;
  /** `,"attribute":` */
  readonly lead: string;
  readonly render: Render | undefined;
  /** What is rendered does not depend on when: the same value again is the same text again. */
  readonly timeless: boolean;
  /** The value that came last, and what it became: few change from one event to the next. */
  last: unknown;
  piece: string;
}

interface Plan {
  readonly class: EventClass;
  /** `{"event":"…","time":` */
  readonly head: string;
  readonly slots: readonly Slot[];
  readonly carried: ReadonlySet<string>;
}

/** Every event of the vocabulary under the keys of one epoch. */
function compilePlans(ruleset: Ruleset, keys: PseudonymKeys, when: When): ReadonlyMap<string, Plan> {
  const renders: Renders = { keys, when, names: new Map(), texts: new Map() };
  // One rule object serves many events: rendered once, remembered once.
  const known = new Map<Rule, Map<AttributeName, Render | undefined>>();
  const renderOf = (rule: Rule, attribute: AttributeName): Render | undefined => {
    let byAttribute = known.get(rule);
    if (byAttribute === undefined) known.set(rule, (byAttribute = new Map()));
    if (!byAttribute.has(attribute)) byAttribute.set(attribute, compileRender(rule, attribute, renders));
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
      timeless: rule.do !== 'noise',
      last: undefined,
      piece: '',
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
      plans: compilePlans(ruleset, turnedTo(keys, when.hour), when),
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
        const piece = value === slot.last ? slot.piece : pieceOf(slot, slot.render(value, time), value);
        if (piece === undefined) countUnknown(slot.attribute);
        else line += piece;
      }
      if (definedIn(attributes) !== present) countForeign(plan, attributes, countUnknown);
      const matched = attributes['detection.rules'] !== undefined;
      // oxlint-disable-next-line no-unsafe-type-assertion -- the one place a ReleasedEvent is made
      return { class: plan.class, time: timeNumber, epoch: current.number, matched, line: `${line}}` } as ReleasedEvent;
    },
    get unknown() {
      return unknown;
    },
    unknownNames,
  };
}

/** A value as it stands in the line. Texts, numbers and yes or no are remembered; undefined is of the wrong type. */
function pieceOf(slot: Slot, text: string | undefined, value: unknown): string | undefined {
  if (text === undefined) return undefined;
  const piece = text === '' ? '' : slot.lead + text;
  if (slot.timeless && typeof value !== 'object') {
    slot.last = value;
    slot.piece = piece;
  }
  return piece;
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
