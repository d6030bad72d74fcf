/**
 * Reads YAML into a small tree of our own in which every node knows its line.
 *
 * Strict, because rules come from strangers: no anchors, no tags, no duplicate keys, bounded size and
 * depth, looked at before a tree is built. What passes is plain data; nothing in it can run.
 */
import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, parseAllDocuments } from 'yaml';
import { SigmaError } from './error.ts';
import { didYouMean } from '../../../config/suggest.ts';

export type Scalar = string | number | boolean | null;

export type Node =
  | { readonly kind: 'scalar'; readonly line: number; readonly value: Scalar; /** As written. */ readonly text: string }
  | { readonly kind: 'list'; readonly line: number; readonly items: readonly Node[] }
  | MapNode;

export interface MapNode {
  readonly kind: 'map';
  readonly line: number;
  readonly entries: ReadonlyMap<string, { readonly line: number; readonly value: Node }>;
}

const MAX_BYTES = 1 << 20;
const MAX_DEPTH = 16;
/** Enough for some thirty thousand values. */
const MAX_TOKENS = 200_000;
const MAX_DOCUMENTS = 1000;

/** All documents of one file; each must be a map. */
export function readDocuments(text: string, file: string): readonly MapNode[] {
  if (text.length > MAX_BYTES) throw new SigmaError(file, 1, `larger than ${MAX_BYTES} characters; split the file`);
  checkShape(text, file);
  const lines = new LineCounter();
  // The parser compares every key with every other one; toNode() looks for twins itself.
  const documents = parseAllDocuments(text, { lineCounter: lines, schema: 'core', strict: true, uniqueKeys: false });
  const trees: MapNode[] = [];
  for (const document of Array.isArray(documents) ? documents : []) {
    const problem = document.errors[0] ?? document.warnings[0];
    if (problem !== undefined) {
      const [message] = problem.message.split('\n');
      throw new SigmaError(file, lines.linePos(problem.pos[0]).line, `not valid YAML: ${message ?? problem.code}`);
    }
    if (document.contents === null) continue;
    const tree = toNode(document.contents, file, lines, 1, 0);
    if (tree.kind !== 'map') throw new SigmaError(file, tree.line, 'a rule is a map of keys; write `key: value` lines');
    trees.push(tree);
  }
  if (trees.length === 0) throw new SigmaError(file, 1, 'empty; a rule needs title, logsource and detection');
  return trees;
}

/** Counts and depth from the words alone, in one pass: the parser's own time grows with the square of them. */
function checkShape(text: string, file: string): void {
  let depth = 0;
  let dashes = 0;
  let line = 1;
  let tokens = 0;
  let documents = 0;
  let isContent = false;
  for (const token of new Lexer().lex(text)) {
    if (isContent) isContent = false;
    else if (token === CONTENT) isContent = true;
    else if (token === DOCUMENT || token === '---') documents++;
    else if (token === '[' || token === '{') depth++;
    else if (token === ']' || token === '}') depth--;
    else if (token === '-' || token === '?') dashes++;
    if (token.includes('\n')) dashes = 0;
    if (depth + dashes > MAX_DEPTH) throw new SigmaError(file, line, `nested deeper than ${MAX_DEPTH}; flatten it`);
    if (++tokens > MAX_TOKENS) throw new SigmaError(file, line, `more than ${MAX_TOKENS} words; split the file`);
    if (documents > MAX_DOCUMENTS)
      throw new SigmaError(file, line, `more than ${MAX_DOCUMENTS} documents; split the file`);
    line += token.split('\n').length - 1;
  }
}

/** Words of the lexer: what follows is text, and: a document begins. */
const CONTENT = '\u001f';
const DOCUMENT = '\u0002';

function toNode(from: unknown, file: string, lines: LineCounter, above: number, depth: number): Node {
  if (depth > MAX_DEPTH) throw new SigmaError(file, above, `nested deeper than ${MAX_DEPTH}; flatten it`);
  if (isAlias(from))
    throw new SigmaError(file, above, 'an alias (`*name`) is not allowed; write the value out or quote it');
  if (isScalar(from)) {
    const line = lineOf(from.range, lines, above);
    const { value } = from;
    const known =
      typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || value === null;
    if (!known) throw new SigmaError(file, line, 'a value must be text, a number, true, false or null');
    return { kind: 'scalar', line, value, text: from.source ?? String(value) };
  }
  if (isSeq(from)) {
    const line = lineOf(from.range, lines, above);
    return { kind: 'list', line, items: from.items.map((item) => toNode(item, file, lines, line, depth + 1)) };
  }
  if (isMap(from)) {
    const line = lineOf(from.range, lines, above);
    const entries = new Map<string, { line: number; value: Node }>();
    for (const { key, value } of from.items) {
      const name = toNode(key, file, lines, line, depth + 1);
      if (name.kind !== 'scalar') throw new SigmaError(file, name.line, 'a key must be plain text');
      const text = String(name.value ?? '');
      const twin = entries.get(text);
      if (twin !== undefined)
        throw new SigmaError(file, name.line, `${text}: stands in line ${twin.line} already; keep one of them`);
      entries.set(text, { line: name.line, value: toNode(value, file, lines, name.line, depth + 1) });
    }
    return { kind: 'map', line, entries };
  }
  if (from === null || from === undefined) return { kind: 'scalar', line: above, value: null, text: '' };
  throw new SigmaError(file, above, 'not a map, list or value');
}

function lineOf(range: readonly number[] | null | undefined, lines: LineCounter, above: number): number {
  const start = range?.[0];
  return start === undefined ? above : lines.linePos(start).line;
}

/** Text under a key, or undefined when the key is absent. */
export function textOf(map: MapNode, key: string, file: string): string | undefined {
  const entry = map.entries.get(key);
  if (entry === undefined) return undefined;
  const { value } = entry;
  if (value.kind !== 'scalar' || value.value === null) throw new SigmaError(file, entry.line, `${key}: expected text`);
  return typeof value.value === 'string' ? value.value : value.text;
}

/** A list of texts under a key; a single text counts as a list of one, an absent key as none. */
export function textsOf(map: MapNode, key: string, file: string): readonly string[] {
  const entry = map.entries.get(key);
  if (entry === undefined) return [];
  const { value } = entry;
  if (value.kind === 'scalar') return value.value === null ? [] : [String(value.value)];
  if (value.kind === 'map') throw new SigmaError(file, entry.line, `${key}: expected a list of texts`);
  return value.items.map((item) => {
    if (item.kind !== 'scalar') throw new SigmaError(file, item.line, `${key}: expected a list of texts`);
    return String(item.value);
  });
}

export function mapOf(map: MapNode, key: string, file: string): MapNode | undefined {
  const entry = map.entries.get(key);
  if (entry === undefined) return undefined;
  if (entry.value.kind !== 'map') throw new SigmaError(file, entry.line, `${key}: expected a map of keys`);
  return entry.value;
}

/** Keys that stand for nothing are slips of the pen, and would be left out silently. */
export function refuseStrangers(map: MapNode, known: readonly string[], file: string, where: string): void {
  for (const [key, { line }] of map.entries) {
    if (known.includes(key)) continue;
    const advice = didYouMean(key, known) || `; there are ${known.join(', ')}`;
    throw new SigmaError(file, line, `${where}: ${key}: no such key${advice}`);
  }
}
