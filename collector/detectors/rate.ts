/**
 * Alerts when a node does much more of something in an hour than it is used to: executions, connections, deletions of a
 * program, failed log-ons, data sent away, events of a class.
 *
 * What is normal comes from the same hour of the day and its neighbours in the last seven days (daily cycles); as long
 * as these are fewer than three days, from all hours known. Normal is up to the median and `deviations` robust
 * deviations, and never less than the highest of those hours. An hour that is still running is judged with every event,
 * so that a flood is told while it lasts. Hours in which the node sent nothing are unknown, not zero.
 */
import { makeBaselineDetector, type Seen, type Unusual } from './baseline.ts';
import { EVENTS } from '#protocol/vocabulary.ts';
import { HOUR, type Detector, type ReleasedRecord, type Severity } from './detector.ts';
import { knobsOf, type KnobsOf } from './knobs.ts';
import { round } from './points.ts';
import { comparable } from './pseudonym.ts';
import { countDeviation, spreadOf, type Spread } from './robust.ts';
import { itemsOf, mapOf, memberOf, numberOf, putLast, rowsOf, rowsOfNodes, textOf } from './saved.ts';

export type RateKnobs = Partial<KnobsOf<'rate'>>;

const DAYS = 7;
const HOURS = DAYS * 24;
const MAX_SERIES = 120;
/** Hours of the day that are compared with each other: one before, one after. */
const NEIGHBOURS = 1;
const DAYS_FOR_CYCLES = 3;
const MEBIBYTE = 1_048_576;

/** What of an event is counted, and where. */
interface Counted {
  readonly series: string;
  readonly amount: number;
  readonly unit: 'events' | 'MiB';
  readonly severity: Severity;
  readonly attack: readonly string[];
}

/** Amounts of the last seven days: a ring with a slot for each hour. */
type Series = number[];

interface Node {
  /** The hour since 1970 that a slot is about, if the node sent something in it. */
  readonly awake: number[];
  readonly series: Map<string, Series>;
  /** Series -> hour in which it alerted last. */
  readonly alerted: Map<string, number>;
  /** What is normal in the hour that runs, computed once. */
  readonly limits: Map<string, number>;
  hour: number;
  /** Last change of its software: what was normal before says nothing. */
  changedAt: number;
}

export function makeRateDetector(knobs: RateKnobs = {}, saved?: unknown): Detector {
  const values = knobsOf('rate', { rate: knobs });
  const nodes = mapOf(memberOf(memberOf(saved, 'own'), 'nodes'), nodeOf);

  function* see({ node: name, record, changedAt }: Seen): Iterable<Unusual> {
    const node = nodes.get(name) ?? blankNode();
    nodes.set(name, node);
    const hour = Math.floor(record.time / HOUR);
    if (changedAt > node.changedAt) forget(node, changedAt);
    turn(node, hour);
    for (const counted of countedIn(record)) {
      const now = add(node, counted, hour);
      if (node.alerted.get(counted.series) === hour) continue;
      const least = counted.unit === 'MiB' ? values.least_mebibytes : values.least_events;
      if (now <= least) continue;
      const limit = limitOf(node, counted.series, hour, least, values);
      const normal = now > limit ? normalOf(node, counted.series, hour) : undefined;
      if (normal === undefined) continue;
      putLast(node.alerted, counted.series, hour, MAX_SERIES);
      yield unusualOf(name, counted, hour, now, limit, normal);
    }
  }

  return makeBaselineDetector('rate', values, { see, save: () => ({ nodes: rowsOfNodes(nodes, rowOf) }) }, saved);
}

const blankNode = (): Node => ({
  awake: Array<number>(HOURS).fill(-1),
  series: new Map(),
  alerted: new Map(),
  limits: new Map(),
  hour: 0,
  changedAt: 0,
});

/** New software has other rates; they are learned from the beginning. */
function forget(node: Node, changedAt: number): void {
  node.awake.fill(-1);
  node.limits.clear();
  node.series.clear();
  node.changedAt = changedAt;
}

/** A new hour takes the slot of the one seven days ago. */
function turn(node: Node, hour: number): void {
  if (hour <= node.hour) return;
  const passed = Math.min(hour - node.hour, HOURS);
  for (let each = hour - passed + 1; each <= hour; each++) {
    for (const series of node.series.values()) series[each % HOURS] = 0;
  }
  node.awake[hour % HOURS] = hour;
  node.limits.clear();
  node.hour = hour;
}

function add(node: Node, { series: name, amount }: Counted, hour: number): number {
  // What is older than the ring is too late to count.
  if (hour <= node.hour - HOURS) return 0;
  const series = node.series.get(name) ?? Array<number>(HOURS).fill(0);
  const before = series[hour % HOURS] ?? 0;
  series[hour % HOURS] = before + amount;
  // Once an hour is enough to tell what is in use.
  if (before === 0) putLast(node.series, name, series, MAX_SERIES);
  return before + amount;
}

const hoursKnown = ({ awake }: Node, hour: number): readonly number[] =>
  awake.filter((each) => each >= 0 && each !== hour);

function limitOf(node: Node, series: string, hour: number, least: number, knobs: KnobsOf<'rate'>): number {
  const known = node.limits.get(series);
  if (known !== undefined && hour === node.hour) return known;
  const isLearning = hoursKnown(node, hour).length < knobs.learning_hours;
  const spread = isLearning ? undefined : normalOf(node, series, hour)?.spread;
  const limit =
    spread === undefined
      ? Number.MAX_SAFE_INTEGER
      : Math.max(least, spread.most, spread.median + knobs.deviations * countDeviation(spread));
  if (hour === node.hour) node.limits.set(series, limit);
  return limit;
}

interface Normal {
  readonly spread: Spread;
  /** The same hours of several days were compared. */
  readonly isDaily: boolean;
}

function normalOf(node: Node, name: string, hour: number): Normal | undefined {
  const series = node.series.get(name) ?? [];
  const before = hoursKnown(node, hour);
  const alike = before.filter((each) => isSameHour(each, hour) && hour - each > NEIGHBOURS);
  const days = new Set(alike.map((each) => Math.round((hour - each) / 24)));
  const isDaily = days.size >= DAYS_FOR_CYCLES;
  const spread = spreadOf((isDaily ? alike : before).map((each) => series[each % HOURS] ?? 0));
  return spread === undefined ? undefined : { spread, isDaily };
}

function isSameHour(a: number, b: number): boolean {
  const apart = Math.abs(a - b) % 24;
  return apart <= NEIGHBOURS || apart >= 24 - NEIGHBOURS;
}

function countedIn(record: ReleasedRecord): readonly Counted[] {
  const repeats = numberOf(record['event.repeats']) ?? 0;
  const program = comparable(textOf(record['process.executable.path']) ?? '');
  const { class: kind } = EVENTS[record.event];
  const count = (series: string, severity: Severity, ...attack: readonly string[]): Counted => ({
    ...{ series, amount: 1 + repeats, unit: 'events', severity, attack },
  });
  const own = ownSeries(record, program, count);
  return kind === 'host' || kind === 'self' ? own : [...own, count(`${kind} events`, 'low')];
}

function ownSeries(
  record: ReleasedRecord,
  program: string,
  count: (series: string, severity: Severity, ...attack: readonly string[]) => Counted,
): readonly Counted[] {
  switch (record.event) {
    case 'process.exec':
      return [count(`starts of ${program}`, 'low', 'T1059')];
    case 'network.connect':
    case 'network.send':
      return [count(`connections of ${program}`, 'low', 'T1046')];
    case 'dns.query':
      return [count(`questions for names by ${program}`, 'low', 'T1071.004')];
    case 'file.delete':
      return [count(`deletions by ${program}`, 'medium', 'T1485')];
    case 'file.rename':
      return [count(`renamings by ${program}`, 'medium', 'T1486')];
    case 'session.failure':
      return [count(`refused log-ons at ${textOf(record['session.service']) ?? 'the node'}`, 'medium', 'T1110')];
    case 'network.flow.end':
      return record['network.flow.direction'] === 'outbound'
        ? bytes(`data sent by ${program}`, record['network.flow.sent.size'])
        : [];
    case 'host.network':
      // What the machine tells itself leaves nobody.
      return record['network.interface.name'] === 'lo'
        ? []
        : bytes(`data sent through ${interfaceOf(record)}`, record['system.network.io.transmit']);
    default:
      return [];
  }
}

const interfaceOf = (record: ReleasedRecord): string =>
  comparable(textOf(record['network.interface.name']) ?? 'the network');

function bytes(series: string, size: unknown): readonly Counted[] {
  if (typeof size !== 'number' || size <= 0) return [];
  return [{ series, amount: size / MEBIBYTE, unit: 'MiB', severity: 'medium', attack: ['T1048'] }];
}

function unusualOf(
  node: string,
  { series, unit, severity, attack }: Counted,
  hour: number,
  now: number,
  limit: number,
  { spread, isDaily }: Normal,
): Unusual {
  const normally = `${round(spread.median, 1)} in the median of ${spread.values} ${isDaily ? 'like hours of the last days' : 'hours'}, and up to ${round(limit, 1)} are normal`;
  const title = unit === 'MiB' ? 'Much more data than usual was sent' : 'Much more than usual happened in an hour';
  const word = unit === 'MiB' ? 'MiB of ' : '';
  return {
    key: `${series} ${hour}`,
    rule: series.replace(/ (?:of|by|at|through) .*$/, ''),
    title,
    severity: now > 10 * limit && severity === 'low' ? 'medium' : severity,
    reason: `${title}: on ${node}, more than ${round(limit, 1)} ${word}${series} came in one hour; ${normally}.`,
    silencedBy: `fewer than ${round(limit, 1)} an hour, or more detectors.rate.deviations`,
    attack,
    measures: [{ what: `${word}${series} an hour`, value: round(now, 1), normal: { from: 0, to: round(limit, 1) } }],
  };
}

function rowOf({ awake, series, alerted, limits, hour, changedAt }: Node): readonly unknown[] {
  const kept = rowsOf(series, (amounts) => [amounts]);
  return [awake, kept, rowsOf(alerted, (at) => [at]), rowsOf(limits, (limit) => [limit]), hour, changedAt];
}

function nodeOf([awake, series, alerted, limits, hour, changedAt]: readonly unknown[]): Node | undefined {
  const ring = (saved: unknown, blank: number): number[] => {
    const values = itemsOf(saved);
    return Array.from({ length: HOURS }, (_, i) => numberOf(values[i]) ?? blank);
  };
  if (!Array.isArray(awake)) return undefined;
  return {
    awake: ring(awake, -1),
    series: mapOf(series, ([amounts]) => ring(amounts, 0)),
    alerted: mapOf(alerted, ([at]) => numberOf(at)),
    limits: mapOf(limits, ([limit]) => numberOf(limit)),
    hour: numberOf(hour) ?? 0,
    changedAt: numberOf(changedAt) ?? 0,
  };
}
