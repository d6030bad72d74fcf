/**
 * What the dashboard may ask: answers from state and evidence. Events are read from the evidence when they are asked
 * for, newest batch first and within bounds; nothing here keeps them. Three members write, and nothing else does: what a
 * person says of one story or of many, and the record of who changed what.
 */
import type { ExposureRow } from '../redaction-rules/exposure.ts';
import type { EventReference, ReleasedRecord } from './detectors/detector.ts';
import { isMissing } from './disk.ts';
import type { EvidenceStore } from './evidence.ts';
import type { Act, AlertQuery, AlertRow, Change, Judgement, StoryQuery, StoryRow, Verdict } from './findings.ts';
import { privacyViewOf, type PrivacyView, type PrivacyViewed } from './privacy-view.ts';
import type { Registry } from './registry.ts';
import type { ActivityBucket, BatchRow, NodeRow, State } from './state.ts';
import type { Triage, TriageFilter } from './triage.ts';
import type { Suggestion } from './tuning/suggest.ts';
import { suggestionFor } from './tuning/suggestion.ts';
import type { TuningView } from './tuning-view.ts';
import { parseRecord } from './watch.ts';

/** A released event and where it lies: the batch's log index, and its line from 0. */
export type LocatedRecord = ReleasedRecord & {
  readonly node: string;
  readonly logIndex: number;
  readonly line: number;
};

export interface StateView {
  /** Registered nodes, those that never sent included. */
  nodes(): readonly NodeRow[];
  activity(sinceUs: number, bucketUs: number, node?: string): readonly ActivityBucket[];
  /** Newest first; with `afterSeq`, those found after it, oldest first. */
  alerts(query: AlertQuery): readonly AlertRow[];
  alert(id: string): AlertRow | undefined;
  /** Stories, newest first or as they changed, and what belongs to one. */
  stories(query: StoryQuery): readonly StoryRow[];
  story(id: string): StoryRow | undefined;
  lastStorySeq(): number;
  alertsOfStory(id: string, limit: number): readonly AlertRow[];
  verdicts(story?: string, afterSeq?: number): readonly Verdict[];
  readonly triage: Pick<Triage, 'list' | 'one' | 'count' | 'groups'>;
  /** The narrowest filter that would have kept the alert quiet, or why there is none. */
  suggestion(alert: AlertRow): Promise<Suggestion>;
  recentEvents(options: {
    readonly limit: number;
    readonly node?: string | undefined;
  }): Promise<readonly LocatedRecord[]>;
  eventAt(logIndex: number, line: number): Promise<LocatedRecord | undefined>;
  /** Undefined for those whose body is no longer there. */
  eventsAt(places: readonly EventReference[]): Promise<readonly (LocatedRecord | undefined)[]>;
  /** Events that made the process and its ancestors, nearest first. */
  lineage(node: string, entity: string, aroundUs: number): Promise<readonly LocatedRecord[]>;
  /** What the process did, oldest first. */
  eventsOfEntity(node: string, entity: string, aroundUs: number, limit: number): Promise<readonly LocatedRecord[]>;
  exposure(rulesetDigest: string): readonly ExposureRow[] | undefined;
  readonly privacy: PrivacyView;
  /** Detectors, cohorts, searches and back-tests. */
  readonly tuning: TuningView;
  /** Writes: what a person says of a story. */
  judge(verdict: Judgement): void;
  /** Writes: one verdict for all that the filter lets through, if they are `seen`; how many they are. */
  judgeAll(filter: TriageFilter, about: Omit<Verdict, 'seq' | 'story' | 'revision'>, seen: number): number;
  /** Writes: who is about to change what, and why. */
  record(act: Omit<Act, 'seq'>): void;
  /** Newest first. */
  acts(limit: number): readonly Act[];
  onChange(listener: (what: Change) => void): () => void;
}

const HOUR_US = 3_600_000_000;
/** Batches that one question may open. */
const MAX_BATCHES = 600;
const MAX_ANCESTORS = 16;

export interface Viewed extends PrivacyViewed {
  readonly evidence: EvidenceStore;
  readonly registry: Registry;
  readonly tuning: TuningView;
}

export function viewOf(viewed: Viewed): StateView {
  const { state, evidence, registry, rulesets, rulepacks } = viewed;
  return {
    nodes: () => withSilent(state.nodes(), registry),
    activity: (sinceUs, bucketUs, node) => state.activity(sinceUs, bucketUs, node),
    alerts: (query) => state.alerts(query),
    alert: (id) => state.alert(id),
    stories: (query) => state.stories(query),
    story: (id) => state.story(id),
    lastStorySeq: () => state.lastStorySeq(),
    alertsOfStory: (id, limit) => state.alertsOfStory(id, limit),
    verdicts: (story, afterSeq) => state.verdicts(story, afterSeq),
    triage: state.triage,
    suggestion: (alert) => suggestionFor(alert, { state, evidence, rules: rulepacks.rules.rules }),
    recentEvents: ({ limit, node }) => recentEvents(state, evidence, limit, node),
    eventAt: async (logIndex, line) => (await eventsAt(state, evidence, [{ logIndex, line }]))[0],
    eventsAt: (places) => eventsAt(state, evidence, places),
    lineage: (node, entity, aroundUs) => lineage(state, evidence, node, entity, aroundUs),
    eventsOfEntity: (node, entity, aroundUs, limit) =>
      eventsOfEntity(state, evidence, { node, entity, aroundUs, limit }),
    exposure: (digest) => rulesets.exposure(digest),
    privacy: privacyViewOf(viewed),
    tuning: viewed.tuning,
    judge: (verdict) => state.addVerdict(verdict),
    judgeAll: (filter, about, seen) => state.judgeAll(filter, about, seen),
    record: (act) => state.record(act),
    acts: (limit) => state.acts(limit),
    onChange: (listener) => state.onChange(listener),
  };
}

function withSilent(rows: readonly NodeRow[], registry: Registry): readonly NodeRow[] {
  const sent = new Set(rows.map(({ name }) => name));
  const silent = registry.nodes().filter(({ name }) => !sent.has(name));
  return [...rows, ...silent.map(({ name, role, cohort }) => ({ ...NEVER, name, role, cohort }))];
}

const NEVER = {
  ...{ lastSequence: 0, lastTime: 0, lastReceived: 0, ruleset: '', agentVersion: '', sources: '', weaker: false },
  epochs: undefined,
  ...{ seen: 0, released: 0, merged: 0, sampled: 0, withheld: 0, lost: 0 },
};

async function recentEvents(
  state: State,
  evidence: EvidenceStore,
  limit: number,
  node: string | undefined,
): Promise<readonly LocatedRecord[]> {
  const found: LocatedRecord[] = [];
  for (const batch of state.batchesBetween(0, Number.MAX_SAFE_INTEGER, MAX_BATCHES, node)) {
    const records = await recordsOf(evidence, batch, () => true);
    found.push(...records.toReversed().slice(0, limit - found.length));
    if (found.length >= limit) break;
  }
  return found;
}

/** Each batch is read once, however many of its events are asked for. */
async function eventsAt(
  state: State,
  evidence: EvidenceStore,
  places: readonly EventReference[],
): Promise<readonly (LocatedRecord | undefined)[]> {
  const batches = new Map<number, Promise<readonly string[]>>();
  return await Promise.all(
    places.map(async ({ logIndex, line }) => {
      const batch = state.batch(logIndex);
      if (batch === undefined) return undefined;
      const lines = batches.get(logIndex) ?? linesIfThere(evidence, batch.body);
      batches.set(logIndex, lines);
      const text = (await lines)[line];
      return text === undefined ? undefined : { ...parseRecord(text), node: batch.node, logIndex, line };
    }),
  );
}

async function linesIfThere(evidence: EvidenceStore, body: string): Promise<readonly string[]> {
  try {
    return await evidence.lines(body);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function lineage(
  state: State,
  evidence: EvidenceStore,
  node: string,
  entity: string,
  aroundUs: number,
): Promise<readonly LocatedRecord[]> {
  const line = [entity];
  const found = new Map<string, LocatedRecord[]>();
  const batches = state.batchesBetween(aroundUs - 24 * HOUR_US, aroundUs + HOUR_US / 60, MAX_BATCHES, node);
  for (const batch of batches) {
    // An ancestor that a batch names may have been made in the same batch.
    for (let known = 0; known < line.length && line.length <= MAX_ANCESTORS;) {
      const wanted = line.slice(known);
      known = line.length;
      for (const record of await recordsOf(evidence, batch, mentions(wanted))) {
        const made = record.event === 'process.exec' || record.event === 'process.fork';
        const id = record['process.entity.id'];
        if (!made || typeof id !== 'string' || !wanted.includes(id)) continue;
        found.set(id, [...(found.get(id) ?? []), record]);
        const parent = record['process.parent.entity.id'];
        if (typeof parent === 'string' && !line.includes(parent)) line.push(parent);
      }
    }
  }
  return line.flatMap((id) => found.get(id)?.toSorted((a, b) => b.time - a.time) ?? []);
}

async function eventsOfEntity(
  state: State,
  evidence: EvidenceStore,
  asked: { readonly node: string; readonly entity: string; readonly aroundUs: number; readonly limit: number },
): Promise<readonly LocatedRecord[]> {
  const { node, entity, aroundUs, limit } = asked;
  const found: LocatedRecord[] = [];
  for (const batch of state.batchesBetween(aroundUs - HOUR_US, aroundUs + HOUR_US, MAX_BATCHES, node)) {
    const records = await recordsOf(evidence, batch, mentions([entity]));
    found.push(...records.filter((record) => record['process.entity.id'] === entity));
    if (found.length >= limit) break;
  }
  return found.toSorted((a, b) => a.time - b.time).slice(0, limit);
}

/** Looks at the text first: parsing every line to find one would take ten times as long. */
const mentions =
  (entities: readonly string[]) =>
  (text: string): boolean =>
    entities.some((entity) => text.includes(`"${entity}"`));

async function recordsOf(
  evidence: EvidenceStore,
  { node, logIndex, body }: BatchRow,
  isWanted: (text: string) => boolean,
): Promise<readonly LocatedRecord[]> {
  const lines = await linesIfThere(evidence, body);
  return lines.flatMap((text, line) => (isWanted(text) ? [{ ...parseRecord(text), node, logIndex, line }] : []));
}
