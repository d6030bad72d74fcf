/**
 * The schema of a configuration: a table of keys, each once, which gives type, default, check and documentation
 * (`pages.ts`). One file, one table, one process.
 */
import { resolve } from 'node:path';
import type { Node } from 'yaml';
import type { Kind } from './kinds.ts';
import { readTrusted } from './trusted.ts';
import { below, ConfigError, readMap, readYaml, type Place } from './yaml.ts';

const MAX_BYTES = 65_536;

export interface Key<T> {
  readonly brief: string;
  readonly kind: Kind<T>;
  /** What the file may leave out; absent where the file must say. */
  readonly fallback?: { readonly value: T | undefined };
  /** In words, where the default is made elsewhere. */
  readonly usually?: string;
  /** Takes effect on SIGHUP; of the others a change waits for the next start. */
  readonly isLive?: true;
}

/** Keys of every type; `Parsed` gives each its own. */
export type Keys = Readonly<Record<string, Key<unknown>>>;
export type Parsed<K extends Keys> = {
  readonly [Name in keyof K]: K[Name] extends Key<infer T> ? T : never;
};

export const required = <T>(brief: string, kind: Kind<T>): Key<T> => ({ brief, kind });
export const key = <T>(brief: string, kind: Kind<T>, value: T): Key<T> => ({ brief, kind, fallback: { value } });
/** May be left out, and then there is none. */
export const optional = <T>(brief: string, kind: Kind<T>): Key<T | undefined> => ({
  ...{ brief, fallback: { value: undefined } },
  kind,
});
export const live = <T>(one: Key<T>): Key<T> => ({ ...one, isLive: true });

/** A map with keys of its own; `problemOf` says what is wrong with values that do not go together. */
export interface RecordKind<T> extends Kind<T> {
  readonly keys: Keys;
}

export function record<K extends Keys>(
  keys: K,
  problemOf: (value: Parsed<K>) => string | undefined = () => undefined,
): RecordKind<Parsed<K>> {
  const read: Kind<Parsed<K>>['read'] = (node, where, place) => {
    const value = readKeys(node, where, keys, place);
    const problem = value === undefined ? undefined : problemOf(value);
    return problem === undefined ? value : place.tell(where, problem, node);
  };
  return { says: `a map of ${Object.keys(keys).join(', ')}`, read, write: (value) => JSON.stringify(value), keys };
}

export const isRecord = <T>(kind: Kind<T>): kind is RecordKind<T> => 'keys' in kind;
/** Its own keys say what they are for. */
const holdsRecords = (kind: Kind<unknown>): boolean => isRecord(kind.item ?? kind);

/** `undefined` when anything is wrong, which the place was told. */
function readKeys<K extends Keys>(node: Node | null, where: string, keys: K, place: Place): Parsed<K> | undefined {
  const { parsed, isWhole } = readEach(node, where, keys, place);
  // oxlint-disable-next-line no-unsafe-type-assertion -- the one place a configuration gets its type: each key went through its kind
  return isWhole ? (parsed as Parsed<K>) : undefined;
}

interface Read<K extends Keys> {
  readonly parsed: Partial<Parsed<K>>;
  readonly isWhole: boolean;
}

/** What is right, whatever else is wrong. */
function readEach<K extends Keys>(node: Node | null, where: string, keys: K, place: Place): Read<K> {
  const found = node === null ? new Map<string, Node>() : readMap(node, where, Object.keys(keys), place);
  const parsed: Record<string, unknown> = {};
  let isWhole = true;
  for (const [name, { brief, kind, fallback }] of Object.entries(keys)) {
    const at = found.get(name);
    const tell: Place['tell'] = (key, problem, there) =>
      place.tell(key, `${problem}${problem.endsWith('?') ? '' : '.'} ${brief}`, there);
    if (at === undefined && fallback === undefined) tell(below(where, name), 'missing', node);
    const value: unknown =
      at === undefined
        ? fallback?.value
        : kind.read(at, below(where, name), holdsRecords(kind) ? place : { ...place, tell });
    if (value !== undefined) parsed[name] = value;
    else if (at !== undefined || fallback === undefined) isWhole = false;
  }
  // oxlint-disable-next-line no-unsafe-type-assertion -- each key went through its kind
  return { parsed: parsed as Partial<Parsed<K>>, isWhole };
}

/** As far as it is right, and what is wrong: for who asks how a process fares that began with something better. */
export function readLeniently<K extends Keys>(
  file: string,
  keys: K,
): { readonly config: Partial<Parsed<K>>; readonly problem: string | undefined } {
  const path = resolve(file);
  const yaml = readYaml(readTrusted(path, MAX_BYTES), path);
  const { parsed } = readEach(yaml.root, '', keys, yaml);
  return { config: parsed, problem: yaml.problems.length > 0 ? yaml.problems.join('\n') : undefined };
}

/** Reads and checks a file. Refuses one that somebody else may change. */
export function readConfig<K extends Keys>(file: string, keys: K): Parsed<K> {
  const path = resolve(file);
  return parseConfig(readTrusted(path, MAX_BYTES), path, keys);
}

export function parseConfig<K extends Keys>(source: string, file: string, keys: K): Parsed<K> {
  const yaml = readYaml(source, file);
  const parsed = readKeys(yaml.root, '', keys, yaml);
  if (parsed === undefined || yaml.problems.length > 0) throw new ConfigError(yaml.problems.join('\n'));
  return parsed;
}

/** Keys whose values differ, but which take effect at the next start only. */
export function waitingForStart<K extends Keys>(before: Parsed<K>, after: Parsed<K>, keys: K): readonly string[] {
  return Object.keys(keys).filter(
    (name) => keys[name]?.isLive !== true && JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
}
