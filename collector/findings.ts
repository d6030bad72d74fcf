/**
 * What detectors found and what people say of it: alerts, once by their identifier however often they are found; stories; verdicts;
 * and the record of who changed what. Verdicts and record are a person's, and nothing here is overwritten.
 */
import { Database, number, text, type Row } from './database.ts';
import type { PlacedAlert, Severity, Story } from './detectors/detector.ts';
import { tellAlone } from './detectors/stories.ts';

/** From the least on. */
export const SEVERITIES: readonly Severity[] = ['informational', 'low', 'medium', 'high', 'critical'];

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

/** Newest first by their last alert; with `afterSeq`, in the order in which they changed. */
export interface StoryQuery extends Omit<AlertQuery, 'node' | 'suppressed'> {
  /** Only those shown to people, or only those that were not; all without. */
  readonly shown?: boolean | undefined;
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
  /** Of the story, as it was read. */
  readonly revision: number;
}

/** What somebody says; without a revision, of the story as it is. */
export type Judgement = Omit<Verdict, 'seq' | 'revision'> & { readonly revision?: number | undefined };

/** Something that a person changed, through the dashboard or by a command. */
export interface Act {
  readonly seq: number;
  readonly time: number;
  readonly who: string;
  readonly act: string;
  readonly reason: string;
}

/** A detector, or one rule of it. */
export interface Speaker {
  readonly detector: string;
  readonly rule?: string | undefined;
}

export interface Spoken extends Speaker {
  readonly title: string;
  readonly alerts: number;
  /** Of these. */
  readonly suppressed: number;
  /** Time of the last, µs. */
  readonly last: number;
  /** The gravest. */
  readonly severity: Severity;
}

export interface Volume {
  readonly time: number;
  readonly alerts: number;
  readonly suppressed: number;
}

export interface Origin {
  /** Undefined: unknown, or none. */
  readonly name: string | undefined;
  readonly alerts: number;
}

const OF_DETECTOR = `json_extract(alert, '$.detector')`;
const OF_RULE = `json_extract(alert, '$.rule')`;
const OF_SPEAKER = `${OF_DETECTOR} = ? AND coalesce(${OF_RULE}, '') = coalesce(?, ${OF_RULE}, '')`;
const speakerOf = ({ detector, rule }: Speaker): readonly [string, string | null] => [detector, rule ?? null];

export type Change = 'alert' | 'batch';

export class Findings implements Disposable {
  protected readonly database: Database;
  readonly #listeners = new Set<(what: Change) => void>();

  protected constructor(database: Database) {
    this.database = database;
  }

  /** Of version 1, which knew no stories: each alert is one of its own. */
  static tellOldAlerts(database: Database): void {
    const findings = new Findings(database);
    for (const row of database.rows('SELECT seq, log_index, alert FROM alerts ORDER BY seq')) {
      const { seq, logIndex: _, ...found } = alertOf(row);
      const { alert, story } = tellAlone(found);
      database.run('UPDATE alerts SET story = ?, alert = ? WHERE seq = ?', alert.story, JSON.stringify(alert), seq);
      findings.putStory(story);
    }
  }

  [Symbol.dispose](): void {
    this.#listeners.clear();
    this.database[Symbol.dispose]();
  }

  onChange(listener: (what: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  protected tell(what: Change): void {
    for (const listener of this.#listeners) listener(what);
  }

  protected addAlert(alert: PlacedAlert): number {
    const { changes } = this.database.run(
      'INSERT OR IGNORE INTO alerts (id, time, node, severity, log_index, alert, story) VALUES (?, ?, ?, ?, ?, ?, ?)',
      ...[alert.id, alert.time, alert.node, SEVERITIES.indexOf(alert.severity), alert.events[0]?.logIndex ?? -1],
      ...[JSON.stringify(alert), alert.story],
    );
    return Number(changes);
  }

  /** A new revision takes a new place in the order, so that who follows sees it; an older one changes nothing. */
  protected putStory(story: Story): void {
    const { id, revision, first, last, node, score } = story;
    const values = [first, last, node, SEVERITIES.indexOf(story.severity), score, story.shown ? 1 : 0];
    const known = this.database.row('SELECT revision FROM stories WHERE id = ?', id);
    const before = known === undefined ? 0 : number(known['revision']);
    if (revision < before) return;
    const text = JSON.stringify(story);
    if (revision === before) {
      this.database.run(
        `UPDATE stories SET first = ?, last = ?, node = ?, severity = ?, score = ?, shown = ?, story = ? WHERE id = ?`,
        ...[...values, text, id],
      );
      return;
    }
    this.database.run(
      `INSERT OR REPLACE INTO stories (id, revision, first, last, node, severity, score, shown, story)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, revision, ...values, text],
    );
  }

  stories({ limit, afterSeq, minSeverity, sinceUs, shown }: StoryQuery): readonly StoryRow[] {
    const sql = `SELECT seq, story FROM stories WHERE seq > ? AND severity >= ? AND last >= ?
      ${shown === undefined ? '' : `AND shown = ${shown ? 1 : 0}`}
      ORDER BY ${afterSeq === undefined ? 'last DESC, seq DESC' : 'seq ASC'} LIMIT ?`;
    const least = minSeverity === undefined ? 0 : SEVERITIES.indexOf(minSeverity);
    return this.database.rows(sql, afterSeq ?? 0, least, sinceUs ?? 0, limit).map(storyOf);
  }

  story(id: string): StoryRow | undefined {
    const row = this.database.row('SELECT seq, story FROM stories WHERE id = ?', id);
    return row === undefined ? undefined : storyOf(row);
  }

  /** Alerts of a story, in the order in which they were found. */
  alertsOfStory(id: string, limit: number): readonly AlertRow[] {
    const sql = 'SELECT seq, log_index, alert FROM alerts WHERE story = ? ORDER BY seq LIMIT ?';
    return this.database.rows(sql, id, limit).map(alertOf);
  }

  /** How many are shown, by severity. */
  storyCounts(): ReadonlyMap<string, number> {
    const rows = this.database.rows(
      'SELECT severity, COUNT(*) AS count FROM stories WHERE shown = 1 GROUP BY severity',
    );
    return new Map(rows.map((row) => [SEVERITIES[number(row['severity'])] ?? 'unknown', number(row['count'])]));
  }

  lastStorySeq(): number {
    return number(this.database.row('SELECT coalesce(max(seq), 0) AS last FROM stories')?.['last']);
  }

  /** What a person says about a story. Nothing is overwritten: the last one counts, those before stay. */
  addVerdict({ story, time, who, verdict, reason, revision }: Judgement): void {
    const sql = `INSERT INTO verdicts (story, time, who, verdict, reason, revision)
      SELECT ?, ?, ?, ?, ?, coalesce(?, (SELECT revision FROM stories WHERE id = ?), 0)`;
    this.database.run(sql, story, time, who, verdict, reason, revision ?? null, story);
    this.tell('alert');
  }

  /** Of one story, or of all; oldest first. */
  verdicts(story?: string, afterSeq = 0): readonly Verdict[] {
    const sql = `SELECT * FROM verdicts WHERE seq > ? ${story === undefined ? '' : 'AND story = ?'} ORDER BY seq`;
    return this.database.rows(sql, afterSeq, ...(story === undefined ? [] : [story])).map(verdictOf);
  }

  /** Before it is done, so that nothing is done unrecorded. */
  record({ time, who, act, reason }: Omit<Act, 'seq'>): void {
    this.database.run('INSERT INTO acts (time, who, act, reason) VALUES (?, ?, ?, ?)', time, who, act, reason);
  }

  /** Newest first. */
  acts(limit: number): readonly Act[] {
    return this.database.rows('SELECT * FROM acts ORDER BY seq DESC LIMIT ?', limit).map(actOf);
  }

  alerts({ limit, afterSeq, node, minSeverity, sinceUs, suppressed = false }: AlertQuery): readonly AlertRow[] {
    const sql = `SELECT seq, log_index, alert FROM alerts WHERE seq > ? AND severity >= ? AND time >= ?
      ${suppressed ? '' : "AND story <> ''"} ${node === undefined ? '' : 'AND node = ?'}
      ORDER BY seq ${afterSeq === undefined ? 'DESC' : 'ASC'} LIMIT ?`;
    const least = minSeverity === undefined ? 0 : SEVERITIES.indexOf(minSeverity);
    return this.database
      .rows(sql, afterSeq ?? 0, least, sinceUs ?? 0, ...(node === undefined ? [] : [node]), limit)
      .map(alertOf);
  }

  alert(id: string): AlertRow | undefined {
    const row = this.database.row('SELECT seq, log_index, alert FROM alerts WHERE id = ?', id);
    return row === undefined ? undefined : alertOf(row);
  }

  /** How often each detector and rule spoke since then, and when last. */
  spoken(sinceUs: number): readonly Spoken[] {
    const sql = `SELECT ${OF_DETECTOR} AS detector, ${OF_RULE} AS rule, count(*) AS alerts, sum(story = '') AS suppressed,
      max(time) AS last, max(severity) AS severity, max(json_extract(alert, '$.title')) AS title
      FROM alerts WHERE time >= ? GROUP BY 1, 2 ORDER BY alerts DESC`;
    return this.database.rows(sql, sinceUs).map((row) => ({
      detector: text(row['detector']),
      rule: row['rule'] === null ? undefined : text(row['rule']),
      title: text(row['title']),
      alerts: number(row['alerts']),
      suppressed: number(row['suppressed']),
      last: number(row['last']),
      severity: SEVERITIES[number(row['severity'])] ?? 'informational',
    }));
  }

  /** Alerts of one detector, or of one of its rules, in buckets of time. */
  volume(of: Speaker, sinceUs: number, bucketUs: number): readonly Volume[] {
    const sql = `SELECT CAST(time / ? AS INTEGER) AS bucket, count(*) AS alerts, sum(story = '') AS suppressed
      FROM alerts WHERE time >= ? AND ${OF_SPEAKER} GROUP BY bucket ORDER BY bucket`;
    return this.database.rows(sql, bucketUs, sinceUs, ...speakerOf(of)).map((row) => ({
      time: number(row['bucket']) * bucketUs,
      alerts: number(row['alerts']),
      suppressed: number(row['suppressed']),
    }));
  }

  /** About whom, the loudest first: by node, or by what the detector calls its rules. */
  origins(of: Speaker, sinceUs: number, by: 'node' | 'rule', limit: number): readonly Origin[] {
    const sql = `SELECT ${{ node: 'node', rule: OF_RULE }[by]} AS name, count(*) AS alerts FROM alerts
      WHERE time >= ? AND ${OF_SPEAKER} GROUP BY 1 ORDER BY alerts DESC, name LIMIT ?`;
    return this.database.rows(sql, sinceUs, ...speakerOf(of), limit).map((row) => ({
      name: row['name'] === null ? undefined : text(row['name']),
      alerts: number(row['alerts']),
    }));
  }

  /** The sentences of the newest. */
  reasons(of: Speaker, sinceUs: number, limit: number): readonly string[] {
    const sql = `SELECT json_extract(alert, '$.reason') AS reason FROM alerts WHERE time >= ? AND ${OF_SPEAKER} ORDER BY seq DESC LIMIT ?`;
    return this.database.rows(sql, sinceUs, ...speakerOf(of), limit).map((row) => text(row['reason']));
  }

  /** The newest of one detector, suppressed ones included. */
  alertsOf(of: Speaker, sinceUs: number, limit: number): readonly AlertRow[] {
    const sql = `SELECT seq, log_index, alert FROM alerts WHERE time >= ? AND ${OF_SPEAKER} ORDER BY seq DESC LIMIT ?`;
    return this.database.rows(sql, sinceUs, ...speakerOf(of), limit).map(alertOf);
  }

  /** What people said of stories that it spoke in, oldest first. */
  verdictsOn(of: Speaker): readonly Verdict[] {
    const sql = `SELECT * FROM verdicts WHERE story IN
      (SELECT story FROM alerts WHERE story IN (SELECT story FROM verdicts) AND ${OF_SPEAKER}) ORDER BY seq`;
    return this.database.rows(sql, ...speakerOf(of)).map(verdictOf);
  }
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
    revision: number(row['revision']),
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
