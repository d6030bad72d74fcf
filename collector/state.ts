/**
 * The collector's small state in SQLite: which batch is where in the log, how far each follower has come, what
 * detectors remember, refusals; and what was found, which is `findings.ts`. What is about batches is derived: it follows
 * the log, live by the same lines as after a crash, so nothing is lost with it.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { APPROVED_KINDS, APPROVED_ROLES, type Approval, type ApprovedKind } from '#protocol/approval.ts';
import { parseChange, type Change as DetectorChange } from '#protocol/change.ts';
import { sha256Hex } from '#protocol/encoding.ts';
import { decodeEntry } from '#protocol/entry.ts';
import type { Note } from '#protocol/note.ts';
import { parseRestart, type Restart } from '#protocol/restart.ts';
import { lostIn, PSEUDONYM_SCOPES, sumOf, WEAKER_SOURCES, type Epochs, type Statement } from '#protocol/statement.ts';
import { CLASSES, type EventClass } from '#protocol/vocabulary.ts';
import { Database, number, parseJson, text, type Row } from './database.ts';
import type { PlacedAlert, Story } from './detectors/detector.ts';
import { Findings, type Verdict } from './findings.ts';
import type { TransparencyLog } from './log.ts';
import { openDatabase, openDatabaseReadOnly, openDatabaseToAdd } from './schema.ts';
import { Triage, type TriageFilter } from './triage.ts';

const NEXT_INDEX = `SELECT max(coalesce((SELECT max(log_index) FROM batches), -1),
  coalesce((SELECT max(log_index) FROM approvals), -1),
  coalesce((SELECT max(log_index) FROM detector_changes), -1)) + 1 AS next`;
/** Log entries indexed in one transaction. */
const STEP = 1024;

export interface BatchRow {
  readonly logIndex: number;
  readonly node: string;
  readonly sequence: number;
  /** SHA-256 of the statement's text. */
  readonly digest: string;
  readonly body: string;
  readonly received: number;
  readonly timeFirst: number;
  readonly timeLast: number;
  readonly events: number;
}

/** An approval that stands in the log; who signed it was checked before it came there. */
export interface ApprovalRow extends Approval {
  readonly logIndex: number;
  readonly signers: readonly string[];
}

/** A change of what detects, with its place in the log. */
export interface ChangeRow extends DetectorChange {
  readonly logIndex: number;
}

/** Rules that the statements of a node name, and since when they do. */
export interface RulesInForce {
  readonly node: string;
  readonly kind: ApprovedKind;
  readonly digest: string;
  /** When the first batch under them was received, µs. */
  readonly since: number;
}

export interface NodeRow {
  readonly name: string;
  readonly role: string;
  readonly cohort: string;
  readonly lastSequence: number;
  /** Of its last event, µs. */
  readonly lastTime: number;
  readonly lastReceived: number;
  readonly ruleset: string;
  readonly agentVersion: string;
  /** As in the statement: `ebpf,host`. */
  readonly sources: string;
  /** Of the pseudonyms in its last batch that had some; undefined where no statement named any. */
  readonly epochs: Epochs | undefined;
  /** It sees with the weaker source. */
  readonly weaker: boolean;
  readonly seen: number;
  readonly released: number;
  readonly merged: number;
  readonly sampled: number;
  readonly withheld: number;
  readonly lost: number;
}

export interface ActivityBucket {
  readonly time: number;
  readonly class: EventClass;
  readonly events: number;
}

export interface Refusal {
  readonly node: string;
  readonly code: string;
  readonly refused: number;
  readonly first: number;
  readonly last: number;
  readonly message: string;
}

/** Told in a line: the command has nothing to look at. */
export class NoState extends Error {
  override readonly name = 'NoState';
}

function fileIn(home: string): string {
  const file = join(home, 'state.sqlite');
  if (!existsSync(file)) throw new NoState(`${file} is not there; has the collector run?`);
  return file;
}

/** What was found, and the index that follows the log. */
export class State extends Findings {
  readonly triage: Triage;
  #next: number;
  #following: Promise<void> | undefined;
  readonly #broken = Promise.withResolvers<Error>();
  #failure: Error | undefined;

  private constructor(database: Database) {
    super(database);
    this.triage = new Triage(database);
    this.#next = number(this.database.row(NEXT_INDEX)?.['next']);
  }

  static open(file: string): State {
    return new State(new Database(openDatabase(file, (old) => Findings.tellOldAlerts(new Database(old)))));
  }

  /** For commands beside a running collector, in its directory: sees what that one wrote, and changes nothing. */
  static beside(home: string): State {
    return new State(new Database(openDatabaseReadOnly(fileIn(home))));
  }

  /** For commands that add a verdict or a record. */
  static addingTo(home: string): State {
    return new State(new Database(openDatabaseToAdd(fileIn(home))));
  }

  /** One verdict for all that a filter lets through, if they are as many as whoever gives it saw: how many they are. */
  judgeAll(filter: TriageFilter, about: Omit<Verdict, 'seq' | 'story' | 'revision'>, seen: number): number {
    const count = this.database.transaction(() => {
      const found = this.triage.count(filter);
      if (found === seen) this.triage.judge(filter, about);
      return found;
    });
    if (count === seen) this.tell('alert');
    return count;
  }

  /** Indexes what the log has and we have not. `receivedAt` says when a batch came, µs. */
  async follow(log: TransparencyLog, receivedAt: (statement: Statement) => Promise<number> | number): Promise<void> {
    const size = log.size;
    while (this.#next < size) {
      this.#following ??= this.#index(log, receivedAt).finally(() => (this.#following = undefined));
      await this.#following;
    }
  }

  /** The error after which batches in the log may be missing here; opening again indexes them. */
  get broken(): Promise<Error> {
    return this.#broken.promise;
  }

  async #index(log: TransparencyLog, receivedAt: (statement: Statement) => Promise<number> | number): Promise<void> {
    const found: (() => void)[] = [];
    for await (const { index, entry } of log.entries(this.#next)) {
      const decoded = decodeEntry(entry);
      if (decoded.kind === 'approval') {
        const signers = decoded.note.signatures.map(({ name }) => name);
        found.push(() => this.#insertApproval({ ...decoded.approval, logIndex: index, signers }));
      } else if (decoded.kind === 'change') {
        const { text: change } = decoded.note;
        found.push(() => this.database.run('INSERT INTO detector_changes VALUES (?, ?)', index, change));
      } else if (decoded.kind === 'restart') {
        const { note, restart } = decoded;
        found.push(() => this.#insertRestart(index, restart, note));
      } else if (decoded.kind === 'later') {
        // A collector that went back to an earlier version: verify names it, and after the upgrade it is indexed.
        found.push(() => {});
      } else {
        const { note, statement } = decoded;
        const received = receivedAt(statement);
        const at = typeof received === 'number' ? received : await received;
        const digest = sha256Hex(note.textBytes);
        found.push(() => this.#insert(index, statement, digest, at));
      }
      if (found.length === STEP) break;
    }
    try {
      this.database.transaction(() => {
        for (const insert of found) insert();
      });
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#broken.resolve(this.#failure);
      throw error;
    }
    this.#next += found.length;
    this.tell('batch');
  }

  #insertApproval({ logIndex, digest, kind, name, version, role, vocabulary, signers }: ApprovalRow): void {
    this.database.run(
      'INSERT INTO approvals VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[logIndex, digest, kind, name, version, role, vocabulary, signers.join('\n')],
    );
  }

  /** It has a number of its chain, and is found by it as a batch is. */
  #insertRestart(index: number, { node, sequence }: Restart, { text: restart, textBytes }: Note): void {
    const received = number(this.database.row('SELECT coalesce(max(received), 0) AS last FROM batches')?.['last']);
    this.database.run(
      'INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      ...[index, node, sequence, sha256Hex(textBytes), '', '', received, 0, 0, 0],
    );
    this.database.run('INSERT INTO restarts VALUES (?, ?, ?, ?)', index, node, sequence, restart);
  }

  /** The restart that has this number in the chain of the node, if it is one. */
  restart(node: string, sequence: number): Restart | undefined {
    const sql = 'SELECT restart FROM restarts WHERE node = ? AND sequence = ? ORDER BY log_index LIMIT 1';
    const row = this.database.row(sql, node, sequence);
    return row === undefined ? undefined : parseRestart(text(row['restart']));
  }

  /** The last entry of the node's chain. */
  last(node: string): BatchRow | undefined {
    return this.find(node, this.lastSequence(node));
  }

  /** Every approval in the log, oldest first. */
  approvals(): readonly ApprovalRow[] {
    return this.database.rows('SELECT * FROM approvals ORDER BY log_index').map(approvalOf);
  }

  /** Every change of what detects in the log, oldest first. */
  detectorChanges(): readonly ChangeRow[] {
    return this.database.rows('SELECT * FROM detector_changes ORDER BY log_index').map((row) => ({
      ...parseChange(text(row['change'])),
      logIndex: number(row['log_index']),
    }));
  }

  #insert(index: number, statement: Statement, digest: string, received: number): void {
    const { node, sequence, body, ruleset, time, events, epochs } = statement;
    this.database.run(
      'INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      ...[index, node, sequence, digest, body.sha256, ruleset, received, time.first, time.last, sumOf(events)],
    );
    if (epochs !== undefined && epochs !== 'none') {
      const { hours, first, last, scopes } = epochs;
      this.database.run(
        'INSERT INTO epochs VALUES (?, ?, ?, ?, ?, ?)',
        index,
        node,
        hours,
        first,
        last,
        scopes.join(','),
      );
    }
    for (const kind of APPROVED_KINDS) this.#noteRules(statement, kind, received);
    for (const name of CLASSES) {
      if (!events[name]) continue;
      this.database.run(
        'INSERT INTO activity VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events',
        ...[Math.floor(time.last / 1e6), node, name, events[name]],
      );
    }
    this.database.run(
      `INSERT INTO nodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
       role = excluded.role, cohort = excluded.cohort, sequence = excluded.sequence,
       time = max(time, excluded.time), received = max(received, excluded.received), ruleset = excluded.ruleset,
       agent = excluded.agent, sources = excluded.sources, seen = excluded.seen, released = excluded.released,
       merged = excluded.merged, sampled = excluded.sampled, withheld = excluded.withheld, lost = excluded.lost
       WHERE excluded.sequence > sequence`,
      ...[node, statement.role, statement.cohort, sequence, time.last, received, ruleset, statement.agent.version],
      ...[statement.sources.join(','), sumOf(statement.seen), sumOf(statement.released), sumOf(statement.merged)],
      ...[sumOf(statement.sampled), sumOf(statement.withheld)],
      CLASSES.reduce((sum, name) => sum + lostIn(statement, name), 0),
    );
  }

  /** A line for each change, none for a batch under the rules of the one before. */
  #noteRules({ node, sequence, ...rules }: Statement, kind: ApprovedKind, received: number): void {
    this.database.run(
      `INSERT OR IGNORE INTO rules_in_force SELECT ?, ?, ?, ?, ? WHERE ? IS NOT (SELECT digest FROM rules_in_force
       WHERE node = ? AND kind = ? AND sequence <= ? ORDER BY sequence DESC LIMIT 1)`,
      ...[node, kind, sequence, received, rules[kind], rules[kind], node, kind, sequence],
    );
  }

  /** What each node uses now, as its last batch says. */
  rulesInForce(): readonly RulesInForce[] {
    const sql = `SELECT node, kind, digest, since, max(sequence) FROM rules_in_force GROUP BY node, kind ORDER BY node, kind`;
    return this.database.rows(sql).map((row) => ({
      node: text(row['node']),
      kind: row['kind'] === 'ruleset' ? 'ruleset' : 'rulepack',
      digest: text(row['digest']),
      since: number(row['since']),
    }));
  }

  /** The batch of that number, the first if there should be several. Throws rather than overlook one. */
  find(node: string, sequence: number): BatchRow | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    const row = this.database.row(
      'SELECT * FROM batches WHERE node = ? AND sequence = ? ORDER BY log_index LIMIT 1',
      node,
      sequence,
    );
    return row === undefined ? undefined : batchOf(row);
  }

  batch(logIndex: number): BatchRow | undefined {
    const row = this.database.row('SELECT * FROM batches WHERE log_index = ?', logIndex);
    return row === undefined ? undefined : batchOf(row);
  }

  lastSequence(node: string): number {
    return number(
      this.database.row('SELECT coalesce(max(sequence), 0) AS last FROM batches WHERE node = ?', node)?.['last'],
    );
  }

  /** Batches that may hold events of the time, newest first; those without events left out. */
  batchesBetween(fromUs: number, toUs: number, limit: number, node?: string): readonly BatchRow[] {
    const ofNode = node === undefined ? '' : 'AND node = ?';
    const sql = `SELECT * FROM batches WHERE time_last >= ? AND time_first <= ? AND events > 0 ${ofNode} ORDER BY time_last DESC LIMIT ?`;
    return this.database.rows(sql, fromUs, toUs, ...(node === undefined ? [] : [node]), limit).map(batchOf);
  }

  /** Days (UTC) on which batches came, each with its part of the log. */
  days(): readonly { readonly day: string; readonly first: number; readonly last: number }[] {
    const sql = `SELECT date(received / 1000000, 'unixepoch') AS day, min(log_index) AS first, max(log_index) AS last
      FROM batches GROUP BY day HAVING count(*) + (SELECT count(*) FROM approvals
        WHERE approvals.log_index BETWEEN min(batches.log_index) AND max(batches.log_index))
        + (SELECT count(*) FROM detector_changes AS changes
        WHERE changes.log_index BETWEEN min(batches.log_index) AND max(batches.log_index))
        = max(batches.log_index) - min(batches.log_index) + 1 ORDER BY first`;
    return this.database.rows(sql).map((row) => ({
      day: text(row['day']),
      first: number(row['first']),
      last: number(row['last']),
    }));
  }

  /** Batches with events at these places of the log, both ends included. */
  batchesFrom(first: number, last: number): readonly BatchRow[] {
    const sql = 'SELECT * FROM batches WHERE log_index BETWEEN ? AND ? AND events > 0 ORDER BY log_index';
    return this.database.rows(sql, first, last).map(batchOf);
  }

  nodes(): readonly NodeRow[] {
    return this.database.rows('SELECT * FROM nodes ORDER BY name').map((row) => {
      const last = 'SELECT * FROM epochs WHERE node = ? ORDER BY log_index DESC LIMIT 1';
      return nodeOf(row, this.database.row(last, text(row['name'])));
    });
  }

  /** Of the pseudonyms in that batch; undefined where its statement names none. */
  epochsOf(node: string, sequence: number): Epochs | undefined {
    const sql = `SELECT epochs.* FROM epochs JOIN batches USING (log_index)
      WHERE batches.node = ? AND sequence = ? ORDER BY log_index LIMIT 1`;
    return epochsIn(this.database.row(sql, node, sequence));
  }

  activity(sinceUs: number, bucketUs: number, node?: string): readonly ActivityBucket[] {
    const bucket = Math.max(1, Math.round(bucketUs / 1e6));
    const ofNode = node === undefined ? '' : 'AND node = ?';
    const sql = `SELECT CAST(second / ? AS INTEGER) * ? AS bucket, class, sum(events) AS events FROM activity
      WHERE second >= ? ${ofNode} GROUP BY bucket, class ORDER BY bucket, class`;
    const rows = this.database.rows(
      sql,
      bucket,
      bucket,
      Math.floor(sinceUs / 1e6),
      ...(node === undefined ? [] : [node]),
    );
    return rows.flatMap((row) => {
      const name = CLASSES.find((each) => each === row['class']);
      return name ? [{ time: number(row['bucket']) * 1e6, class: name, events: number(row['events']) }] : [];
    });
  }

  /** One step of a follower, whole or not at all: what was found, and with it, if given, how far it has come and what it remembers. */
  commitStep(step: {
    readonly alerts: readonly PlacedAlert[];
    readonly stories?: readonly Story[];
    readonly cursor?: { readonly name: string; readonly position: number } | undefined;
    readonly detectors?: ReadonlyMap<string, string> | undefined;
  }): number {
    const added = this.database.transaction(() => {
      const { cursor, detectors } = step;
      if (cursor) this.database.run('INSERT OR REPLACE INTO cursors VALUES (?, ?)', cursor.name, cursor.position);
      for (const [id, state] of detectors ?? [])
        this.database.run('INSERT OR REPLACE INTO detectors VALUES (?, ?)', id, state);
      for (const story of step.stories ?? []) this.putStory(story);
      return step.alerts.reduce((sum, alert) => sum + this.addAlert(alert), 0);
    });
    if (added > 0 || (step.stories ?? []).length > 0) this.tell('alert');
    return added;
  }

  /** `undefined` for a follower that never came to a commit. */
  cursor(name: string): number | undefined {
    const row = this.database.row('SELECT position FROM cursors WHERE name = ?', name);
    return row && number(row['position']);
  }

  /** What one detector remembers; undefined before it was first saved. */
  detectorState(id: string): unknown {
    const row = this.database.row('SELECT state FROM detectors WHERE id = ?', id);
    return row && parseJson(row['state']);
  }

  detectorStates(): ReadonlyMap<string, unknown> {
    const rows = this.database.rows('SELECT id, state FROM detectors');
    return new Map(rows.map((row) => [text(row['id']), parseJson(row['state'])]));
  }

  /** Counts a refusal and keeps its last message; messages hold no values of events. */
  addRefusal(node: string, code: string, message: string, nowUs: number): void {
    this.database.run(
      `INSERT INTO refusals VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT DO UPDATE SET
       refused = refused + 1, last = excluded.last, message = excluded.message`,
      ...[node, code, nowUs, nowUs, message],
    );
  }

  refusals(): readonly Refusal[] {
    return this.database.rows('SELECT * FROM refusals ORDER BY last DESC').map((row) => ({
      node: text(row['node']),
      code: text(row['code']),
      refused: number(row['refused']),
      first: number(row['first']),
      last: number(row['last']),
      message: text(row['message']),
    }));
  }
}

function batchOf(row: Row): BatchRow {
  return {
    logIndex: number(row['log_index']),
    node: text(row['node']),
    sequence: number(row['sequence']),
    digest: text(row['digest']),
    body: text(row['body']),
    received: number(row['received']),
    timeFirst: number(row['time_first']),
    timeLast: number(row['time_last']),
    events: number(row['events']),
  };
}

function epochsIn(row: Row | undefined): Epochs | undefined {
  if (row === undefined) return undefined;
  const scopes = text(row['scopes']).split(',');
  return {
    hours: number(row['hours']),
    first: number(row['first']),
    last: number(row['last']),
    scopes: PSEUDONYM_SCOPES.filter((scope) => scopes.includes(scope)),
  };
}

function nodeOf(row: Row, epochs: Row | undefined): NodeRow {
  const sources = text(row['sources']);
  return {
    name: text(row['name']),
    role: text(row['role']),
    cohort: text(row['cohort']),
    lastSequence: number(row['sequence']),
    lastTime: number(row['time']),
    lastReceived: number(row['received']),
    ruleset: text(row['ruleset']),
    agentVersion: text(row['agent']),
    sources,
    epochs: epochsIn(epochs),
    weaker: sources.split(',').some((source) => WEAKER_SOURCES.includes(source)),
    seen: number(row['seen']),
    released: number(row['released']),
    merged: number(row['merged']),
    sampled: number(row['sampled']),
    withheld: number(row['withheld']),
    lost: number(row['lost']),
  };
}

function approvalOf(row: Row): ApprovalRow {
  return {
    logIndex: number(row['log_index']),
    kind: row['kind'] === 'ruleset' ? 'ruleset' : 'rulepack',
    name: text(row['name']),
    version: number(row['version']),
    role: APPROVED_ROLES.find((role) => role === row['role']) ?? 'any',
    digest: text(row['digest']),
    vocabulary: text(row['vocabulary']),
    signers: text(row['signers']).split('\n'),
  };
}
