/**
 * Every transformation and its parameters, once: how a rule is read, what the schema for editors says, and what
 * it means in words all follow from the table at the end.
 */
import type { ValueType } from '#protocol/vocabulary.ts';
import type { RangeName } from './address.ts';
import { SCOPES, type Scope } from './keys.ts';
import type { PathTemplate } from './path.ts';

/** Texts and whole numbers that stay readable; ranges of numbers are pairs. */
export interface Values {
  readonly texts: ReadonlySet<string>;
  readonly ranges: readonly (readonly [number, number])[];
}

export const holds = (values: Values, value: string | number): boolean =>
  typeof value === 'string'
    ? values.texts.has(value)
    : values.ranges.some(([first, last]) => value >= first && value <= last);

interface Pseudonymous {
  readonly scope: Scope;
  readonly domain: string;
  /** Characters of five bits. */
  readonly length: number;
  /** The pseudonym does not change with the epoch. */
  readonly forever: boolean;
}

interface Templated extends Pseudonymous {
  readonly template: PathTemplate;
  readonly templateName: string;
  /** Domain of `{user}` segments and of users in command lines. */
  readonly users: string;
}

export type Transform =
  | { readonly do: 'keep' }
  | { readonly do: 'drop' }
  | { readonly do: 'allow'; readonly values: Values }
  | { readonly do: 'mask'; readonly patterns: readonly string[] }
  | ({ readonly do: 'pseudonym'; readonly keep: Values } & Pseudonymous)
  | ({ readonly do: 'prefix'; readonly keep: readonly RangeName[] } & Omit<Pseudonymous, 'length'>)
  | {
      readonly do: 'truncate-address';
      readonly ipv4: number;
      readonly ipv6: number;
      readonly keep: readonly RangeName[];
    }
  | ({ readonly do: 'path' } & Templated)
  | ({
      readonly do: 'argv';
      readonly values: 'pseudonym' | 'drop';
      readonly words: ReadonlySet<string>;
      /** Words that names of options and variables are made of. */
      readonly options: ReadonlySet<string>;
      readonly numbers: number;
      readonly keep: readonly RangeName[];
      readonly hosts: string;
      readonly addresses: string;
    } & Templated)
  | { readonly do: 'round'; readonly quantum: number }
  | {
      readonly do: 'noise';
      readonly quantum: number;
      readonly scale: number;
      readonly window: number;
      readonly scope: Scope;
    }
  | { readonly do: 'count' }
  | { readonly do: 'length' };

export type TransformName = Transform['do'];

/** What a rule says beside its transformation. */
export interface Argument {
  readonly why: string;
  /** Purposes, as the ruleset names them. */
  readonly for: readonly string[];
  /** Named reason for leaving something sensitive near to clear. */
  readonly reason: string | undefined;
}

export type Rule = Transform & Argument;

/** Reads the parameters of one rule; each question is also an answer to "which parameters are there?". */
export interface ParameterReader {
  readonly attribute: string;
  text(name: string, otherwise: string): string;
  choice<const T extends string>(name: string, of: readonly T[], otherwise?: T): T;
  integer(name: string, min: number, max: number, otherwise: number): number;
  number(name: string, min: number, max: number): number;
  /** Microseconds. */
  duration(name: string): number;
  flag(name: string): boolean;
  values(name: string, needed: boolean): Values;
  texts(name: string, needed: boolean): ReadonlySet<string>;
  /** Named ranges of addresses; none where the rule says nothing. */
  ranges(name: string): readonly RangeName[];
  patterns(name: string): readonly string[];
  template(name: string): { readonly name: string; readonly template: PathTemplate };
}

interface TransformDefinition<T extends Transform> {
  readonly brief: string;
  readonly types: readonly ValueType[];
  /** Lets some values through as they are, so that on a sensitive attribute a reason must be named. */
  readonly nearClear: (transform: T) => boolean;
  readonly read: (reader: ParameterReader) => T;
}

const ALL_TYPES: readonly ValueType[] = ['string', 'int', 'double', 'boolean', 'string[]'];
const always = (): boolean => true;
const never = (): boolean => false;
const keepsValues = (values: Values): boolean => values.texts.size > 0 || values.ranges.length > 0;

function readJoining(reader: ParameterReader): Omit<Pseudonymous, 'length'> {
  return {
    scope: reader.choice('scope', SCOPES),
    domain: reader.text('domain', reader.attribute),
    forever: reader.flag('forever'),
  };
}

function readPseudonymous(reader: ParameterReader, length: number): Pseudonymous {
  return { ...readJoining(reader), length: reader.integer('length', 8, 52, length) };
}

function readTemplated(reader: ParameterReader): Templated {
  const { name, template } = reader.template('template');
  return {
    ...readPseudonymous(reader, 10),
    template,
    templateName: name,
    users: reader.text('users', `${reader.attribute}/user`),
  };
}

export const TRANSFORMS: { readonly [D in TransformName]: TransformDefinition<Extract<Transform, { do: D }>> } = {
  keep: { brief: 'as it is', types: ALL_TYPES, nearClear: always, read: () => ({ do: 'keep' }) },
  drop: { brief: 'nothing', types: ALL_TYPES, nearClear: never, read: () => ({ do: 'drop' }) },
  allow: {
    brief: 'one of a list of values, else `other`',
    types: ['string', 'int', 'string[]'],
    nearClear: always,
    read: (reader) => ({ do: 'allow', values: reader.values('values', true) }),
  },
  mask: {
    brief: 'text in which what the patterns find is replaced by `…`',
    types: ['string', 'string[]'],
    nearClear: always,
    read: (reader) => ({ do: 'mask', patterns: reader.patterns('patterns') }),
  },
  pseudonym: {
    brief: 'a keyed pseudonym',
    types: ['string', 'int', 'string[]'],
    nearClear: (transform) => keepsValues(transform.keep),
    read: (reader) => ({ do: 'pseudonym', ...readPseudonymous(reader, 16), keep: reader.values('keep', false) }),
  },
  prefix: {
    brief: 'a pseudonymous address that keeps which addresses share a network',
    types: ['string', 'string[]'],
    nearClear: (transform) => transform.keep.length > 0,
    read: (reader) => ({ do: 'prefix', ...readJoining(reader), keep: reader.ranges('keep') }),
  },
  'truncate-address': {
    brief: 'the network an address lies in',
    types: ['string'],
    nearClear: always,
    read: (reader) => ({
      do: 'truncate-address',
      ipv4: reader.integer('ipv4', 0, 31, 24),
      ipv6: reader.integer('ipv6', 0, 127, 48),
      keep: reader.ranges('keep'),
    }),
  },
  path: {
    brief: 'a path of which the parts in the template stay readable',
    types: ['string', 'string[]'],
    nearClear: never,
    read: (reader) => ({ do: 'path', ...readTemplated(reader) }),
  },
  argv: {
    brief: 'names of options, and values by what they are',
    types: ['string[]'],
    nearClear: never,
    read: (reader) => ({
      do: 'argv',
      ...readTemplated(reader),
      values: reader.choice('values', ['pseudonym', 'drop'], 'pseudonym'),
      words: reader.texts('words', false),
      options: reader.texts('options', false),
      numbers: reader.integer('numbers', 0, 9, 4),
      keep: reader.ranges('keep'),
      hosts: reader.text('hosts', `${reader.attribute}/host`),
      addresses: reader.text('addresses', `${reader.attribute}/address`),
    }),
  },
  round: {
    brief: 'a number rounded',
    types: ['int', 'double'],
    nearClear: always,
    read: (reader) => ({ do: 'round', quantum: reader.number('quantum', 1e-6, 2 ** 50) }),
  },
  noise: {
    brief: 'a number with noise that stays the same within a window, rounded',
    types: ['int', 'double'],
    nearClear: never,
    read: (reader) => ({
      do: 'noise',
      quantum: reader.number('quantum', 1e-6, 2 ** 50),
      scale: reader.number('scale', 1e-6, 2 ** 50),
      window: reader.duration('window'),
      scope: reader.choice('scope', SCOPES, 'node'),
    }),
  },
  count: { brief: 'how many there are', types: ['string[]'], nearClear: never, read: () => ({ do: 'count' }) },
  length: { brief: 'how long it is', types: ['string'], nearClear: never, read: () => ({ do: 'length' }) },
};

export const TRANSFORM_NAMES: readonly string[] = Object.keys(TRANSFORMS);
export const isTransformName = (name: string): name is TransformName => Object.hasOwn(TRANSFORMS, name);
