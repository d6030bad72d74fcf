/** A question as a condition of SQL. Names come from the vocabulary; whatever people wrote is a parameter, never part of the text. */
import { ATTRIBUTES, isAttributeName } from '#protocol/vocabulary.ts';
import type { Literal, Query, Test } from './query.ts';

export interface Condition {
  readonly sql: string;
  /** `$1`, `$2`, … in their order. */
  readonly values: readonly Literal[];
}

/** Two-valued: what is not there is false, so that `not` of it is true. `first` is the number of the first parameter. */
export function toSql(query: Query, first = 1): Condition {
  const values: Literal[] = [];
  const parameter = (value: Literal): string => `$${first + values.push(value) - 1}`;
  return { sql: sqlOf(query, parameter), values };
}

type Parameter = (value: Literal) => string;

function sqlOf(query: Query, parameter: Parameter): string {
  switch (query.is) {
    case 'all':
      return 'true';
    case 'not':
      return `NOT ${sqlOf(query.of, parameter)}`;
    case 'and':
    case 'or':
      return `(${query.of.map((part) => sqlOf(part, parameter)).join(query.is === 'and' ? ' AND ' : ' OR ')})`;
    case 'test':
      return `coalesce(${testSql(query, parameter)}, false)`;
  }
}

function testSql({ name, how, values }: Test, parameter: Parameter): string {
  const column = `"${name}"`;
  if (how === 'exists') return `${column} IS NOT NULL`;
  const isList = isAttributeName(name) && ATTRIBUTES[name].type === 'string[]';
  const tests = values.map((value) => {
    const given = parameter(value);
    if (!isList) return compared(column, how, given);
    return `len(list_filter(${column}, lambda item: ${compared('item', how, given)})) > 0`;
  });
  return `(${tests.join(' OR ')})`;
}

function compared(column: string, how: Exclude<Test['how'], 'exists'>, given: string): string {
  switch (how) {
    case 'contains':
      return `contains(${column}, ${given})`;
    case 'startswith':
      return `starts_with(${column}, ${given})`;
    case 'endswith':
      return `ends_with(${column}, ${given})`;
    case 'matches':
      return `regexp_matches(${column}, ${given})`;
    case '=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return `${column} ${how} ${given}`;
  }
}
