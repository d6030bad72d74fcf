/** The condition of a sequence in words, `a and not b`: which rules must have matched, by their place in the list. */
import type { Expression } from './expression.ts';

/** `yes` are the rules that count where one is wanted, `no` those that count where none is. */
export function holds(words: Expression<number>, yes: ReadonlySet<number>, no: ReadonlySet<number>): boolean {
  switch (words.kind) {
    case 'constant':
      return words.value;
    case 'test':
      return yes.has(words.field);
    case 'not':
      return !holds(words.of, no, yes);
    case 'and':
      return words.of.every((part) => holds(part, yes, no));
    case 'or':
      return words.of.some((part) => holds(part, yes, no));
    case 'some':
      return words.of.filter((part) => holds(part, yes, no)).length >= words.least;
  }
}

export const hasNot = (words: Expression<number>): boolean =>
  words.kind === 'not' || ('of' in words && words.of.some(hasNot));
