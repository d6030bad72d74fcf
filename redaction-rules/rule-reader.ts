/**
 * Reads one rule of a ruleset from its place in the file; every problem is reported with the place and the remedy.
 */
import { RE2JS } from 're2js';
import { ATTRIBUTES, type AttributeName } from '#protocol/vocabulary.ts';
import { isRangeName, RANGES, type RangeName } from './address.ts';
import { readList, readMap, readText, scalarOf, suggest, type Entry, type Located, type Problems } from './document.ts';
import type { PathTemplate } from './path.ts';
import { isTransformName, TRANSFORM_NAMES, TRANSFORMS, type ParameterReader, type Rule, type Values } from './rule.ts';

/** What a rule may refer to by name, and which of it was. */
export interface Names {
  readonly lists: ReadonlyMap<string, readonly Located[]>;
  readonly templates: ReadonlyMap<string, PathTemplate>;
  readonly reasons: ReadonlyMap<string, string>;
  readonly purposes: ReadonlyMap<string, string>;
  readonly used: Set<string>;
}

const UNITS: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1e3,
  s: 1e6,
  m: 6e7,
  h: 3.6e9,
  d: 8.64e10,
};

/** Microseconds of `250ms`, `1s`, `30d`. */
export function parseDuration(text: unknown): number | undefined {
  const parts = typeof text === 'string' ? /^([1-9][0-9]{0,8})(us|ms|s|m|h|d)$/.exec(text) : null;
  return parts === null ? undefined : Number(parts[1]) * (UNITS[parts[2] ?? ''] ?? 1);
}

const NO_VALUES: Values = { texts: new Set(), ranges: [] };
const EMPTY_TEMPLATE: PathTemplate = { readable: [], names: new Set(), extensions: new Set() };

class YamlReader implements ParameterReader {
  readonly attribute: AttributeName;
  readonly #at: Located;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #names: Names;
  readonly #problems: Problems;
  readonly asked: string[] = [];

  constructor(
    attribute: AttributeName,
    at: Located,
    entries: ReadonlyMap<string, Entry>,
    names: Names,
    problems: Problems,
  ) {
    this.attribute = attribute;
    this.#at = at;
    this.#entries = entries;
    this.#names = names;
    this.#problems = problems;
  }

  #ask(name: string, needed: boolean, remedy: string): Located | undefined {
    this.asked.push(name);
    const at = this.#entries.get(name)?.value;
    if (at === undefined && needed) this.#problems.report(this.#at, `\`${name}\` is missing`, remedy);
    return at;
  }

  #report(at: Located, wrong: string, remedy: string): void {
    this.#problems.report(at, wrong, remedy);
  }

  text(name: string, otherwise: string): string {
    const at = this.#ask(name, false, '');
    if (at === undefined) return otherwise;
    return readText(at, this.#problems, 'write one name') ?? otherwise;
  }

  choice<const T extends string>(name: string, of: readonly T[], otherwise?: T): T {
    const at = this.#ask(name, otherwise === undefined, `add \`${name}:\`, one of ${of.join(', ')}`);
    const value = at === undefined ? otherwise : scalarOf(at);
    const chosen = of.find((candidate) => candidate === value);
    if (chosen === undefined && at !== undefined) this.#report(at, 'unknown value', suggest(String(value), of));
    const first = chosen ?? of[0];
    if (first === undefined) throw new Error(`${name} has no choices`);
    return first;
  }

  integer(name: string, min: number, max: number, otherwise: number): number {
    const at = this.#ask(name, false, '');
    if (at === undefined) return otherwise;
    const value = scalarOf(at);
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    this.#report(at, 'not a whole number in range', `write a number from ${min} to ${max}`);
    return otherwise;
  }

  number(name: string, min: number, max: number): number {
    const at = this.#ask(name, true, `add \`${name}:\`, a number`);
    if (at === undefined) return 1;
    const value = scalarOf(at);
    if (typeof value === 'number' && value >= min && value <= max) return value;
    this.#report(at, 'not a number in range', `write a number from ${min} to ${max}`);
    return 1;
  }

  duration(name: string): number {
    const at = this.#ask(name, true, `add \`${name}:\`, such as 1h`);
    if (at === undefined) return 1;
    const value = parseDuration(scalarOf(at));
    if (value === undefined)
      this.#report(at, 'not a duration', 'write a number and us, ms, s, m, h or d, such as 250ms');
    return value ?? 1;
  }

  flag(name: string): boolean {
    const at = this.#ask(name, false, '');
    if (at === undefined) return false;
    const value = scalarOf(at);
    if (typeof value !== 'boolean') this.#report(at, 'neither true nor false', 'write true or false');
    return value === true;
  }

  /** A list written out, or the name of one of the ruleset's lists. */
  #items(at: Located): readonly Located[] {
    const name = scalarOf(at);
    if (typeof name !== 'string')
      return readList(at, this.#problems, 'write a list, or the name of one of `lists`') ?? [];
    const list = this.#names.lists.get(name);
    if (list === undefined) this.#report(at, `no list \`${name}\``, suggest(name, [...this.#names.lists.keys()]));
    this.#names.used.add(`lists/${name}`);
    return list ?? [];
  }

  values(name: string, needed: boolean): Values {
    const at = this.#ask(name, needed, `add \`${name}:\`, a list of what may stay readable`);
    if (at === undefined) return NO_VALUES;
    const isNumeric = ATTRIBUTES[this.attribute].type === 'int';
    const texts = new Set<string>();
    const ranges: (readonly [number, number])[] = [];
    for (const item of this.#items(at)) {
      const value = scalarOf(item);
      if (isNumeric) {
        const range = /^([0-9]{1,15})(?:-([0-9]{1,15}))?$/.exec(String(value));
        if (range === null) this.#report(item, 'not a whole number', 'write a number, or a range such as 1-999');
        else ranges.push([Number(range[1]), Number(range[2] ?? range[1])]);
      } else if (typeof value === 'string') texts.add(value);
      else this.#report(item, 'not text', 'put it in quotes');
    }
    return { texts, ranges };
  }

  texts(name: string, needed: boolean): ReadonlySet<string> {
    const at = this.#ask(name, needed, `add \`${name}:\`, a list of words`);
    const texts = new Set<string>();
    for (const item of at === undefined ? [] : this.#items(at)) {
      const value = scalarOf(item);
      if (typeof value === 'string') texts.add(value);
      else this.#report(item, 'not text', 'put it in quotes');
    }
    return texts;
  }

  ranges(name: string): readonly RangeName[] {
    const at = this.#ask(name, false, '');
    const ranges: RangeName[] = [];
    for (const item of at === undefined ? [] : this.#items(at)) {
      const value = String(scalarOf(item));
      if (isRangeName(value)) ranges.push(value);
      else this.#report(item, `no range \`${value.slice(0, 80)}\``, suggest(value, Object.keys(RANGES)));
    }
    return ranges;
  }

  patterns(name: string): readonly string[] {
    const at = this.#ask(name, true, `add \`${name}:\`, a list of regular expressions (RE2)`);
    const items = at === undefined ? [] : (readList(at, this.#problems, 'write a list of patterns') ?? []);
    return items.flatMap((item) => {
      const pattern = readText(item, this.#problems, 'write a regular expression');
      if (pattern === undefined) return [];
      try {
        const compiled = RE2JS.compile(pattern);
        if (compiled.matcher('').find())
          this.#report(item, 'a pattern that matches the empty text', 'make it match at least one character');
      } catch {
        this.#report(
          item,
          'not a regular expression of RE2',
          'correct it; look-around and back-references do not exist there',
        );
        return [];
      }
      return [pattern];
    });
  }

  template(name: string): { readonly name: string; readonly template: PathTemplate } {
    const known = [...this.#names.templates.keys()];
    const at = this.#ask(name, true, `add \`${name}:\`, the name of one of \`paths\``);
    const asked = at === undefined ? '' : (readText(at, this.#problems, 'write the name of one of `paths`') ?? '');
    const template = this.#names.templates.get(asked);
    if (template === undefined && at !== undefined && asked !== '') {
      this.#report(at, `no path template \`${asked}\``, suggest(asked, known));
    }
    this.#names.used.add(`paths/${asked}`);
    return { name: asked, template: template ?? EMPTY_TEMPLATE };
  }
}

const COMMON = ['do', 'why', 'for', 'reason'];

export function readRule(attribute: AttributeName, at: Located, names: Names, problems: Problems): Rule | undefined {
  const entries = readMap(at, problems, 'write `{ do: …, why: … }`');
  if (entries === undefined) return undefined;
  const why = readWhy(at, entries, problems);
  const purposes = readPurposes(entries, names, problems);
  const name = readDo(at, entries, problems);
  if (name === undefined) return undefined;
  const { type, sensitivity } = ATTRIBUTES[attribute];
  const definition = TRANSFORMS[name];
  if (!definition.types.includes(type)) {
    const fitting = Object.entries(TRANSFORMS).filter(([, other]) => other.types.includes(type));
    problems.report(at, `\`${name}\` is not for ${type}`, `one of ${fitting.map(([other]) => other).join(', ')}`);
    return undefined;
  }
  const reader = new YamlReader(attribute, at, entries, names, problems);
  const transform = definition.read(reader);
  reportUnknown(entries, [...COMMON, ...reader.asked], problems);
  // oxlint-disable-next-line no-unsafe-type-assertion -- the definition read the transform that it is now asked about
  const nearClear = (definition.nearClear as (transform: unknown) => boolean)(transform);
  const reason = readReason(at, entries, nearClear && sensitivity !== 'system', sensitivity, names, problems);
  return { ...transform, why, for: purposes, reason };
}

export function reportUnknown(entries: ReadonlyMap<string, Entry>, known: readonly string[], problems: Problems): void {
  for (const [name, entry] of entries) {
    if (!known.includes(name)) problems.report(entry.key, 'no such key', suggest(name, known));
  }
}

export function readWhy(at: Located, entries: ReadonlyMap<string, Entry>, problems: Problems): string {
  const entry = entries.get('why');
  if (entry === undefined)
    problems.report(at, '`why` is missing', 'add `why:`, one sentence that a reviewer can weigh');
  return entry === undefined
    ? ''
    : (readText(entry.value, problems, 'write one sentence that a reviewer can weigh') ?? '');
}

export function readPurposes(entries: ReadonlyMap<string, Entry>, names: Names, problems: Problems): readonly string[] {
  const entry = entries.get('for');
  if (entry === undefined) return [];
  const items = readList(entry.value, problems, 'write a list of `purposes`') ?? [];
  return items.flatMap((item) => {
    const purpose = readText(item, problems, 'write the name of one of `purposes`');
    if (purpose === undefined) return [];
    if (!names.purposes.has(purpose)) {
      problems.report(item, `no purpose \`${purpose}\``, suggest(purpose, [...names.purposes.keys()]));
    }
    names.used.add(`purposes/${purpose}`);
    return [purpose];
  });
}

function readDo(
  at: Located,
  entries: ReadonlyMap<string, Entry>,
  problems: Problems,
): keyof typeof TRANSFORMS | undefined {
  const entry = entries.get('do');
  const name = entry === undefined ? undefined : scalarOf(entry.value);
  if (entry === undefined) {
    problems.report(at, '`do` is missing', `add \`do:\`, one of ${TRANSFORM_NAMES.join(', ')}`);
  } else if (name === 'seal') {
    problems.report(entry.value, '`seal` is not supported yet', 'use `drop`; sealed attributes come with break-glass');
  } else if (name === 'time') {
    problems.report(
      entry.value,
      '`time` is for the time of the event',
      'use `round` here, and `time:` at the top of the file',
    );
  } else if (typeof name === 'string' && isTransformName(name)) return name;
  else problems.report(entry.value, 'no such transformation', suggest(String(name), TRANSFORM_NAMES));
  return undefined;
}

function readReason(
  at: Located,
  entries: ReadonlyMap<string, Entry>,
  needed: boolean,
  sensitivity: string,
  names: Names,
  problems: Problems,
): string | undefined {
  const entry = entries.get('reason');
  if (entry === undefined) {
    if (needed) {
      problems.report(at, `leaves ${sensitivity} readable without a \`reason\``, 'name one of `reasons`, or hide more');
    }
    return undefined;
  }
  if (!needed) {
    problems.report(entry.key, 'a reason that is not needed', 'remove it; `why` is enough here');
    return undefined;
  }
  const reason = readText(entry.value, problems, 'write the name of one of `reasons`');
  if (reason === undefined) return undefined;
  if (!names.reasons.has(reason)) {
    problems.report(entry.value, `no reason \`${reason}\``, suggest(reason, [...names.reasons.keys()]));
  }
  names.used.add(`reasons/${reason}`);
  return reason;
}
