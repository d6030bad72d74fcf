/**
 * What each transformation does to a value. Pure: a value, the time of its event and a key go in, nothing else.
 *
 * A result of undefined means that nothing is released. Texts are cut at a length and lists at a number of items,
 * so that no value can grow a line without bound.
 */
import { RE2JS } from 're2js';
import type { AttributeName, Value, ValueType } from '#protocol/vocabulary.ts';
import { cryptoPan, formatAddress, inRanges, parseAddress, truncateAddress, type RangeName } from './address.ts';
import { argvRedactor, withScripts, type ArgvWriter } from './argv.ts';
import {
  deriveKey,
  FOREVER,
  frozenNoise,
  numberPseudonymiser,
  pseudonymiser,
  type PseudonymKeys,
  type Scope,
  type When,
} from './keys.ts';
import { compilePath, type PathWriter } from './path.ts';
import { holds, type Rule } from './rule.ts';
import { GONE, isPlainName } from './shapes.ts';
import { oneOf, remembering } from './texts.ts';

export const MAX_TEXT = 1024;
export const MAX_ITEMS = 64;

/** What a rule does to values of one type; undefined: nothing is released. */
export type Apply<In extends Value = Value> = (value: In, time: number) => Value | undefined;

/** The keys of one epoch. */
export interface Keyed {
  readonly keys: PseudonymKeys;
  readonly when: When;
  /** Pseudonyms that were made before; rules of one domain share them. */
  readonly names: Map<string, (text: string) => string>;
}

/** Names that are remembered of each domain. */
const NAMES = 4096;

const cut = (text: string): string => (text.length > MAX_TEXT ? text.slice(0, MAX_TEXT) + GONE : text).toWellFormed();

type TextRule = (text: string) => string | undefined;

/** A transformation of texts, for one text or for each of a list. */
function textual(rule: TextRule): Apply {
  return (value) => {
    if (typeof value === 'string') return rule(value);
    if (!Array.isArray(value)) return undefined;
    const items: readonly string[] = value;
    return items.slice(0, MAX_ITEMS).flatMap((item) => rule(item) ?? []);
  };
}

function listedOr(texts: ReadonlySet<string>, otherwise: string): TextRule {
  const isListed = oneOf(texts);
  return (text) => (isListed(text) ? text : otherwise);
}

const numeric =
  (rule: (value: number, time: number) => number | undefined): Apply =>
  (value, time) =>
    typeof value === 'number' ? rule(value, time) : undefined;

/** Decimals of a quantum, so that 3 × 0.05 is written 0.15. */
export function roundTo(value: number, quantum: number): number {
  const decimals = (/\.([0-9]+)$/.exec(quantum.toFixed(9).replace(/0+$/, ''))?.[1] ?? '').length;
  const rounded = Number((Math.round(value / quantum) * quantum).toFixed(decimals));
  return rounded === 0 ? 0 : rounded;
}

/** Nothing, where numbers are so large that rounding does not hold. */
function finite(value: number, quantum: number, type: ValueType): number | undefined {
  const isExact = type === 'int' ? Number.isSafeInteger(value) : Number.isFinite(value);
  return isExact && roundTo(value, quantum) === value ? value : undefined;
}

interface Pseudonymous {
  readonly scope: Scope;
  readonly forever: boolean;
}

const whenOf = ({ forever }: Pseudonymous, { when }: Keyed): When => (forever ? FOREVER : when);

/** The pseudonyms of a domain. */
function named(of: Pseudonymous & { readonly length: number }, domain: string, keyed: Keyed): (text: string) => string {
  const when = whenOf(of, keyed);
  const alike = JSON.stringify([of.scope, domain, of.length, of.forever]);
  const known = keyed.names.get(alike);
  if (known !== undefined) return known;
  const hide = pseudonymiser(deriveKey(keyed.keys, of.scope, 'pseudonym', domain, when), of.length);
  const fresh = remembering(NAMES, hide);
  keyed.names.set(alike, fresh);
  return fresh;
}

/** The addresses of a domain. */
function mapped(
  of: Pseudonymous & { readonly keep: readonly RangeName[] },
  domain: string,
  keyed: Keyed,
): (text: string) => string | undefined {
  const when = whenOf(of, keyed);
  return compilePrefix(
    deriveKey(keyed.keys, of.scope, 'prefix4', domain, when),
    deriveKey(keyed.keys, of.scope, 'prefix6', domain, when),
    of.keep,
  );
}

export function compileTransform(
  rule: Exclude<Rule, ArgvRule>,
  attribute: AttributeName,
  type: ValueType,
  keyed: Keyed,
): Apply | undefined {
  switch (rule.do) {
    case 'drop':
      return undefined;
    case 'keep':
      return type === 'string' || type === 'string[]' ? textual(cut) : (value) => value;
    case 'allow':
      return type === 'int'
        ? numeric((value) => (holds(rule.values, value) ? value : undefined))
        : textual(listedOr(rule.values.texts, 'other'));
    case 'mask':
      return textual(compileMask(rule.patterns));
    case 'pseudonym': {
      if (type === 'int') {
        const hide = numberPseudonymiser(
          deriveKey(keyed.keys, rule.scope, 'pseudonym', rule.domain, whenOf(rule, keyed)),
        );
        return numeric((value) => (holds(rule.keep, value) ? value : hide(value)));
      }
      const hide = named(rule, rule.domain, keyed);
      const isKept = oneOf(rule.keep.texts);
      return textual((text) => (text === '' || isKept(text) ? text : hide(text)));
    }
    case 'prefix':
      return textual(mapped(rule, rule.domain, keyed));
    case 'truncate-address':
      return textual(compileTruncate(rule.ipv4, rule.ipv6, rule.keep));
    case 'path': {
      const template = compilePath(rule.template);
      const user = named(rule, rule.users, keyed);
      const writer: PathWriter = { plain: isPlainName, pseudonym: named(rule, rule.domain, keyed), user };
      return textual((text) => template(text, writer));
    }
    case 'round':
      return numeric((value) => finite(roundTo(value, rule.quantum), rule.quantum, type));
    case 'noise': {
      const key = deriveKey(keyed.keys, rule.scope, 'noise', attribute, FOREVER);
      return numeric((value, time) =>
        finite(
          Math.max(0, roundTo(value + frozenNoise(key, rule.scale, Math.floor(time / rule.window)), rule.quantum)),
          rule.quantum,
          type,
        ),
      );
    }
    case 'count':
      return (value) => (Array.isArray(value) ? value.length : undefined);
    case 'length':
      return (value) => (typeof value === 'string' ? value.length : undefined);
  }
}

export type ArgvRule = Extract<Rule, { do: 'argv' }>;

/** What an `argv` rule does to command lines, as JSON. */
export function compileArguments(rule: ArgvRule, keyed: Keyed): (args: readonly string[]) => string {
  const writer = argvWriter(rule, {
    hide: rule.values === 'drop' ? () => GONE : named(rule, `${rule.domain}/value`, keyed),
    isHidden: nothing,
    path: named(rule, rule.domain, keyed),
    user: named(rule, rule.users, keyed),
    host: named(rule, rule.hosts, keyed),
    isHost: nothing,
    address: mapped(rule, rule.addresses, keyed),
  });
  return argvRedactor(writer, argvCheck(rule));
}

const nothing = (): boolean => false;

export interface ArgvNames {
  readonly hide: (text: string) => string;
  readonly isHidden: (text: string) => boolean;
  readonly path: (text: string) => string;
  readonly user: (text: string) => string;
  readonly host: (text: string) => string;
  readonly isHost: (text: string) => boolean;
  readonly address: (text: string) => string | undefined;
}

/** What stays readable in a command line is on the list of words: its paths are what a caller wrote, not what the kernel resolved. */
export function argvWriter(rule: ArgvRule, names: ArgvNames): ArgvWriter {
  const template = compilePath(rule.template);
  const word = oneOf(rule.words);
  const paths: PathWriter = { plain: word, pseudonym: names.path, user: names.user };
  return withScripts({
    ...paths,
    word,
    option: oneOf(rule.options),
    value: names.hide,
    isValue: names.isHidden,
    host: names.host,
    isHostName: names.isHost,
    address: names.address,
    path: (text) => template(text, paths),
    digits: rule.numbers,
  });
}

/** Stands for whatever is not a pseudonym where one is due; no released text contains it. */
const NOT_RELEASED = '\0';

/** Lets through what passes the test. */
export const letThrough =
  (isReleased: (text: string) => boolean) =>
  (text: string): string =>
    isReleased(text) ? text : NOT_RELEASED;

export function pseudonymTest(length: number): (text: string) => boolean {
  const pattern = new RegExp(`^p-[a-z2-7]{${length}}$`);
  return (text) => pattern.test(text);
}

/** Writes command lines that were redacted as they are, and no others. */
export function argvCheck(rule: ArgvRule): ArgvWriter {
  const isPseudonym = pseudonymTest(rule.length);
  const isAddress = addressTest(rule.keep);
  const isHidden = (text: string): boolean => (rule.values === 'pseudonym' && isPseudonym(text)) || text === GONE;
  const hidden = letThrough(isPseudonym);
  return argvWriter(rule, {
    hide: letThrough(isHidden),
    isHidden,
    path: hidden,
    user: hidden,
    host: hidden,
    isHost: isPseudonym,
    address: (text) => (isAddress(text) ? text : undefined),
  });
}

/** An address in its one spelling: mapped, or in a range that is kept. */
export function addressTest(keep: readonly RangeName[]): (text: string) => boolean {
  const kept = inRanges(keep);
  return (text) => {
    const isMapped = text.startsWith(MAPPED);
    const plain = isMapped ? text.slice(MAPPED.length) : text;
    const address = parseAddress(plain);
    return address !== undefined && formatAddress(address) === plain && (isMapped || kept(address));
  };
}

function compileMask(patterns: readonly string[]): TextRule {
  const compiled = patterns.map((pattern) => RE2JS.compile(pattern));
  return (text) => compiled.reduce((masked, pattern) => pattern.matcher(masked).replaceAll(GONE), cut(text));
}

/** Marks a mapped address, so that nobody takes it for a real one. */
export const MAPPED = 'p-';

function compilePrefix(key4: Uint8Array, key6: Uint8Array, keep: readonly RangeName[]): TextRule {
  const map4 = cryptoPan(key4);
  const map6 = cryptoPan(key6);
  const kept = inRanges(keep);
  return (text) => {
    const address = parseAddress(text);
    if (address === undefined) return undefined;
    if (kept(address)) return formatAddress(address);
    return MAPPED + formatAddress(address.length === 4 ? map4(address) : map6(address));
  };
}

function compileTruncate(bits4: number, bits6: number, keep: readonly RangeName[]): TextRule {
  const kept = inRanges(keep);
  return (text) => {
    const address = parseAddress(text);
    if (address === undefined) return undefined;
    return kept(address) ? formatAddress(address) : truncateAddress(address, bits4, bits6);
  };
}
