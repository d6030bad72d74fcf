/**
 * What remains guessable in lines that were released: how many processes and nodes share a combination of values, how
 * evenly combinations are spread, and which attributes join because they hold the same pseudonyms.
 *
 * Pseudonyms of different epochs do not join, and neither does what is told with them: combinations are counted within an
 * epoch, and so are the processes that share one, for a process that lives on has another pseudonym in the next. A pseudonym that
 * is seen in several epochs all the same is told as one that lasts.
 *
 * Memory is bounded: where there are more combinations than are kept, the numbers are estimates from a fair sample, and
 * say so. Released lines go in, numbers and names of attributes come out; no value does.
 */
import { hash } from 'node:crypto';
import { EVENTS, isAttributeName, isEventName, type AttributeName, type EventName } from '#protocol/vocabulary.ts';
import { hash48, Sample } from './sample.ts';

/** Combinations that could tell one person, program or machine from all others. */
export const TUPLES: readonly (readonly AttributeName[])[] = [
  ['process.user.name'],
  ['process.executable.path'],
  ['process.user.name', 'process.executable.path'],
  ['process.parent.executable.path', 'process.executable.path'],
  ['process.executable.path', 'process.command_args'],
  ['process.user.name', 'process.working_directory'],
  ['systemd.unit'],
  ['systemd.unit', 'process.executable.path'],
  ['file.path'],
  ['process.executable.path', 'file.path'],
  ['network.peer.address'],
  ['network.peer.address', 'network.peer.port'],
  ['process.executable.path', 'network.peer.address'],
  ['process.user.name', 'network.peer.address'],
];

export interface RiskLimits {
  /** Combinations kept for each event and tuple, and pseudonyms kept for each attribute. */
  readonly kept: number;
}
export const LIMITS: RiskLimits = { kept: 16_384 };

export interface Below {
  readonly k: number;
  /** Share of the combinations that fewer than k processes, or nodes, share. */
  readonly processes: number;
  readonly nodes: number | undefined;
  /** Share of the events that have such a combination of fewer than k processes. */
  readonly events: number;
}

export interface TupleRisk {
  readonly event: EventName;
  readonly attributes: readonly AttributeName[];
  /** Events that carry all of the attributes. */
  readonly events: number;
  /** Different combinations; one that is there in two epochs is two. */
  readonly distinct: number;
  /** Of the combinations over the events, within an epoch; 0 where all are the same. */
  readonly entropyBits: number;
  readonly below: readonly Below[];
  /** 1: exact. Less: estimated from this share of the combinations. */
  readonly sampled: number;
}

export interface Join {
  readonly attributes: readonly [AttributeName, AttributeName];
  /** Pseudonyms that stand in both. */
  readonly shared: number;
  /** That number, as a share of the pseudonyms of the attribute that has fewer. */
  readonly share: number;
  readonly sampled: number;
}

export interface AcrossNodes {
  readonly attribute: AttributeName;
  readonly pseudonyms: number;
  /** Seen on more than one node. */
  readonly onSeveralNodes: number;
  readonly sampled: number;
}

/** Pseudonyms that were seen in more than one epoch: what a rule says is to last for ever, or should not have. */
export interface Lasting {
  readonly attribute: AttributeName;
  readonly pseudonyms: number;
  readonly inSeveralEpochs: number;
  readonly sampled: number;
}

export interface Risk {
  readonly events: number;
  /** Epochs that the lines were released in; 0: nobody says. */
  readonly epochs: number;
  /** Lines that are no released event of the vocabulary. */
  readonly unreadable: number;
  readonly tuples: readonly TupleRisk[];
  readonly joins: readonly Join[];
  readonly acrossNodes: readonly AcrossNodes[];
  readonly lasting: readonly Lasting[];
}

interface Counted {
  events: number;
  readonly processes: Set<number>;
  readonly nodes: Set<number>;
}

/** What is remembered of a long combination is its hash, so that memory is bounded by their number. */
const short = (key: string): string => (key.length > 64 ? hash('sha256', key) : key);

interface Where {
  readonly node: number;
  readonly epoch: number;
}

interface Seen {
  events: number;
  readonly byEpoch: Map<number, number>;
  readonly sample: Sample<Counted>;
}

const PSEUDONYM = /(?<![A-Za-z0-9])p-(?:[a-z2-7]{8,52}|(?=[0-9a-f]*[.:])[0-9a-f.:]{3,45})(?![A-Za-z0-9])/g;
/** Numbers that stand for numbers: see the table of transformations. */
const isNumericPseudonym = (value: number): boolean => value >= 2 ** 40 && value < 2 ** 41;

/** Takes lines one at a time; asked for the result at any time. */
export class RiskMeter {
  readonly #ks: readonly number[];
  readonly #most: number;
  readonly #limits: RiskLimits;
  readonly #tuples = new Map<string, Seen>();
  /** Nodes by pseudonym and epoch, and epochs by pseudonym. */
  readonly #pseudonyms = new Map<AttributeName, Sample<Set<number>>>();
  readonly #lasting = new Map<AttributeName, Sample<Set<number>>>();
  readonly #epochs = new Set<number>();
  #events = 0;
  #unreadable = 0;
  #knowsNodes = false;

  constructor(ks: readonly number[], limits: RiskLimits = LIMITS) {
    this.#ks = ks;
    this.#most = Math.max(...ks);
    this.#limits = limits;
  }

  /** `node` and `epoch` are undefined where nobody knows who sent the line, and when its pseudonyms were made. */
  observe(line: string, node: string | undefined, epoch?: string): void {
    const record = parseLine(line);
    if (record === undefined) {
      this.#unreadable++;
      return;
    }
    this.#events++;
    if (node !== undefined) this.#knowsNodes = true;
    const where = { node: hash48(node ?? ''), epoch: this.#epochOf(epoch) };
    const entity = record.attributes.get('process.entity.id');
    const processHash = entity === undefined ? undefined : hash48(`${node ?? ''} ${JSON.stringify(entity)}`);
    for (const [at, tuple] of TUPLES.entries()) this.#count(record, at, tuple, where, processHash);
    for (const [name, value] of record.attributes) this.#remember(name, value, where);
  }

  /** More epochs than can be kept apart are taken for one. */
  #epochOf(epoch: string | undefined): number {
    if (epoch === undefined) return 0;
    const known = hash48(epoch);
    if (this.#epochs.size < this.#limits.kept) this.#epochs.add(known);
    return this.#epochs.has(known) ? known : -1;
  }

  #count(
    { event, attributes }: Released,
    at: number,
    tuple: readonly AttributeName[],
    { node, epoch }: Where,
    process: number | undefined,
  ): void {
    const values = tuple.map((name) => attributes.get(name));
    if (values.includes(undefined)) return;
    const seen = getOr(this.#tuples, `${event} ${at}`, () => ({
      events: 0,
      byEpoch: new Map<number, number>(),
      sample: new Sample(this.#limits.kept, () => ({
        events: 0,
        processes: new Set<number>(),
        nodes: new Set<number>(),
      })),
    }));
    seen.events++;
    seen.byEpoch.set(epoch, (seen.byEpoch.get(epoch) ?? 0) + 1);
    const counted = seen.sample.at(short(`${epoch} ${JSON.stringify(values)}`));
    if (counted === undefined) return;
    counted.events++;
    if (process !== undefined && counted.processes.size < this.#most) counted.processes.add(process);
    if (counted.nodes.size < this.#most) counted.nodes.add(node);
  }

  #remember(name: AttributeName, value: unknown, { node, epoch }: Where): void {
    const sampleOf = (all: Map<AttributeName, Sample<Set<number>>>): Sample<Set<number>> =>
      getOr(all, name, () => new Sample(this.#limits.kept, () => new Set<number>()));
    const addTo = (few: Set<number> | undefined, one: number): void => {
      if (few !== undefined && few.size < 2) few.add(one);
    };
    for (const pseudonym of pseudonymsIn(value)) {
      addTo(sampleOf(this.#pseudonyms).at(`${epoch} ${pseudonym}`), node);
      if (this.#epochs.size > 0) addTo(sampleOf(this.#lasting).at(pseudonym), epoch);
    }
  }

  result(): Risk {
    return {
      events: this.#events,
      epochs: this.#epochs.size,
      unreadable: this.#unreadable,
      tuples: [...this.#tuples].map(([key, seen]) => this.#tupleRisk(key, seen)).toSorted(byRisk),
      joins: joinsOf(this.#pseudonyms),
      acrossNodes: this.#knowsNodes ? acrossNodes(this.#pseudonyms) : [],
      lasting: this.#epochs.size > 1 ? lasting(this.#lasting) : [],
    };
  }

  #tupleRisk(key: string, { events, byEpoch, sample }: Seen): TupleRisk {
    const [event = '', at = ''] = key.split(' ');
    if (!isEventName(event)) throw new Error('counted under no event');
    const all = [...sample.values()];
    const shareOf = (which: readonly Counted[]): number => (all.length === 0 ? 0 : which.length / all.length);
    return {
      event,
      attributes: TUPLES[Number(at)] ?? [],
      events,
      distinct: Math.round(all.length / sample.rate),
      entropyBits: Math.max(0, entropyOf(all, events, sample.rate) - entropyOfEpochs(byEpoch, events)),
      below: this.#ks.map((k) => {
        const few = all.filter(({ processes }) => processes.size < k);
        return {
          k,
          processes: shareOf(few),
          nodes: this.#knowsNodes ? shareOf(all.filter(({ nodes }) => nodes.size < k)) : undefined,
          events: Math.min(1, sumOf(few) / sample.rate / events),
        };
      }),
      sampled: sample.rate,
    };
  }
}

/** From here on a combination is common. A sample says much of rare ones and little of common ones. */
const COMMON = 32;

/**
 * Shannon's, over the combinations; exact where all were kept. Of a sample: rare combinations stand for those left out, and
 * common ones share what events remain.
 */
function entropyOf(all: readonly Counted[], events: number, rate: number): number {
  const rare = all.filter((one) => one.events < COMMON);
  const common = all.filter((one) => one.events >= COMMON);
  const rest = 1 - Math.min(1, sumOf(rare) / rate / events);
  const ofRare = surprise(rare, events) / rate;
  const ofCommon = rest <= 0 ? 0 : rest * (surprise(common, sumOf(common)) - Math.log2(rest) - Math.log2(rate));
  return Math.max(0, Math.min(ofRare + ofCommon, Math.log2(all.length / rate)));
}

/** How much of it is only that there were several epochs: everybody knows when a line was released. */
const entropyOfEpochs = (byEpoch: ReadonlyMap<number, number>, events: number): number =>
  [...byEpoch.values()].reduce((sum, n) => sum - (n / events) * Math.log2(n / events), 0);

const sumOf = (counted: readonly Counted[]): number => counted.reduce((sum, one) => sum + one.events, 0);
const surprise = (counted: readonly Counted[], events: number): number =>
  counted.reduce((sum, one) => sum - (one.events / events) * Math.log2(one.events / events), 0);

/** The most singled-out combinations first. */
const byRisk = (a: TupleRisk, b: TupleRisk): number =>
  (b.below[0]?.events ?? 0) - (a.below[0]?.events ?? 0) || b.entropyBits - a.entropyBits;

function joinsOf(pseudonyms: ReadonlyMap<AttributeName, Sample<Set<number>>>): readonly Join[] {
  const names = [...pseudonyms.keys()].toSorted();
  const joins: Join[] = [];
  for (const [at, first] of names.entries()) {
    for (const second of names.slice(at + 1)) {
      const [one, other] = [pseudonyms.get(first), pseudonyms.get(second)];
      if (one === undefined || other === undefined) continue;
      const rate = Math.min(one.rate, other.rate);
      const [left, right] = [[...one.keys(rate)], [...other.keys(rate)]];
      const shared = left.filter((key) => other.has(key)).length;
      const fewer = Math.min(left.length, right.length);
      if (shared > 0)
        joins.push({
          attributes: [first, second],
          shared: Math.round(shared / rate),
          share: shared / fewer,
          sampled: rate,
        });
    }
  }
  return joins.toSorted((a, b) => b.shared - a.shared);
}

const acrossNodes = (pseudonyms: ReadonlyMap<AttributeName, Sample<Set<number>>>): readonly AcrossNodes[] =>
  [...pseudonyms].map(([attribute, sample]) => ({
    attribute,
    pseudonyms: Math.round(sample.size / sample.rate),
    onSeveralNodes: Math.round([...sample.values()].filter(({ size }) => size > 1).length / sample.rate),
    sampled: sample.rate,
  }));

const lasting = (pseudonyms: ReadonlyMap<AttributeName, Sample<Set<number>>>): readonly Lasting[] =>
  [...pseudonyms].map(([attribute, sample]) => ({
    attribute,
    pseudonyms: Math.round(sample.size / sample.rate),
    inSeveralEpochs: Math.round([...sample.values()].filter(({ size }) => size > 1).length / sample.rate),
    sampled: sample.rate,
  }));

/** Pseudonyms and mapped addresses in a released value, wherever in a path or a command line they stand. */
export function pseudonymsIn(value: unknown): readonly string[] {
  if (typeof value === 'number') return isNumericPseudonym(value) ? [String(value)] : [];
  if (typeof value === 'string') return value.match(PSEUDONYM) ?? [];
  return Array.isArray(value) ? value.flatMap(pseudonymsIn) : [];
}

interface Released {
  readonly event: EventName;
  readonly attributes: ReadonlyMap<AttributeName, unknown>;
}

const MAX_LINE = 65_536;

function parseLine(line: string): Released | undefined {
  if (line.length > MAX_LINE) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || !('event' in parsed)) return undefined;
  const { event } = parsed;
  if (typeof event !== 'string' || !isEventName(event)) return undefined;
  const carried: readonly string[] = EVENTS[event].attributes;
  const attributes = new Map<AttributeName, unknown>();
  for (const [name, value] of Object.entries(parsed))
    if (isAttributeName(name) && carried.includes(name)) attributes.set(name, value);
  return { event, attributes };
}

export interface RiskChange {
  readonly event: EventName;
  readonly attributes: readonly AttributeName[];
  /** undefined: these lines do not have the combination. */
  readonly before: TupleRisk | undefined;
  readonly after: TupleRisk | undefined;
}

/** The same combinations in two sets of lines; in the order of the second, then what only the first has. */
export function changesOf(before: Risk, after: Risk): readonly RiskChange[] {
  const keyOf = ({ event, attributes }: TupleRisk): string => `${event} ${attributes.join(' ')}`;
  const was = new Map(before.tuples.map((tuple) => [keyOf(tuple), tuple]));
  const is = new Set(after.tuples.map(keyOf));
  const rows = after.tuples.map((tuple) => ({ ...tuple, before: was.get(keyOf(tuple)), after: tuple }));
  const gone = before.tuples.filter((tuple) => !is.has(keyOf(tuple)));
  return [...rows, ...gone.map((tuple) => ({ ...tuple, before: tuple, after: undefined }))].map(
    ({ event, attributes, before: old, after: now }) => ({ event, attributes, before: old, after: now }),
  );
}

function getOr<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
