/**
 * YAML, read strictly and with positions: 1.2 core schema, one document, bounded size; no anchors, aliases, tags or
 * repeated keys. A ruleset means what it says at first sight or it is refused.
 *
 * Problems are collected, not thrown: a reviewer sees all of them at once.
 */
import { isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments, visit, type Node, type YAMLMap } from 'yaml';

export const MAX_BYTES = 262_144;

/** Where something stands, and what a reader would call it. */
export interface Located {
  readonly node: Node | undefined;
  readonly key: string;
}

export class Problems {
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #found: { readonly offset: number; readonly text: string }[] = [];

  constructor(file: string, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  /** `file:line:column: key: what is wrong; what to do` */
  report(at: Located, wrong: string, remedy: string): void {
    this.reportAt(at.node?.range?.[0] ?? 0, at.key, wrong, remedy);
  }

  reportAt(offset: number, key: string, wrong: string, remedy: string): void {
    const { line, col } = this.#lines.linePos(offset);
    const where = `${this.#file}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
    this.#found.push({ offset, text: `${where}: ${key === '' ? '' : `${key}: `}${wrong}; ${remedy}` });
  }

  lineOf(at: Located): number {
    return this.#lines.linePos(at.node?.range?.[0] ?? 0).line;
  }

  get texts(): readonly string[] {
    return this.#found.toSorted((a, b) => a.offset - b.offset).map((problem) => problem.text);
  }
}

export interface Document {
  readonly root: YAMLMap | undefined;
  readonly problems: Problems;
}

const firstLine = (text: string): string => (text.split('\n')[0] ?? '').replace(/[.:;]+$/, '').slice(0, 200);

export function readDocument(text: string, file: string): Document {
  const lines = new LineCounter();
  const problems = new Problems(file, lines);
  if (Buffer.byteLength(text) > MAX_BYTES) {
    lines.addNewLine(0);
    problems.reportAt(0, '', `larger than ${MAX_BYTES} bytes`, 'a ruleset this long cannot be reviewed; shorten it');
    return { root: undefined, problems };
  }
  const documents = parseAllDocuments(text, {
    version: '1.2',
    schema: 'core',
    strict: true,
    uniqueKeys: true,
    prettyErrors: false,
    lineCounter: lines,
    logLevel: 'silent',
  });
  const [document, second] = Array.isArray(documents) ? documents : [];
  if (document === undefined) {
    problems.reportAt(0, '', 'the file is empty', 'write a ruleset; redaction-rules/README.md shows one');
    return { root: undefined, problems };
  }
  if (second !== undefined) {
    problems.reportAt(second.range[0], '', 'a second document', 'one ruleset a file; remove the line `---`');
  }
  for (const error of [...document.errors, ...document.warnings]) {
    if (error.code === 'DUPLICATE_KEY')
      problems.reportAt(error.pos[0], '', 'a key that was there before', 'keep one of them');
    else problems.reportAt(error.pos[0], '', firstLine(error.message), 'correct the YAML');
  }
  refuseIndirection(document.contents, problems);
  if (!isMap(document.contents)) {
    problems.reportAt(0, '', 'not a mapping', 'begin with `name:`, `version:` and `role:`');
    return { root: undefined, problems };
  }
  return { root: document.contents, problems };
}

function refuseIndirection(contents: unknown, problems: Problems): void {
  if (!isNode(contents)) return;
  visit(contents, {
    Alias: (_, alias) => problems.report({ node: alias, key: '' }, 'an alias', 'repeat what it stands for'),
    Node: (_, node) => {
      if ('anchor' in node && node.anchor !== undefined) {
        problems.report({ node, key: '' }, 'an anchor', 'remove it; nothing may be referred to');
      }
      if (node.tag !== undefined) problems.report({ node, key: '' }, 'a tag', 'remove it; types follow from the key');
    },
  });
}

export interface Entry {
  readonly key: Located;
  readonly value: Located;
}

/** The entries of a mapping by name, or undefined, reported, where there is no mapping. */
export function readMap(at: Located, problems: Problems, what: string): ReadonlyMap<string, Entry> | undefined {
  if (!isMap(at.node)) {
    problems.report(at, 'not a mapping', what);
    return undefined;
  }
  const entries = new Map<string, Entry>();
  for (const pair of at.node.items) {
    const name = isScalar(pair.key) && typeof pair.key.value === 'string' ? pair.key.value : undefined;
    const keyNode = isNode(pair.key) ? pair.key : at.node;
    if (name === undefined) {
      problems.report(
        { node: keyNode, key: at.key },
        'a key that is not text',
        'write a plain name, in quotes if need be',
      );
      continue;
    }
    const path = at.key === '' ? name : `${at.key}: ${name}`;
    const value = isNode(pair.value) ? pair.value : keyNode;
    entries.set(name, { key: { node: keyNode, key: path }, value: { node: value, key: path } });
  }
  return entries;
}

/** The items of a list, or undefined, reported, where there is no list. */
export function readList(at: Located, problems: Problems, what: string): readonly Located[] | undefined {
  if (!isSeq(at.node)) {
    problems.report(at, 'not a list', what);
    return undefined;
  }
  const list = at.node;
  return list.items.map((item) => ({ node: isNode(item) ? item : list, key: at.key }));
}

/** The value of a scalar; undefined where there is none. */
export const scalarOf = (at: Located): unknown => (isScalar(at.node) ? at.node.value : undefined);

export function readText(at: Located, problems: Problems, what: string): string | undefined {
  const value = scalarOf(at);
  if (typeof value === 'string' && value.trim() !== '') return value;
  problems.report(at, typeof value === 'string' ? 'empty' : 'not text', what);
  return undefined;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** `did you mean x?`, or what there is to choose from. */
export function suggest(name: string, known: readonly string[]): string {
  if (known.length === 0) return 'there is none yet';
  const asked = name.slice(0, 80);
  const near = known
    .map((candidate) => ({ candidate, far: distance(asked, candidate) }))
    .toSorted((a, b) => a.far - b.far)[0];
  if (near !== undefined && near.far <= Math.max(2, Math.floor(asked.length / 4)))
    return `did you mean ${near.candidate}?`;
  return known.length <= 16 ? `one of ${known.join(', ')}` : 'see protocol/vocabulary.ts for the names';
}
