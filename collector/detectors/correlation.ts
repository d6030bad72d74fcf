/**
 * Sigma correlation rules: counts, values and sequences of other rules' matches within a time span.
 *
 * Evidence may come out of order and in any batching: matches are kept by their own time, and a window is looked
 * at again whenever a match falls into it. What later matches could undo waits until its node has told of later
 * times. Memory is bounded by groups and by matches for each; the oldest go first.
 */
import type { EventReference } from './detector.ts';
import { isRevocable, measureIfMet, type Entry } from './measure.ts';
import { itemsOf, memberOf } from './saved.ts';
import { fieldBehind } from './sigma/correlation-rule.ts';
import { digestOf } from './sigma/digest.ts';
import type { SigmaCorrelation } from './sigma/rule.ts';

/** A match of a rule, or of a correlation that another one builds on. */
export interface Match {
  readonly ids: readonly string[];
  readonly node: string;
  readonly time: number;
  readonly at: EventReference;
  /** Identical operations that its event stands for. */
  readonly times: number;
  readonly fieldOf: (field: string) => string | undefined;
}

export interface Story {
  readonly correlation: SigmaCorrelation;
  /** That of its last match. */
  readonly node: string;
  readonly group: readonly string[];
  /** What was counted. */
  readonly measure: number;
  readonly first: number;
  readonly last: number;
  readonly events: readonly EventReference[];
}

/** A window that is judged when it is over: its first time, and the node whose clock says so. */
type Open = readonly [number, string];

interface Group {
  readonly key: readonly string[];
  readonly entries: Entry[];
  /** Operations that its entries stand for beside themselves. */
  merged: number;
  open: readonly Open[];
  /** Time of the last match that was told; the same story is told once a span. */
  told: number;
}

/** A correlation, and what it remembers. The most recently used group stands last. */
interface Memory {
  readonly correlation: SigmaCorrelation;
  readonly span: number;
  readonly waits: boolean;
  /** Matches of one group, at most. */
  readonly most: number;
  /** Fewer in a window need not be looked at. */
  readonly least: number;
  readonly groups: Map<string, Group>;
  entries: number;
}

const MAX_GROUPS = 10_000;
/** Of one group; more where a rule counts further. */
const MAX_ENTRIES = 1000;
/** Of one correlation. */
const MAX_ALL_ENTRIES = 250_000;
const MAX_OPEN = 100;
const MAX_EVENTS = 20;
/** A correlation may build on others; a circle ends here. */
const MAX_CHAIN = 5;
/** Events of one node stand in nearly the order of their times. */
const DISORDER = 2_000_000;

export interface Correlator {
  observe(match: Match): readonly Story[];
  /** The node has told everything up to this time. */
  advance(node: string, time: number): readonly Story[];
  save(): unknown;
}

export function makeCorrelator(correlations: readonly SigmaCorrelation[], saved?: unknown): Correlator {
  const memories = correlations.map((correlation) => restore(correlation, memberOf(saved, keyOf(correlation))));
  const waiting = memories.filter(({ waits }) => waits);
  const steps = stepsOf(memories);
  const observe = (match: Match, depth: number): readonly Story[] =>
    match.ids
      .flatMap((id) => steps.get(id) ?? [])
      .flatMap(({ memory, rule }) => {
        const story = extend(memory, rule, match);
        return story === undefined ? [] : [story, ...above(memory.correlation, match, depth)];
      });
  /** What builds on a correlation that was told. */
  const above = ({ id, name }: SigmaCorrelation, match: Match, depth: number): readonly Story[] =>
    depth >= MAX_CHAIN ? [] : observe({ ...match, times: 1, ids: name === undefined ? [id] : [id, name] }, depth + 1);
  return {
    observe: (match) => observe(match, 0),
    advance: (node, time) =>
      waiting.flatMap((memory) =>
        judge(memory, node, time - DISORDER).flatMap((story) => [
          story,
          ...above(memory.correlation, matchOf(story), 0),
        ]),
      ),
    save: () => Object.fromEntries(memories.map((memory) => [keyOf(memory.correlation), saveGroups(memory)])),
  };
}

/** What was counted for one that said something else says nothing about this one. */
const keyOf = (correlation: SigmaCorrelation): string => `${correlation.id} ${digestOf(correlation).slice(0, 16)}`;

/** Which correlations wait for a rule, by the id or name that they know it by. */
function stepsOf(memories: readonly Memory[]): ReadonlyMap<string, readonly { memory: Memory; rule: number }[]> {
  const steps = new Map<string, { memory: Memory; rule: number }[]>();
  for (const memory of memories) {
    for (const [rule, wanted] of memory.correlation.rules.entries()) {
      steps.set(wanted, [...(steps.get(wanted) ?? []), { memory, rule }]);
    }
  }
  return steps;
}

/** Takes a match in; returns the story that it completes. */
function extend(memory: Memory, rule: number, match: Match): Story | undefined {
  const { correlation } = memory;
  const named = [correlation.rules[rule] ?? '', ...match.ids];
  const valuesOf = (fields: readonly string[]): readonly string[] =>
    fields.flatMap((field) => match.fieldOf(fieldBehind(correlation, field, named)) ?? []);
  const key = valuesOf(correlation.groupBy);
  const counted = valuesOf(correlation.fields);
  // A match without the fields belongs to no group.
  if (key.length < correlation.groupBy.length || counted.length < correlation.fields.length) return undefined;
  const value = counted.length > 1 ? JSON.stringify(counted) : (counted[0] ?? '');
  const group = groupFor(memory, key);
  insert(memory, group, [match.time, rule, match.at.logIndex, match.at.line, value, match.times]);
  if (!memory.waits) return tell(memory, group, match);
  group.open = opened(memory, group, match);
  return undefined;
}

function groupFor(memory: Memory, key: readonly string[]): Group {
  const { groups } = memory;
  const name = JSON.stringify(key);
  const group = groups.get(name) ?? { key, entries: [], merged: 0, open: [], told: 0 };
  groups.delete(name);
  groups.set(name, group);
  for (const [oldest, { entries }] of groups) {
    if (groups.size <= MAX_GROUPS && (memory.entries <= MAX_ALL_ENTRIES || groups.size === 1)) break;
    groups.delete(oldest);
    memory.entries -= entries.length;
  }
  return group;
}

/** By time; those of the same time in order of arrival. Two spans are kept, so that a late match finds its neighbours. */
function insert(memory: Memory, group: Group, entry: Entry): void {
  const { span, most } = memory;
  const { entries } = group;
  entries.splice(firstFrom(entries, entry[0] + 1), 0, entry);
  const newest = entries.at(-1)?.[0] ?? 0;
  const gone = entries.splice(0, Math.max(firstFrom(entries, newest - 2 * span), entries.length - most, 0));
  memory.entries += 1 - gone.length;
  group.merged += gone.reduce((sum, [, , , , , times]) => sum - times + 1, entry[5] - 1);
}

/** Place of the first entry of this time or later. */
function firstFrom(entries: readonly Entry[], time: number): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle]?.[0] ?? 0) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Looks at every window that ends with a kept match and holds the new one. */
function tell(memory: Memory, group: Group, { node, time }: Match): Story | undefined {
  const { span, least } = memory;
  const { entries, merged } = group;
  if (isTold(memory, group, time)) return undefined;
  for (let to = firstFrom(entries, time); to < entries.length; to++) {
    const end = entries[to]?.[0] ?? 0;
    if (end > time + span) break;
    const from = firstFrom(entries, end - span + 1);
    if (to + 1 - from + merged < least) continue;
    const story = storyOf(memory, group, node, entries.slice(from, to + 1));
    if (story === undefined) continue;
    group.told = time;
    return story;
  }
  return undefined;
}

const isTold = ({ span }: Memory, { told }: Group, time: number): boolean => told !== 0 && Math.abs(time - told) < span;

function storyOf({ correlation }: Memory, { key }: Group, node: string, window: readonly Entry[]): Story | undefined {
  const measure = measureIfMet(correlation, window);
  if (measure === undefined) return undefined;
  const events = window.slice(-MAX_EVENTS).map(([, , logIndex, line]) => ({ logIndex, line }));
  const [first = 0, last = 0] = [window[0]?.[0], window.at(-1)?.[0]];
  return { correlation, node, group: key, measure, first, last, events };
}

/** Sequences open a window for each match, for each may be the one that nothing follows; counts one after the other. */
function opened({ correlation, span }: Memory, { open }: Group, { time, node }: Match): readonly Open[] {
  const isSame = ([start]: Open): boolean => correlation.expression === undefined && Math.abs(start - time) < span;
  if (!open.some(isSame)) return [...open, [time, node] as const].slice(-MAX_OPEN);
  // A late match may be the one that the window begins with.
  return open.map((one) => (isSame(one) ? ([Math.min(one[0], time), one[1]] as const) : one));
}

/** Stories of the windows that are over. */
function judge(memory: Memory, node: string, until: number): readonly Story[] {
  const { groups, span } = memory;
  const isOver = ([start, on]: Open): boolean => on === node && start + span <= until;
  return [...groups.values()].flatMap((group) => {
    const over = group.open.filter(isOver).toSorted(([a], [b]) => a - b);
    if (over.length === 0) return [];
    group.open = group.open.filter((one) => !isOver(one));
    return over.flatMap(([start]) => {
      if (isTold(memory, group, start)) return [];
      const window = group.entries.filter(([time]) => time >= start && time < start + span);
      const story = window.length === 0 ? undefined : storyOf(memory, group, node, window);
      if (story !== undefined) group.told = start;
      return story ?? [];
    });
  });
}

/** A story as a match of its own; of its events it knows what they were grouped by. */
const matchOf = ({ correlation, node, group, last, events }: Story): Match => ({
  ids: [],
  node,
  time: last,
  at: events.at(-1) ?? { logIndex: 0, line: 0 },
  times: 1,
  fieldOf: (field) => group[correlation.groupBy.indexOf(field)],
});

const saveGroups = ({ groups }: Memory): unknown =>
  [...groups.values()].map(({ key, told, entries, open }) => [key, told, entries, open]);

function restore(correlation: SigmaCorrelation, saved: unknown): Memory {
  const groups = new Map<string, Group>();
  let count = 0;
  for (const item of itemsOf(saved)) {
    const [fields, told, kept, open] = itemsOf(item);
    if (!Array.isArray(fields) || typeof told !== 'number') continue;
    const key = itemsOf(fields).map(String);
    const entries = itemsOf(kept).flatMap(entryOf);
    count += entries.length;
    const merged = entries.reduce((sum, [, , , , , times]) => sum + times - 1, 0);
    groups.set(JSON.stringify(key), { key, told, entries, merged, open: itemsOf(open).flatMap(openOf) });
  }
  const counts = correlation.type.endsWith('_count') ? correlation.condition : [];
  return {
    correlation,
    span: correlation.timespan * 1_000_000,
    waits: isRevocable(correlation),
    most: Math.max(MAX_ENTRIES, ...counts.map(({ number }) => 2 * Math.ceil(number))),
    least: Math.max(0, ...counts.map(({ how, number }) => (how === 'gt' || how === 'gte' ? number : 0))),
    groups,
    entries: count,
  };
}

function openOf(saved: unknown): readonly Open[] {
  const [start, node] = itemsOf(saved);
  return typeof start === 'number' && typeof node === 'string' ? [[start, node]] : [];
}

function entryOf(saved: unknown): readonly Entry[] {
  const [time, rule, logIndex, line, value, times = 1] = itemsOf(saved);
  const whole =
    typeof time === 'number' &&
    typeof rule === 'number' &&
    typeof logIndex === 'number' &&
    typeof line === 'number' &&
    typeof value === 'string' &&
    typeof times === 'number';
  return whole ? [[time, rule, logIndex, line, value, times]] : [];
}
