/**
 * Correlation rules as their authors write them: what is counted, grouped by what, within which time.
 *
 * Stricter than rules: a key nobody knows is refused, because `groupby` for `group-by` would count everybody as one.
 */
import { parseCondition } from './condition.ts';
import { mapOf, refuseStrangers, textOf, textsOf, type MapNode } from './document.ts';
import { SigmaError } from './error.ts';
import type { Expression } from './expression.ts';
import {
  CORRELATION_TYPES,
  lineOf,
  missing,
  THRESHOLDS,
  type CorrelationType,
  type Described,
  type SigmaCorrelation,
} from './rule.ts';
import { didYouMean } from '../../../config/suggest.ts';
import { holds } from './words.ts';

const KEYS = ['type', 'rules', 'group-by', 'timespan', 'condition', 'aliases', 'generate'];
/** Months and years are those of the calendar's average. */
const SECONDS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  M: 2_629_746,
  y: 31_556_952,
};
/** More matches of one group are not kept, so a higher count could never be reached. */
export const MAX_COUNT = 100_000;

type Fail = (key: string, problem: string) => never;
type Condition = Pick<SigmaCorrelation, 'rules' | 'condition' | 'expression' | 'fields' | 'percentile'>;

export function parseCorrelation(map: MapNode, described: Described): SigmaCorrelation {
  const { file } = described;
  const body = mapOf(map, 'correlation', file);
  if (body === undefined) throw new SigmaError(file, map.line, 'correlation: expected a map');
  refuseStrangers(body, KEYS, file, 'correlation');
  const fail: Fail = (key, problem) => {
    throw new SigmaError(file, lineOf(body, key), `correlation: ${key}: ${problem}`);
  };
  const type = parseType(body, file, fail);
  const span = /^([1-9]\d{0,6})([smhdwMy])$/.exec(textOf(body, 'timespan', file) ?? '');
  if (span === null) return fail('timespan', 'expected a number and one of s, m, h, d, w, M, y, like 5m');
  const condition = parseCorrelationCondition(body, type, file, fail);
  return {
    kind: 'correlation',
    ...described,
    type,
    groupBy: textsOf(body, 'group-by', file),
    timespan: Number(span[1]) * (SECONDS[span[2] ?? 's'] ?? 1),
    generate: parseGenerate(body, file, fail),
    aliases: parseAliases(body, file),
    ...condition,
  };
}

function parseType(body: MapNode, file: string, fail: Fail): CorrelationType {
  const wanted =
    textOf(body, 'type', file) ?? missing(body, 'type', `name one of ${CORRELATION_TYPES.join(', ')}`, file);
  const type = CORRELATION_TYPES.find((known) => known === wanted);
  if (type !== undefined) return type;
  return fail('type', `none of ${CORRELATION_TYPES.join(', ')}${didYouMean(wanted, CORRELATION_TYPES)}`);
}

function parseGenerate(body: MapNode, file: string, fail: Fail): boolean {
  const text = textOf(body, 'generate', file) ?? 'false';
  return text === 'true' || text === 'false' ? text === 'true' : fail('generate', 'must be true or false');
}

/** A map of thresholds; or, for sequences, words: which rules must have matched, and which must not. */
function parseCorrelationCondition(body: MapNode, type: CorrelationType, file: string, fail: Fail): Condition {
  const rules = textsOf(body, 'rules', file);
  const twin = rules.find((rule, index) => rules.indexOf(rule) !== index);
  if (twin !== undefined) fail('rules', `${twin} stands there twice`);
  const entry = body.entries.get('condition');
  const isTemporal = type.startsWith('temporal');
  if (entry?.value.kind === 'scalar') {
    if (!isTemporal) fail('condition', `words are for temporal and temporal_ordered; write e.g. gte: 10`);
    return {
      ...parseWords(textOf(body, 'condition', file) ?? '', rules, fail),
      condition: [],
      fields: [],
      percentile: 50,
    };
  }
  if (rules.length === 0) fail('rules', 'missing; name the rules whose matches are counted');
  if (entry === undefined) {
    if (!isTemporal) return fail('condition', 'missing; write e.g. gte: 10');
    return { rules, expression: undefined, condition: [], fields: [], percentile: 50 };
  }
  return { rules, expression: undefined, ...parseThresholds(body, type, file, fail) };
}

function parseWords(text: string, listed: readonly string[], fail: Fail): Pick<Condition, 'rules' | 'expression'> {
  const failHere = (problem: string): never => fail('condition', problem);
  const rules = [...listed];
  const named = new Set<number>();
  const expressionOf = (name: string): Expression<number> | undefined => {
    // Without a list the words are the list, in the order in which they come.
    if (listed.length === 0 && !rules.includes(name)) rules.push(name);
    const field = rules.indexOf(name);
    if (field < 0) return undefined;
    named.add(field);
    return { kind: 'test', field, test: { is: 'exists', expected: true } };
  };
  const expression = parseCondition(text, { names: listed, expressionOf }, failHere);
  const idle = rules.find((_, index) => !named.has(index));
  if (idle !== undefined) fail('condition', `leaves out ${idle}, which stands under rules`);
  const nobody = new Set<number>();
  if (holds(expression, nobody, nobody)) fail('condition', 'holds when nothing at all happened; name what must happen');
  if (rules.length > 50) fail('condition', 'names more than 50 rules; chain correlations instead');
  return { rules, expression };
}

function parseThresholds(
  body: MapNode,
  type: CorrelationType,
  file: string,
  fail: Fail,
): Pick<Condition, 'condition' | 'fields' | 'percentile'> {
  const map = mapOf(body, 'condition', file) ?? fail('condition', 'expected a map');
  refuseStrangers(map, [...THRESHOLDS, 'field', 'percentile'], file, 'correlation: condition');
  const condition = THRESHOLDS.flatMap((how) => {
    const text = textOf(map, how, file);
    if (text === undefined) return [];
    return /^-?\d{1,15}(\.\d{1,9})?$/.test(text)
      ? [{ how, number: Number(text) }]
      : fail('condition', `${how} needs a number`);
  });
  const fields = textsOf(map, 'field', file);
  if (condition.length === 0) fail('condition', `needs one of ${THRESHOLDS.join(', ')}`);
  if (type.startsWith('value_') && fields.length === 0)
    fail('condition', `${type} needs field: the field whose values count`);
  if (type.endsWith('_count') && condition.some(({ number }) => number > MAX_COUNT))
    fail('condition', `counts go up to ${MAX_COUNT}; take a shorter timespan`);
  const percentile = Number(textOf(map, 'percentile', file) ?? 50);
  if (!(percentile > 0 && percentile <= 100)) fail('condition', 'percentile must be above 0 and at most 100');
  return { condition, fields, percentile };
}

function parseAliases(body: MapNode, file: string): SigmaCorrelation['aliases'] {
  const aliases = new Map<string, ReadonlyMap<string, string>>();
  const map = body.entries.has('aliases') ? mapOf(body, 'aliases', file) : undefined;
  for (const [alias, { line, value }] of map?.entries ?? []) {
    if (value.kind !== 'map')
      throw new SigmaError(file, line, `correlation: aliases: ${alias}: expected rule: field lines`);
    aliases.set(alias, new Map([...value.entries.keys()].map((rule) => [rule, textOf(value, rule, file) ?? ''])));
  }
  return aliases;
}

/** What an alias stands for in the events of a rule, which is known by its id and perhaps by a name. */
export const fieldBehind = ({ aliases }: SigmaCorrelation, field: string, named: readonly string[]): string =>
  named.map((name) => aliases.get(field)?.get(name)).find((behind) => behind !== undefined) ?? field;
