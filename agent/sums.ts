/**
 * What the ruleset lets leave as a number only, counted up to the end of a window. `../redaction-rules/sums.ts` says which
 * events those are and what is told of a count; here the counts live, in memory and, so that none is lost, in the spool's head.
 *
 * Promises: when a number is told is decided by the clock alone, never by an event that is held back. A count is closed at the
 * moment in which its line passes into a batch, so line, counters and what is still counted are cut at one place.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EVENTS, isEventName, CLASSES, type EventClass } from '#protocol/vocabulary.ts';
import type { PseudonymKeys } from '../redaction-rules/keys.ts';
import {
  accountsOf,
  holderOf,
  noiseOf,
  told,
  type Counter,
  type Holder,
  type Sum,
  type SumAccount,
} from '../redaction-rules/sums.ts';
import type { RawEvent } from './event.ts';

/** What is counted and not told yet, as the head of the spool keeps it. */
export interface SumCount {
  readonly sum: string;
  readonly of: string;
  /** The window in which counting began, by number. */
  readonly since: number;
  /** How long such a window was, µs; undefined in heads that do not say: as the rules have it. */
  readonly window?: number | undefined;
  readonly count: number;
}

interface Open {
  readonly account: SumAccount;
  since: number;
  count: number;
}

/** What a counter of the ledger moves by. */
export interface Movement {
  readonly counter: Counter;
  readonly class: EventClass;
  readonly n: number;
}

/** The sums of the rules in force, undefined where there are no rules, and the keys of their noise. */
export interface Summing {
  readonly sums: readonly Sum[] | undefined;
  readonly keys: PseudonymKeys;
}

const nameOf = (sum: string, of: string): string => `${sum}\n${of}`;
/** A step of the clock is noticed after this at the latest. */
const LONGEST_SLEEP_MS = 60_000;

export class Sums {
  readonly #holder: Holder;
  readonly #keys: PseudonymKeys;
  readonly #open: ReadonlyMap<string, Open>;
  /** Kept as they are while no rules are in force: nothing may be told of them. */
  readonly #kept: readonly SumCount[];
  /** Of sums that the rules in force do not have. */
  readonly orphans: readonly Movement[];

  /** `now` and times of events are µs since 1970. */
  constructor({ sums, keys }: Summing, now: number, before: readonly SumCount[] = []) {
    this.#holder = holderOf(sums ?? []);
    this.#keys = keys;
    const known = new Map(before.map((one) => [nameOf(one.sum, one.of), one]));
    this.#open = new Map(
      accountsOf(sums ?? []).map((account) => {
        const name = nameOf(account.sum, account.of);
        const begun = known.get(name);
        const since = begun === undefined ? Math.floor(now / account.window) : sinceIn(account.window, begun);
        return [name, { account, since, count: begun?.count ?? 0 }];
      }),
    );
    this.#kept = sums === undefined ? before : [];
    const gone = sums === undefined ? [] : before.filter(({ sum, of }) => !this.#open.has(nameOf(sum, of)));
    this.orphans = gone.flatMap(movementOf);
  }

  /** Whether the event does not leave by itself; then it has been counted. */
  holds({ name, attributes }: RawEvent): boolean {
    const sum = this.#holder(name, attributes);
    if (sum === undefined) return false;
    return this.#add(sum.name, name, 1);
  }

  /** Whether what the sensor so counted of a class is told in sums; then it has been counted. */
  takes(counter: 'merged' | 'sampled', cls: EventClass, n: number): boolean {
    if (this.#open.size === 0) return false;
    const of = `${counter}.${cls}`;
    for (const { account } of this.#open.values()) if (account.of === of) return this.#add(account.sum, of, n);
    return false;
  }

  #add(sum: string, of: string, n: number): boolean {
    const open = this.#open.get(nameOf(sum, of));
    if (open === undefined) return false;
    open.count += n;
    return true;
  }

  /** An event of {@link dueSums} with its number, and by what which counter moves; undefined: nothing so is counted. */
  tell(event: RawEvent): { readonly event: RawEvent; readonly movement: Movement } | undefined {
    const { 'hushwatch.sum.name': sum, 'hushwatch.sum.of': of } = event.attributes;
    const open = this.#open.get(nameOf(String(sum), String(of)));
    if (open === undefined) return undefined;
    const { account, since } = open;
    const window = Math.floor(event.time / account.window);
    const n = window <= since ? 0 : told(account, open.count, noiseOf(account, since, this.#keys));
    const duration = Math.max(0, ((window - since) * account.window) / 1_000_000);
    if (n > 0) [open.since, open.count] = [window, 0];
    const attributes = { ...event.attributes, 'hushwatch.sum.count': n, 'hushwatch.sum.duration': duration };
    return { event: { ...event, attributes }, movement: { counter: account.counter, class: account.class, n } };
  }

  get counts(): readonly SumCount[] {
    const open = [...this.#open.values()].map(({ account, since, count }) => {
      const { sum, of, window } = account;
      return { sum, of, since, window, count };
    });
    return [...open, ...this.#kept];
  }
}

/** In windows of another length: the first that begins no earlier. So whatever rules come and go, no noise is drawn for two numbers. */
const sinceIn = (window: number, { since, window: was = window }: SumCount): number =>
  Math.ceil((since * was) / window);

/** At the end of each window, one event for each number that is due, without it. */
export async function* dueSums(
  sums: readonly Sum[],
  now: () => number,
  signal: AbortSignal,
  wait: typeof sleep = sleep,
): AsyncGenerator<readonly RawEvent[]> {
  const accounts = accountsOf(sums);
  const ended = new Map(accounts.map(({ window }) => [window, Math.floor(now() / window)]));
  while (!signal.aborted && accounts.length > 0) {
    const at = now();
    const over = [...ended].filter(([window, last]) => Math.floor(at / window) > last).map(([window]) => window);
    for (const window of over) ended.set(window, Math.floor(at / window));
    const due = accounts.filter(({ window }) => over.includes(window)).map((account) => dueAt(account, at));
    if (due.length > 0) yield due;
    const next = Math.min(...[...ended.keys()].map((window) => (Math.floor(at / window) + 1) * window));
    const ms = Math.ceil((next - now()) / 1_000);
    await wait(Math.min(LONGEST_SLEEP_MS, Math.max(1, ms)), undefined, { signal }).catch(() => {});
  }
}

function dueAt({ sum, of, window }: SumAccount, at: number): RawEvent {
  return {
    name: 'hushwatch.sum',
    time: Math.floor(at / window) * window,
    attributes: { 'hushwatch.sum.name': sum, 'hushwatch.sum.of': of },
  };
}

function movementOf({ of, count }: SumCount): readonly Movement[] {
  if (isEventName(of)) return [{ counter: 'withheld', class: EVENTS[of].class, n: count }];
  const counter = (['merged', 'sampled'] as const).find((one) => of.startsWith(`${one}.`));
  const cls = CLASSES.find((one) => of.endsWith(`.${one}`));
  return counter === undefined || cls === undefined ? [] : [{ counter, class: cls, n: count }];
}

/** Nothing is summed. */
export const NO_SUMS: Summing = { sums: [], keys: { node: new Uint8Array() } };

const MAX_COUNTS = 1_024;

/** From the head of the spool; what has another form is not ours, and counting begins anew. */
export function parseSumCounts(value: unknown): readonly SumCount[] {
  if (!Array.isArray(value) || value.length > MAX_COUNTS) return [];
  const items: readonly unknown[] = value;
  return items.filter(isSumCount);
}

function isSumCount(value: unknown): value is SumCount {
  if (typeof value !== 'object' || value === null) return false;
  if (!('sum' in value && 'of' in value && 'since' in value && 'count' in value)) return false;
  const { sum, of, since, count } = value;
  const isCount = (n: unknown): boolean => typeof n === 'number' && Number.isSafeInteger(n) && n >= 0;
  const isWindow = !('window' in value) || (isCount(value.window) && value.window !== 0);
  return typeof sum === 'string' && typeof of === 'string' && isCount(since) && isCount(count) && isWindow;
}
