/**
 * Sigma correlation rules: counts, values and sequences of other rules' matches within a time span.
 *
 * Evidence may come out of order and in any batching: matches are kept by their own time, and a window is looked
 * at again whenever a match falls into it. Memory is bounded by groups and by matches for each; the oldest go first.
 */
import type { EventReference } from './detector.ts';
import { itemsOf, memberOf } from './saved.ts';
import type { SigmaCorrelation } from './sigma/rule.ts';

/** A match of a rule, or of a correlation that another one builds on. */
export interface Match {
  readonly ids: readonly string[];
  readonly time: number;
  readonly at: EventReference;
  readonly fieldOf: (field: string) => string | undefined;
}

export interface Story {
  readonly correlation: SigmaCorrelation;
  readonly group: readonly string[];
  /** What was counted. */
  readonly measure: number;
  readonly first: number;
  readonly last: number;
  readonly events: readonly EventReference[];
}

/** [time, index of the rule, log index, line, value] */
type Entry = readonly [number, number, number, number, string];

interface Group {
  readonly entries: Entry[];
  /** Time of the last match that was told; the same story is told once a span. */
  told: number;
}

const MAX_GROUPS = 10_000;
const MAX_ENTRIES = 1000;
const MAX_EVENTS = 20;

export interface Correlator {
  observe(match: Match): readonly Story[];
  save(): unknown;
}

export function makeCorrelator(correlations: readonly SigmaCorrelation[], saved?: unknown): Correlator {
  const groups = new Map(correlations.map(({ id }) => [id, restore(memberOf(saved, id))]));
  const observe = (match: Match, depth: number): readonly Story[] =>
    correlations.flatMap((correlation) => {
      const rule = correlation.rules.findIndex((wanted) => match.ids.includes(wanted));
      const story = rule < 0 ? undefined : extend(correlation, rule, match, groups.get(correlation.id) ?? new Map());
      if (story === undefined) return [];
      const ids = [correlation.id, ...(correlation.name === undefined ? [] : [correlation.name])];
      // A correlation may build on others; a circle ends here.
      return [story, ...(depth > 4 ? [] : observe({ ...match, ids }, depth + 1))];
    });
  return {
    observe: (match) => observe(match, 0),
    save: () =>
      Object.fromEntries(
        [...groups].map(([id, group]) => [id, [...group].map(([key, { entries, told }]) => [key, told, entries])]),
      ),
  };
}

function extend(
  correlation: SigmaCorrelation,
  rule: number,
  match: Match,
  groups: Map<string, Group>,
): Story | undefined {
  const named = correlation.rules[rule] ?? '';
  const valuesOf = (fields: readonly string[]): readonly string[] =>
    fields.flatMap((field) => match.fieldOf(correlation.aliases.get(field)?.get(named) ?? field) ?? []);
  const key = valuesOf(correlation.groupBy);
  const counted = valuesOf(correlation.fields);
  // A match without the fields belongs to no group.
  if (key.length < correlation.groupBy.length || counted.length < correlation.fields.length) return undefined;
  const value = counted.length > 1 ? JSON.stringify(counted) : (counted[0] ?? '');
  const group = groupFor(groups, JSON.stringify(key));
  insert(group.entries, [match.time, rule, match.at.logIndex, match.at.line, value], correlation.timespan * 1_000_000);
  return tell(correlation, key, group, match.time);
}

function groupFor(groups: Map<string, Group>, key: string): Group {
  const group = groups.get(key) ?? { entries: [], told: 0 };
  // The most recently used stands last.
  groups.delete(key);
  groups.set(key, group);
  for (const oldest of groups.keys()) {
    if (groups.size <= MAX_GROUPS) break;
    groups.delete(oldest);
  }
  return group;
}

/** By time; those of the same time in order of arrival. Two spans are kept, so that a late match finds its neighbours. */
function insert(entries: Entry[], entry: Entry, span: number): void {
  const after = entries.findLastIndex(([time]) => time <= entry[0]);
  entries.splice(after + 1, 0, entry);
  const newest = entries.at(-1)?.[0] ?? 0;
  const keep = entries.findIndex(([time]) => time >= newest - 2 * span);
  entries.splice(0, Math.max(keep, entries.length - MAX_ENTRIES, 0));
}

/** Looks at every window that ends with a kept match and holds the new one. */
function tell(correlation: SigmaCorrelation, key: readonly string[], group: Group, time: number): Story | undefined {
  const span = correlation.timespan * 1_000_000;
  if (group.told !== 0 && Math.abs(time - group.told) < span) return undefined;
  for (const [index, [end]] of group.entries.entries()) {
    if (end < time || end > time + span) continue;
    const window = group.entries.slice(0, index + 1).filter(([at]) => at > end - span);
    const measure = measureOf(correlation, window);
    if (measure === undefined || !isMet(correlation, measure)) continue;
    group.told = time;
    return {
      correlation,
      group: key,
      measure,
      first: window[0]?.[0] ?? time,
      last: end,
      events: window.slice(-MAX_EVENTS).map(([, , logIndex, line]) => ({ logIndex, line })),
    };
  }
  return undefined;
}

function measureOf({ type, rules, percentile }: SigmaCorrelation, window: readonly Entry[]): number | undefined {
  const numbers = window.map(([, , , , value]) => Number(value)).filter((value) => !Number.isNaN(value));
  switch (type) {
    case 'event_count':
      return window.length;
    case 'value_count':
      return new Set(window.map(([, , , , value]) => value)).size;
    case 'value_sum':
      return numbers.reduce((sum, value) => sum + value, 0);
    case 'value_avg':
      return numbers.length === 0 ? undefined : numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
    case 'value_percentile':
      return numbers.toSorted((a, b) => a - b)[Math.ceil((numbers.length * percentile) / 100) - 1];
    case 'temporal':
      return new Set(window.map(([, rule]) => rule)).size;
    case 'temporal_ordered': {
      // How many of the rules matched, each after the one before it.
      let reached = 0;
      for (const [, rule] of window) if (rule === reached) reached++;
      return Math.min(reached, rules.length);
    }
  }
}

function isMet({ condition, rules }: SigmaCorrelation, measure: number): boolean {
  if (condition.length === 0) return measure >= rules.length;
  return condition.every(({ how, number }) => {
    switch (how) {
      case 'lt':
        return measure < number;
      case 'lte':
        return measure <= number;
      case 'gt':
        return measure > number;
      case 'gte':
        return measure >= number;
      case 'eq':
        return measure === number;
      case 'neq':
        return measure !== number;
    }
  });
}

function restore(saved: unknown): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const item of itemsOf(saved)) {
    const [key, told, entries] = itemsOf(item);
    if (typeof key !== 'string' || typeof told !== 'number') continue;
    groups.set(key, { told, entries: itemsOf(entries).flatMap(entryOf) });
  }
  return groups;
}

function entryOf(saved: unknown): readonly Entry[] {
  const [time, rule, logIndex, line, value] = itemsOf(saved);
  const whole =
    typeof time === 'number' &&
    typeof rule === 'number' &&
    typeof logIndex === 'number' &&
    typeof line === 'number' &&
    typeof value === 'string';
  return whole ? [[time, rule, logIndex, line, value]] : [];
}
