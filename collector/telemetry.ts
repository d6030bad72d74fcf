/** The collector's own metrics: of its log, its detection and outputs, and of every node what its last statement says. */
import { statfsSync } from 'node:fs';
import type { COLLECTOR_METRICS, Reading, Readings } from '../telemetry/metrics.ts';
import type { Refusal, NodeRow } from './state.ts';

/** What is asked of the log and of the state. */
export interface Watched {
  readonly home: string;
  readonly log: { readonly size: number };
  readonly state: {
    nodes(): readonly NodeRow[];
    refusals(): readonly Refusal[];
    storyCounts(): ReadonlyMap<string, number>;
    lastStorySeq(): number;
    cursor(name: string): number | undefined;
  };
  readonly feeds: { readonly outputs: readonly { readonly name: string }[] };
}

export function collectorReadings({ home, log, state, feeds }: Watched): Readings<typeof COLLECTOR_METRICS> {
  const each = (value: (node: NodeRow) => number): (() => readonly Reading[]) => {
    return () => state.nodes().map((node) => ({ value: value(node), attributes: { 'hushwatch.node': node.name } }));
  };
  return {
    'hushwatch.log.entries': () => [{ value: log.size }],
    'hushwatch.detection.pending': () => [{ value: Math.max(0, log.size - (state.cursor('detectors') ?? 0)) }],
    'hushwatch.batches.refused': () =>
      state.refusals().map(({ node, code, refused }) => ({
        ...{ value: refused, attributes: { 'hushwatch.node': node, 'hushwatch.code': code } },
      })),
    'hushwatch.stories': () =>
      [...state.storyCounts()].map(([severity, value]) => ({ value, attributes: { 'hushwatch.severity': severity } })),
    'hushwatch.output.pending': () =>
      feeds.outputs.map(({ name }) => ({
        value: Math.max(0, state.lastStorySeq() - (state.cursor(`output ${name}`) ?? 0)),
        attributes: { 'hushwatch.output': name },
      })),
    'hushwatch.disk.free': () => [{ value: freeBytes(home) }],
    'hushwatch.node.statements': each(({ lastSequence }) => lastSequence),
    'hushwatch.node.statement.age': each(({ lastReceived }) => Math.max(0, Date.now() / 1_000 - lastReceived / 1e6)),
    'hushwatch.node.events.seen': each(({ seen }) => seen),
    'hushwatch.node.events.released': each(({ released }) => released),
    'hushwatch.node.events.merged': each(({ merged }) => merged),
    'hushwatch.node.events.sampled': each(({ sampled }) => sampled),
    'hushwatch.node.events.withheld': each(({ withheld }) => withheld),
    'hushwatch.node.events.lost': each(({ lost }) => lost),
  };
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}
