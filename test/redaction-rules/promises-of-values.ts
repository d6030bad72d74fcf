/** The kinds of promises that a ruleset makes, and how values are tried against them. */
import type { Rule } from '../../redaction-rules/rule.ts';

export type Promised =
  /** Nothing of it leaves, not even whether it is there. */
  | { readonly says: 'nothing' }
  /** It leaves as it is; nothing could be weaker. */
  | { readonly says: 'clear' }
  /** A pseudonym, but for these texts. */
  | { readonly says: 'who'; readonly family: string; readonly letters: number; readonly listed: ReadonlySet<string> }
  /** The numbers of people and their groups are pseudonyms. */
  | { readonly says: 'number of a person'; readonly family: string }
  | { readonly says: 'address'; readonly family: string; readonly readable: readonly string[] }
  | { readonly says: 'place'; readonly families: Families; readonly places: Places }
  | {
      readonly says: 'command';
      readonly families: Families;
      readonly places: Places;
      readonly digits: number;
      readonly values: 'pseudonym' | 'gone';
    }
  /** Values less than a step apart are one value. */
  | { readonly says: 'about'; readonly step: number }
  /** Nor can the value be told from many tellings of it within the window. */
  | { readonly says: 'roughly'; readonly step: number; readonly scale: number; readonly window: number }
  | { readonly says: 'how many' }
  | { readonly says: 'one of'; readonly listed: ReadonlySet<string> }
  /** What is taken out of a text. */
  | { readonly says: 'without'; readonly parts: readonly (readonly [text: string, hidden: string])[] };

/** Which values can be compared: two attributes of one family show the same value alike. */
interface Families {
  readonly names: string;
  readonly users: string;
  readonly values?: string;
  readonly hosts?: string;
}

/** Directories whose entries have public names; `*` is any name, `#` a number, `**` everything below. */
export interface Places {
  readonly named: readonly string[];
  readonly numbered: readonly string[];
  readonly users: readonly string[];
  /** Of what stands below, not even a pseudonym is told. */
  readonly silent?: readonly string[];
}

export type Release = (value: unknown, time?: number) => unknown;

/** A text, or the first of a list. */
export function firstOf(value: unknown): string {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === 'string' ? first : '';
}

export const textOf = (value: unknown): string => (value === undefined ? '' : JSON.stringify(value));
const PSEUDONYM = /p-([a-z2-7]{8,52})/g;
export const lastPseudonym = (value: unknown): string | undefined => [...textOf(value).matchAll(PSEUDONYM)].at(-1)?.[1];

/** A name that nobody else has, and a few that people have. */
export const NAME = 'zanzibar';
const NAMES = [
  NAME,
  'alex',
  'Kowalski',
  'acme-bank',
  'customer.list',
  'q7Zr2kT9wLx4',
  'alex@example.org',
  '1000',
  'hunter2',
];

export function brokenSilence(release: Release): string | undefined {
  const values = [NAME, 4711, 0.5, true, [NAME]];
  return values.some((value) => release(value) !== undefined) ? 'something leaves' : undefined;
}

export function brokenName(
  release: Release,
  promise: Extract<Promised, { says: 'who' }>,
  rule: Rule,
): string | undefined {
  const declared = 'keep' in rule && 'texts' in rule.keep ? rule.keep.texts : [];
  for (const name of [...NAMES, ...declared]) {
    if (!promise.listed.has(name) && textOf(release(name)).includes(name)) return `${name} is readable`;
    if (!promise.listed.has(name) && lastPseudonym(release(name)) === undefined) return 'no pseudonym';
  }
  const letters = lastPseudonym(release(NAME))?.length ?? 0;
  return letters > promise.letters ? `${letters} letters instead of ${promise.letters}` : undefined;
}

/** Numbers that Debian gives to people, and the kernel's own at the ends. */
const isOfSystem = (id: number): boolean => id < 1000 || id === 65_534 || id === 4_294_967_295;
const IDS = [1000, 1001, 1234, 5000, 59_999, 60_000, 65_533, 65_535, 100_000, 2 ** 31, 4_294_967_294];

export function brokenNumber(release: Release, rule: Rule): string | undefined {
  const declared = 'keep' in rule && 'ranges' in rule.keep ? rule.keep.ranges.flat() : [];
  const seen = [...IDS, ...declared].find((id) => !isOfSystem(id) && release(id) === id);
  return seen === undefined ? undefined : `${seen} is readable`;
}

/** One address of each range that has a name, with the part that would place it. */
const ADDRESSES: readonly (readonly [range: string, address: string, telling: string])[] = [
  ['loopback', '127.0.0.53', '127.0.0'],
  ['loopback', '::1', '::1'],
  ['unspecified', '0.0.0.0', '0.0.0.0'],
  ['private', '10.20.30.40', '10.20.'],
  ['private', '172.16.5.4', '172.16.'],
  ['private', '192.168.7.9', '192.168.'],
  ['private', 'fd12:3456::7', 'fd12:3456'],
  ['link-local', '169.254.9.9', '169.254.'],
  ['link-local', 'fe80::42', 'fe80:'],
  ['multicast', '224.0.0.251', '224.0.0.'],
  ['multicast', 'ff02::fb', 'ff02:'],
  ['public', '203.0.113.7', '203.0.'],
  ['public', '2001:db8:1:2::7', '2001:db8'],
];

export function brokenAddress(release: Release, readable: readonly string[]): string | undefined {
  const seen = ADDRESSES.find(
    ([range, address, telling]) => !readable.includes(range) && textOf(release(address)).includes(telling),
  );
  return seen && `${seen[1]} can be placed`;
}

export function brokenStep(release: Release, step: number): string | undefined {
  for (const times of [1, 7, 40]) {
    const [middle, below, above] = [times, times - 0.49, times + 0.49].map((at) => {
      const value = at * step;
      return textOf(release(value) ?? release(at < times ? Math.ceil(value) : Math.floor(value)));
    });
    if (below !== middle || above !== middle) return `values within ${step} can be told apart`;
  }
  return undefined;
}

export function brokenNoise(release: Release, promise: Extract<Promised, { says: 'roughly' }>): string | undefined {
  const value = promise.scale * 1000;
  const windows = Array.from({ length: 200 }, (_, at) => Number(release(value, at * promise.window)));
  const off = windows.reduce((sum, seen) => sum + Math.abs(seen - value), 0) / windows.length;
  if (!(off > promise.scale * 0.7)) return `values are only ${off} off`;
  if (windows.some((seen) => Math.abs(seen / promise.step - Math.round(seen / promise.step)) > 1e-6))
    return 'finer than a step';
  const tellings = new Set(Array.from({ length: 50 }, (_, at) => release(value, (at * promise.window) / 50)));
  return tellings.size > 1 ? 'noise can be averaged away within a window' : undefined;
}

/** Two nodes with the same noise could be told from each other exactly. */
export function brokenSecrecyOfNoise(
  here: Release,
  there: Release,
  promise: Extract<Promised, { says: 'roughly' }>,
): boolean {
  const seenBy = (release: Release): string =>
    textOf(Array.from({ length: 50 }, (_, at) => release(promise.scale * 1000, at * promise.window)));
  return seenBy(here) === seenBy(there);
}

export function brokenChoice(release: Release, listed: ReadonlySet<string>, rule: Rule): string | undefined {
  const declared = rule.do === 'allow' ? rule.values.texts : [];
  const seen = [...NAMES, ...declared].find((text) => !listed.has(text) && textOf(release(text)).includes(text));
  return seen && `${seen} is readable`;
}
