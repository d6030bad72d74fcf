/**
 * The agent, end to end. Read this file first.
 *
 *     sensor -> enrich -> derive -> match -> redact -> batch -> sign -> spool     record()
 *                                                              spool -> send      shipper/pipeline.ts
 *
 * The spool is the joint. record() promises that what it returned from is on disk; the shipper, another process with
 * other rights, promises nothing but to bring back receipts. Arrays of events move along the line, not single events.
 *
 * Every event that entered is released, withheld or lost when its batch is signed, and the statement says how many of
 * each; those of a sum, when the sum is told. Nothing between the first line and the last may keep, write or print an event.
 */
import { MAX_LINE_BYTES } from '#protocol/batch.ts';
import type { Counts } from '#protocol/statement.ts';
import { CLASSES, EVENTS } from '#protocol/vocabulary.ts';
import type { ReleasedEvent } from '../redaction-rules/compile.ts';
import { inBatches, type BatchLimits } from './batches.ts';
import type { Enricher } from './enrich.ts';
import type { RawEvent } from './event.ts';
import { withMatches, type Gate } from './gate.ts';
import type { Ledger } from './ledger.ts';
import type { Frame } from './sources/frame.ts';
import { HalfWritten, type FileSpool, type Herald } from './spool.ts';

export interface Line extends Gate {
  readonly ledger: Ledger;
  readonly spool: FileSpool;
  /** Settles when the spool may be appended to; at once unless the chain must be asked for first. */
  readonly begun?: Promise<void>;
}

/** Is told when a sensor introduces itself, for the first time or again, and when it says goodbye. */
export interface SensorListener {
  met(version: string, isNew: boolean): readonly RawEvent[];
  left(): void;
}

export async function record(
  events: AsyncIterable<readonly RawEvent[]>,
  line: Line,
  herald: Herald,
  limits: BatchLimits,
  /** Of each batch: what the world had against it, or nothing. */
  tell: (problem: Error | undefined) => void,
): Promise<void> {
  for await (const body of inBatches(redactEach(events, line), limits)) {
    // Now, and not after anything was waited for: what comes meanwhile is counted already, and for the next statement.
    const { totals, sensor, journal, exporter, sums } = line.ledger;
    const unsigned = {
      body,
      totals: { ...totals, released: sum(totals.released, body.events) },
      sensor,
      journal,
      exporter,
      sums,
    };
    await line.begun;
    let problem: Error | undefined;
    try {
      await line.spool.append(herald, unsigned);
      line.ledger.released(body.events);
    } catch (error) {
      if (error instanceof HalfWritten || !(error instanceof Error)) throw error;
      // The world broke (ENOSPC, EIO): these are lost, the next statement says so, and we go on.
      line.ledger.unreleased(body.events);
      problem = error;
    }
    tell(problem);
  }
}

/** Frames to raw events; the sensor's own counters go to the ledger, in their turn. */
export async function* observe(
  frames: AsyncIterable<readonly Frame[]>,
  enricher: Enricher,
  ledger: Ledger,
  sensors: SensorListener,
): AsyncGenerator<readonly RawEvent[]> {
  for await (const chunk of frames) {
    let events: RawEvent[] = [];
    for (const frame of chunk) {
      if (frame.kind === 'counters') {
        // What came before it is counted before it speaks.
        yield events;
        events = [];
        ledger.counters(frame);
        enricher.counted(frame);
        if (frame.isLast === true) sensors.left();
      } else if (frame.kind === 'hello') {
        const isNew = ledger.meet(String(frame.instance));
        if (isNew) enricher.met(frame);
        events.push(...sensors.met(frame.sensorVersion, isNew));
      } else if (frame.kind === 'process') enricher.learn(frame);
      else events.push(enricher.enrich(frame));
    }
    yield events;
  }
}

async function* redactEach(
  chunks: AsyncIterable<readonly RawEvent[]>,
  line: Line,
): AsyncGenerator<readonly ReleasedEvent[]> {
  for await (const events of chunks) {
    const released: ReleasedEvent[] = [];
    for (const event of events) {
      const one = release(event, line);
      if (one !== undefined) released.push(one);
    }
    yield released;
  }
}

/** One event: matched, counted, redacted, or counted as withheld or lost. What a rule matched is in no sum. */
function release(raw: RawEvent, { matcher, redactor, ledger, spool }: Line): ReleasedEvent | undefined {
  const cls = EVENTS[raw.name].class;
  if (raw.journal !== undefined) ledger.readJournal(raw.journal);
  if (raw.exporter !== undefined) ledger.readExporter(raw.exporter);
  const event = raw.name === 'hushwatch.sum' ? ledger.tell(raw) : raw;
  if (event === undefined) return undefined;
  const rules = matcher.match(event);
  if (rules.length === 0 && ledger.holds(event)) return undefined;
  ledger.received(cls, event.fromSensor);
  // What a rule matched is shed last, whatever its class: a spool filled up with files must not hide the one that counts.
  if (!spool.admits(rules.length === 0 ? cls : 'self')) {
    ledger.lost('spool', cls);
    return undefined;
  }
  const released = redactor.redact(withMatches(event, rules));
  if (released === undefined) {
    ledger.withheld(cls);
    return undefined;
  }
  if (released.line.length * 3 > MAX_LINE_BYTES && Buffer.byteLength(released.line) > MAX_LINE_BYTES) {
    ledger.lost('oversize', cls);
    return undefined;
  }
  return released;
}

function sum(a: Counts, b: Counts): Counts {
  return Object.fromEntries(CLASSES.map((cls) => [cls, (a[cls] ?? 0) + (b[cls] ?? 0)]));
}
