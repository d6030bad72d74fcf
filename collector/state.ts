/**
 * The collector's small state in SQLite: which batch is where in the log, how far each follower has come, alerts,
 * what detectors remember, refusals. What is about batches is derived: it follows the log, live by the same lines as
 * after a crash, so nothing is lost with it. Alerts are inserted once by their id, however often they are found.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { APPROVED_KINDS, APPROVED_ROLES, type Approval, type ApprovedKind } from '#protocol/approval.ts';
import { sha256Hex } from '#protocol/encoding.ts';
import { decodeEntry } from '#protocol/entry.ts';
import { lostIn, PSEUDONYM_SCOPES, sumOf, WEAKER_SOURCES, type Epochs, type Statement } from '#protocol/statement.ts';
import { CLASSES, type EventClass } from '#protocol/vocabulary.ts';
import type { PlacedAlert, Severity, Story } from './detectors/detector.ts';
import { tellAlone } from './detectors/stories.ts';
import type { TransparencyLog } from './log.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS batches (
  log_index INTEGER PRIMARY KEY, node TEXT NOT NULL, sequence INTEGER NOT NULL, digest TEXT NOT NULL,
  body TEXT NOT NULL, ruleset TEXT NOT NULL, received INTEGER NOT NULL,
  time_first INTEGER NOT NULL, time_last INTEGER NOT NULL, events INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS batches_by_sequence ON batches (node, sequence);
CREATE INDEX IF NOT EXISTS batches_by_time ON batches (time_last);
CREATE TABLE IF NOT EXISTS approvals (
  log_index INTEGER PRIMARY KEY, digest TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
  role TEXT NOT NULL, vocabulary TEXT NOT NULL, signers TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rules_in_force (
  node TEXT NOT NULL, kind TEXT NOT NULL, sequence INTEGER NOT NULL, since INTEGER NOT NULL, digest TEXT NOT NULL,
  PRIMARY KEY (node, kind, sequence)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS nodes (
  name TEXT PRIMARY KEY, role TEXT NOT NULL, cohort TEXT NOT NULL, sequence INTEGER NOT NULL, time INTEGER NOT NULL,
  received INTEGER NOT NULL, ruleset TEXT NOT NULL, agent TEXT NOT NULL, sources TEXT NOT NULL, seen INTEGER NOT NULL,
  released INTEGER NOT NULL, merged INTEGER NOT NULL, sampled INTEGER NOT NULL, withheld INTEGER NOT NULL,
  lost INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS activity (
  second INTEGER NOT NULL, node TEXT NOT NULL, class TEXT NOT NULL, events INTEGER NOT NULL,
  PRIMARY KEY (second, node, class)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS epochs (
  log_index INTEGER PRIMARY KEY, node TEXT NOT NULL, hours INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  scopes TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS epochs_by_node ON epochs (node, log_index);
CREATE TABLE IF NOT EXISTS alerts (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, node TEXT NOT NULL,
  severity INTEGER NOT NULL, log_index INTEGER NOT NULL, alert TEXT NOT NULL, story TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS alerts_by_node ON alerts (node, seq);
CREATE INDEX IF NOT EXISTS alerts_by_story ON alerts (story, seq);
CREATE TABLE IF NOT EXISTS stories (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, first INTEGER NOT NULL,
  last INTEGER NOT NULL, node TEXT NOT NULL, severity INTEGER NOT NULL, score REAL NOT NULL, shown INTEGER NOT NULL,
  story TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS stories_by_time ON stories (last);
CREATE TABLE IF NOT EXISTS verdicts (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, story TEXT NOT NULL, time INTEGER NOT NULL, who TEXT NOT NULL,
  verdict TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS verdicts_by_story ON verdicts (story, seq);
CREATE TABLE IF NOT EXISTS acts (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, who TEXT NOT NULL, act TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refusals (
  node TEXT NOT NULL, code TEXT NOT NULL, refused INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  message TEXT NOT NULL, PRIMARY KEY (node, code)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS detectors (id TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
`;
/**
 * Of the schema; another number means that the file is not for us.
 *  - 1: first.
 *  - 2: alerts belong to stories; people give verdicts on these.
 */
const VERSION = 2;
/** For batches that were indexed before this was kept; they do not say which pack they ran. */
const RULES_BEFORE = `INSERT INTO rules_in_force SELECT node, 'ruleset', min(sequence), min(received), ruleset FROM batches
  WHERE NOT EXISTS (SELECT 1 FROM rules_in_force) GROUP BY node, ruleset`;
const NEXT_INDEX = `SELECT max(coalesce((SELECT max(log_index) FROM batches), -1),
  coalesce((SELECT max(log_index) FROM approvals), -1)) + 1 AS next`;
/** Log entries indexed in one transaction. */
const STEP = 1024;

/** From the least on. */
export const SEVERITIES: readonly Severity[] = ['informational', 'low', 'medium', 'high', 'critical'];

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

/** An alert with its place in the order in which alerts were found. */
export interface AlertRow extends PlacedAlert {
  readonly seq: number;
  /** The batch that holds its first event; -1 when it is about none. */
  readonly logIndex: number;
}

export interface AlertQuery {
  readonly limit: number;
  /** Those found after this one, oldest first; newest first without. */
  readonly afterSeq?: number | undefined;
  readonly node?: string | undefined;
  readonly minSeverity?: Severity | undefined;
  readonly sinceUs?: number | undefined;
  /** Those that were suppressed too, which have no story. */
  readonly suppressed?: boolean | undefined;
}

/** A story with its place in the order in which stories changed. */
export interface StoryRow extends Story {
  readonly seq: number;
}

export interface StoryQuery extends AlertQuery {
  /** Only those shown to people, or only those that were not; all without. */
  readonly shown?: boolean | undefined;
  /** `newest` by their last alert. With `afterSeq`, always in the order in which they changed. */
  readonly order?: 'newest' | 'score';
}

export const VERDICTS = ['acknowledged', 'true', 'false'] as const;

export interface Verdict {
  readonly seq: number;
  readonly story: string;
  readonly time: number;
  readonly who: string;
  /** `true` and `false`: the story was, or was not, about something that mattered. */
  readonly verdict: (typeof VERDICTS)[number];
  readonly reason: string;
}

/** Something that a person changed, through the dashboard or by a command. */
export interface Act {
  readonly seq: number;
  readonly time: number;
  readonly who: string;
  readonly act: string;
  readonly reason: string;
}

export interface Refusal {
  readonly node: string;
  readonly code: string;
  readonly refused: number;
  readonly first: number;
  readonly last: number;
  readonly message: string;
}

export type Change = 'alert' | 'batch';
type Row = Record<string, SQLInputValue | undefined>;

export class State implements Disposable {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #listeners = new Set<(what: Change) => void>();
  #next: number;
  #following: Promise<void> | undefined;
  readonly #broken = Promise.withResolvers<Error>();
  #failure: Error | undefined;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    this.#next = number(this.#row(NEXT_INDEX)?.['next']);
  }

  static open(file: string): State {
    const database = new DatabaseSync(file, { timeout: 5_000 });
    // The log is the durable truth; after a power failure what is missing here is indexed again.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    const version = versionOf(database);
    if (version !== 1) refuseOtherVersion(database, file);
    database.exec('BEGIN IMMEDIATE');
    if (version === 1) database.exec("ALTER TABLE alerts ADD COLUMN story TEXT NOT NULL DEFAULT ''");
    database.exec(`${SCHEMA} ${RULES_BEFORE}; PRAGMA user_version = ${VERSION}`);
    const state = new State(database);
    if (version === 1) state.#tellOldAlerts();
    database.exec('COMMIT');
    return state;
  }

  /** Alerts from before there were stories are each one of their own. */
  #tellOldAlerts(): void {
    for (const row of this.#rows('SELECT seq, log_index, alert FROM alerts ORDER BY seq')) {
      const { seq, logIndex: _, ...found } = alertOf(row);
      const { alert, story } = tellAlone(found);
      this.#run('UPDATE alerts SET story = ?, alert = ? WHERE seq = ?', alert.story, JSON.stringify(alert), seq);
      this.#putStory(story);
    }
  }

  /** For commands beside a running collector. */
  static openReadOnly(file: string): State {
    const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
    refuseOtherVersion(database, file);
    return new State(database);
  }

  [Symbol.dispose](): void {
    this.#listeners.clear();
    this.#database.close();
  }

  onChange(listener: (what: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(what: Change): void {
    for (const listener of this.#listeners) listener(what);
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
      this.#transaction(() => {
        for (const insert of found) insert();
      });
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#broken.resolve(this.#failure);
      throw error;
    }
    this.#next += found.length;
    this.#tell('batch');
  }

  #insertApproval({ logIndex, digest, kind, name, version, role, vocabulary, signers }: ApprovalRow): void {
    this.#run(
      'INSERT INTO approvals VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[logIndex, digest, kind, name, version, role, vocabulary, signers.join('\n')],
    );
  }

  /** Every approval in the log, oldest first. */
  approvals(): readonly ApprovalRow[] {
    return this.#rows('SELECT * FROM approvals ORDER BY log_index').map(approvalOf);
  }

  #insert(index: number, statement: Statement, digest: string, received: number): void {
    const { node, sequence, body, ruleset, time, events, epochs } = statement;
    this.#run(
      'INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      ...[index, node, sequence, digest, body.sha256, ruleset, received, time.first, time.last, sumOf(events)],
    );
    if (epochs !== undefined && epochs !== 'none') {
      const { hours, first, last, scopes } = epochs;
      this.#run('INSERT INTO epochs VALUES (?, ?, ?, ?, ?, ?)', index, node, hours, first, last, scopes.join(','));
    }
    for (const kind of APPROVED_KINDS) this.#noteRules(statement, kind, received);
    for (const name of CLASSES) {
      if (!events[name]) continue;
      this.#run(
        'INSERT INTO activity VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events',
        ...[Math.floor(time.last / 1e6), node, name, events[name]],
      );
    }
    this.#run(
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
    this.#run(
      `INSERT OR IGNORE INTO rules_in_force SELECT ?, ?, ?, ?, ? WHERE ? IS NOT (SELECT digest FROM rules_in_force
       WHERE node = ? AND kind = ? AND sequence <= ? ORDER BY sequence DESC LIMIT 1)`,
      ...[node, kind, sequence, received, rules[kind], rules[kind], node, kind, sequence],
    );
  }

  /** What each node uses now, as its last batch says. */
  rulesInForce(): readonly RulesInForce[] {
    const sql = `SELECT node, kind, digest, since, max(sequence) FROM rules_in_force GROUP BY node, kind ORDER BY node, kind`;
    return this.#rows(sql).map((row) => ({
      node: text(row['node']),
      kind: row['kind'] === 'ruleset' ? 'ruleset' : 'rulepack',
      digest: text(row['digest']),
      since: number(row['since']),
    }));
  }

  /** The batch of that number, the first if there should be several. Throws rather than overlook one. */
  find(node: string, sequence: number): BatchRow | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    const row = this.#row(
      'SELECT * FROM batches WHERE node = ? AND sequence = ? ORDER BY log_index LIMIT 1',
      node,
      sequence,
    );
    return row === undefined ? undefined : batchOf(row);
  }

  batch(logIndex: number): BatchRow | undefined {
    const row = this.#row('SELECT * FROM batches WHERE log_index = ?', logIndex);
    return row === undefined ? undefined : batchOf(row);
  }

  lastSequence(node: string): number {
    return number(this.#row('SELECT coalesce(max(sequence), 0) AS last FROM batches WHERE node = ?', node)?.['last']);
  }

  /** Batches that may hold events of the time, newest first; those without events left out. */
  batchesBetween(fromUs: number, toUs: number, limit: number, node?: string): readonly BatchRow[] {
    const ofNode = node === undefined ? '' : 'AND node = ?';
    const sql = `SELECT * FROM batches WHERE time_last >= ? AND time_first <= ? AND events > 0 ${ofNode} ORDER BY time_last DESC LIMIT ?`;
    return this.#rows(sql, fromUs, toUs, ...(node === undefined ? [] : [node]), limit).map(batchOf);
  }

  /** Days (UTC) on which batches came, each with its part of the log. */
  days(): readonly { readonly day: string; readonly first: number; readonly last: number }[] {
    const sql = `SELECT date(received / 1000000, 'unixepoch') AS day, min(log_index) AS first, max(log_index) AS last
      FROM batches GROUP BY day HAVING count(*) + (SELECT count(*) FROM approvals
        WHERE approvals.log_index BETWEEN min(batches.log_index) AND max(batches.log_index))
        = max(batches.log_index) - min(batches.log_index) + 1 ORDER BY first`;
    return this.#rows(sql).map((row) => ({
      day: text(row['day']),
      first: number(row['first']),
      last: number(row['last']),
    }));
  }

  /** Batches with events at these places of the log, both ends included. */
  batchesFrom(first: number, last: number): readonly BatchRow[] {
    const sql = 'SELECT * FROM batches WHERE log_index BETWEEN ? AND ? AND events > 0 ORDER BY log_index';
    return this.#rows(sql, first, last).map(batchOf);
  }

  nodes(): readonly NodeRow[] {
    return this.#rows('SELECT * FROM nodes ORDER BY name').map((row) => {
      const last = 'SELECT * FROM epochs WHERE node = ? ORDER BY log_index DESC LIMIT 1';
      return nodeOf(row, this.#row(last, text(row['name'])));
    });
  }

  /** Of the pseudonyms in that batch; undefined where its statement names none. */
  epochsOf(node: string, sequence: number): Epochs | undefined {
    const sql = `SELECT epochs.* FROM epochs JOIN batches USING (log_index)
      WHERE batches.node = ? AND sequence = ? ORDER BY log_index LIMIT 1`;
    return epochsIn(this.#row(sql, node, sequence));
  }

  activity(sinceUs: number, bucketUs: number, node?: string): readonly ActivityBucket[] {
    const bucket = Math.max(1, Math.round(bucketUs / 1e6));
    const ofNode = node === undefined ? '' : 'AND node = ?';
    const sql = `SELECT CAST(second / ? AS INTEGER) * ? AS bucket, class, sum(events) AS events FROM activity
      WHERE second >= ? ${ofNode} GROUP BY bucket, class ORDER BY bucket, class`;
    const rows = this.#rows(sql, bucket, bucket, Math.floor(sinceUs / 1e6), ...(node === undefined ? [] : [node]));
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
    const added = this.#transaction(() => {
      const { cursor, detectors } = step;
      if (cursor) this.#run('INSERT OR REPLACE INTO cursors VALUES (?, ?)', cursor.name, cursor.position);
      for (const [id, state] of detectors ?? []) this.#run('INSERT OR REPLACE INTO detectors VALUES (?, ?)', id, state);
      for (const story of step.stories ?? []) this.#putStory(story);
      return step.alerts.reduce((sum, alert) => sum + this.#addAlert(alert), 0);
    });
    if (added > 0 || (step.stories ?? []).length > 0) this.#tell('alert');
    return added;
  }

  #addAlert(alert: PlacedAlert): number {
    const { changes } = this.#run(
      'INSERT OR IGNORE INTO alerts (id, time, node, severity, log_index, alert, story) VALUES (?, ?, ?, ?, ?, ?, ?)',
      ...[alert.id, alert.time, alert.node, SEVERITIES.indexOf(alert.severity), alert.events[0]?.logIndex ?? -1],
      ...[JSON.stringify(alert), alert.story],
    );
    return Number(changes);
  }

  /** A new revision takes a new place in the order, so that who follows sees it; an older one changes nothing. */
  #putStory(story: Story): void {
    const { id, revision, first, last, node, score } = story;
    const values = [first, last, node, SEVERITIES.indexOf(story.severity), score, story.shown ? 1 : 0];
    const known = this.#row('SELECT revision FROM stories WHERE id = ?', id);
    const before = known === undefined ? 0 : number(known['revision']);
    if (revision < before) return;
    const text = JSON.stringify(story);
    if (revision === before) {
      this.#run(
        `UPDATE stories SET first = ?, last = ?, node = ?, severity = ?, score = ?, shown = ?, story = ? WHERE id = ?`,
        ...[...values, text, id],
      );
      return;
    }
    this.#run(
      `INSERT OR REPLACE INTO stories (id, revision, first, last, node, severity, score, shown, story)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, revision, ...values, text],
    );
  }

  stories({ limit, afterSeq, node, minSeverity, sinceUs, shown, order = 'newest' }: StoryQuery): readonly StoryRow[] {
    const by = afterSeq !== undefined ? 'seq ASC' : order === 'score' ? 'score DESC, seq DESC' : 'last DESC, seq DESC';
    const sql = `SELECT seq, story FROM stories WHERE seq > ? AND severity >= ? AND last >= ?
      ${shown === undefined ? '' : `AND shown = ${shown ? 1 : 0}`} ${node === undefined ? '' : 'AND node = ?'}
      ORDER BY ${by} LIMIT ?`;
    const least = minSeverity === undefined ? 0 : SEVERITIES.indexOf(minSeverity);
    const ofNode = node === undefined ? [] : [node];
    return this.#rows(sql, afterSeq ?? 0, least, sinceUs ?? 0, ...ofNode, limit).map(storyOf);
  }

  story(id: string): StoryRow | undefined {
    const row = this.#row('SELECT seq, story FROM stories WHERE id = ?', id);
    return row === undefined ? undefined : storyOf(row);
  }

  /** Alerts of a story, in the order in which they were found. */
  alertsOfStory(id: string, limit: number): readonly AlertRow[] {
    const sql = 'SELECT seq, log_index, alert FROM alerts WHERE story = ? ORDER BY seq LIMIT ?';
    return this.#rows(sql, id, limit).map(alertOf);
  }

  lastStorySeq(): number {
    return number(this.#row('SELECT coalesce(max(seq), 0) AS last FROM stories')?.['last']);
  }

  /** What a person says about a story. Nothing is overwritten: the last one counts, those before stay. */
  addVerdict({ story, time, who, verdict, reason }: Omit<Verdict, 'seq'>): void {
    const sql = 'INSERT INTO verdicts (story, time, who, verdict, reason) VALUES (?, ?, ?, ?, ?)';
    this.#run(sql, story, time, who, verdict, reason);
    this.#tell('alert');
  }

  /** Of one story, or of all; oldest first. */
  verdicts(story?: string): readonly Verdict[] {
    const sql = `SELECT * FROM verdicts ${story === undefined ? '' : 'WHERE story = ?'} ORDER BY seq`;
    return this.#rows(sql, ...(story === undefined ? [] : [story])).map(verdictOf);
  }

  /** Before it is done, so that nothing is done unrecorded. */
  record({ time, who, act, reason }: Omit<Act, 'seq'>): void {
    this.#run('INSERT INTO acts (time, who, act, reason) VALUES (?, ?, ?, ?)', time, who, act, reason);
  }

  /** Newest first. */
  acts(limit: number): readonly Act[] {
    return this.#rows('SELECT * FROM acts ORDER BY seq DESC LIMIT ?', limit).map(actOf);
  }

  /** `undefined` for a follower that never came to a commit. */
  cursor(name: string): number | undefined {
    const row = this.#row('SELECT position FROM cursors WHERE name = ?', name);
    return row && number(row['position']);
  }

  /** What one detector remembers; undefined before it was first saved. */
  detectorState(id: string): unknown {
    const row = this.#row('SELECT state FROM detectors WHERE id = ?', id);
    return row && parseJson(row['state']);
  }

  detectorStates(): ReadonlyMap<string, unknown> {
    const rows = this.#rows('SELECT id, state FROM detectors');
    return new Map(rows.map((row) => [text(row['id']), parseJson(row['state'])]));
  }

  alerts({ limit, afterSeq, node, minSeverity, sinceUs, suppressed = false }: AlertQuery): readonly AlertRow[] {
    const sql = `SELECT seq, log_index, alert FROM alerts WHERE seq > ? AND severity >= ? AND time >= ?
      ${suppressed ? '' : "AND story <> ''"} ${node === undefined ? '' : 'AND node = ?'}
      ORDER BY seq ${afterSeq === undefined ? 'DESC' : 'ASC'} LIMIT ?`;
    const least = minSeverity === undefined ? 0 : SEVERITIES.indexOf(minSeverity);
    return this.#rows(sql, afterSeq ?? 0, least, sinceUs ?? 0, ...(node === undefined ? [] : [node]), limit).map(
      alertOf,
    );
  }

  alert(id: string): AlertRow | undefined {
    const row = this.#row('SELECT seq, log_index, alert FROM alerts WHERE id = ?', id);
    return row === undefined ? undefined : alertOf(row);
  }

  lastAlertSeq(): number {
    return number(this.#row('SELECT coalesce(max(seq), 0) AS last FROM alerts')?.['last']);
  }

  /** Counts a refusal and keeps its last message; messages hold no values of events. */
  addRefusal(node: string, code: string, message: string, nowUs: number): void {
    this.#run(
      `INSERT INTO refusals VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT DO UPDATE SET
       refused = refused + 1, last = excluded.last, message = excluded.message`,
      ...[node, code, nowUs, nowUs, message],
    );
  }

  refusals(): readonly Refusal[] {
    return this.#rows('SELECT * FROM refusals ORDER BY last DESC').map((row) => ({
      node: text(row['node']),
      code: text(row['code']),
      refused: number(row['refused']),
      first: number(row['first']),
      last: number(row['last']),
      message: text(row['message']),
    }));
  }

  #transaction<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const made = this.#database.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }

  #run(sql: string, ...values: readonly SQLInputValue[]): { readonly changes: number | bigint } {
    return this.#prepared(sql).run(...values);
  }

  #row(sql: string, ...values: readonly SQLInputValue[]): Row | undefined {
    return this.#prepared(sql).get(...values);
  }

  #rows(sql: string, ...values: readonly SQLInputValue[]): readonly Row[] {
    return this.#prepared(sql).all(...values);
  }
}

const versionOf = (database: DatabaseSync): SQLInputValue | undefined =>
  database.prepare('PRAGMA user_version').get()?.['user_version'];

function refuseOtherVersion(database: DatabaseSync, file: string): void {
  const version = versionOf(database);
  if (version === VERSION || version === 0) return;
  database.close();
  throw new Error(
    `${file} has version ${number(version)}, this program knows ${VERSION}; move it away and it is made again from the log`,
  );
}

const text = (value: SQLInputValue | undefined): string => (typeof value === 'string' ? value : '');
const parseJson = (value: SQLInputValue | undefined): unknown => JSON.parse(text(value));
const number = (value: SQLInputValue | undefined): number => Number(value ?? 0);

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

function storyOf(row: Row): StoryRow {
  const story: Story = JSON.parse(text(row['story']));
  return { ...story, seq: number(row['seq']) };
}

function verdictOf(row: Row): Verdict {
  return {
    seq: number(row['seq']),
    story: text(row['story']),
    time: number(row['time']),
    who: text(row['who']),
    verdict: VERDICTS.find((verdict) => verdict === row['verdict']) ?? 'acknowledged',
    reason: text(row['reason']),
  };
}

const actOf = (row: Row): Act => ({
  seq: number(row['seq']),
  time: number(row['time']),
  who: text(row['who']),
  act: text(row['act']),
  reason: text(row['reason']),
});

function alertOf(row: Row): AlertRow {
  const alert: PlacedAlert = JSON.parse(text(row['alert']));
  return { ...alert, seq: number(row['seq']), logIndex: number(row['log_index']) };
}
