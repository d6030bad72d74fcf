/**
 * Sums: events that are too many and too telling to leave one by one. Instead of them one number leaves at the end of each
 * window: how many there were, with noise, rounded, and only when that reaches a floor. Until then they are counted on.
 *
 * Which events those are is asked of values that would leave in clear, so that a collector can ask the same of what arrives,
 * and so that holding an event back says nothing about what is withheld. Pure: the noise comes from a key and from the number
 * of the window in which counting began, so it is drawn once for each number that is told, and asking again gives the same.
 */
import { CLASSES, EVENTS, type AttributeName, type EventClass, type EventName } from '#protocol/vocabulary.ts';
import { deriveKey, frozenNoise, HOUR_US, type PseudonymKeys } from './keys.ts';
import { roundTo } from './transform.ts';

/** What an attribute must be: one of some values, a path below a directory; `any`: it must be there. */
export type Asked = 'any' | { readonly values: ReadonlySet<unknown>; readonly below: readonly string[] };
export type Conditions = ReadonlyMap<AttributeName, Asked>;

/** How much of a number is told. */
export interface SumSize {
  /** Microseconds; windows begin at whole multiples of it since 1970. */
  readonly window: number;
  readonly quantum: number;
  /** Of the Laplace distribution that the noise is drawn from. */
  readonly scale: number;
  /** What does not reach it, noise included, is not told yet. */
  readonly floor: number;
}

export interface Sum extends SumSize {
  readonly name: string;
  readonly events: readonly EventName[];
  /** All of them hold … */
  readonly where: Conditions;
  /** … and none of these. */
  readonly unless: Conditions;
  readonly why: string;
  readonly for: readonly string[];
}

type Attributes = Readonly<Record<string, unknown>>;

/** The sum that an event goes into; undefined: it leaves by itself. The first that takes it has it. */
export type Holder = (event: string, attributes: Attributes) => Sum | undefined;

export function holderOf(sums: readonly Sum[]): Holder {
  const byEvent = new Map<string, Sum[]>();
  for (const sum of sums) {
    for (const event of sum.events) byEvent.set(event, [...(byEvent.get(event) ?? []), sum]);
  }
  return (event, attributes) => byEvent.get(event)?.find((sum) => takes(sum, attributes));
}

function takes({ where, unless }: Sum, attributes: Attributes): boolean {
  for (const [name, asked] of where) if (!answers(attributes[name], asked)) return false;
  for (const [name, asked] of unless) if (answers(attributes[name], asked)) return false;
  return true;
}

function answers(value: unknown, asked: Asked): boolean {
  if (value === undefined) return false;
  if (asked === 'any' || asked.values.has(value)) return true;
  return typeof value === 'string' && asked.below.some((directory) => value.startsWith(directory));
}

/** Which counter of a statement moves by what is told. */
export type Counter = 'withheld' | 'merged' | 'sampled';

/**
 * One number that is told at the end of each window. Beside each event of a sum these are what the sensor merged and sampled
 * of the classes of those events: it counts by class alone, and exact counters would tell what the sums hide.
 */
export interface SumAccount extends SumSize {
  readonly sum: string;
  /** The event, or `merged.<class>`, `sampled.<class>`. */
  readonly of: string;
  readonly class: EventClass;
  readonly counter: Counter;
}

export function accountsOf(sums: readonly Sum[]): readonly SumAccount[] {
  const own = sums.flatMap((sum) =>
    sum.events.map((event): SumAccount => ({
      ...sizeOf(sum),
      sum: sum.name,
      of: event,
      class: EVENTS[event].class,
      counter: 'withheld',
    })),
  );
  return [...own, ...CLASSES.flatMap((cls) => ofClass(sums, cls))];
}

const sizeOf = ({ window, quantum, scale, floor }: SumSize): SumSize => ({ window, quantum, scale, floor });

/** Told as the coarsest of the sums that have events of the class. */
function ofClass(sums: readonly Sum[], cls: EventClass): readonly SumAccount[] {
  const having = sums.filter(({ events }) => events.some((event) => EVENTS[event].class === cls));
  const [first] = having;
  if (first === undefined) return [];
  const coarsest = (key: keyof SumSize): number => Math.max(...having.map((sum) => sum[key]));
  return (['merged', 'sampled'] as const).map((counter) => ({
    window: coarsest('window'),
    quantum: coarsest('quantum'),
    scale: coarsest('scale'),
    floor: coarsest('floor'),
    sum: first.name,
    of: `${counter}.${cls}`,
    class: cls,
    counter,
  }));
}

/** The noise of the number whose counting began in that window. Its key is forgotten as those of pseudonyms are. */
export function noiseOf(account: SumAccount, since: number, keys: PseudonymKeys): number {
  const { sum, of, window, scale } = account;
  const when = { epoch: since, hour: Math.floor((since * window) / HOUR_US) };
  return frozenNoise(deriveKey(keys, 'node', 'sum', `${sum}\n${of}\n${window}`, when), scale, since);
}

/** What is told of a count; 0: nothing yet. */
export function told({ quantum, floor }: SumSize, count: number, noise: number): number {
  const noisy = roundTo(count + noise, quantum);
  return noisy >= floor ? noisy : 0;
}

/** Whether a number can be what an account tells. */
export const mayBeTold = ({ quantum, floor }: SumSize, value: number): boolean =>
  value === 0 || (value >= floor && roundTo(value, quantum) === value);
