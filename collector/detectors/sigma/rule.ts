/**
 * Sigma documents: detection rules, filters and correlation rules, parsed and checked.
 *
 * Unmodified SigmaHQ rules load; what is wrong is refused with file, line and what to do. Keys the specification
 * does not know are allowed, as it says. Selections are resolved here: a rule leaves as one expression.
 */
import { createHash } from 'node:crypto';
import { parseCondition } from './condition.ts';
import { mapOf, readDocuments, textOf, textsOf, type MapNode, type Node } from './document.ts';
import { SigmaError } from './error.ts';
import { and, or, type Expression } from './expression.ts';
import { compileItem, type FieldName } from './modifiers.ts';

export const LEVELS = ['informational', 'low', 'medium', 'high', 'critical'] as const;
export type Level = (typeof LEVELS)[number];

const STATUSES = ['stable', 'test', 'experimental', 'deprecated', 'unsupported'];

export interface LogSource {
  readonly product: string | undefined;
  readonly category: string | undefined;
  readonly service: string | undefined;
}

interface Described {
  readonly id: string;
  readonly name: string | undefined;
  readonly title: string;
  readonly level: Level;
  readonly status: string;
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
  readonly condition: Expression<FieldName>;
}

export const CORRELATION_TYPES = [
  'event_count',
  'value_count',
  'value_sum',
  'value_avg',
  'value_percentile',
  'temporal',
  'temporal_ordered',
] as const;
export type CorrelationType = (typeof CORRELATION_TYPES)[number];

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
  readonly condition: readonly { readonly how: 'lt' | 'lte' | 'gt' | 'gte' | 'eq' | 'neq'; readonly number: number }[];
  readonly fields: readonly string[];
  /** For value_percentile. */
  readonly percentile: number;
}

export type SigmaDocument = SigmaRule | SigmaFilter | SigmaCorrelation;

/** One rule; a file that holds more than one document is refused here, see {@link parseSigmaFile}. */
export function parseSigmaRule(text: string, file: string): SigmaRule {
  const documents = parseSigmaFile(text, file);
  const [rule] = documents;
  if (rule?.kind !== 'rule' || documents.length !== 1) {
    throw new SigmaError(file, 1, 'expected exactly one detection rule; use a directory for correlations and filters');
  }
  return rule;
}

export function parseSigmaFile(text: string, file: string): readonly SigmaDocument[] {
  return readDocuments(text, file).map((map) => {
    if (map.entries.has('action')) {
      throw new SigmaError(
        file,
        lineOf(map, 'action'),
        'action: rule collections left the specification; write each rule out',
      );
    }
    const described = describe(map, file, text);
    if (map.entries.has('correlation')) return parseCorrelation(map, described);
    if (map.entries.has('filter')) return parseFilter(map, described);
    return parseDetection(map, described);
  });
}

const lineOf = (map: MapNode, key: string): number => map.entries.get(key)?.line ?? map.line;

function describe(map: MapNode, file: string, text: string): Described {
  const fail = (key: string, problem: string): never => {
    throw new SigmaError(file, lineOf(map, key), `${key}: ${problem}`);
  };
  const title = textOf(map, 'title', file) ?? fail('title', 'missing; say in a few words what the rule finds');
  if (title.length > 256) fail('title', 'longer than 256 characters; move detail to description');
  const id = textOf(map, 'id', file);
  if (id !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) fail('id', 'must be a UUID');
  const level = textOf(map, 'level', file) ?? 'medium';
  if (!isLevel(level)) return fail('level', `\`${level}\` is none of ${LEVELS.join(', ')}`);
  const status = textOf(map, 'status', file) ?? 'experimental';
  if (!STATUSES.includes(status)) fail('status', `\`${status}\` is none of ${STATUSES.join(', ')}`);
  return {
    id: id ?? `unnamed-${createHash('sha256').update(`${map.line}\n${text}`).digest('hex').slice(0, 16)}`,
    name: textOf(map, 'name', file),
    title,
    level,
    status,
    description: map.entries.has('description') ? (textOf(map, 'description', file) ?? '') : '',
    tags: textsOf(map, 'tags', file),
    falsepositives: textsOf(map, 'falsepositives', file),
    file,
    line: map.line,
  };
}

const isLevel = (level: string): level is Level => LEVELS.some((known) => known === level);

function parseDetection(map: MapNode, described: Described): SigmaRule {
  const { file } = described;
  const detection = mapOf(map, 'detection', file);
  if (detection === undefined)
    throw new SigmaError(file, map.line, 'detection: missing; add selections and a condition');
  return {
    kind: 'rule',
    ...described,
    logsource: parseLogSource(map, file),
    condition: parseSelections(detection, file, 'detection'),
  };
}

function parseFilter(map: MapNode, described: Described): SigmaFilter {
  const { file } = described;
  const filter = mapOf(map, 'filter', file);
  if (filter === undefined) throw new SigmaError(file, map.line, 'filter: expected a map');
  const rules = textsOf(filter, 'rules', file);
  if (rules.length === 0)
    throw new SigmaError(file, filter.line, 'filter: rules: missing; name the rules it narrows, or `any`');
  const selections: MapNode = {
    ...filter,
    entries: new Map([...filter.entries].filter(([key]) => key !== 'rules')),
  };
  return {
    kind: 'filter',
    ...described,
    logsource: parseLogSource(map, file),
    rules: rules.length === 1 && rules[0] === 'any' ? undefined : rules,
    condition: parseSelections(selections, file, 'filter'),
  };
}

function parseLogSource(map: MapNode, file: string): LogSource {
  const logsource = mapOf(map, 'logsource', file);
  if (logsource === undefined)
    throw new SigmaError(file, map.line, 'logsource: missing; name product and category or service');
  const [product, category, service] = ['product', 'category', 'service'].map((key) => textOf(logsource, key, file));
  if (product === undefined && category === undefined && service === undefined) {
    throw new SigmaError(file, logsource.line, 'logsource: names neither product, category nor service');
  }
  return { product, category, service };
}

function parseSelections(detection: MapNode, file: string, key: string): Expression<FieldName> {
  const condition = detection.entries.get('condition');
  if (condition === undefined) {
    throw new SigmaError(file, detection.line, `${key}: condition: missing; write e.g. \`condition: selection\``);
  }
  const names = [...detection.entries.keys()].filter((name) => name !== 'condition' && name !== 'timeframe');
  if (names.length === 0) throw new SigmaError(file, detection.line, `${key}: has a condition but no selection`);
  const parsed = new Map(names.map((name) => [name, parseSelection(detection.entries.get(name)?.value, file, 0)]));
  const conditions = condition.value.kind === 'list' ? condition.value.items : [condition.value];
  return or(
    conditions.map((one) => {
      if (one.kind !== 'scalar' || typeof one.value !== 'string') {
        throw new SigmaError(file, one.line, 'condition: expected text');
      }
      return parseCondition(one.value, { names, expressionOf: (name) => parsed.get(name) }, (problem) => {
        throw new SigmaError(file, one.line, problem);
      });
    }),
  );
}

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

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const OPERATORS = ['lt', 'lte', 'gt', 'gte', 'eq', 'neq'] as const;

function parseCorrelation(map: MapNode, described: Described): SigmaCorrelation {
  const { file } = described;
  const body = mapOf(map, 'correlation', file);
  if (body === undefined) throw new SigmaError(file, map.line, 'correlation: expected a map');
  const fail = (key: string, problem: string): never => {
    throw new SigmaError(file, lineOf(body, key), `correlation: ${key}: ${problem}`);
  };
  const wanted = textOf(body, 'type', file) ?? fail('type', 'missing');
  const type =
    CORRELATION_TYPES.find((known) => known === wanted) ?? fail('type', `none of ${CORRELATION_TYPES.join(', ')}`);
  const span = /^([1-9]\d{0,6})([smhdw])$/.exec(textOf(body, 'timespan', file) ?? '');
  if (span === null) return fail('timespan', 'expected a number and one of s, m, h, d, w, like 5m');
  const rules = textsOf(body, 'rules', file);
  if (rules.length === 0) fail('rules', 'missing; name the rules whose matches are counted');
  const condition = parseThreshold(body, type, file, fail);
  return {
    kind: 'correlation',
    ...described,
    type,
    rules,
    groupBy: textsOf(body, 'group-by', file),
    timespan: Number(span[1]) * (SECONDS[span[2] ?? 's'] ?? 1),
    generate: (textOf(body, 'generate', file) ?? 'false') === 'true',
    aliases: parseAliases(body, file),
    ...condition,
  };
}

function parseThreshold(
  body: MapNode,
  type: CorrelationType,
  file: string,
  fail: (key: string, problem: string) => never,
): Pick<SigmaCorrelation, 'condition' | 'fields' | 'percentile'> {
  const map = body.entries.has('condition') ? mapOf(body, 'condition', file) : undefined;
  if (map === undefined) {
    return type.startsWith('temporal')
      ? { condition: [], fields: [], percentile: 50 }
      : fail('condition', 'missing; write e.g. gte: 10');
  }
  const condition = OPERATORS.flatMap((how) => {
    const text = textOf(map, how, file);
    if (text === undefined) return [];
    return /^\d+(\.\d+)?$/.test(text) ? [{ how, number: Number(text) }] : fail('condition', `${how} needs a number`);
  });
  const fields = textsOf(map, 'field', file);
  if (condition.length === 0) fail('condition', `needs one of ${OPERATORS.join(', ')}`);
  if (type.startsWith('value_') && fields.length === 0)
    fail('condition', `${type} needs field: the field whose values count`);
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

/** Rules with the filters that name them applied. */
export function applyFilters(rules: readonly SigmaRule[], filters: readonly SigmaFilter[]): readonly SigmaRule[] {
  return rules.map((rule) => {
    const applied = filters.filter(
      (filter) =>
        (filter.rules?.some((wanted) => wanted === rule.id || wanted === rule.name) ?? true) &&
        isWithin(rule.logsource, filter.logsource),
    );
    return applied.length === 0
      ? rule
      : { ...rule, condition: and([rule.condition, ...applied.map((one) => one.condition)]) };
  });
}

/** The inner log source has everything the outer one asks for. */
export function isWithin(inner: LogSource, outer: LogSource): boolean {
  return (
    (outer.product === undefined || outer.product === inner.product) &&
    (outer.category === undefined || outer.category === inner.category) &&
    (outer.service === undefined || outer.service === inner.service)
  );
}
