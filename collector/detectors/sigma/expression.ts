/**
 * What a rule says, as a tree: tests on fields joined by and, or, not and "at least N of".
 *
 * The tree is generic in what a field is: a name as the rule's author wrote it, later the place in our events
 * where its value is found.
 */
import type { Network } from './address.ts';
import type { Pattern } from './pattern.ts';

export type Anchoring = 'any' | 'start' | 'end' | 'whole';
export type DatePart = 'minute' | 'hour' | 'day' | 'week' | 'month' | 'year';
export type Comparison = 'lt' | 'lte' | 'gt' | 'gte';

export type Test<Field> =
  | { readonly is: 'text'; readonly pattern: Pattern; readonly cased: boolean }
  | { readonly is: 'regex'; readonly source: string; readonly flags: string }
  | { readonly is: 'cidr'; readonly network: Network }
  | { readonly is: 'compare'; readonly how: Comparison; readonly number: number }
  | { readonly is: 'date'; readonly part: DatePart; readonly how: Comparison | 'eq'; readonly number: number }
  | { readonly is: 'null' }
  | { readonly is: 'exists'; readonly expected: boolean }
  | { readonly is: 'field'; readonly other: Field; readonly anchoring: Anchoring; readonly cased: boolean };

export type Expression<Field> =
  | { readonly kind: 'and'; readonly of: readonly Expression<Field>[] }
  | { readonly kind: 'or'; readonly of: readonly Expression<Field>[] }
  | { readonly kind: 'some'; readonly least: number; readonly of: readonly Expression<Field>[] }
  | { readonly kind: 'not'; readonly of: Expression<Field> }
  | { readonly kind: 'test'; readonly field: Field; readonly test: Test<Field> }
  | { readonly kind: 'constant'; readonly value: boolean };

export const TRUE: Expression<never> = { kind: 'constant', value: true };
export const FALSE: Expression<never> = { kind: 'constant', value: false };

/** And, or, not and some with constants folded away. */
export function and<F>(of: readonly Expression<F>[]): Expression<F> {
  const rest = of.flatMap((part) => (part.kind === 'and' ? part.of : [part])).filter((part) => !isConstant(part, true));
  if (rest.some((part) => isConstant(part, false))) return FALSE;
  const [only] = rest;
  if (only === undefined) return TRUE;
  return rest.length === 1 ? only : { kind: 'and', of: rest };
}

export function or<F>(of: readonly Expression<F>[]): Expression<F> {
  const rest = of.flatMap((part) => (part.kind === 'or' ? part.of : [part])).filter((part) => !isConstant(part, false));
  if (rest.some((part) => isConstant(part, true))) return TRUE;
  const [only] = rest;
  if (only === undefined) return FALSE;
  return rest.length === 1 ? only : { kind: 'or', of: rest };
}

export function not<F>(of: Expression<F>): Expression<F> {
  if (of.kind === 'constant') return { kind: 'constant', value: !of.value };
  return of.kind === 'not' ? of.of : { kind: 'not', of };
}

export function some<F>(least: number, of: readonly Expression<F>[]): Expression<F> {
  const sure = of.filter((part) => isConstant(part, true)).length;
  const open = of.filter((part) => part.kind !== 'constant');
  const needed = least - sure;
  if (needed <= 0) return TRUE;
  if (needed > open.length) return FALSE;
  if (needed === 1) return or(open);
  return needed === open.length ? and(open) : { kind: 'some', least: needed, of: open };
}

const isConstant = (part: Expression<unknown>, value: boolean): boolean =>
  part.kind === 'constant' && part.value === value;

/** Every test in the tree, depth first. */
export function* testsOf<F>(tree: Expression<F>): Generator<Extract<Expression<F>, { kind: 'test' }>> {
  switch (tree.kind) {
    case 'test':
      yield tree;
      return;
    case 'not':
      yield* testsOf(tree.of);
      return;
    case 'constant':
      return;
    case 'and':
    case 'or':
    case 'some':
      for (const part of tree.of) yield* testsOf(part);
  }
}
