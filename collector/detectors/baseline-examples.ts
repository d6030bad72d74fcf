/**
 * Examples of the baselines: what they learn, and what must or must not alert after it. An operator adds one without
 * TypeScript to `examples/DETECTOR.yaml`; `hushwatch detect test` and the unit tests run them.
 *
 *     - name: a sentence
 *       nodes: 4                      of one cohort, called n1, n2, …; 1 without
 *       knobs: { learning_hours: 2 }  of this detector
 *       learns:                       by all nodes, again and again
 *         - { every: 1h, until: 3d, event: process.exec, … }
 *       then:                         once, by n1 unless it says `node: n2`
 *         - { at: 3d, event: process.exec, … }
 *       alerts: [program]             the rules of this detector that must alert, all of them, in their order; [] none
 */
import { parseDocument } from 'yaml';
import { isEventName, type Value } from '#protocol/vocabulary.ts';
import { NO_PREVIOUS } from '#protocol/statement.ts';
import { Detection, type Found } from './detection.ts';
import { DAY, HOUR, MINUTE, type EvidenceBatch, type ReleasedRecord, type Story } from './detector.ts';
import { makeBaselines } from './detectors.ts';
import { isTuned, KNOBS, type Tuned } from './knobs.ts';
import { itemsOf, memberOf, numberOf, textOf } from './saved.ts';
import { SigmaError } from './sigma/error.ts';

export interface BaselineExample {
  readonly detector: Tuned;
  readonly name: string;
  readonly nodes: number;
  readonly knobs: Readonly<Record<string, number>>;
  readonly learns: readonly Planned[];
  readonly then: readonly Planned[];
  readonly alerts: readonly string[];
}

interface Planned {
  readonly node: string | undefined;
  readonly at: number;
  readonly until: number;
  readonly every: number;
  readonly record: ReleasedRecord;
}

const START = 1_800_000_000_000_000;
const MAX_EVENTS = 200_000;
const UNITS: Readonly<Record<string, number>> = { s: 1_000_000, m: MINUTE, h: HOUR, d: DAY };
const PLAN = ['node', 'at', 'until', 'every'] as const;

export function parseBaselineExamples(text: string, detector: string, file: string): readonly BaselineExample[] {
  const wrong = (problem: string): SigmaError => new SigmaError(file, 1, problem);
  if (!isTuned(detector)) throw wrong(`${detector}: no such baseline; there are ${Object.keys(KNOBS).join(', ')}`);
  const document = parseDocument(text, { schema: 'core', uniqueKeys: true, customTags: [] });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw wrong(problem.message.split('\n')[0] ?? 'not YAML');
  const list: unknown = document.toJS({ maxAliasCount: 0 });
  if (!Array.isArray(list)) throw wrong('expected a list of examples');
  return list.map((item) => exampleOf(item, detector, wrong));
}

function exampleOf(item: unknown, detector: Tuned, wrong: (problem: string) => Error): BaselineExample {
  const name = textOf(memberOf(item, 'name'));
  const alerts = memberOf(item, 'alerts');
  if (name === undefined || !Array.isArray(alerts)) throw wrong('an example needs name, then and alerts');
  const known = ['name', 'nodes', 'knobs', 'learns', 'then', 'alerts'];
  const unknown = Object.keys(Object(item)).find((key) => !known.includes(key));
  if (unknown !== undefined) throw wrong(`${name}: ${unknown}: no such key; there are ${known.join(', ')}`);
  const planned = (key: string): readonly Planned[] =>
    itemsOf(memberOf(item, key)).map((each) => plannedOf(each, (says) => wrong(`${name}: ${key}: ${says}`)));
  const knobs = Object.entries(Object(memberOf(item, 'knobs') ?? {}));
  const stray = knobs.find(([knob, value]) => !Object.hasOwn(KNOBS[detector], knob) || typeof value !== 'number');
  if (stray !== undefined) throw wrong(`${name}: ${stray[0]}: no such knob of ${detector}, or not a number`);
  return {
    ...{ detector, name, nodes: numberOf(memberOf(item, 'nodes')) ?? 1 },
    knobs: Object.fromEntries(knobs.map(([knob, value]) => [knob, Number(value)])),
    ...{ learns: planned('learns'), then: planned('then'), alerts: alerts.map(String) },
  };
}

function plannedOf(item: unknown, wrong: (problem: string) => Error): Planned {
  const time = (key: 'at' | 'until' | 'every', fallback: number): number => {
    const value = memberOf(item, key);
    if (value === undefined) return fallback;
    const [, n = '', unit = ''] = /^([0-9]{1,6})([smhd])$/.exec(textOf(value) ?? '') ?? [];
    if (n === '') throw wrong(`${key}: a number and s, m, h or d, such as 30m`);
    return Number(n) * (UNITS[unit] ?? 1);
  };
  const event = textOf(memberOf(item, 'event')) ?? '';
  if (!isEventName(event)) throw wrong(`event: ${event} is not in the vocabulary`);
  const rest = Object.entries(Object(item)).filter(([key]) => key !== 'event' && !PLAN.some((each) => each === key));
  const attributes = rest.map(
    ([key, value]) => [key, valueOf(value, () => wrong(`${key}: a value or a list`))] as const,
  );
  const at = time('at', 0);
  const until = time('until', at + 1);
  const every = time('every', until);
  if (every < 1 || (until - at) / every > MAX_EVENTS) throw wrong('more events than anybody reads');
  return {
    node: textOf(memberOf(item, 'node')),
    at,
    until,
    every,
    record: { ...Object.fromEntries(attributes), event, time: 0 },
  };
}

function valueOf(value: unknown, wrong: () => Error): Value {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map(String);
  throw wrong();
}

/** The alerts of the example's detector, and the stories that they are in. */
export function runBaselineExample(example: BaselineExample): {
  readonly alerts: readonly string[];
  readonly stories: readonly Story[];
} {
  const tuning = { [example.detector]: example.knobs };
  const detection = new Detection({ detectors: makeBaselines(tuning), tuning });
  const found: Found[] = batchesOf(example).map((batch) => detection.observe(batch));
  const own = found.flatMap(({ alerts }) => alerts).filter(({ detector }) => detector === example.detector);
  const ids = new Set(own.map(({ story }) => story));
  const stories = new Map(found.flatMap((each) => each.stories).map((story) => [story.id, story]));
  return {
    alerts: own.map(({ rule, detector }) => rule ?? detector),
    stories: [...stories.values()].filter(({ id }) => ids.has(id)),
  };
}

/** What failed, in words; nothing when it did as the example says. */
export function failureOf(example: BaselineExample): string | undefined {
  const { alerts } = runBaselineExample(example);
  if (alerts.join() === example.alerts.join()) return undefined;
  const list = (rules: readonly string[]): string => (rules.length === 0 ? 'nothing' : rules.join(', '));
  return `${example.detector}: ${example.name}: ${list(alerts)} alerts; the example says ${list(example.alerts)}`;
}

/** An event a batch, in the order of time. */
function batchesOf({ nodes, learns, then }: BaselineExample): readonly EvidenceBatch[] {
  const names = Array.from({ length: nodes }, (_, i) => `n${i + 1}`);
  const events = [
    ...names.flatMap((node) =>
      learns.filter((each) => (each.node ?? node) === node).flatMap((each) => timed(node, each)),
    ),
    ...then.flatMap((each) => timed(each.node ?? 'n1', each)),
  ];
  const sequences = new Map<string, number>();
  return events
    .toSorted((a, b) => a.record.time - b.record.time)
    .map(({ node, record }, logIndex) => {
      const sequence = (sequences.get(node) ?? 0) + 1;
      sequences.set(node, sequence);
      return batchWith(node, sequence, logIndex, record);
    });
}

function timed(node: string, { at, until, every, record }: Planned): { node: string; record: ReleasedRecord }[] {
  const all: { node: string; record: ReleasedRecord }[] = [];
  for (let time = at; time < until; time += every) {
    all.push({ node, record: { ...record, time: START + time } });
  }
  return all;
}

const DIGEST = '0'.repeat(64);

function batchWith(node: string, sequence: number, logIndex: number, record: ReleasedRecord): EvidenceBatch {
  const about = { node, role: 'generic', cohort: 'examples', sequence } as const;
  const counts = { events: {}, seen: {}, released: {}, merged: {}, sampled: {}, withheld: {}, lost: {} };
  const statement = {
    ...about,
    ...counts,
    ...{ boot: '00000000-0000-4000-8000-000000000000', previous: NO_PREVIOUS, sources: ['ebpf'] as const },
    ...{ ruleset: DIGEST, rulepack: DIGEST, vocabulary: DIGEST, agent: { version: '0.1.0', build: DIGEST } },
    ...{ time: { first: record.time, last: record.time }, body: { sha256: DIGEST, bytes: 0, unpacked: 0 } },
  };
  return { ...about, logIndex, receivedAt: record.time, statement, events: [record] };
}
