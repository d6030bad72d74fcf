/**
 * The batch statement: what a node says about one batch and about everything it has counted
 * so far. `key value` lines in fixed order, each exactly once; what {@link formatStatement}
 * writes is the only spelling, and {@link parseStatement} refuses every other. Statements of
 * a node form a chain, and {@link checkSuccession} is the judge of its links.
 *
 * Version 2 differs from version 1 by one line: `epochs`. What was signed in version 1 is written, and so hashed, in version 1.
 */
import { isSha256Hex, parseDecimal, sha256Hex } from './encoding.ts';
import { ProtocolError } from './error.ts';
import { CLASSES, type EventClass } from './vocabulary.ts';

/** The first line, by version. Statements of all versions are read; the last is written. */
export const STATEMENT_HEADERS = ['hushwatch/batch/v1', 'hushwatch/batch/v2'] as const;
export const MAX_BODY_BYTES = 4 * 1024 * 1024;
export const MAX_UNPACKED_BYTES = 32 * 1024 * 1024;
export const MAX_EVENTS = 65_536;
const MAX_STATEMENT_BYTES = 32_768;

export const ROLES = ['guest', 'host', 'generic'] as const;
export type Role = (typeof ROLES)[number];
/** Where events come from, sorted. */
export const SOURCES = [
  'ebpf',
  'falco',
  'host',
  'journal',
  'laurel',
  'proc',
  'proc-connector',
  'tetragon',
  'tracee',
] as const;
/** Those that see less than the kernel could show. */
export const WEAKER_SOURCES: readonly string[] = ['proc', 'proc-connector'];
export type Source = (typeof SOURCES)[number];
/** Where events can be lost, in the order in which they pass. */
export const PLACES = ['ring', 'queue', 'spool', 'oversize'] as const;
export type Place = (typeof PLACES)[number];

/** Who makes the same pseudonym of the same thing, from the fewest to the most. */
export const PSEUDONYM_SCOPES = ['node', 'cohort', 'fleet'] as const;
export type PseudonymScope = (typeof PSEUDONYM_SCOPES)[number];

/** How pseudonyms change with time: those that do, and how often. */
export interface Turning {
  /** Length of an epoch: epoch n begins n times so many hours after 1970, UTC. */
  readonly hours: number;
  readonly scopes: readonly PseudonymScope[];
}

/** The epochs of a batch's pseudonyms: of its earliest event and of its latest. Two pseudonyms can be one thing only within an epoch. */
export interface Epochs extends Turning {
  readonly first: number;
  readonly last: number;
}

/** Events by class; a class that is not named counts none. */
export type Counts = Readonly<Partial<Record<EventClass, number>>>;
export type Lost = Readonly<Partial<Record<Place, Counts>>>;

export interface Statement {
  readonly node: string;
  /** The kernel's boot id. */
  readonly boot: string;
  /** From 1, without gaps. */
  readonly sequence: number;
  /** {@link statementDigest} of the previous statement; zeros before the first. */
  readonly previous: string;
  readonly role: Role;
  readonly cohort: string;
  readonly ruleset: string;
  readonly rulepack: string;
  readonly vocabulary: string;
  readonly agent: { readonly version: string; readonly build: string };
  readonly sources: readonly Source[];
  /** Microseconds since 1970, UTC; zeros when the batch holds no event. */
  readonly time: { readonly first: number; readonly last: number };
  /** `none`: no event, or no pseudonym that changes. Absent in version 1, which did not say. */
  readonly epochs?: Epochs | 'none';
  /** What this batch holds. All the counts that follow are cumulative over the chain. */
  readonly events: Counts;
  readonly seen: Counts;
  readonly released: Counts;
  readonly merged: Counts;
  readonly sampled: Counts;
  readonly withheld: Counts;
  readonly lost: Lost;
  readonly body: { readonly sha256: string; readonly bytes: number; readonly unpacked: number };
}

export const NO_PREVIOUS = '0'.repeat(64);
/** Named as `ruleset` and `rulepack` by a node that has no rules that it may use: it releases nothing, counts, and says so. */
export const NO_RULES = '0'.repeat(64);
const CUMULATIVE = ['seen', 'released', 'merged', 'sampled', 'withheld'] as const;

/** The statement as text. Throws what {@link parseStatement} would: nothing is signed that nobody will read. */
export function formatStatement(statement: Statement): string {
  const text = write(statement);
  parseStatement(text);
  return text;
}

function write(s: Statement): string {
  return [
    STATEMENT_HEADERS[s.epochs === undefined ? 0 : 1],
    `node ${s.node}`,
    `boot ${s.boot}`,
    `sequence ${s.sequence}`,
    `previous ${s.previous}`,
    `role ${s.role}`,
    `cohort ${s.cohort}`,
    `ruleset ${s.ruleset}`,
    `rulepack ${s.rulepack}`,
    `vocabulary ${s.vocabulary}`,
    `agent ${s.agent.version} ${s.agent.build}`,
    `sources ${SOURCES.filter((source) => s.sources.includes(source)).join(',')}`,
    `time ${s.time.first} ${s.time.last}`,
    ...(s.epochs === undefined ? [] : [`epochs ${formatEpochs(s.epochs)}`]),
    `events ${listOrDash(countItems(s.events))}`,
    ...CUMULATIVE.map((name) => `${name} ${listOrDash(countItems(s[name]))}`),
    `lost ${listOrDash(PLACES.flatMap((place) => countItems(s.lost[place] ?? {}, `${place}.`)))}`,
    `body ${s.body.sha256} zstd ${s.body.bytes} ${s.body.unpacked}`,
    '',
  ].join('\n');
}

/** `720h 690 690 node`, or `-`. */
export function formatEpochs(epochs: Epochs | 'none'): string {
  if (epochs === 'none') return '-';
  const scopes = PSEUDONYM_SCOPES.filter((scope) => epochs.scopes.includes(scope));
  return `${epochs.hours}h ${epochs.first} ${epochs.last} ${scopes.join(',')}`;
}

function countItems(counts: Counts, prefix = ''): readonly string[] {
  return CLASSES.flatMap((name) => (counts[name] ? [`${prefix}${name}=${counts[name]}`] : []));
}

const listOrDash = (items: readonly string[]): string => (items.length === 0 ? '-' : items.join(','));

/** SHA-256 of the statement's text, hexadecimal: what the next statement names as `previous`. */
export function statementDigest(statement: Statement): string {
  return sha256Hex(write(statement));
}

export function parseStatement(text: string): Statement {
  if (text.length > MAX_STATEMENT_BYTES) throw new ProtocolError('too-large', 'a statement of more than 32,768 bytes');
  const statement = read(text.split('\n'));
  // One spelling: what was read, written again, is the same text.
  if (write(statement) !== text) throw wrong('statement', 'is not in the one spelling');
  checkMeaning(statement);
  return statement;
}

function read(lines: readonly string[]): Statement {
  const version = STATEMENT_HEADERS.findIndex((header) => header === lines[0]) + 1;
  if (version === 0) throw unknownHeader(lines[0] ?? '');
  let next = 1;
  const value = (key: string): string => {
    const line = lines[next++] ?? '';
    if (!line.startsWith(`${key} `)) throw wrong(key, `is not on line ${next}`);
    return line.slice(key.length + 1);
  };
  const matching = (key: string, pattern: RegExp): string => {
    const text = value(key);
    if (!pattern.test(text)) throw wrong(key, 'has another form');
    return text;
  };
  const statement = {
    node: matching('node', NAME),
    boot: matching('boot', UUID),
    sequence: parseDecimal(value('sequence')),
    previous: matching('previous', DIGEST),
    role: oneOf(ROLES, value('role'), 'role'),
    cohort: matching('cohort', NAME),
    ruleset: matching('ruleset', DIGEST),
    rulepack: matching('rulepack', DIGEST),
    vocabulary: matching('vocabulary', DIGEST),
    agent: readAgent(value('agent')),
    sources: value('sources')
      .split(',', SOURCES.length + 1)
      .map((source) => oneOf(SOURCES, source, 'sources')),
    time: readTime(value('time')),
    ...(version === 1 ? {} : { epochs: readEpochs(value('epochs')) }),
    events: readCounts('events', value('events')),
    seen: readCounts('seen', value('seen')),
    released: readCounts('released', value('released')),
    merged: readCounts('merged', value('merged')),
    sampled: readCounts('sampled', value('sampled')),
    withheld: readCounts('withheld', value('withheld')),
    lost: readLost(value('lost')),
    body: readBody(value('body')),
  };
  if (lines.length !== next + 1 || lines[next] !== '') throw wrong('statement', 'has lines after the last, or no end');
  return statement;
}

/** Who is newer than we are is told so: that is no mistake of theirs, and upgrading us mends it. */
function unknownHeader(header: string): ProtocolError {
  const number = Number(/^hushwatch\/batch\/v([1-9]\d{0,5})$/.exec(header)?.[1] ?? 0);
  if (number <= STATEMENT_HEADERS.length) return wrong('first line', `is not one of ${STATEMENT_HEADERS.join(', ')}`);
  const known = `hushwatch/batch/v${STATEMENT_HEADERS.length}`;
  return new ProtocolError('unknown-version', `a statement of version ${number}; the latest known here is ${known}`);
}

const NAME = /^[a-z0-9][a-z0-9.-]{0,62}$/;
const DIGEST = /^[0-9a-f]{64}$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const SEMVER =
  /^(?:0|[1-9]\d{0,8})\.(?:0|[1-9]\d{0,8})\.(?:0|[1-9]\d{0,8})(?:-[0-9A-Za-z.-]{1,64})?(?:\+[0-9A-Za-z.-]{1,64})?$/;

export const isNodeName = (text: string): boolean => NAME.test(text);
export const isBoot = (text: string): boolean => UUID.test(text);

/** Semantic version and build, as `agent` has them. */
export function isAgent(text: string): boolean {
  const [version = '', build = '', ...more] = text.split(' ', 3);
  return SEMVER.test(version) && isSha256Hex(build) && more.length === 0;
}

function readAgent(text: string): Statement['agent'] {
  if (!isAgent(text)) throw wrong('agent', 'has another form');
  const [version = '', build = ''] = text.split(' ');
  return { version, build };
}

function readTime(text: string): Statement['time'] {
  const [first = '', last = '', ...more] = text.split(' ', 3);
  if (more.length > 0) throw wrong('time', 'has another form');
  return { first: parseDecimal(first), last: parseDecimal(last) };
}

function readEpochs(text: string): Epochs | 'none' {
  if (text === '-') return 'none';
  const [hours = '', first = '', last = '', scopes = '', ...more] = text.split(' ', 5);
  if (!hours.endsWith('h') || more.length > 0) throw wrong('epochs', 'has another form');
  return {
    hours: parseDecimal(hours.slice(0, -1)),
    first: parseDecimal(first),
    last: parseDecimal(last),
    scopes: scopes.split(',', PSEUDONYM_SCOPES.length + 1).map((scope) => oneOf(PSEUDONYM_SCOPES, scope, 'epochs')),
  };
}

function readBody(text: string): Statement['body'] {
  const [sha256 = '', codec, bytes = '', unpacked = '', ...more] = text.split(' ', 5);
  if (!isSha256Hex(sha256) || codec !== 'zstd' || more.length > 0) throw wrong('body', 'has another form');
  return { sha256, bytes: parseDecimal(bytes), unpacked: parseDecimal(unpacked) };
}

function readCounts(key: string, text: string): Counts {
  return Object.fromEntries(readItems(key, text).map(([name, n]) => [oneOf(CLASSES, name, key), n]));
}

function readLost(text: string): Lost {
  const lost: Partial<Record<Place, Partial<Record<EventClass, number>>>> = {};
  for (const [key, n] of readItems('lost', text)) {
    const [place = '', name = ''] = key.split('.', 2);
    (lost[oneOf(PLACES, place, 'lost')] ??= {})[oneOf(CLASSES, name, 'lost')] = n;
  }
  return lost;
}

/** Order, repetitions and zeros are caught by writing the statement again. */
function readItems(key: string, text: string): readonly (readonly [string, number])[] {
  if (text === '-') return [];
  return text.split(',', PLACES.length * CLASSES.length + 1).map((item) => {
    const [name = '', n = '', ...more] = item.split('=', 3);
    if (more.length > 0) throw wrong(key, 'has another form');
    return [name, parseDecimal(n)];
  });
}

function oneOf<T extends string>(allowed: readonly T[], text: string, key: string): T {
  const found = allowed.find((each) => each === text);
  if (found === undefined) throw wrong(key, `is not one of ${allowed.join(', ')}`);
  return found;
}

function checkMeaning({ sequence, previous, time, epochs, events, body }: Statement): void {
  if (sequence < 1) throw wrong('sequence', 'starts at 1');
  if ((sequence === 1) !== (previous === NO_PREVIOUS)) throw wrong('previous', 'is zeros exactly for sequence 1');
  const total = sumOf(events);
  if (total > MAX_EVENTS) throw new ProtocolError('too-large', `a batch of more than ${MAX_EVENTS} events`);
  if (time.first > time.last) throw wrong('time', 'ends before it begins');
  if ((total === 0) !== (time.last === 0)) throw wrong('time', 'is 0 0 exactly when there are no events');
  if (total === 0 && epochs !== undefined && epochs !== 'none') throw wrong('epochs', 'is - when there are no events');
  if (epochs !== undefined && epochs !== 'none') checkEpochs(epochs, time);
  if ((total === 0) !== (body.unpacked === 0)) throw wrong('body', 'is empty exactly when there are no events');
  if (body.bytes > MAX_BODY_BYTES) throw new ProtocolError('too-large', `a body of more than ${MAX_BODY_BYTES} bytes`);
  if (body.unpacked > MAX_UNPACKED_BYTES) {
    throw new ProtocolError('too-large', `a body of more than ${MAX_UNPACKED_BYTES} bytes unpacked`);
  }
}

const HOUR_US = 3_600_000_000;

/** The epoch that a moment (µs since 1970) lies in. */
export const epochAt = (us: number, { hours }: Turning): number => Math.floor(us / (hours * HOUR_US));
/** When that epoch began, µs since 1970. */
export const epochStart = (epoch: number, { hours }: Turning): number => epoch * hours * HOUR_US;

/** Times are rounded down before they leave, so an epoch may lie after its time, never before. */
function checkEpochs(epochs: Epochs, time: Statement['time']): void {
  if (epochs.hours < 1) throw wrong('epochs', 'are an hour or longer');
  if (epochs.first > epochs.last) throw wrong('epochs', 'end before they begin');
  if (!Number.isSafeInteger(epochStart(epochs.last, epochs))) throw wrong('epochs', 'lie beyond all time');
  if (epochs.first < epochAt(time.first, epochs) || epochs.last < epochAt(time.last, epochs))
    throw wrong('epochs', 'are earlier than the events');
}

function wrong(key: string, problem: string): ProtocolError {
  return new ProtocolError('bad-statement', `${key} ${problem}`);
}

export function sumOf(counts: Counts): number {
  return CLASSES.reduce((sum, name) => sum + (counts[name] ?? 0), 0);
}

export function lostIn(statement: Statement, name: EventClass): number {
  return PLACES.reduce((sum, place) => sum + (statement.lost[place]?.[name] ?? 0), 0);
}

export type ChainProblemCode =
  'gap' | 'fork' | 'rewind' | 'repeat' | 'wrong-node' | 'counter-decrease' | 'released-mismatch' | 'conservation';

export interface ChainProblem {
  readonly code: ChainProblemCode;
  readonly message: string;
}

/** Every event seen is accounted for: released, merged, sampled, withheld or lost, class by class. */
export function checkConservation(statement: Statement): ChainProblem | undefined {
  for (const name of CLASSES) {
    const seen = statement.seen[name] ?? 0;
    const accounted =
      (statement.released[name] ?? 0) +
      (statement.merged[name] ?? 0) +
      (statement.sampled[name] ?? 0) +
      (statement.withheld[name] ?? 0) +
      lostIn(statement, name);
    if (seen !== accounted)
      return { code: 'conservation', message: `${name}: ${seen} seen, ${accounted} accounted for` };
  }
  return undefined;
}

/** An entry of a chain as the next one sees it. A restart is nothing else (restart.ts): what follows one counts from nothing. */
export interface Link {
  readonly node: string;
  readonly sequence: number;
  /** SHA-256 of its text. */
  readonly digest: string;
}

/**
 * What is wrong with `next` as the statement after `previous`, a statement or what a restart leaves; `undefined` means that
 * `next` should be the first.
 */
export function checkSuccession(previous: Statement | Link | undefined, next: Statement): readonly ChainProblem[] {
  const isCounted = previous !== undefined && 'seen' in previous;
  const link = isCounted ? { ...previous, digest: statementDigest(previous) } : previous;
  const problems: ChainProblem[] = [...checkPlace(link, next)];
  const follows = next.sequence === (previous?.sequence ?? 0) + 1;
  if (isCounted && next.sequence > previous.sequence) problems.push(...checkCounters(previous, next));
  if (follows) problems.push(...checkReleased(isCounted ? previous : undefined, next));
  const conservation = checkConservation(next);
  if (conservation !== undefined) problems.push(conservation);
  return problems;
}

function checkPlace(previous: Link | undefined, next: Statement): readonly ChainProblem[] {
  const last = previous?.sequence ?? 0;
  const problem = (code: ChainProblemCode, message: string): ChainProblem[] => [{ code, message }];
  if (previous !== undefined && previous.node !== next.node) {
    return problem('wrong-node', `${next.node} in the chain of ${previous.node}`);
  }
  if (next.sequence > last + 1) return problem('gap', `${next.sequence} follows ${last}`);
  if (next.sequence < last) return problem('rewind', `${next.sequence} follows ${last}`);
  if (previous === undefined) return [];
  const { digest } = previous;
  if (next.sequence === last) {
    return statementDigest(next) === digest
      ? problem('repeat', `${last} twice`)
      : problem('fork', `two statements have number ${last}`);
  }
  return next.previous === digest
    ? []
    : problem('fork', `${next.sequence} follows another statement than this ${last}`);
}

function checkCounters(previous: Statement, next: Statement): readonly ChainProblem[] {
  const rows = [
    ...CUMULATIVE.map((name) => [name, previous[name], next[name]] as const),
    ...PLACES.map((place) => [`lost ${place}`, previous.lost[place] ?? {}, next.lost[place] ?? {}] as const),
  ];
  return rows.flatMap(([what, before, after]) =>
    CLASSES.filter((name) => (after[name] ?? 0) < (before[name] ?? 0)).map((name) => ({
      code: 'counter-decrease' as const,
      message: `${what} ${name}: ${after[name] ?? 0} after ${before[name] ?? 0}`,
    })),
  );
}

function checkReleased(previous: Statement | undefined, next: Statement): readonly ChainProblem[] {
  return CLASSES.flatMap((name) => {
    const grown = (next.released[name] ?? 0) - (previous?.released[name] ?? 0);
    const events = next.events[name] ?? 0;
    if (grown === events) return [];
    return [
      { code: 'released-mismatch' as const, message: `${name}: released grew by ${grown}, events are ${events}` },
    ];
  });
}
