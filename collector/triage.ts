/**
 * Stories as people work through them: with their status, filtered, sorted, paged, grouped. A verdict is about the story as it was
 * read: once something new is found in it (its revision grows) it is open again, whatever was said before.
 */
import { number, text, type Database, type Row } from './database.ts';
import type { Severity, Story } from './detectors/detector.ts';
import { SEVERITIES, VERDICTS, type StoryRow, type Verdict } from './findings.ts';

export const STATUSES = ['open', ...VERDICTS] as const;
export type Status = (typeof STATUSES)[number];
export const ORDERS = ['newest', 'score', 'severity'] as const;
export const GROUPINGS = ['node', 'detector', 'title', 'status'] as const;
export type Grouping = (typeof GROUPINGS)[number];
const MAX_GROUPS = 1_000;

export interface TriageRow extends StoryRow {
  readonly status: Status;
}

export interface TriageFilter {
  readonly minSeverity?: Severity | undefined;
  /** A detector, or the identifier of a rule, among its findings. */
  readonly detector?: string | undefined;
  readonly node?: string | undefined;
  readonly status?: Status | undefined;
  /** In title, sentence, program, node, session, technique or identifier. */
  readonly text?: string | undefined;
  /** Last told at that time or later, µs. */
  readonly sinceUs?: number | undefined;
  /** Only those that are shown to people, or only those that are not. */
  readonly shown?: boolean | undefined;
}

export interface TriageQuery extends TriageFilter {
  readonly order: (typeof ORDERS)[number];
  readonly offset: number;
  readonly limit: number;
}

export interface TriageGroup {
  readonly key: string;
  readonly stories: number;
  /** The gravest. */
  readonly severity: Severity;
  /** The last alert, µs. */
  readonly last: number;
}

// The last verdict is found by its index, one look for each story: joining all with all takes half a minute for some thousands.
const TOLD = `
  WITH told AS (SELECT stories.*, CASE WHEN said.revision >= stories.revision THEN said.verdict ELSE 'open' END AS status
    FROM stories LEFT JOIN verdicts AS said ON said.seq = (SELECT max(seq) FROM verdicts WHERE story = stories.id))`;
const SEARCHED = ['title', 'reason', 'program', 'node', 'session', 'attack', 'id']
  .map((name) => `coalesce(story ->> '$.${name}', '')`)
  .join(" || ' ' || ");
const SORTED: Readonly<Record<TriageQuery['order'], string>> = {
  newest: 'last DESC, seq DESC',
  score: 'score DESC, seq DESC',
  severity: 'severity DESC, score DESC, seq DESC',
};
const KEYS: Readonly<Record<Grouping, string>> = {
  node: 'told.node',
  detector: "finding.value ->> '$.detector'",
  title: "story ->> '$.title'",
  status: 'status',
};

export class Triage {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  list(query: TriageQuery): readonly TriageRow[] {
    const { where, values } = conditionsOf(query);
    const sql = `${TOLD} SELECT seq, story, status FROM told WHERE ${where} ORDER BY ${SORTED[query.order]} LIMIT ? OFFSET ?`;
    return this.#database.rows(sql, ...values, query.limit, query.offset).map(triageRowOf);
  }

  one(id: string): TriageRow | undefined {
    const row = this.#database.row(`${TOLD} SELECT seq, story, status FROM told WHERE id = ?`, id);
    return row && triageRowOf(row);
  }

  count(filter: TriageFilter): number {
    const { where, values } = conditionsOf(filter);
    const sql = `${TOLD} SELECT count(*) AS stories FROM told WHERE ${where}`;
    return number(this.#database.row(sql, ...values)?.['stories']);
  }

  /** One verdict for each that the filter lets through, about it as it is. */
  judge(filter: TriageFilter, { time, who, verdict, reason }: Omit<Verdict, 'seq' | 'story' | 'revision'>): void {
    const { where, values } = conditionsOf(filter);
    const sql = `${TOLD} INSERT INTO verdicts (story, time, who, verdict, reason, revision)
      SELECT id, ?, ?, ?, ?, revision FROM told WHERE ${where} ORDER BY seq`;
    this.#database.run(sql, time, who, verdict, reason, ...values);
  }

  /** How many stories of each kind; one with findings of several detectors counts for each. Most first. */
  groups(filter: TriageFilter, by: Grouping): readonly TriageGroup[] {
    const { where, values } = conditionsOf(filter);
    const findings = by === 'detector' ? ", json_each(told.story, '$.findings') AS finding" : '';
    const sql = `${TOLD} SELECT ${KEYS[by]} AS kind, count(DISTINCT told.id) AS stories,
        max(severity) AS severity, max(last) AS last
      FROM told${findings} WHERE ${where} GROUP BY kind ORDER BY stories DESC, kind LIMIT ${MAX_GROUPS}`;
    return this.#database.rows(sql, ...values).map((row) => ({
      key: text(row['kind']),
      stories: number(row['stories']),
      severity: SEVERITIES[number(row['severity'])] ?? 'informational',
      last: number(row['last']),
    }));
  }
}

function conditionsOf(filter: TriageFilter): { readonly where: string; readonly values: readonly (string | number)[] } {
  const { minSeverity, detector, node, status, shown, sinceUs, text: wanted } = filter;
  const isFound = `EXISTS (SELECT 1 FROM json_each(told.story, '$.findings') AS each
    WHERE each.value ->> '$.detector' = ? OR each.value ->> '$.rule' = ?)`;
  const conditions: readonly (readonly [string, ...(string | number)[]] | undefined)[] = [
    minSeverity && ['severity >= ?', SEVERITIES.indexOf(minSeverity)],
    detector === undefined ? undefined : [isFound, detector, detector],
    node === undefined ? undefined : ['told.node = ?', node],
    status && ['status = ?', status],
    sinceUs === undefined ? undefined : ['last >= ?', sinceUs],
    shown === undefined ? undefined : ['shown = ?', shown ? 1 : 0],
    wanted === undefined ? undefined : [`instr(lower(${SEARCHED}), lower(?)) > 0`, wanted],
  ];
  const given = conditions.filter((each) => each !== undefined);
  return { where: ['1', ...given.map(([sql]) => sql)].join(' AND '), values: given.flatMap(([, ...values]) => values) };
}

function triageRowOf(row: Row): TriageRow {
  const story: Story = JSON.parse(text(row['story']));
  return { ...story, seq: number(row['seq']), status: STATUSES.find((each) => each === row['status']) ?? 'open' };
}
