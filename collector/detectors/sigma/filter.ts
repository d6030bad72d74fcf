/**
 * Sigma filters: what narrows rules without touching their files.
 *
 * A rule that a filter names matches only where the filter's condition holds too; `condition: not selection` leaves
 * out what the selection finds. A filter that can narrow nothing is refused: it would be taken for one that works.
 */
import { mapOf, textsOf, type MapNode } from './document.ts';
import { SigmaError } from './error.ts';
import { and } from './expression.ts';
import { missing, parseLogSource, parseSelections, type Described, type LogSource } from './rule.ts';
import type { SigmaFilter, SigmaRule } from './rule.ts';
import { didYouMean } from '../../../config/suggest.ts';

export function parseFilter(map: MapNode, described: Described): SigmaFilter {
  const { file } = described;
  const filter = mapOf(map, 'filter', file);
  if (filter === undefined) throw new SigmaError(file, map.line, 'filter: expected a map');
  const rules = textsOf(filter, 'rules', file);
  const entry = filter.entries.get('rules');
  if (entry === undefined) return missing(filter, 'rules', 'name the rules it narrows, or `any`', file);
  const isAny = rules.length === 0 || (rules.length === 1 && /^(any|all)$/i.test(rules[0] ?? ''));
  const entries = new Map([...filter.entries].filter(([key]) => key !== 'rules'));
  return {
    kind: 'filter',
    ...described,
    logsource: parseLogSource(map, file),
    rules: isAny ? undefined : rules,
    rulesLine: entry.line,
    condition: parseSelections({ ...filter, entries }, file, 'filter'),
  };
}

/** Rules with the filters that name them applied. Filters may name rules of `beyond` too, which are left as they are. */
export function applyFilters(
  rules: readonly SigmaRule[],
  filters: readonly SigmaFilter[],
  beyond: readonly SigmaRule[] = [],
): readonly SigmaRule[] {
  for (const filter of filters) refuseIdle(filter, [...rules, ...beyond]);
  return rules.map((rule) => {
    const applied = filtersOf(rule, filters);
    return applied.length === 0
      ? rule
      : { ...rule, condition: and([rule.condition, ...applied.map((one) => one.condition)]) };
  });
}

/** Those that narrow the rule. */
export const filtersOf = (rule: SigmaRule, filters: readonly SigmaFilter[]): readonly SigmaFilter[] =>
  filters.filter(
    (filter) =>
      (filter.rules?.some((wanted) => isNamed(rule, wanted)) ?? true) && isWithin(rule.logsource, filter.logsource),
  );

function refuseIdle({ rules: wanted, logsource, file, rulesLine }: SigmaFilter, rules: readonly SigmaRule[]): void {
  for (const name of wanted ?? []) {
    const rule = rules.find((one) => isNamed(one, name));
    if (rule === undefined) {
      const known = rules.flatMap((one) => one.name ?? []);
      throw new SigmaError(
        file,
        rulesLine,
        `filter: rules: no rule here has the id or name ${name}${didYouMean(name, known)}`,
      );
    }
    if (!isWithin(rule.logsource, logsource))
      throw new SigmaError(
        file,
        rulesLine,
        `filter: rules: ${name} is about another log source; the filter would never apply`,
      );
  }
}

const isNamed = (rule: SigmaRule, wanted: string): boolean => wanted === rule.id || wanted === rule.name;

/** The inner log source has everything the outer one asks for. */
function isWithin(inner: LogSource, outer: LogSource): boolean {
  return (
    (outer.product === undefined || outer.product === inner.product) &&
    (outer.category === undefined || outer.category === inner.category) &&
    (outer.service === undefined || outer.service === inner.service)
  );
}
