/**
 * The language in which people ask for events: `event = process.exec and process.executable.path startswith /tmp/`.
 *
 * Small, so that it can mean the same in SQL (`query-sql.ts`) and in Sigma (`query-sigma.ts`), and bounded, because a page lets
 * strangers write it. Names are those of the vocabulary; a value is a word, or anything in quotes. Texts are compared as
 * they are written; of a list of texts one is enough; an attribute that is not there makes every test false.
 */
import { ATTRIBUTES, CLASSES, EVENTS, isAttributeName, isEventName, type ValueType } from '#protocol/vocabulary.ts';
import { problemOf } from '../detectors/sigma/regex.ts';
import { didYouMean } from '../../config/suggest.ts';

export const COMPARISONS = ['<', '<=', '>', '>='] as const;
const TEXTUAL = ['contains', 'startswith', 'endswith', 'matches'] as const;

export type How = '=' | 'exists' | (typeof COMPARISONS)[number] | (typeof TEXTUAL)[number];
export type Literal = string | number | boolean;

export interface Test {
  readonly is: 'test';
  /** An attribute, `event` or `node`. */
  readonly name: string;
  readonly how: How;
  /** One of them must hold; none for `exists`. */
  readonly values: readonly Literal[];
}

export type Query =
  | { readonly is: 'all' }
  | { readonly is: 'and' | 'or'; readonly of: readonly Query[] }
  | { readonly is: 'not'; readonly of: Query }
  | Test;

/** The question is not one; the message says where and what to do, and is for the person who asked. */
export class QuestionError extends Error {
  override readonly name = 'QuestionError';
}

export const MAX_QUERY = 4_000;
const MAX_TESTS = 64;
const MAX_DEPTH = 16;
const MAX_VALUES = 100;

/** `''` asks for everything. */
export function parseQuery(text: string): Query {
  if (text.length > MAX_QUERY) throw new QuestionError(`longer than ${MAX_QUERY} characters; ask for less at a time`);
  const tokens = tokensOf(text);
  if (tokens.length === 0) return { is: 'all' };
  const reader = new Reader(tokens);
  const query = reader.either(0);
  const [left] = reader.rest;
  if (left !== undefined) throw new QuestionError(`\`and\` or \`or\` was expected before ${shown(left)}`);
  return query;
}

/** Attributes, `event` and `node`, as far as the query asks about them. */
export function namesIn(query: Query): ReadonlySet<string> {
  return new Set(testsIn(query).map(({ name }) => name));
}

export function testsIn(query: Query): readonly Test[] {
  switch (query.is) {
    case 'all':
      return [];
    case 'test':
      return [query];
    case 'not':
      return testsIn(query.of);
    case 'and':
    case 'or':
      return query.of.flatMap(testsIn);
  }
}

interface Token {
  readonly text: string;
  readonly isQuoted: boolean;
}

const SIGNS = ['(', ')', ',', '=', '!=', '<', '<=', '>', '>='];
const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(<=|>=|!=|[(),=<>])|([^\s(),=<>!"']+))/suy;

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const at = TOKEN.lastIndex;
    const [, quoted, sign, word] = TOKEN.exec(text) ?? [];
    if (quoted !== undefined) tokens.push({ text: quoted.slice(1, -1).replaceAll(/\\(.)/gsu, '$1'), isQuoted: true });
    else if (sign !== undefined || word !== undefined) tokens.push({ text: sign ?? word ?? '', isQuoted: false });
    else throw new QuestionError(`not understood from here: ${text.slice(at, at + 30).trim()}`);
  }
  return tokens;
}

const shown = ({ text }: Token): string => `\`${text.length > 40 ? `${text.slice(0, 40)}…` : text}\``;
const isWord = (token: Token | undefined, word: string): boolean =>
  token !== undefined && !token.isQuoted && token.text.toLowerCase() === word;

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;
  #tests = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get rest(): readonly Token[] {
    return this.#tokens.slice(this.#at);
  }

  either(depth: number): Query {
    return this.#joined('or', () => this.#joined('and', () => this.#one(depth)));
  }

  #joined(is: 'and' | 'or', read: () => Query): Query {
    const parts = [read()];
    while (this.#takes(is)) parts.push(read());
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : { is, of: parts };
  }

  #one(depth: number): Query {
    if (depth > MAX_DEPTH) throw new QuestionError(`more than ${MAX_DEPTH} parentheses and \`not\` within one another`);
    if (this.#takes('not')) return { is: 'not', of: this.#one(depth + 1) };
    if (!this.#takes('(')) return this.#test();
    const inner = this.either(depth + 1);
    this.#need(')');
    return inner;
  }

  #test(): Query {
    const token = this.#next('a name, such as process.executable.path, was expected');
    const name = token.text;
    const type = typeOf(name, token);
    if (++this.#tests > MAX_TESTS) throw new QuestionError(`more than ${MAX_TESTS} questions at once`);
    const how = this.#next(`what about ${name}? Say =, !=, exists, in, contains, startswith, endswith or matches`);
    if (isWord(how, 'exists')) return { is: 'test', name, how: 'exists', values: [] };
    if (isWord(how, 'in')) return this.#about(name, type, '=', this.#list(name));
    const value = this.#next(`a value was expected after ${name} ${how.text}`);
    if (!value.isQuoted && SIGNS.includes(value.text))
      throw new QuestionError(`a value was expected after ${name} ${how.text}, not ${shown(value)}`);
    if (isWord(how, '!=')) return { is: 'not', of: this.#about(name, type, '=', [value]) };
    return this.#about(name, type, howOf(how, name, type), [value]);
  }

  #about(name: string, type: ValueType, how: How, values: readonly Token[]): Query {
    if (name === 'class') return ofClass(values);
    return { is: 'test', name, how, values: values.map((value) => literalOf(value, name, type, how)) };
  }

  #list(name: string): readonly Token[] {
    this.#need('(');
    const values = [];
    do {
      values.push(this.#next(`a value was expected in the list of ${name}`));
      if (values.length > MAX_VALUES) throw new QuestionError(`more than ${MAX_VALUES} values for ${name}`);
    } while (this.#takes(','));
    this.#need(')');
    return values;
  }

  #takes(word: string): boolean {
    const isNext = isWord(this.#tokens[this.#at], word);
    if (isNext) this.#at++;
    return isNext;
  }

  #need(sign: string): void {
    if (!this.#takes(sign)) throw new QuestionError(`\`${sign}\` was expected${this.#before()}`);
  }

  #next(problem: string): Token {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw new QuestionError(`${problem}, at the end`);
    this.#at++;
    return token;
  }

  #before(): string {
    const token = this.#tokens[this.#at];
    return token === undefined ? ' at the end' : ` before ${shown(token)}`;
  }
}

/** `class = network`: every event of that class. */
function ofClass(values: readonly Token[]): Query {
  const names = values.flatMap(({ text }) => {
    const kind = CLASSES.find((each) => each === text);
    if (kind === undefined)
      throw new QuestionError(`there is no class ${text}${didYouMean(text, CLASSES)}; there are ${CLASSES.join(', ')}`);
    return Object.entries(EVENTS).flatMap(([name, event]) => (event.class === kind ? [name] : []));
  });
  return { is: 'test', name: 'event', how: '=', values: names };
}

function typeOf(name: string, token: Token): ValueType {
  if (!token.isQuoted && isAttributeName(name)) return ATTRIBUTES[name].type;
  if (!token.isQuoted && ['event', 'node', 'class'].includes(name)) return 'string';
  const near = didYouMean(name, [...Object.keys(ATTRIBUTES), 'event', 'node', 'class']);
  throw new QuestionError(`${shown(token)} is no attribute of the vocabulary${near}`);
}

function howOf(token: Token, name: string, type: ValueType): How {
  const word = token.text.toLowerCase();
  const sign = COMPARISONS.find((each) => each === word);
  const textual = TEXTUAL.find((each) => each === word);
  const how = word === '=' ? word : (sign ?? textual);
  if (token.isQuoted || how === undefined)
    throw new QuestionError(
      `${shown(token)} after ${name} is none of =, !=, <, <=, >, >=, exists, in, ${TEXTUAL.join(', ')}`,
    );
  const isNumber = type === 'int' || type === 'double';
  if (sign !== undefined && !isNumber) throw new QuestionError(`${name} is no number, so nothing is ${word} than it`);
  if (textual !== undefined && (isNumber || type === 'boolean'))
    throw new QuestionError(`${name} is no text, so it ${word} nothing; say = instead`);
  if (name === 'class' && how !== '=') throw new QuestionError('say class = NAME, or class in (NAME, NAME)');
  return how;
}

function literalOf({ text }: Token, name: string, type: ValueType, how: How): Literal {
  if (how === 'matches') {
    const problem = problemOf({ source: text, flags: '' });
    if (problem !== undefined) throw new QuestionError(`${name} matches: ${problem}`);
    return text;
  }
  if (name === 'event' && how === '=' && !isEventName(text))
    throw new QuestionError(`there is no event ${text}${didYouMean(text, Object.keys(EVENTS))}`);
  if (type === 'boolean') {
    if (text === 'true' || text === 'false') return text === 'true';
    throw new QuestionError(`${name} is true or false, not ${text}`);
  }
  if (type !== 'int' && type !== 'double') return text;
  if (/^-?\d{1,15}(?:\.\d{1,9})?$/.test(text) && (type === 'double' || !text.includes('.'))) return Number(text);
  throw new QuestionError(`${name} is a ${type === 'int' ? 'whole ' : ''}number, not ${text}`);
}
