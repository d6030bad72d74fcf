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
  readonly render: Render;
  /** What is rendered does not depend on when: the same value again is the same text again. */
  readonly timeless: boolean;
  /** Values that came lately, each at its {@link placeOf}, and what they became. */
  readonly recent: unknown[];
  readonly pieces: string[];
}

/** Values that an attribute has in turns, a power of two; and the longest text among them. */
const RECENT = 16;
const LONGEST = 256;

/** Where a value is looked for first. Texts of one length mostly differ in the end. */
function placeOf(value: unknown): number {
  if (typeof value === 'number') return value & (RECENT - 1);
  if (typeof value === 'string' && value !== '')
    return (value.length + value.charCodeAt(value.length - 1)) & (RECENT - 1);
  return value === true ? 1 : 0;
}

/** The attributes that an event has, in its order. Few orders come, again and again; each is looked at once. */
interface Shape {
  readonly names: readonly string[];
  /** What may leave, in the order of the rules; the name of each stands at `at`. */
  readonly steps: readonly { readonly slot: Slot; readonly at: number }[];
  /** Where names stand that no rule is about. */
  readonly foreign: readonly number[];
}

interface Plan {
  readonly class: EventClass;
  /** `{"event":"…","time":` */
  readonly head: string;
  /** undefined: nothing of it leaves. */
  readonly slots: ReadonlyMap<string, Slot | undefined>;
  /** That came lately, the last one first. */
  readonly shapes: Shape[];
}

const SHAPES = 8;

/** The shape of an event, made when it did not come lately; from now on the first. */
function shapeOf(attributes: Readonly<Record<string, unknown>>, { slots, shapes }: Plan): Shape {
  const names: string[] = [];
  // In the very order in which values are taken.
  for (const name in attributes) names.push(name);
  const at = shapes.findIndex(
    (one) => one.names.length === names.length && one.names.every((name, i) => name === names[i]),
  );
  const shape = shapes[at] ?? {
    names,
    steps: [...slots].flatMap(([name, slot]) => {
      const place = names.indexOf(name);
      return place < 0 || slot === undefined ? [] : { slot, at: place };
    }),
    foreign: names.flatMap((name, place) => (slots.has(name) ? [] : place)),
  };
  shapes.splice(at < 0 ? SHAPES - 1 : at, 1);
  shapes.unshift(shape);
  return shape;
}

function compileSlot(rule: Rule, attribute: AttributeName, renders: Renders): Slot | undefined {
  const render = compileRender(rule, attribute, renders);
  return (
    render && {
      attribute,
      lead: `,${JSON.stringify(attribute)}:`,
      render,
      timeless: rule.do !== 'noise',
      recent: new Array<unknown>(RECENT).fill(undefined),
      pieces: new Array<string>(RECENT).fill(''),
    }
  );
}

/** Every event of the vocabulary under the keys of one epoch. */
function compilePlans(ruleset: Ruleset, keys: PseudonymKeys, when: When): ReadonlyMap<string, Plan> {
  const renders: Renders = { keys, when, names: new Map(), texts: new Map() };
  // One rule object serves many events: rendered once, remembered once.
  const known = new Map<Rule, Map<AttributeName, Slot | undefined>>();
  const slotOf = (rule: Rule, attribute: AttributeName): Slot | undefined => {
    let byAttribute = known.get(rule);
    if (byAttribute === undefined) known.set(rule, (byAttribute = new Map()));
    if (!byAttribute.has(attribute)) byAttribute.set(attribute, compileSlot(rule, attribute, renders));
    return byAttribute.get(attribute);
  };
  const planOf = (name: EventName, rules: EventRules): Plan => ({
    class: EVENTS[name].class,
    head: `{"event":${JSON.stringify(name)},"time":`,
    slots: new Map([...rules].map(([attribute, rule]) => [attribute, slotOf(rule, attribute)])),
    shapes: [],
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
  /** Of the event at hand. */
  const values: unknown[] = [];

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
      let shape = plan.shapes[0];
      let count = 0;
      let fits = true;
      for (const attribute in attributes) {
        fits = fits && attribute === shape?.names[count];
        values[count++] = attributes[attribute];
      }
      if (shape === undefined || !fits || count !== shape.names.length) shape = shapeOf(attributes, plan);
      let line = plan.head + textOf(time);
      for (const { slot, at } of shape.steps) {
        const value = values[at];
        if (value === undefined) continue;
        const place = placeOf(value);
        const piece = value === slot.recent[place] ? slot.pieces[place] : pieceOf(slot, value, time, place);
        if (piece === undefined) countUnknown(slot.attribute);
        else line += piece;
      }
      for (const at of shape.foreign) if (values[at] !== undefined) countUnknown(shape.names[at] ?? '');
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

/** A value as it stands in the line. Short texts, numbers and yes or no are remembered; undefined is of the wrong type. */
function pieceOf(slot: Slot, value: unknown, time: number, place: number): string | undefined {
  const text = slot.render(value, time);
  if (text === undefined) return undefined;
  const piece = text === '' ? '' : slot.lead + text;
  if (slot.timeless && typeof value !== 'object' && (typeof value !== 'string' || value.length <= LONGEST)) {
    slot.recent[place] = value;
    slot.pieces[place] = piece;
  }
  return piece;
}

/** The roots as they are at that hour, turned once for all rules. */
function turnedTo({ node, cohort, fleet }: PseudonymKeys, hour: number): PseudonymKeys {
  const turn = (root: Root): Root => (root instanceof Uint8Array ? root : turnTo(root, hour));
  return { node: turn(node), cohort: cohort && turn(cohort), fleet: fleet && turn(fleet) };
}
