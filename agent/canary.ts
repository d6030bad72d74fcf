/**
 * Canaries: secrets that the agent makes up, sends through its own matching and redaction, and looks for in what would
 * have left. Now and then, in memory; they enter no batch and no counter, and what is told of them are numbers and names
 * of attributes.
 *
 * A canary that comes out means that the redaction of this process cannot be trusted. From then on nothing is released
 * but what Hushwatch says of itself; the rest is counted as withheld. Only a restart ends that.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises';
import { ATTRIBUTES, EVENTS, isEventName, type AttributeName, type EventName } from '#protocol/vocabulary.ts';
import type { Redactor } from '../redaction-rules/compile.ts';
import { holds, type Rule } from '../redaction-rules/rule.ts';
import type { EventRules, Ruleset } from '../redaction-rules/ruleset.ts';
import type { Attributes, RawEvent } from './event.ts';
import { withMatches, type Gate } from './gate.ts';

const EVERY_MS = 600_000;
const MOST_NAMED = 16;

/** A made-up secret: the value that goes in, and the texts of which none may come out. */
interface Canary {
  readonly value: string | number | readonly string[];
  readonly telling: readonly string[];
}

/** Such rules tell the value as it is, or nearly: their reviewer said yes to that, and a canary would prove nothing. */
const TOLD: ReadonlySet<Rule['do']> = new Set(['keep', 'mask', 'round', 'noise', 'truncate-address']);

/** Can be said, and looks like a name. */
const word = (): string =>
  Array.from({ length: 6 }, () => `${'bdfgklmnprtvz'.charAt(randomInt(13))}${'aeiou'.charAt(randomInt(5))}`).join('');
/** Looks like a key; templates of plain names do not let it pass. */
const token = (): string => randomBytes(12).toString('hex');

type Form = () => Canary;

const TEXTS: readonly Form[] = [
  () => spoken((name) => name),
  () => spoken((name) => `${name}@${name}.example`),
  () => random((key) => key),
  () => random((key) => `2001:db8::f${key.slice(0, 3)}:f${key.slice(3, 6)}`, 6),
];
/** A name stands where no template leads: behind `..`, or in a path that is not absolute. */
const PATHS: readonly Form[] = [
  () => spoken((name) => `/usr/../${name}/${name}.txt`),
  () => spoken((name) => `${name}/.${name}`),
  () => random((key) => `/home/${key}/.ssh/${key}`),
  () => random((key) => `/usr/lib/${key}\n${key}`),
];
const COMMANDS: readonly Form[] = [
  () => spoken((name) => ['mysql', `--password=${name}`, `-p${name}`, '-u', name]),
  () => spoken((name) => ['env', `DB_PASSWORD=${name}`, name, `${name}=${name}`]),
  () => random((key) => ['curl', `https://${key}:${key}@${key}.example/${key}?token=${key}`]),
  () => random((key) => ['sh', '-c', `echo ${key} | ${key}; cat /home/${key}`, Buffer.from(key).toString('base64')]),
];

function spoken(value: (name: string) => Canary['value']): Canary {
  const name = word();
  return { value: value(name), telling: [name] };
}

/** Of an address in IPv6 a few letters would stand in a pseudonym by chance: only the whole of it tells. */
function random(value: (key: string) => Canary['value'], letters = 24): Canary {
  const key = token();
  const made = value(key);
  if (letters < 24) return { value: made, telling: [String(made)] };
  return { value: made, telling: [key, Buffer.from(key).toString('base64')] };
}

/** Far beyond every id and every pseudonym of a number. */
function numbered(): Canary {
  const value = 2 ** 44 + randomInt(2 ** 44);
  return { value, telling: [String(value)] };
}

const ROUNDS = 4;

/** What to put into an attribute in one of four rounds; undefined where nothing can be put that would tell. */
function canaryFor(attribute: AttributeName, rule: Rule, round: number): Canary | undefined {
  if (TOLD.has(rule.do)) return undefined;
  const { type } = ATTRIBUTES[attribute];
  if (type === 'boolean') return undefined;
  if (type === 'int' || type === 'double') {
    const made = numbered();
    const stays =
      (rule.do === 'pseudonym' && holds(rule.keep, Number(made.value))) ||
      (rule.do === 'allow' && holds(rule.values, Number(made.value)));
    return stays ? undefined : made;
  }
  const forms = rule.do === 'argv' ? COMMANDS : rule.do === 'path' ? PATHS : TEXTS;
  const made = forms[round]?.();
  if (made === undefined || type === 'string' || rule.do === 'argv') return made;
  return { ...made, value: [String(made.value)] };
}

export class Canaries {
  readonly #events: ReadonlyMap<EventName, EventRules>;
  readonly #gate: Gate;
  #broken = false;

  constructor({ events }: Pick<Ruleset, 'events'>, gate: Gate) {
    this.#events = events;
    this.#gate = gate;
  }

  /** One came out: nothing but what Hushwatch says of itself is released any more. */
  get broken(): boolean {
    return this.#broken;
  }

  /** The redactor for real events: that of the gate, until a canary came out of it. */
  get redactor(): Redactor {
    const { redactor } = this.#gate;
    const isOurs = (name: string): boolean => isEventName(name) && EVENTS[name].class === 'self';
    return {
      redact: (event) => (this.#broken && !isOurs(event.name) ? undefined : redactor.redact(event)),
      get unknown() {
        return redactor.unknown;
      },
      unknownNames: redactor.unknownNames,
    };
  }

  /** One event at the start and every ten minutes. `warn` hears where canaries came out. */
  async *sing(
    warn: (leaks: readonly string[]) => void,
    signal: AbortSignal,
    everyMs = EVERY_MS,
  ): AsyncGenerator<readonly RawEvent[]> {
    while (!signal.aborted) {
      const { tried, leaks } = await this.#try();
      if (leaks.length > 0) {
        this.#broken = true;
        warn(leaks);
      }
      yield [told(tried, leaks)];
      await sleep(everyMs, undefined, { signal }).catch(() => {});
    }
  }

  async #try(): Promise<{ readonly tried: number; readonly leaks: readonly string[] }> {
    const leaks: string[] = [];
    let tried = 0;
    for (const [name, rules] of this.#events) {
      for (let round = 0; round < ROUNDS; round++) {
        const planted = plant(rules, round);
        tried += planted.size;
        const line = this.#lineOf(name, planted);
        for (const [attribute, { telling }] of planted) {
          if (telling.some((text) => line.includes(text))) leaks.push(`${name} ${attribute}`);
        }
      }
      // Real events wait behind one of ours at most.
      await breathe();
    }
    return { tried, leaks };
  }

  /** By the very lines that real events take. */
  #lineOf(name: EventName, planted: ReadonlyMap<AttributeName, Canary>): string {
    const attributes: Attributes = Object.fromEntries([...planted].map(([attribute, { value }]) => [attribute, value]));
    const event: RawEvent = { name, time: Date.now() * 1_000, attributes };
    const { matcher, redactor } = this.#gate;
    return redactor.redact(withMatches(event, matcher.match(event)))?.line ?? '';
  }
}

function plant(rules: EventRules, round: number): ReadonlyMap<AttributeName, Canary> {
  const planted = new Map<AttributeName, Canary>();
  for (const [attribute, rule] of rules) {
    const canary = canaryFor(attribute, rule, round);
    if (canary !== undefined) planted.set(attribute, canary);
  }
  return planted;
}

function told(tried: number, leaks: readonly string[]): RawEvent {
  return {
    name: 'hushwatch.canary',
    time: Date.now() * 1_000,
    attributes: {
      'hushwatch.canary.tried': tried,
      'hushwatch.canary.leaked': leaks.length,
      'hushwatch.canary.leaks': [...new Set(leaks)].slice(0, MOST_NAMED),
    },
  };
}
