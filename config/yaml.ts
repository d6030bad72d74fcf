/**
 * Strict YAML for files that operators write: no aliases, no tags, no key twice, no key that nobody asked for. Every
 * problem is told with file, line, column, key and what to do, all of them at once.
 */
import { dirname } from 'node:path';
import {
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  Scalar as ScalarNode,
  type Node,
  type ParsedNode,
  type YAMLMap,
} from 'yaml';
import { didYouMean } from './suggest.ts';

const MAX_FILE_CHARACTERS = 4 * 1024 * 1024;
const MAX_TOLD = 80;

/** A file that cannot be used; the message names file, place and remedy, one problem a line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** A place in a file, from which problems are told. */
export interface Place {
  /** Of the file: paths in it are relative to this. */
  readonly directory: string;
  readonly tell: (key: string, problem: string, node?: Node | null) => undefined;
}

export interface YamlFile extends Place {
  readonly root: ParsedNode | null;
  readonly problems: readonly string[];
}

export function readYaml(text: string, file: string): YamlFile {
  if (text.length > MAX_FILE_CHARACTERS) throw new ConfigError(`${file}: larger than 4 MiB; this is not our file`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, schema: 'core', uniqueKeys: true, customTags: [] });
  const problems: string[] = [];
  const at = (offset: number | undefined): string => {
    const { line, col } = lines.linePos(offset ?? 0);
    return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  for (const error of [...document.errors, ...document.warnings]) {
    const words = (error.message.split('\n')[0] ?? 'not YAML').replace(/ at line \d+, column \d+:$/, '');
    problems.push(inOneLine(`${at(error.pos[0])} ${words}`));
  }
  const tell: Place['tell'] = (key, problem, node) => {
    problems.push(inOneLine(`${at(node?.range?.[0])} ${key === '' ? '' : `${key.slice(0, MAX_TOLD)}: `}${problem}`));
    return undefined;
  };
  return { root: document.contents, problems, tell, directory: dirname(file) };
}

/** Keys are quoted from the file: they must not look like other lines of a log. */
const inOneLine = (text: string): string => text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, '?');

/** The values of a map by key, each with its node; keys not in `allowed` are told as problems. */
export function readMap(
  node: Node | null | undefined,
  where: string,
  allowed: readonly string[],
  place: Place,
): ReadonlyMap<string, Node> {
  const values = new Map<string, Node>();
  if (!isMap(node)) {
    place.tell(where, `must be a map with the keys ${allowed.join(', ')}`, node ?? null);
    return values;
  }
  for (const { key, value } of pairsOf(node)) {
    const name = isScalar(key) ? String(key.value) : '?';
    if (allowed.includes(name)) values.set(name, value);
    else
      place.tell(
        below(where, name),
        `no such key${didYouMean(name, allowed) || `; known are ${allowed.join(', ')}`}`,
        key,
      );
  }
  return values;
}

export const below = (where: string, name: string): string => (where === '' ? name : `${where}.${name}`);

/** The parser makes a node of every key; a key that stands alone, as in `{a}`, has none for its value. */
function pairsOf(map: YAMLMap): readonly { readonly key: Node; readonly value: Node }[] {
  return map.items.flatMap(({ key, value }) =>
    isNode(key) ? [{ key, value: isNode(value) ? value : nothingAt(key) }] : [],
  );
}

function nothingAt({ range }: Node): Node {
  const nothing = new ScalarNode(null);
  nothing.range = range ?? null;
  return nothing;
}

export function readList(node: Node | undefined, where: string, place: Place): readonly Node[] {
  if (isSeq(node)) return node.items.filter(isNode);
  place.tell(where, 'must be a list', node ?? null);
  return [];
}

export type Scalar = string | number | boolean;

/** The value of a plain scalar; `undefined` for anything else. */
export function scalarOf(node: Node | undefined): Scalar | undefined {
  const value: unknown = isScalar(node) ? node.value : undefined;
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
}
