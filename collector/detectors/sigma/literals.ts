/**
 * The shared pre-filter: which rules could match at all, found in one pass over each text.
 *
 * For every rule a set of literals is chosen of which at least one must occur if the rule is to match
 * (Aho-Corasick over all of them, letters folded to lower case). A rule that this rules out is never
 * evaluated, so the common event costs its length, however many rules there are.
 */
import type { Anchoring, Expression, Test } from './expression.ts';
import type { Source } from './mapping.ts';
import type { Pattern } from './pattern.ts';
import { literalIn } from './regex.ts';

export interface Literal {
  readonly source: Source;
  readonly text: string;
  readonly at: Anchoring;
}

const MAX_LITERAL = 16;
const MAX_LITERALS = 5000;

/** Literals of which one occurs in every event that fits; undefined when there are none such. */
export function guardOf(tree: Expression<Source>, isWeak: (source: Source) => boolean): readonly Literal[] | undefined {
  switch (tree.kind) {
    case 'constant':
      return tree.value ? undefined : [];
    case 'not':
      return undefined;
    case 'test': {
      const literal = literalOfTest(tree.test);
      return literal === undefined ? undefined : [{ source: tree.field, ...literal }];
    }
    case 'and': {
      const guards = tree.of.map((part) => guardOf(part, isWeak)).filter((guard) => guard !== undefined);
      return guards.toSorted((a, b) => worth(b, isWeak) - worth(a, isWeak))[0];
    }
    case 'or':
    case 'some': {
      const guards = tree.of.map((part) => guardOf(part, isWeak));
      const all = guards.flatMap((guard) => guard ?? []);
      return guards.includes(undefined) || all.length > MAX_LITERALS ? undefined : all;
    }
  }
}

function literalOfTest(test: Test<Source>): { readonly text: string; readonly at: Anchoring } | undefined {
  if (test.is === 'text') return bestLiteral(test.pattern);
  const inside = test.is === 'regex' ? literalIn(test) : undefined;
  return inside === undefined ? undefined : { text: inside.toLowerCase().slice(0, MAX_LITERAL), at: 'any' };
}

/** Long literals on telling attributes are rare; a guard is as good as its worst literal. */
function worth(guard: readonly Literal[], isWeak: (source: Source) => boolean): number {
  const worst = Math.min(
    ...guard.map(({ source, text, at }) =>
      isWeak(source) ? 0 : Math.min(text.length, 12) + (at === 'whole' ? 4 : at === 'any' ? 0 : 1),
    ),
  );
  return worst - Math.log10(guard.length + 1);
}

function bestLiteral(pattern: Pattern): { readonly text: string; readonly at: Anchoring } | undefined {
  const candidates = pattern.flatMap((part, i) => {
    if (typeof part !== 'string') return [];
    const first = i === 0;
    const last = i === pattern.length - 1;
    return [anchor(part.toLowerCase(), first, last)];
  });
  const best = candidates.flat().toSorted((a, b) => b.text.length - a.text.length)[0];
  return best === undefined || best.text === '' ? undefined : best;
}

/** Plain ASCII pieces, cut to size; a piece that was cut off keeps only the anchor at its own end. */
function anchor(text: string, first: boolean, last: boolean): { text: string; at: Anchoring }[] {
  return [...text.matchAll(/[\0-\x7f]+/g)].map((match) => {
    const [piece] = match;
    const starts = first && match.index === 0;
    const ends = last && match.index + piece.length === text.length;
    if (piece.length <= MAX_LITERAL)
      return { text: piece, at: starts ? (ends ? 'whole' : 'start') : ends ? 'end' : 'any' };
    if (ends && !starts) return { text: piece.slice(-MAX_LITERAL), at: 'end' };
    return { text: piece.slice(0, MAX_LITERAL), at: starts ? 'start' : 'any' };
  });
}

/** Collects the rules a scan found, each once. */
export class Candidates {
  readonly #seen: Uint32Array;
  #round = 0;
  readonly rules: Int32Array;
  count = 0;

  constructor(rules: number) {
    this.#seen = new Uint32Array(rules);
    this.rules = new Int32Array(rules);
  }

  clear(): void {
    this.count = 0;
    if (++this.#round > 0xffff_fffe) {
      this.#seen.fill(0);
      this.#round = 1;
    }
  }

  add(rule: number): void {
    if (this.#seen[rule] === this.#round) return;
    this.#seen[rule] = this.#round;
    this.rules[this.count++] = rule;
  }
}

export interface Scanner {
  scan(text: string, into: Candidates): void;
}

const ANCHORS = ['any', 'start', 'end', 'whole'] as const;

/** Aho-Corasick as one table: row = state, column = class of character, last column = where its matches are listed. */
export function buildScanner(
  literals: readonly { readonly text: string; readonly at: Anchoring; readonly rule: number }[],
): Scanner {
  const classes = new Uint8Array(128);
  let width = 1;
  for (const { text } of literals) {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (classes[code] === 0) classes[code] = width++;
    }
  }
  for (let upper = 65; upper <= 90; upper++) classes[upper] = classes[upper + 32] ?? 0;
  const outputColumn = width;
  const row = width + 1;

  const children: Map<number, number>[] = [new Map()];
  const found: Set<number>[] = [new Set()];
  literals.forEach(({ text }, index) => {
    let state = 0;
    for (let i = 0; i < text.length; i++) {
      const column = classes[text.charCodeAt(i)] ?? 0;
      let next = children[state]?.get(column);
      if (next === undefined) {
        next = children.length;
        children.push(new Map());
        found.push(new Set());
        children[state]?.set(column, next);
      }
      state = next;
    }
    found[state]?.add(index);
  });

  const table = new Int32Array(children.length * row);
  const fallback = new Int32Array(children.length);
  const queue: number[] = [0];
  for (let head = 0; head < queue.length; head++) {
    const state = queue[head] ?? 0;
    const fail = fallback[state] ?? 0;
    for (const index of found[fail] ?? []) found[state]?.add(index);
    for (let column = 1; column < width; column++) {
      const child = children[state]?.get(column);
      const inherited = state === 0 ? 0 : (table[fail * row + column] ?? 0);
      table[state * row + column] = child === undefined ? inherited : child * row;
      if (child !== undefined) {
        fallback[child] = inherited / row;
        queue.push(child);
      }
    }
  }

  const outputs: number[] = [0];
  found.forEach((indexes, state) => {
    if (indexes.size === 0) return;
    table[state * row + outputColumn] = outputs.length;
    outputs.push(indexes.size);
    for (const index of indexes) {
      const literal = literals[index];
      if (literal !== undefined) outputs.push(literal.rule, ANCHORS.indexOf(literal.at), literal.text.length);
    }
  });
  return makeScanner(table, classes, Int32Array.from(outputs), outputColumn);
}

function makeScanner(table: Int32Array, classes: Uint8Array, outputs: Int32Array, outputColumn: number): Scanner {
  const report = (from: number, end: number, length: number, into: Candidates): void => {
    const last = from + 1 + 3 * (outputs[from] ?? 0);
    for (let i = from + 1; i < last; i += 3) {
      const at = outputs[i + 1] ?? 0;
      const fromStart = (at & 1) === 0 || end === outputs[i + 2];
      const toEnd = (at & 2) === 0 || end === length;
      if (fromStart && toEnd) into.add(outputs[i] ?? 0);
    }
  };
  const run = (text: string, into: Candidates, folded: boolean): void => {
    let state = 0;
    const { length } = text;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) {
        // Letters beyond ASCII may fold into ASCII (the Kelvin sign); fold the whole text once.
        if (!folded) return run(text.toLowerCase(), into, true);
        state = 0;
        continue;
      }
      state = table[state + (classes[code] ?? 0)] ?? 0;
      const output = table[state + outputColumn] ?? 0;
      if (output !== 0) report(output, i + 1, length, into);
    }
  };
  return { scan: (text, into) => run(text, into, false) };
}
