/**
 * Another exporter's file as a source: its lines become events of our vocabulary, and pass the same gate as all others.
 *
 *     file -> lines (exporters/tail.ts) -> fields (json.ts) -> one event (tetragon.ts, falco.ts, tracee.ts, laurel.ts)
 *
 * Only fields that a mapper names are read; what is not mapped is counted, and so is what cannot be read. Each chunk's last
 * event carries how far the file was read, which the spool keeps with the batch. What the exporter says it lost is
 * ours too: by class in the ledger, as lost in the queue, or without class in the source's next report.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CLASSES, type EventClass } from '#protocol/vocabulary.ts';
import type { Attributes, RawEvent } from '../event.ts';
import { falcoMapper } from './exporters/falco.ts';
import { parseLine } from './exporters/json.ts';
import { laurelMapper } from './exporters/laurel.ts';
import type { Exporter } from './exporters/name.ts';
import { NOTHING_UNTOLD, UNTOLD, type ExporterMark, type ExporterPosition, type Untold } from './exporters/position.ts';
import { Tail, type Chunk } from './exporters/tail.ts';
import { tetragonMapper } from './exporters/tetragon.ts';
import type { Mapper, Users } from './exporters/told.ts';
import { traceeMapper } from './exporters/tracee.ts';

const WAIT_MS = 250;
const REPORT_EVERY_MS = 10_000;

export const mapperOf: Readonly<Record<Exporter, (users: Users) => Mapper>> = {
  falco: falcoMapper,
  laurel: laurelMapper,
  tetragon: tetragonMapper,
  tracee: traceeMapper,
};

export interface ExporterOptions {
  readonly kind: Exporter;
  readonly file: string;
  readonly users: Users;
  /** Where the run before ended, if there was one. */
  readonly position: ExporterPosition | undefined;
  /** How far it was read meanwhile, where nothing was told. */
  readonly note: (mark: ExporterMark) => void;
  readonly signal: AbortSignal;
}

export async function* exporterEvents(options: ExporterOptions): AsyncGenerator<readonly RawEvent[]> {
  const tail = new Tail(options.file, options.position);
  const reader = new Reader(options);
  try {
    while (!options.signal.aborted) {
      const chunk = await tail.read();
      const events = reader.read(chunk);
      const mark = reader.mark(chunk);
      const last = events.at(-1);
      if (last !== undefined) yield mark === undefined ? events : [...events.slice(0, -1), { ...last, exporter: mark }];
      else if (mark !== undefined) options.note(mark);
      if (chunk.isIdle) await sleep(WAIT_MS, undefined, { signal: options.signal }).catch(() => {});
    }
  } finally {
    await tail.close();
  }
}

class Reader {
  readonly #kind: Exporter;
  readonly #map: Mapper;
  #untold: Untold;
  /** By class, since the last mark. */
  #lost: Partial<Record<EventClass, number>> = {};
  #state: Chunk['state'] | undefined;
  #blind: number | undefined;
  #readAt: number | undefined;
  #reportedAt = 0;

  constructor({ kind, users, position }: ExporterOptions) {
    this.#kind = kind;
    this.#map = mapperOf[kind](users);
    this.#untold = position?.untold ?? NOTHING_UNTOLD;
    this.#readAt = position?.time;
  }

  read(chunk: Chunk): readonly RawEvent[] {
    const events = chunk.lines.flatMap((line) => this.#tell(line));
    this.#count({ unreadable: chunk.spoilt });
    const now = Date.now() * 1_000;
    if (chunk.isGap) this.#see(Math.max(0, now - (this.#readAt ?? now)) / 1e6);
    this.#readAt = now;
    return [...events, ...this.#report(chunk.state)];
  }

  /** How far, and what was lost on the way; undefined before there is a file. */
  mark({ position }: Chunk): ExporterMark | undefined {
    if (position === undefined) return undefined;
    const lost = this.#lost;
    this.#lost = {};
    return { position: { ...position, time: this.#readAt ?? 0, untold: this.#untold }, lost };
  }

  #tell(line: string): readonly RawEvent[] {
    const fields = parseLine(line);
    const told = fields === undefined ? 'unreadable' : this.#map(fields);
    this.#count({ unusable: fields?.unusable ?? 0 });
    if (typeof told === 'string') {
      this.#count({ [told]: 1 });
      return [];
    }
    for (const cls of CLASSES) {
      const more = told.lost?.[cls] ?? 0;
      if (more > 0) this.#lost[cls] = (this.#lost[cls] ?? 0) + more;
    }
    this.#count({ lost: told.lostOfAnyKind ?? 0 });
    if (told.blind !== undefined) this.#see(told.blind);
    return told.event === undefined ? [] : [told.event];
  }

  #count(more: Partial<Untold>): void {
    this.#untold = {
      lost: this.#untold.lost + (more.lost ?? 0),
      unreadable: this.#untold.unreadable + (more.unreadable ?? 0),
      unmapped: this.#untold.unmapped + (more.unmapped ?? 0),
      unusable: this.#untold.unusable + (more.unusable ?? 0),
    };
  }

  #see(blind: number): void {
    this.#blind = (this.#blind ?? 0) + blind;
  }

  /** At once when something became otherwise; numbers every now and then. */
  #report(state: Chunk['state']): readonly RawEvent[] {
    const isNews = state !== this.#state || this.#blind !== undefined;
    const isDue =
      performance.now() - this.#reportedAt >= REPORT_EVERY_MS && UNTOLD.some((key) => this.#untold[key] > 0);
    if (!isNews && !isDue) return [];
    const { lost, unreadable, unmapped, unusable } = this.#untold;
    const attributes: Attributes = {
      'hushwatch.source': this.#kind,
      'hushwatch.source.state': state,
      'hushwatch.blind.duration': this.#blind,
      'hushwatch.entries.lost': lost,
      'hushwatch.entries.unreadable': unreadable,
      'hushwatch.entries.unmapped': unmapped,
      'hushwatch.values.unusable': unusable,
    };
    this.#state = state;
    this.#blind = undefined;
    this.#untold = NOTHING_UNTOLD;
    this.#reportedAt = performance.now();
    return [{ name: 'hushwatch.source.report', time: Date.now() * 1_000, attributes }];
  }
}
