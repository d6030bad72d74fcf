/**
 * A search over the evidence: how many events, when, of which kinds, and one page of them, newest first. Runs in DuckDB on the
 * bodies as they lie; reads only the columns that the question names.
 */
import type { DuckDBConnection } from '@duckdb/node-api';
import type { ReleasedRecord } from '../detectors/detector.ts';
import { EvidenceStore, type EvidenceReader } from '../evidence.ts';
import { State } from '../state.ts';
import { columnsOf, epochsIn, overEvents, rowsOf, type Span } from '../tables.ts';
import { parseRecord } from '../watch.ts';
import { namesIn, parseQuery, QuestionError } from './query.ts';
import { toSql, type Condition } from './query-sql.ts';

export interface Search extends Span {
  /** In the language of `query.ts`. */
  readonly query: string;
  /** From 0. */
  readonly page: number;
  readonly pageSize: number;
}

export interface FoundEvent {
  readonly node: string;
  readonly sequence: number;
  readonly logIndex: number;
  /** Place in the batch, from 0; unknown where the body has expired and only its day's table is left. */
  readonly line: number | undefined;
  /** That its pseudonyms belong to. */
  readonly epoch: number | undefined;
  /** As it was released. */
  readonly record: ReleasedRecord;
}

export interface Found {
  readonly query: string;
  readonly sinceUs: number;
  readonly untilUs: number;
  readonly total: number;
  /** Length of a bucket, and every bucket of the time, empty ones included. */
  readonly bucketUs: number;
  readonly buckets: readonly { readonly time: number; readonly events: number }[];
  /** The most frequent first. */
  readonly kinds: readonly { readonly event: string; readonly events: number }[];
  readonly page: number;
  readonly pageSize: number;
  readonly events: readonly FoundEvent[];
}

const MAX_PAGE_SIZE = 1_000_000;
/** Beyond it one asks for less instead of turning pages. */
export const MAX_OFFSET = 100_000;
const MOST_BUCKETS = 96;
const SECOND = 1e6;
const LENGTHS = [1, 5, 15, 30, 60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800];

/** The shortest length, in µs, with which the span falls into a readable number of buckets. */
export function bucketOf(sinceUs: number, untilUs: number): number {
  const seconds = (untilUs - sinceUs) / SECOND;
  return (LENGTHS.find((length) => seconds / length <= MOST_BUCKETS) ?? Math.ceil(seconds / MOST_BUCKETS)) * SECOND;
}

/** Throws QuestionError for what is no question, QueryError for what cannot be answered. */
export async function search(home: string, asked: Search): Promise<Found> {
  const { sinceUs, untilUs, page, pageSize } = asked;
  if (!(sinceUs < untilUs)) throw new QuestionError('the time ends before it begins');
  if (!Number.isSafeInteger(pageSize) || pageSize < 1 || pageSize > MAX_PAGE_SIZE)
    throw new QuestionError(`from 1 to ${MAX_PAGE_SIZE} events a page`);
  if (page * pageSize > MAX_OFFSET)
    throw new QuestionError(
      `only the newest ${MAX_OFFSET} can be leafed through; ask for less, or for an earlier time`,
    );
  const query = parseQuery(asked.query);
  // Before it: the time, and how long a bucket is or how many events to pass over.
  const condition = toSql(query, 4);
  const bucketUs = bucketOf(sinceUs, untilUs);
  const columns = columnsOf(namesIn(query));
  const counted = (await overEvents(home, asked, columns, (open) => counts(open, condition, asked, bucketUs))) ?? [];
  const buckets = bucketsOf(counted, sinceUs, untilUs, bucketUs);
  // The counts tell where the page lies: the rest of the evidence need not be unpacked twice.
  const part = partOf(buckets, asked, bucketUs);
  const found = part && (await overEvents(home, part, columns, (open) => lines(open, condition, part)));
  return {
    ...{ query: asked.query, sinceUs, untilUs, page, pageSize, bucketUs },
    total: counted.reduce((sum, { events }) => sum + events, 0),
    buckets,
    kinds: kindsOf(counted),
    events: await located(home, found ?? []),
  };
}

interface Count {
  readonly bucket: number;
  readonly event: string;
  readonly events: number;
}

async function counts(
  connection: DuckDBConnection,
  { sql, values }: Condition,
  { sinceUs, untilUs }: Span,
  bucketUs: number,
): Promise<readonly Count[]> {
  const grouped = `SELECT CAST(floor(time / $3) AS BIGINT) AS bucket, event, count(*) AS events FROM events
    WHERE time BETWEEN $1 AND $2 AND ${sql} GROUP BY bucket, event`;
  const rows = await rowsOf(connection, grouped, [sinceUs, untilUs, bucketUs, ...values]);
  return rows.map(([bucket, event, events]) => ({
    bucket: Number(bucket),
    event: String(event),
    events: Number(events),
  }));
}

interface Part extends Span {
  readonly skip: number;
  readonly take: number;
}

/** The buckets that hold the page; undefined where it lies beyond the last event. */
function partOf(
  buckets: Found['buckets'],
  { sinceUs, untilUs, node, page, pageSize }: Search,
  bucketUs: number,
): Part | undefined {
  const first = page * pageSize;
  let [passed, newer] = [0, 0];
  let until: number | undefined;
  for (const { time, events } of buckets.toReversed()) {
    if (until === undefined && passed + events > first)
      [until, newer] = [Math.min(untilUs, time + bucketUs - 1), passed];
    passed += events;
    if (until !== undefined && (passed >= first + pageSize || time <= sinceUs))
      return { sinceUs: Math.max(sinceUs, time), untilUs: until, node, skip: first - newer, take: pageSize };
  }
  return undefined;
}

interface Line {
  readonly node: string;
  readonly sequence: number;
  readonly logIndex: number;
  readonly text: string;
}

async function lines(connection: DuckDBConnection, { sql, values }: Condition, part: Part): Promise<readonly Line[]> {
  const newest = `SELECT node, sequence, log_index, line FROM events WHERE time BETWEEN $1 AND $2 AND ${sql}
    ORDER BY time DESC, log_index DESC, line LIMIT ${part.take} OFFSET CAST($3 AS BIGINT)`;
  const rows = await rowsOf(connection, newest, [part.sinceUs, part.untilUs, part.skip, ...values]);
  return rows.map(([node, sequence, logIndex, text]) => ({
    ...{ node: String(node), sequence: Number(sequence), logIndex: Number(logIndex), text: String(text) },
  }));
}

function bucketsOf(counted: readonly Count[], sinceUs: number, untilUs: number, bucketUs: number): Found['buckets'] {
  const sums = new Map<number, number>();
  for (const { bucket, events } of counted) sums.set(bucket, (sums.get(bucket) ?? 0) + events);
  const [first, last] = [Math.floor(sinceUs / bucketUs), Math.floor(untilUs / bucketUs)];
  return Array.from({ length: last - first + 1 }, (_, i) => ({
    time: (first + i) * bucketUs,
    events: sums.get(first + i) ?? 0,
  }));
}

function kindsOf(counted: readonly Count[]): Found['kinds'] {
  const sums = new Map<string, number>();
  for (const { event, events } of counted) sums.set(event, (sums.get(event) ?? 0) + events);
  return [...sums]
    .map(([event, events]) => ({ event, events }))
    .toSorted((a, b) => b.events - a.events || (a.event < b.event ? -1 : 1));
}

/** DuckDB does not say in which line of a body it found something; the body does. */
async function located(home: string, found: readonly Line[]): Promise<readonly FoundEvent[]> {
  if (found.length === 0) return [];
  const evidence = EvidenceStore.reading(home);
  using state = State.beside(home);
  const epochOf = epochsIn(state);
  const bodies = new Map<number, Promise<readonly string[]>>();
  const linesOf = (logIndex: number): Promise<readonly string[]> => {
    const known = bodies.get(logIndex) ?? readLines(evidence, state, logIndex);
    bodies.set(logIndex, known);
    return known;
  };
  const events: FoundEvent[] = [];
  for (const { node, sequence, logIndex, text } of found) {
    const line = (await linesOf(logIndex)).indexOf(text);
    const place = { node, sequence, logIndex, line: line < 0 ? undefined : line };
    events.push({ ...place, epoch: epochOf(node, sequence, text), record: parseRecord(text) });
  }
  return events;
}

async function readLines(evidence: EvidenceReader, state: State, logIndex: number): Promise<readonly string[]> {
  const body = state.batch(logIndex)?.body;
  if (body === undefined || !evidence.has(body)) return [];
  return await evidence.lines(body);
}
