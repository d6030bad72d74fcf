/**
 * Compares nodes that should behave alike, for one hour: who differs, and in what. Pure; `cohort.ts` keeps the hours.
 *
 * What can be said depends on how many there are. One node has no peers, and nothing is said. Of two that differ nobody
 * knows which is odd: only what is new on one of them is told, and as low. Of three, one differs when the other two
 * agree. From four on the others are the measure, by median and MAD. When more than `odd_share` of a cohort differ in
 * the same way, it is the cohort that changes, and nobody is odd.
 */
import type { EventReference, Measure } from './detector.ts';
import { round } from './points.ts';
import { countDeviation, spreadOf } from './robust.ts';

/** What one node did in the hour. */
export interface Hourly {
  readonly node: string;
  /** Deeds of the hour -> where the first of them lies. */
  readonly deeds: ReadonlyMap<string, EventReference>;
  /** Deeds of the day that ends with the hour. */
  readonly recent: ReadonlySet<string>;
  /** Events by class. */
  readonly amounts: ReadonlyMap<string, number>;
  /** Deeds that it used to do, the last time a day ago. */
  readonly stopped: ReadonlySet<string>;
}

export interface Difference {
  readonly node: string;
  /** The same for the same difference, hour after hour. */
  readonly key: string;
  /** `did …, as none of 12 peers did in a day`. */
  readonly says: string;
  readonly isGrave: boolean;
  readonly measure: Measure;
  readonly at: EventReference | undefined;
}

export interface PeerKnobs {
  readonly odd_share: number;
  readonly deviations: number;
}

const LEAST_AMOUNT = 120;
const GRAVE = /^(?:listening|loading|a log-in)/;

/** So many of a cohort may differ from the others before it is the cohort that changes. */
export const mostOdd = (nodes: number, share: number): number => Math.max(1, Math.floor(nodes * share));

/** Only nodes that run the same software are given. */
export function differencesAmong(nodes: readonly Hourly[], knobs: PeerKnobs): readonly Difference[] {
  if (nodes.length < 2) return [];
  const few = mostOdd(nodes.length, knobs.odd_share);
  return [...extraDeeds(nodes, few), ...missingDeeds(nodes), ...oddAmounts(nodes, few, knobs.deviations)];
}

/** Done by few, and by nobody else for a day. */
function* extraDeeds(nodes: readonly Hourly[], few: number): Iterable<Difference> {
  const holders = countHolders(nodes);
  for (const { node, deeds } of nodes) {
    for (const [deed, at] of deeds) {
      const others = (holders.get(deed) ?? 1) - 1;
      if (others >= few) continue;
      const peers = nodes.length - 1;
      yield {
        node,
        key: `+ ${deed}`,
        says: `${deed}, which ${others} of ${peers} ${peers === 1 ? 'peer' : 'peers'} did in a day`,
        isGrave: nodes.length >= 4 && GRAVE.test(deed),
        measure: { what: `peers with ${deed}`, value: others, normal: { from: few } },
        at,
      };
    }
  }
}

/** Done by all others, who are three or more, and no longer by this one. */
function* missingDeeds(nodes: readonly Hourly[]): Iterable<Difference> {
  if (nodes.length < 4) return;
  const holders = countHolders(nodes);
  for (const { node, stopped } of nodes) {
    for (const deed of stopped) {
      if (holders.get(deed) !== nodes.length - 1) continue;
      yield {
        node,
        key: `- ${deed}`,
        says: `for a day no ${deed}, which all ${nodes.length - 1} peers did`,
        isGrave: false,
        measure: { what: `nodes without ${deed}`, value: 1, normal: { from: 0, to: 0 } },
        at: undefined,
      };
    }
  }
}

function countHolders(nodes: readonly Hourly[]): ReadonlyMap<string, number> {
  const holders = new Map<string, number>();
  for (const { recent } of nodes) for (const deed of recent) holders.set(deed, (holders.get(deed) ?? 0) + 1);
  return holders;
}

function oddAmounts(nodes: readonly Hourly[], few: number, deviations: number): readonly Difference[] {
  if (nodes.length < 3) return [];
  const kinds = new Set(nodes.flatMap(({ amounts }) => [...amounts.keys()]));
  return [...kinds].toSorted().flatMap((kind) => {
    const found = nodes.flatMap((node) => oddAmount(node, nodes, kind, deviations));
    return found.length > few ? [] : found;
  });
}

/** What is normal for a node's amount of one class of events, by its peers; undefined of fewer than two. */
export function normalAmount(
  node: Hourly,
  nodes: readonly Hourly[],
  kind: string,
  deviations: number,
): { readonly from: number; readonly to: number; readonly median: number } | undefined {
  const peers = nodes.filter((each) => each !== node);
  const spread = peers.length < 2 ? undefined : spreadOf(peers.map((each) => amountOf(each, kind)));
  if (spread === undefined) return undefined;
  const { median, least, most } = spread;
  const reach = deviations * countDeviation(spread);
  // Two peers are no statistics: they must agree, and the third must be far away.
  if (peers.length === 2) return { from: least / 4, to: most > 2 * least + LEAST_AMOUNT ? Infinity : 4 * most, median };
  return { from: Math.min(median - reach, median / 4), to: Math.max(median + reach, 2 * most), median };
}

const amountOf = ({ amounts }: Hourly, kind: string): number => amounts.get(kind) ?? 0;

function oddAmount(node: Hourly, nodes: readonly Hourly[], kind: string, deviations: number): readonly Difference[] {
  const expected = normalAmount(node, nodes, kind, deviations);
  if (expected === undefined) return [];
  const { from, to, median } = expected;
  const amount = amountOf(node, kind);
  const isMore = amount > Math.max(to, LEAST_AMOUNT);
  const isLess = amount < from && median > 10 * LEAST_AMOUNT;
  if (!isMore && !isLess) return [];
  const normal = { from: round(Math.max(0, from), 0), to: round(Math.max(to, LEAST_AMOUNT), 0) };
  return [
    {
      node: node.node,
      key: `${isMore ? 'more' : 'fewer'} ${kind}`,
      says: `${round(amount, 0)} ${kind} events in an hour, where ${normal.from} to ${normal.to} are normal by ${nodes.length - 1} peers`,
      isGrave: false,
      measure: { what: `${kind} events an hour`, value: amount, normal },
      at: undefined,
    },
  ];
}
