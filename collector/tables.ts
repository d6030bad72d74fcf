/**
 * Tables over the evidence: SQL in DuckDB, on the bodies as they lie, beside a running collector. Which files a
 * question needs is looked up in the state; nothing is locked and nothing is written.
 *
 * Days that are over may be compacted: `tables/DAY.FIRST-LAST.parquet` holds the events of that part of the log. It is
 * derived; when it is removed, the evidence answers again.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type * as DuckDB from '@duckdb/node-api';
import { epochAt, type Epochs } from '#protocol/statement.ts';
import { bodyPath } from '#protocol/verify.ts';
import { ATTRIBUTES, type ValueType } from '#protocol/vocabulary.ts';
import { State, type BatchRow } from './state.ts';

/** Which part of the evidence is asked. */
export interface Span {
  readonly sinceUs: number;
  readonly untilUs: number;
  readonly node: string | undefined;
}

export interface EventQuery extends Span {
  /** An SQL condition on the attributes, `event`, `time`, `node` and `sequence`. */
  readonly where: string;
  readonly limit: number;
}

/** The condition is not one; the message is for the person who wrote it. */
export class QueryError extends Error {
  override readonly name = 'QueryError';
}

const SQL_TYPES: Readonly<Record<ValueType, string>> = {
  string: 'VARCHAR',
  int: 'BIGINT',
  double: 'DOUBLE',
  boolean: 'BOOLEAN',
  'string[]': 'VARCHAR[]',
};

const COLUMNS: readonly (readonly [string, string])[] = [
  ['event', 'VARCHAR'],
  ['time', 'BIGINT'],
  ...Object.entries(ATTRIBUTES).map(([name, { type }]) => [name, SQL_TYPES[type]] as const),
];

/** A line's time may lie before what its statement says: rulesets round it down. */
const ROUNDING_US = 600_000_000;
const MAX_BATCHES = 1_000_000;

/** Released events as JSON lines, each with its node, sequence and epoch in front, in the order of time; the newest `limit`. */
export async function queryEvents(home: string, query: EventQuery): Promise<readonly string[]> {
  const rows = (await overEvents(home, query, COLUMNS, (connection) => run(connection, query))) ?? [];
  using state = State.beside(home);
  const epochOf = epochsIn(state);
  return rows.map(([node, sequence, line]) => {
    const epoch = epochOf(node, sequence, line);
    const known = epoch === undefined ? '' : `"epoch":${epoch},`;
    return `{"node":"${node}","sequence":${sequence},${known}${line.slice(1)}`;
  });
}

/** Columns of these names; each that is asked for costs time. */
export function columnsOf(names: ReadonlySet<string>): readonly (readonly [string, string])[] {
  return COLUMNS.filter(([name]) => name === 'event' || name === 'time' || names.has(name));
}

/**
 * Asks `work` about the view `events` of that part of the evidence: node, sequence, log_index, line and the columns. Undefined where there
 * is none. What is asked can read evidence and tables, and nothing else.
 */
export async function overEvents<T>(
  home: string,
  span: Span,
  columns: readonly (readonly [string, string])[],
  work: (connection: DuckDB.DuckDBConnection) => Promise<T>,
): Promise<T | undefined> {
  const batches = batchesFor(home, span);
  if (batches.length === 0) return undefined;
  const compacted = compactedIn(home).filter(({ first, last }) =>
    batches.some(({ logIndex }) => first <= logIndex && logIndex <= last),
  );
  const isCompacted = ({ logIndex }: BatchRow): boolean =>
    compacted.some(({ first, last }) => first <= logIndex && logIndex <= last);
  const loose = batches.filter((batch) => !isCompacted(batch) && existsSync(join(home, bodyPath(batch.body))));
  const instance = await loadDuckDB().DuckDBInstance.create(':memory:', { temp_directory: '', memory_limit: '1GB' });
  const connection = await instance.connect();
  try {
    const sources = [
      ...(await looseSource(connection, home, loose)),
      ...compacted.map((part) => partSource(part, span)),
    ];
    if (sources.length === 0) return undefined;
    await prepare(connection, home, sources, columns);
    return await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** The epoch that the pseudonyms of a line belong to: two lines of different ones cannot be joined by them. */
export function epochsIn(state: State): (node: string, sequence: number, line: string) => number | undefined {
  // Lines of a batch stand together.
  let last: { readonly key: string; readonly epochs: Epochs | undefined } | undefined;
  return (node, sequence, line) => {
    const key = `${node} ${sequence}`;
    if (last?.key !== key) last = { key, epochs: state.epochsOf(node, sequence) };
    const { epochs } = last;
    if (epochs === undefined || epochs.first === epochs.last) return epochs?.first;
    const time = Number(/^[^,]*,"time":([0-9]+)/.exec(line)?.[1] ?? 0);
    return Math.min(epochs.last, Math.max(epochs.first, epochAt(time, epochs)));
  };
}

/** Loaded when a question is asked: it is 30 MB that a collector at work does not need. */
function loadDuckDB(): typeof DuckDB {
  const loaded: typeof DuckDB = createRequire(import.meta.url)('@duckdb/node-api');
  return loaded;
}

function batchesFor(home: string, { sinceUs, untilUs, node }: Span): readonly BatchRow[] {
  using state = State.beside(home);
  return state.batchesBetween(sinceUs, untilUs + ROUNDING_US, MAX_BATCHES, node);
}

/** A part of the log whose events lie in one Parquet file. */
interface CompactedPart {
  readonly file: string;
  readonly first: number;
  readonly last: number;
}

function compactedIn(home: string): readonly CompactedPart[] {
  const directory = join(home, 'tables');
  const names = existsSync(directory) ? readdirSync(directory) : [];
  return names.flatMap((name) => {
    const [, first, last] = /^[0-9-]{10}\.([0-9]+)-([0-9]+)\.parquet$/.exec(name) ?? [];
    return first === undefined ? [] : [{ file: join(directory, name), first: Number(first), last: Number(last) }];
  });
}

/** SQL that gives node, sequence, log_index and line of the events in these batches; none for no batches. */
async function looseSource(
  connection: DuckDB.DuckDBConnection,
  home: string,
  batches: readonly BatchRow[],
): Promise<readonly string[]> {
  if (batches.length === 0) return [];
  await connection.run('CREATE TABLE batches (file VARCHAR, node VARCHAR, sequence BIGINT, log_index BIGINT)');
  const appender = await connection.createAppender('batches');
  for (const { body, node, sequence, logIndex } of batches) {
    appender.appendVarchar(join(home, bodyPath(body)));
    appender.appendVarchar(node);
    appender.appendBigInt(BigInt(sequence));
    appender.appendBigInt(BigInt(logIndex));
    appender.endRow();
  }
  appender.closeSync();
  const files = [...new Set(batches.map(({ body }) => join(home, bodyPath(body))))].map(quoted).join(',');
  return [
    `SELECT batches.node, batches.sequence, batches.log_index, json::VARCHAR AS line
     FROM read_json_objects([${files}], format = 'newline_delimited', compression = 'zstd', filename = true) AS found
     JOIN batches ON batches.file = found.filename`,
  ];
}

function partSource({ file }: CompactedPart, { sinceUs, untilUs, node }: Span): string {
  const ofNode = node === undefined ? '' : ` AND node = ${quoted(node)}`;
  return `SELECT node, sequence, log_index, line FROM read_parquet(${quoted(file)})
    WHERE time BETWEEN ${Math.round(sinceUs)} AND ${Math.round(untilUs)}${ofNode}`;
}

async function prepare(
  connection: DuckDB.DuckDBConnection,
  home: string,
  sources: readonly string[],
  columns: readonly (readonly [string, string])[],
): Promise<void> {
  const structure = quoted(JSON.stringify(Object.fromEntries(columns)));
  await connection.run(`CREATE VIEW events AS
    SELECT node, sequence, log_index, line, unnest(from_json(line, ${structure})) FROM (${sources.join(' UNION ALL ')})`);
  // From here on a condition can read evidence and tables, and nothing else.
  const allowed = ['evidence', 'tables'].map((name) => quoted(join(home, name))).join(',');
  await connection.run(`SET allowed_directories = [${allowed}]`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
}

/** Writes the days that are over and not compacted yet; the names of the files made. */
export async function compact(home: string, nowUs: number): Promise<readonly string[]> {
  const today = new Date(nowUs / 1000).toISOString().slice(0, 10);
  const have = compactedIn(home);
  using state = State.beside(home);
  const made: string[] = [];
  for (const { day, first, last } of state.days()) {
    if (day >= today || have.some((part) => part.first <= last && first <= part.last)) continue;
    const batches = state.batchesFrom(first, last);
    // With a body missing the part would say that there was nothing.
    if (!batches.every(({ body }) => existsSync(join(home, bodyPath(body))))) continue;
    await writePart(home, join(home, 'tables', `${day}.${first}-${last}.parquet`), batches);
    made.push(`${day}.${first}-${last}.parquet`);
  }
  return made;
}

async function writePart(home: string, file: string, batches: readonly BatchRow[]): Promise<void> {
  if (batches.length === 0) return;
  mkdirSync(join(home, 'tables'), { recursive: true });
  const temporary = `${file}.tmp`;
  rmSync(temporary, { force: true });
  const instance = await loadDuckDB().DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const [source = ''] = await looseSource(connection, home, batches);
    await connection.run(
      `COPY (SELECT node, sequence, log_index, CAST(json_extract(line, '$.time') AS BIGINT) AS time, line
       FROM (${source}) ORDER BY time) TO ${quoted(temporary)} (FORMAT parquet, COMPRESSION zstd)`,
    );
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
  sync(temporary);
  renameSync(temporary, file);
  sync(join(home, 'tables'));
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

async function run(
  connection: DuckDB.DuckDBConnection,
  query: EventQuery,
): Promise<readonly (readonly [string, number, string])[]> {
  const { sinceUs, untilUs, where, limit } = query;
  if (where.includes(';')) throw new QueryError('a condition holds no semicolon');
  const sql = `SELECT node, sequence, line FROM (
    SELECT node, sequence, log_index, time, line FROM events
    WHERE time BETWEEN ${Math.round(sinceUs)} AND ${Math.round(untilUs)} AND (${quoteAttributes(where)}\n)
    ORDER BY time DESC, log_index DESC LIMIT ${Math.round(limit)}) ORDER BY time, log_index`;
  const rows = await rowsOf(connection, sql);
  return rows.map(([node, sequence, line]) => [String(node), Number(sequence), String(line)]);
}

/** Throws QueryError: what is wrong is what a person asked. */
export async function rowsOf(
  connection: DuckDB.DuckDBConnection,
  sql: string,
  values?: DuckDB.DuckDBValue[],
): Promise<readonly (readonly unknown[])[]> {
  try {
    const reader = await connection.runAndReadAll(sql, values);
    return reader.getRowsJS();
  } catch (cause) {
    throw new QueryError(problemOf(cause), { cause });
  }
}

/** The first line of what DuckDB says; the rest quotes our own statement. */
function problemOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Lets people write `process.executable.path = '/bin/sh'`: SQL wants such a name in quotes. */
export function quoteAttributes(where: string): string {
  return where.replaceAll(/'(?:[^']|'')*'|"[^"]*"|[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)+/g, (part) =>
    Object.hasOwn(ATTRIBUTES, part) ? `"${part}"` : part,
  );
}
