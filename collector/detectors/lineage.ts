/**
 * Alerts when a chain of processes is improbable: each step may be known, the way as a whole is not. A database that
 * starts a shell that starts a compiler that starts a downloader.
 *
 * For each node it counts, fading, which program starts which. A step costs as many bits as it is seldom among what its
 * parent starts (Witten-Bell: a parent that often starts something new is less surprising when it does so again); a
 * chain costs the sum of its last steps. What chains on the node usually cost is a fading histogram; beyond its
 * 99.9 % mark plus a margin is improbable.
 */
import { makeBaselineDetector, type Seen, type Unusual } from './baseline.ts';
import { decayed } from './decay.ts';
import { DAY, HOUR, type Detector, type ReleasedRecord } from './detector.ts';
import { knobsOf, type KnobsOf } from './knobs.ts';
import { round } from './points.ts';
import { comparable } from './pseudonym.ts';
import { itemsOf, mapOf, memberOf, numberOf, putLast, rowsOf, rowsOfNodes, textOf } from './saved.ts';
import { shown } from './sentence.ts';

export type LineageKnobs = Partial<KnobsOf<'lineage'>>;

const STEPS = 4;
const MAX_PARENTS = 1_000;
const MAX_CHILDREN = 200;
const BINS = 128;
const USUAL = 0.999;
/** Chains that must be known before one can be improbable. */
const LEAST_CHAINS = 500;

interface Parent {
  /** How often it was started itself. */
  runs: number;
  /** How often it started something. */
  total: number;
  at: number;
  readonly children: Map<string, number>;
}

interface Node {
  readonly since: number;
  readonly parents: Map<string, Parent>;
  /** How many chains cost so many bits, fading. */
  bins: number[];
  binsAt: number;
}

export function makeLineageDetector(knobs: LineageKnobs = {}, saved?: unknown): Detector {
  const values = knobsOf('lineage', { lineage: knobs });
  const halfLife = values.half_life_days * DAY;
  const nodes = mapOf(memberOf(memberOf(saved, 'own'), 'nodes'), nodeOf);

  function* see({ node: name, record }: Seen): Iterable<Unusual> {
    const chain = chainOf(record);
    if (chain.length < 2) return;
    const { time } = record;
    const node = nodes.get(name) ?? {
      since: time,
      parents: new Map(),
      bins: Array<number>(BINS).fill(0),
      binsAt: time,
    };
    nodes.set(name, node);
    const bits = bitsOf(node, chain);
    const usual = usualBits(node.bins);
    const isKnown = time - node.since >= values.learning_hours * HOUR && sum(node.bins) >= LEAST_CHAINS;
    fadeBins(node, time, halfLife);
    node.bins[Math.min(BINS - 1, Math.floor(bits))]! += 1;
    learn(node, chain, time, halfLife);
    const limit = Math.max(values.least_bits, usual + values.margin_bits);
    if (isKnown && bits > limit) yield unusualOf(name, record, chain, bits, usual, limit);
  }

  const save = (): unknown => ({ nodes: rowsOfNodes(nodes, rowOf) });
  return makeBaselineDetector('lineage', values, { see, save }, saved);
}

/** Oldest first, the program itself last; a program that goes on as itself is no step. */
function chainOf(record: ReleasedRecord): readonly string[] {
  const program = textOf(record['process.executable.path']);
  if (record.event !== 'process.exec' || program === undefined || record['error.type'] !== undefined) return [];
  const told = record['process.ancestors'];
  const parent = textOf(record['process.parent.executable.path']);
  // Ancestors are told nearest first.
  const ancestors = typeof told === 'object' ? told.slice(0, STEPS).toReversed() : parent === undefined ? [] : [parent];
  const all = [...ancestors, program].map(comparable);
  return all.filter((each, i) => each !== all[i - 1]);
}

const stepsOf = (chain: readonly string[]): readonly (readonly [string, string])[] =>
  chain.slice(1).map((child, i) => [chain[i] ?? '', child] as const);

function bitsOf({ parents }: Node, chain: readonly string[]): number {
  return stepsOf(chain).reduce((bits, [parent, child]) => bits + stepBits(parents.get(parent), child), 0);
}

/** The more often a program ran and started nothing, the more surprising it is when it does; a new one may do so. */
function stepBits(parent: Parent | undefined, child: string): number {
  if (parent === undefined) return 2;
  if (parent.children.size === 0) return Math.min(16, Math.log2(2 + parent.runs));
  const kinds = parent.children.size;
  const seen = parent.children.get(child) ?? 0;
  const share = seen > 0 ? seen / (parent.total + kinds) : kinds / (parent.total + kinds) / (kinds + 1);
  return Math.min(16, -Math.log2(Math.max(share, 2 ** -16)));
}

/** Only the last step is new with this event; those before were learned when they happened. */
function learn({ parents }: Node, chain: readonly string[], time: number, halfLife: number): void {
  const [name, child] = stepsOf(chain).at(-1) ?? [];
  if (name === undefined || child === undefined) return;
  const parent = parents.get(name) ?? blankParent(time);
  const elapsed = time - parent.at;
  // In steps of an hour: many events of one parent must not each touch all of its children.
  if (elapsed > HOUR) {
    parent.total = 0;
    parent.runs = decayed(parent.runs, elapsed, halfLife);
    for (const [each, count] of parent.children) {
      const left = decayed(count, elapsed, halfLife);
      if (left < 0.1) parent.children.delete(each);
      else parent.children.set(each, left);
      parent.total += left < 0.1 ? 0 : left;
    }
    parent.at = time;
  }
  parent.total += 1;
  putLast(parent.children, child, (parent.children.get(child) ?? 0) + 1, MAX_CHILDREN);
  putLast(parents, name, parent, MAX_PARENTS);
  const own = parents.get(child) ?? blankParent(time);
  own.runs += 1;
  putLast(parents, child, own, MAX_PARENTS);
}

const blankParent = (at: number): Parent => ({ runs: 0, total: 0, at, children: new Map() });

function fadeBins(node: Node, time: number, halfLife: number): void {
  const elapsed = time - node.binsAt;
  if (elapsed < HOUR) return;
  node.bins = node.bins.map((count) => decayed(count, elapsed, halfLife));
  node.binsAt = time;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);

/** The bits that all but a thousandth of the chains stay below. */
function usualBits(bins: readonly number[]): number {
  let left = sum(bins) * (1 - USUAL);
  for (let bin = bins.length - 1; bin > 0; bin--) {
    left -= bins[bin] ?? 0;
    if (left < 0) return bin + 1;
  }
  return 1;
}

function unusualOf(
  node: string,
  record: ReleasedRecord,
  chain: readonly string[],
  bits: number,
  usual: number,
  limit: number,
): Unusual {
  const way = chain.join(' > ');
  const title = 'A program was started in an improbable way';
  const program = shown(record, 'process.executable.path') ?? 'a program';
  return {
    key: `${way} ${Math.floor(record.time / DAY)}`,
    rule: undefined,
    title,
    severity: bits > limit + 12 ? 'medium' : 'low',
    reason: `${title}: on ${node}, ${program} came about as ${way}, which is worth ${round(bits, 1)} bits of surprise; up to ${usual} are usual there and up to ${round(limit, 1)} are let pass.`,
    silencedBy: 'the same chain seen before, or a larger detectors.lineage.margin_bits',
    attack: ['T1059', 'execution'],
    measures: [{ what: 'bits of surprise', value: round(bits, 1), normal: { from: 0, to: round(limit, 1) } }],
  };
}

function rowOf({ since, parents, bins, binsAt }: Node): readonly unknown[] {
  const parentRows = rowsOf(parents, ({ runs, total, at, children }) => [
    runs,
    total,
    at,
    rowsOf(children, (n) => [n]),
  ]);
  return [since, binsAt, bins, parentRows];
}

function nodeOf([since, binsAt, bins, parents]: readonly unknown[]): Node | undefined {
  if (typeof since !== 'number' || typeof binsAt !== 'number') return undefined;
  const counts = itemsOf(bins).map((each) => numberOf(each) ?? 0);
  return {
    since,
    binsAt,
    bins: Array.from({ length: BINS }, (_, i) => counts[i] ?? 0),
    parents: mapOf(parents, ([runs, total, at, children]) =>
      typeof total === 'number' && typeof at === 'number'
        ? { runs: numberOf(runs) ?? 0, total, at, children: mapOf(children, ([count]) => numberOf(count)) }
        : undefined,
    ),
  };
}
