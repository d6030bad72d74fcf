/**
 * Configuration files of the node's processes: one table of keys gives type, default, check and documentation.
 *
 * Strict YAML (no aliases, no key twice, no unknown key); every problem is told with file, line, key and what to do.
 * Relative paths are relative to the file.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';

const MAX_BYTES = 65_536;

/** A configuration that cannot be used; the message names file, line, key and remedy, one problem a line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export interface Key<T> {
  readonly brief: string;
  readonly parse: (value: unknown, directory: string) => T;
  /** What the file may leave out; absent where the file must say. */
  readonly fallback?: T;
}

export type Keys = Readonly<Record<string, Key<unknown>>>;
export type Parsed<K extends Keys> = { readonly [Name in keyof K]: ReturnType<K[Name]['parse']> };

export const key = <T>(brief: string, parse: Key<T>['parse'], fallback?: T): Key<T> => ({
  brief,
  parse,
  ...(fallback === undefined ? {} : { fallback }),
});

const fail = (problem: string): never => {
  throw new ConfigError(problem);
};

export const text: Key<string>['parse'] = (value) =>
  typeof value === 'string' && value !== '' ? value : fail('must be a text');
export const path: Key<string>['parse'] = (value, directory) => resolve(directory, text(value, directory));
export const name: Key<string>['parse'] = (value, directory) =>
  /^[a-z0-9][a-z0-9.-]{0,62}$/.test(text(value, directory))
    ? text(value, directory)
    : fail('must be lower-case letters, digits, dots and dashes, at most 63');
export const count =
  (least: number, most: number): Key<number>['parse'] =>
  (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
      ? value
      : fail(`must be a whole number from ${least} to ${most}`);
export const oneOf =
  <const T extends readonly string[]>(allowed: T): Key<T[number]>['parse'] =>
  (value) =>
    allowed.find((one) => one === value) ?? fail(`must be one of ${allowed.join(', ')}`);

/** Reads and checks a file. Refuses one that others than owner and group may write. */
export function readConfig<K extends Keys>(file: string, keys: K): Parsed<K> {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) throw new ConfigError(`${file}: no such file; name one with --config`);
  if ((stat.mode & 0o002) !== 0) throw new ConfigError(`${file}: anyone may write it; chmod o-w ${file}`);
  if (stat.size > MAX_BYTES)
    throw new ConfigError(`${file}: larger than ${MAX_BYTES} bytes; this is not a configuration`);
  return parseConfig(readFileSync(file, 'utf8'), file, keys);
}

export function parseConfig<K extends Keys>(source: string, file: string, keys: K): Parsed<K> {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, schema: 'core', uniqueKeys: true, customTags: [] });
  const problems = [...document.errors, ...document.warnings].map(
    (error) => `${file}:${lines.linePos(error.pos[0]).line} ${error.message.split('\n')[0] ?? 'not YAML'}`,
  );
  const root = document.contents;
  if (root !== null && !isMap(root)) problems.push(`${file}:1 must be a map of keys and values`);
  const found = new Map<string, unknown>();
  const lineOf = new Map<string, number>();
  for (const { key: node, value } of isMap(root) ? root.items : []) {
    const line = lines.linePos(isScalar(node) ? (node.range?.[0] ?? 0) : 0).line;
    const named = isScalar(node) ? String(node.value) : '?';
    if (!Object.hasOwn(keys, named))
      problems.push(`${file}:${line} ${named}: no such key${didYouMean(named, Object.keys(keys))}`);
    else if (isScalar(value)) found.set(named, value.value);
    else problems.push(`${file}:${line} ${named}: must be a single value`);
    lineOf.set(named, line);
  }
  const parsed: Record<string, unknown> = {};
  for (const [named, definition] of Object.entries(keys)) {
    if (!found.has(named)) {
      if (definition.fallback === undefined) problems.push(`${file}:1 ${named}: missing. ${definition.brief}`);
      else parsed[named] = definition.fallback;
      continue;
    }
    try {
      parsed[named] = definition.parse(found.get(named), dirname(file));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(`${file}:${lineOf.get(named) ?? 1} ${named}: ${error.message}. ${definition.brief}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems.join('\n'));
  // oxlint-disable-next-line no-unsafe-type-assertion -- the one place a configuration gets its type: each key went through its parser
  return parsed as Parsed<K>;
}

function didYouMean(wrong: string, known: readonly string[]): string {
  const letters = (word: string): string =>
    word
      .toLowerCase()
      .replaceAll(/[^a-z]/g, '')
      .split('')
      .toSorted()
      .join('');
  const near = known.find((one) => letters(one) === letters(wrong) || one.startsWith(wrong) || wrong.startsWith(one));
  return near === undefined ? `; known are ${known.join(', ')}` : `; did you mean ${near}?`;
}

/** The keys as a table, for `--help` and the documentation. */
export function describeKeys(keys: Keys): string {
  return Object.entries(keys)
    .map(
      ([named, { brief, fallback }]) =>
        `  ${named.padEnd(18)} ${brief}${fallback === undefined ? ' Required.' : ` Default: ${JSON.stringify(fallback)}.`}`,
    )
    .join('\n');
}
