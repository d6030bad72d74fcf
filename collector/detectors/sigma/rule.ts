/**
 * What a Sigma rule is, and what all kinds of documents have in common: the head, the log source, the selections.
 *
 * What is wrong is refused with file, line and what to do. Keys the specification does not know are allowed, as it
 * says. Selections are resolved here: a rule leaves as one expression.
 */
import { createHash } from 'node:crypto';
import { parseCondition } from './condition.ts';
import { mapOf, textOf, textsOf, type MapNode, type Node } from './document.ts';
import { SigmaError } from './error.ts';
import { and, or, testsOf, type Expression } from './expression.ts';
import { compileItem, type FieldName } from './modifiers.ts';
import { didYouMean } from '../../../config/suggest.ts';

export const LEVELS = ['informational', 'low', 'medium', 'high', 'critical'] as const;
export type Level = (typeof LEVELS)[number];

const STATUSES = ['stable', 'test', 'experimental', 'deprecated', 'unsupported'];

export interface LogSource {
  readonly product: string | undefined;
  readonly category: string | undefined;
  readonly service: string | undefined;
}

export interface Described {
  readonly id: string;
  readonly name: string | undefined;
  readonly title: string;
  readonly level: Level;
  readonly status: string;
  /** Whose names for fields and log sources it uses. */
  readonly taxonomy: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly falsepositives: readonly string[];
  readonly file: string;
  readonly line: number;
}

export interface SigmaRule extends Described {
  readonly kind: 'rule';
  readonly logsource: LogSource;
  readonly condition: Expression<FieldName>;
}

/** Narrows the rules it names: they match only where `condition` holds too. */
export interface SigmaFilter extends Described {
  readonly kind: 'filter';
  readonly logsource: LogSource;
  /** Ids or names; undefined: every rule of the log source. */
  readonly rules: readonly string[] | undefined;
  readonly rulesLine: number;
  readonly condition: Expression<FieldName>;
}

export const CORRELATION_TYPES = [
  'event_count',
  'value_count',
  'value_sum',
  'value_avg',
  'value_median',
  'value_percentile',
  'temporal',
  'temporal_ordered',
] as const;
export type CorrelationType = (typeof CORRELATION_TYPES)[number];

export const THRESHOLDS = ['lt', 'lte', 'gt', 'gte', 'eq', 'neq'] as const;

export interface Threshold {
  readonly how: (typeof THRESHOLDS)[number];
  readonly number: number;
}

export interface SigmaCorrelation extends Described {
  readonly kind: 'correlation';
  readonly type: CorrelationType;
  /** Ids or names of the rules whose matches are counted. */
  readonly rules: readonly string[];
  readonly groupBy: readonly string[];
  readonly timespan: number /* seconds */;
  /** The rules it builds on alert on their own, too. */
  readonly generate: boolean;
  /** alias -> rule -> field */
  readonly aliases: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly condition: readonly Threshold[];
  /** Instead: which of the rules matched, by their place in `rules`. */
  readonly expression: Expression<number> | undefined;
  readonly fields: readonly string[];
  /** For value_percentile. */
  readonly percentile: number;
}

export type SigmaDocument = SigmaRule | SigmaFilter | SigmaCorrelation;

export const lineOf = (map: MapNode, key: string): number => map.entries.get(key)?.line ?? map.line;

/** The head of a document. `salt` tells documents without an id apart. */
export function describe(map: MapNode, file: string, salt: string): Described {
  const fail = (key: string, problem: string): never => {
    throw new SigmaError(file, lineOf(map, key), `${key}: ${problem}`);
  };
  const title = textOf(map, 'title', file) ?? missing(map, 'title', 'say in a few words what the rule finds', file);
  if (title.length > 256) fail('title', 'longer than 256 characters; move detail to description');
  const id = textOf(map, 'id', file);
  if (id !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) fail('id', 'must be a UUID');
  const level = textOf(map, 'level', file) ?? 'medium';
  if (!isLevel(level)) return fail('level', `\`${level}\` is none of ${LEVELS.join(', ')}${didYouMean(level, LEVELS)}`);
  const status = textOf(map, 'status', file) ?? 'experimental';
  if (!STATUSES.includes(status))
    fail('status', `\`${status}\` is none of ${STATUSES.join(', ')}${didYouMean(status, STATUSES)}`);
  return {
    id: id ?? `unnamed-${createHash('sha256').update(`${map.line}\n${salt}`).digest('hex').slice(0, 16)}`,
    name: textOf(map, 'name', file),
    title,
    level,
    status,
    taxonomy: textOf(map, 'taxonomy', file) ?? 'sigma',
    description: map.entries.has('description') ? (textOf(map, 'description', file) ?? '') : '',
    tags: textsOf(map, 'tags', file),
    falsepositives: textsOf(map, 'falsepositives', file),
    file,
    line: map.line,
  };
}

/** Named like a key that is missing, perhaps a slip of the pen. */
export function missing(map: MapNode, key: string, advice: string, file: string): never {
  const [near] = [...map.entries].filter(([other]) => didYouMean(other, [key]) !== '');
  if (near === undefined) throw new SigmaError(file, map.line, `${key}: missing; ${advice}`);
  throw new SigmaError(file, near[1].line, `${near[0]}: no such key; did you mean \`${key}\`?`);
}

const isLevel = (level: string): level is Level => LEVELS.some((known) => known === level);

export function parseDetection(map: MapNode, described: Described): SigmaRule {
  const { file } = described;
  const detection = mapOf(map, 'detection', file);
  if (detection === undefined) return missing(map, 'detection', 'add selections and a condition', file);
  return {
    kind: 'rule',
    ...described,
    logsource: parseLogSource(map, file),
    condition: parseSelections(detection, file, 'detection'),
  };
}

export function parseLogSource(map: MapNode, file: string): LogSource {
  const logsource = mapOf(map, 'logsource', file);
  if (logsource === undefined) return missing(map, 'logsource', 'name product and category or service', file);
  const [product, category, service] = ['product', 'category', 'service'].map((key) => textOf(logsource, key, file));
  if (product === undefined && category === undefined && service === undefined) {
    throw new SigmaError(file, logsource.line, 'logsource: names neither product, category nor service');
  }
  return { product, category, service };
}

export function parseSelections(detection: MapNode, file: string, key: string): Expression<FieldName> {
  const condition = detection.entries.get('condition');
  if (condition === undefined) {
    throw new SigmaError(file, detection.line, `${key}: condition: missing; write e.g. \`condition: selection\``);
  }
  const names = [...detection.entries.keys()].filter((name) => name !== 'condition' && name !== 'timeframe');
  if (names.length === 0) throw new SigmaError(file, detection.line, `${key}: has a condition but no selection`);
  const parsed = new Map(names.map((name) => [name, parseSelection(detection.entries.get(name)?.value, file, 0)]));
  const sizes = new Map([...parsed].map(([name, tree]) => [name, [...testsOf(tree)].length]));
  let tests = 0;
  const conditions = condition.value.kind === 'list' ? condition.value.items : [condition.value];
  return or(
    conditions.map((one) => {
      if (one.kind !== 'scalar' || typeof one.value !== 'string') {
        throw new SigmaError(file, one.line, 'condition: expected text');
      }
      const fail = (problem: string): never => {
        throw new SigmaError(file, one.line, problem);
      };
      const expressionOf = (name: string): Expression<FieldName> | undefined => {
        tests += sizes.get(name) ?? 0;
        if (tests > MAX_TESTS) fail(`condition: asks more than ${MAX_TESTS} questions together; split the rule`);
        return parsed.get(name);
      };
      return parseCondition(one.value, { names, expressionOf }, fail);
    }),
  );
}

/** Each costs memory once for every time that the condition names its selection. */
const MAX_TESTS = 50_000;

const KEYWORDS = '';

/** A map is "all of", a list is "one of", a bare value is a keyword. */
function parseSelection(node: Node | undefined, file: string, depth: number): Expression<FieldName> {
  const failAt = (line: number, problem: string): never => {
    throw new SigmaError(file, line, problem);
  };
  if (node === undefined) return failAt(1, 'selection without content');
  if (node.kind === 'scalar') return compileItem(undefined, [], node, failAt);
  if (node.kind === 'list') {
    if (node.items.length === 0) return failAt(node.line, 'an empty selection matches nothing; remove it');
    if (depth > 0) return failAt(node.line, 'a list inside a list; write one list');
    return or(node.items.map((item) => parseSelection(item, file, depth + 1)));
  }
  if (node.entries.size === 0) return failAt(node.line, 'an empty selection matches nothing; remove it');
  return and(
    [...node.entries].map(([key, { line, value }]) => {
      const [name = KEYWORDS, ...modifiers] = key.split('|');
      return compileItem(name === KEYWORDS ? undefined : name, modifiers, value, (at, problem) =>
        failAt(at || line, `${key}: ${problem}`),
      );
    }),
  );
}
