/**
 * The ledger: for every class, seen = released + merged + sampled + withheld + lost, at every statement.
 *
 * What the sensor merged, sampled or lost comes from its counters, which are cumulative since it loaded its programs
 * (one *instance*). A counters frame follows every frame it counts; so when it says that more was emitted than was
 * received, the rest was in the hands of an agent that died: lost, in the queue. That is exact because the head of
 * the spool remembers, with each statement, how much of that instance was already accounted for.
 *
 * What the ruleset lets leave as a sum only enters none of these numbers until the sum is told, and then as what was told.
 * So each statement adds up, and none tells more of the summed events than the sum does.
 */
import type { Counts, Lost, Place } from '#protocol/statement.ts';
import { CLASSES, EVENTS, type EventClass } from '#protocol/vocabulary.ts';
import type { ClassCounters, CountersFrame } from './sources/frame.ts';
import type { ExporterMark, ExporterPosition } from './sources/exporters/position.ts';
import type { JournalPosition } from './sources/journal/position.ts';
import type { RawEvent } from './event.ts';
import { NO_SUMS, Sums, type Movement, type SumCount, type Summing } from './sums.ts';

type Tally = Partial<Record<EventClass, number>>;
const KERNEL = ['merged', 'sampled', 'lost'] as const;

export interface Totals {
  readonly seen: Counts;
  readonly released: Counts;
  readonly merged: Counts;
  readonly sampled: Counts;
  readonly withheld: Counts;
  readonly lost: Lost;
}

/** What of a sensor's counters is already in the totals. */
export interface SensorAccount {
  readonly instance: string;
  readonly received: Counts;
  readonly merged: Counts;
  readonly sampled: Counts;
  readonly lost: Counts;
  /** Emitted and never received: already counted as lost in the queue. */
  readonly missing: Counts;
}

type MutableAccount = { instance: string } & Record<'received' | 'missing' | (typeof KERNEL)[number], Tally>;

export const NOTHING: Totals = { seen: {}, released: {}, merged: {}, sampled: {}, withheld: {}, lost: {} };

export class Ledger {
  readonly #seen: Tally;
  readonly #released: Tally;
  readonly #merged: Tally;
  readonly #sampled: Tally;
  readonly #withheld: Tally;
  readonly #lost: Partial<Record<Place, Tally>>;
  #sensor: MutableAccount | undefined;
  #journal: JournalPosition | undefined;
  #exporter: ExporterPosition | undefined;
  #sums: Sums;

  constructor(
    from: Totals = NOTHING,
    sensor?: SensorAccount,
    journal?: JournalPosition,
    exporter?: ExporterPosition,
    sums: Sums = new Sums(NO_SUMS, 0),
  ) {
    this.#sums = sums;
    this.#exporter = exporter;
    this.#journal = journal;
    this.#seen = { ...from.seen };
    this.#released = { ...from.released };
    this.#merged = { ...from.merged };
    this.#sampled = { ...from.sampled };
    this.#withheld = { ...from.withheld };
    this.#lost = Object.fromEntries(Object.entries(from.lost).map(([place, counts]) => [place, { ...counts }]));
    this.#sensor =
      sensor === undefined
        ? undefined
        : {
            instance: sensor.instance,
            received: { ...sensor.received },
            merged: { ...sensor.merged },
            sampled: { ...sensor.sampled },
            lost: { ...sensor.lost },
            missing: { ...sensor.missing },
          };
    this.#adopt();
  }

  /** Other rules: what both sum is counted on, what no longer is becomes what it was. */
  sumBy(summing: Summing, now: number): void {
    this.#sums = new Sums(summing, now, this.#sums.counts);
    this.#adopt();
  }

  #adopt(): void {
    for (const orphan of this.#sums.orphans) this.#move(orphan);
  }

  /** A sensor introduced itself. True when it is another than the one before: what that one had not told is gone. */
  meet(instance: string): boolean {
    if (this.#sensor?.instance === instance) return false;
    this.#sensor = { instance, received: {}, merged: {}, sampled: {}, lost: {}, missing: {} };
    return true;
  }

  /** An event reached us; `fromSensor` when the sensor counts it too. */
  received(cls: EventClass, fromSensor?: true): void {
    add(this.#seen, cls, 1);
    if (fromSensor === true && this.#sensor !== undefined) add(this.#sensor.received, cls, 1);
  }

  /** Whether an event that reached us leaves as part of a sum only: then it is seen when the sum is told. */
  holds(event: RawEvent): boolean {
    if (!this.#sums.holds(event)) return false;
    if (event.fromSensor === true && this.#sensor !== undefined)
      add(this.#sensor.received, EVENTS[event.name].class, 1);
    return true;
  }

  /** A sum that is due, with what it tells; the counters move by no more than that. undefined: the rules have no such sum. */
  tell(due: RawEvent): RawEvent | undefined {
    const told = this.#sums.tell(due);
    if (told !== undefined) this.#move(told.movement);
    return told?.event;
  }

  #move({ counter, class: cls, n }: Movement): void {
    add({ withheld: this.#withheld, merged: this.#merged, sampled: this.#sampled }[counter], cls, n);
    add(this.#seen, cls, n);
  }

  /** The journal is accounted for up to there. */
  readJournal(position: JournalPosition): void {
    this.#journal = position;
  }

  /** The exporter's file is accounted for up to there; what the exporter itself lost on the way never reached us. */
  readExporter({ position, lost }: ExporterMark): void {
    this.#exporter = position;
    for (const cls of CLASSES) {
      add(this.#seen, cls, lost[cls] ?? 0);
      this.lost('queue', cls, lost[cls] ?? 0);
    }
  }

  withheld(cls: EventClass): void {
    add(this.#withheld, cls, 1);
  }

  lost(place: Place, cls: EventClass, n = 1): void {
    add((this.#lost[place] ??= {}), cls, n);
  }

  released(counts: Counts): void {
    for (const cls of CLASSES) add(this.#released, cls, counts[cls] ?? 0);
  }

  /** What a batch that could not be written held: lost after all. */
  unreleased(counts: Counts): void {
    for (const cls of CLASSES) this.lost('spool', cls, counts[cls] ?? 0);
  }

  counters({ classes }: CountersFrame): void {
    const sensor = this.#sensor;
    if (sensor === undefined) return;
    for (const cls of CLASSES) {
      const now = classes[cls];
      if (now !== undefined) this.#account(sensor, cls, now);
    }
  }

  #account(sensor: MutableAccount, cls: EventClass, now: ClassCounters): void {
    const totals = { merged: this.#merged, sampled: this.#sampled, lost: (this.#lost.ring ??= {}) };
    for (const kind of KERNEL) {
      const delta = now[kind] - (sensor[kind][cls] ?? 0);
      // A sensor is one of us, but it is not believed when it counts backwards.
      if (delta <= 0) continue;
      add(sensor[kind], cls, delta);
      if (kind !== 'lost' && this.#sums.takes(kind, cls, delta)) continue;
      add(totals[kind], cls, delta);
      add(this.#seen, cls, delta);
    }
    const missing = now.emitted - (sensor.received[cls] ?? 0) - (sensor.missing[cls] ?? 0);
    if (missing <= 0) return;
    add(sensor.missing, cls, missing);
    this.lost('queue', cls, missing);
    add(this.#seen, cls, missing);
  }

  get totals(): Totals {
    return {
      seen: { ...this.#seen },
      released: { ...this.#released },
      merged: { ...this.#merged },
      sampled: { ...this.#sampled },
      withheld: { ...this.#withheld },
      lost: Object.fromEntries(Object.entries(this.#lost).map(([place, counts]) => [place, { ...counts }])),
    };
  }

  /** Counted and not told yet. */
  get sums(): readonly SumCount[] {
    return this.#sums.counts;
  }

  get journal(): JournalPosition | undefined {
    return this.#journal;
  }

  get exporter(): ExporterPosition | undefined {
    return this.#exporter;
  }

  get sensor(): SensorAccount | undefined {
    const sensor = this.#sensor;
    return sensor === undefined ? undefined : structuredClone(sensor);
  }
}

function add(tally: Tally, cls: EventClass, n: number): void {
  if (n > 0) tally[cls] = (tally[cls] ?? 0) + n;
}
