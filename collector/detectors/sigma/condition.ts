/**
 * The condition language of a rule: `selection and not 1 of filter_*`.
 *
 *     or      = and ("or" and)*
 *     and     = factor ("and" factor)*
 *     factor  = "not" factor | "(" or ")" | ("1" | "all" | "any" | N) "of" ("them" | pattern) | name
 *
 * Selections are looked up while parsing, so what comes out is the whole rule in one tree.
 */
import { and, not, or, some, type Expression } from './expression.ts';
import { compilePattern, parsePattern } from './pattern.ts';
import { didYouMean } from '../../../config/suggest.ts';

export interface Selections<F> {
  readonly names: readonly string[];
  /** Asked once for every time that the condition names it. */
  expressionOf(name: string): Expression<F> | undefined;
}

const MAX_TOKENS = 2000;
const MAX_DEPTH = 60;

/** `fail` is told what is wrong and what to do; it must throw. */
export function parseCondition<F>(
  text: string,
  selections: Selections<F>,
  fail: (problem: string) => never,
): Expression<F> {
  const tokens: readonly string[] = text.match(/[()|]|[^\s()|]+/g) ?? [];
  if (tokens.length === 0) fail('condition is empty; name a selection');
  if (tokens.length > MAX_TOKENS) fail(`condition has more than ${MAX_TOKENS} words; split the rule`);
  if (tokens.includes('|')) fail('aggregation (`|`) left the specification; write a correlation rule instead');
  let at = 0;
  const peek = (): string => (tokens[at] ?? '').toLowerCase();
  const take = (): string => tokens[at++] ?? '';

  const parseOr = (depth: number): Expression<F> => {
    if (depth > MAX_DEPTH) fail(`condition is nested deeper than ${MAX_DEPTH}; simplify it`);
    const parts = [parseAnd(depth)];
    while (peek() === 'or') {
      take();
      parts.push(parseAnd(depth));
    }
    return or(parts);
  };
  const parseAnd = (depth: number): Expression<F> => {
    const parts = [parseFactor(depth)];
    while (peek() === 'and') {
      take();
      parts.push(parseFactor(depth));
    }
    return and(parts);
  };
  const parseFactor = (depth: number): Expression<F> => {
    let negated = false;
    while (peek() === 'not') {
      take();
      negated = !negated;
    }
    const inner = parsePrimary(depth);
    return negated ? not(inner) : inner;
  };
  const parsePrimary = (depth: number): Expression<F> => {
    const token = take();
    if (token === '(') {
      const inner = parseOr(depth + 1);
      if (take() !== ')') fail('condition has an opening parenthesis without a closing one');
      return inner;
    }
    if (peek() === 'of' && /^(all|any|[1-9]\d{0,3})$/i.test(token)) {
      take();
      return quantify(token.toLowerCase(), take(), selections, fail);
    }
    if (token === '' || token === ')' || /^(and|or|of|not)$/i.test(token)) {
      fail(`condition: expected the name of a selection ${token === '' ? 'at the end' : `before \`${token}\``}`);
    }
    return lookUp(token, selections, fail);
  };

  const tree = parseOr(0);
  if (at < tokens.length) fail(`condition: \`${tokens[at]}\` is not expected here; join selections with and, or`);
  return tree;
}

function quantify<F>(
  quantity: string,
  target: string,
  selections: Selections<F>,
  fail: (problem: string) => never,
): Expression<F> {
  if (target === '' || target === '(' || target === ')')
    fail(`condition: \`${quantity} of\` needs \`them\` or a name with *`);
  const isLike = compilePattern(parsePattern(target), true);
  const names = selections.names.filter(target === 'them' ? (name): boolean => !name.startsWith('_') : isLike);
  if (names.length === 0)
    fail(`condition: no selection is named like \`${target}\`; there are ${listed(selections.names)}`);
  const parts = names.map((name) => lookUp(name, selections, fail));
  if (quantity === 'all') return and(parts);
  const least = quantity === 'any' ? 1 : Number(quantity);
  if (least > parts.length)
    fail(`condition: \`${quantity} of ${target}\` can never be, there are only ${parts.length}`);
  return some(least, parts);
}

function lookUp<F>(name: string, selections: Selections<F>, fail: (problem: string) => never): Expression<F> {
  return (
    selections.expressionOf(name) ??
    fail(
      `condition names \`${name}\`, which is not there${didYouMean(name, selections.names) || `; there are ${listed(selections.names)}`}`,
    )
  );
}

const listed = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ') || 'none';
