/**
 * Sigma's text patterns: literal text with `*` (any characters) and `?` (exactly one).
 *
 * A backslash makes a following `*`, `?` or backslash literal; before anything else it is itself, so Windows
 * paths need no doubling. Matching is iterative and bounded by length of text times length of pattern.
 */
export type Part =
  | string
  | { readonly wild: 'many' | 'one' | 'dash' }
  | { /** `%name%`, replaced before matching. */ readonly placeholder: string };

export type Pattern = readonly Part[];

const MANY: Part = { wild: 'many' };
const ONE: Part = { wild: 'one' };
const DASH: Part = { wild: 'dash' };

/** What `windash` treats as one character: hyphen, slash, en dash, em dash, horizontal bar. */
export const DASHES = ['-', '/', '\u2013', '\u2014', '\u2015'] as const;

export function parsePattern(text: string): Pattern {
  const parts: Part[] = [];
  let literal = '';
  const flush = (): void => {
    if (literal !== '') parts.push(literal);
    literal = '';
  };
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    const next = text.charAt(i + 1);
    if (c === '\\' && (next === '*' || next === '?' || next === '\\')) {
      literal += next;
      i++;
    } else if (c === '*' || c === '?') {
      flush();
      if (c === '?') parts.push(ONE);
      else if (!isMany(parts.at(-1))) parts.push(MANY);
    } else {
      literal += c;
    }
  }
  flush();
  return parts;
}

export const isMany = (part: Part | undefined): boolean =>
  typeof part === 'object' && 'wild' in part && part.wild === 'many';

/** The pattern with "anything" put before and/or after it. */
export function widen(pattern: Pattern, before: boolean, after: boolean): Pattern {
  return [
    ...(before && !isMany(pattern[0]) ? [MANY] : []),
    ...pattern,
    ...(after && (!isMany(pattern.at(-1)) || pattern.length === 0) ? [MANY] : []),
  ];
}

/** A hyphen or slash that begins a word stands for any of {@link DASHES}. */
export function withAnyDash(pattern: Pattern): Pattern {
  return pattern.flatMap((part): Part[] => {
    if (typeof part !== 'string') return [part];
    return part
      .split(/\B([-/])\b/)
      .map((piece, i): Part => (i % 2 === 1 ? DASH : piece))
      .filter((piece) => piece !== '');
  });
}

/** The text of a pattern without wildcards; undefined when it has any. */
export function literalOf(pattern: Pattern): string | undefined {
  let text = '';
  for (const part of pattern) {
    if (typeof part !== 'string') return undefined;
    text += part;
  }
  return text;
}

/** Splits `%name%` out of the literal parts; `\\%` is a percent sign. */
export function withPlaceholders(pattern: Pattern): Pattern {
  return pattern.flatMap((part): Part[] => {
    if (typeof part !== 'string') return [part];
    return part
      .split(/(?<!\\)%([A-Za-z0-9_.-]+)%/)
      .map((piece, i): Part => (i % 2 === 1 ? { placeholder: piece } : piece.replaceAll('\\%', '%')))
      .filter((piece) => piece !== '');
  });
}

/** Every way to fill the placeholders; undefined names the first that has no values. */
export function fillPlaceholders(
  pattern: Pattern,
  values: ReadonlyMap<string, readonly string[]>,
): { readonly patterns: readonly Pattern[] } | { readonly unknown: string } {
  let patterns: Pattern[] = [[]];
  for (const part of pattern) {
    if (typeof part === 'string' || 'wild' in part) {
      patterns = patterns.map((begun) => [...begun, part]);
      continue;
    }
    const choices = values.get(part.placeholder);
    if (choices === undefined || patterns.length * choices.length > 10_000) return { unknown: part.placeholder };
    patterns = patterns.flatMap((begun) => choices.map((choice) => [...begun, ...parsePattern(choice)]));
  }
  return { patterns };
}

export type TextTest = (text: string) => boolean;

/** Compiles a pattern. When not `cased` the caller passes lower-cased text. */
export function compilePattern(pattern: Pattern, cased: boolean): TextTest {
  const parts = mergeLiterals(pattern.map((part) => (typeof part === 'string' && !cased ? part.toLowerCase() : part)));
  const open = isMany(parts[0]);
  const shut = isMany(parts.at(-1));
  const inner = parts.slice(open ? 1 : 0, shut && parts.length > 1 ? -1 : undefined);
  if (inner.length === 0) return open ? (): boolean => true : (text): boolean => text === '';
  const [literal] = inner;
  if (inner.length > 1 || typeof literal !== 'string') return compileWild(parts);
  if (open && shut) return (text): boolean => text.includes(literal);
  if (open) return (text): boolean => text.endsWith(literal);
  if (shut) return (text): boolean => text.startsWith(literal);
  return (text): boolean => text === literal;
}

function mergeLiterals(parts: readonly Part[]): Part[] {
  const merged: Part[] = [];
  for (const part of parts) {
    const last = merged.at(-1);
    if (typeof part === 'string' && typeof last === 'string') merged[merged.length - 1] = last + part;
    else merged.push(part);
  }
  return merged;
}

type Segment = readonly (string | { readonly wild: 'many' | 'one' | 'dash' })[];

/** Segments between `*`: the first is anchored to the start, the last to the end, those between are found leftmost first. */
function compileWild(parts: readonly Part[]): TextTest {
  const segments: Segment[] = [];
  let segment: (string | { readonly wild: 'many' | 'one' | 'dash' })[] = [];
  for (const part of parts) {
    if (isMany(part)) {
      segments.push(segment);
      segment = [];
    } else if (typeof part === 'string') {
      segment.push(part);
    } else if ('wild' in part) {
      segment.push(part);
    }
  }
  segments.push(segment);
  const first = segments[0] ?? [];
  const last = segments.at(-1) ?? [];
  const middle = segments.slice(1, -1).filter((found) => found.length > 0);
  if (segments.length === 1) return (text): boolean => widthOf(first) === text.length && fits(first, text, 0);
  return (text): boolean => {
    let at = widthOf(first);
    const end = text.length - widthOf(last);
    if (at > end || !fits(first, text, 0) || !fits(last, text, end)) return false;
    for (const part of middle) {
      at = find(part, text, at, end);
      if (at < 0) return false;
    }
    return true;
  };
}

const widthOf = (segment: Segment): number =>
  segment.reduce((sum, part) => sum + (typeof part === 'string' ? part.length : 1), 0);

function fits(segment: Segment, text: string, from: number): boolean {
  let at = from;
  for (const part of segment) {
    if (typeof part === 'string') {
      if (!text.startsWith(part, at)) return false;
      at += part.length;
    } else {
      if (at >= text.length || (part.wild === 'dash' && !isDash(text.charAt(at)))) return false;
      at++;
    }
  }
  return true;
}

const isDash = (c: string): boolean => DASHES.some((dash) => dash === c);

/** Position after the leftmost fit in text[from, end), or -1. */
function find(segment: Segment, text: string, from: number, end: number): number {
  const width = widthOf(segment);
  const [head] = segment;
  for (let at = from; at + width <= end; at++) {
    if (typeof head === 'string') {
      at = text.indexOf(head, at);
      if (at < 0 || at + width > end) return -1;
    }
    if (fits(segment, text, at)) return at + width;
  }
  return -1;
}
