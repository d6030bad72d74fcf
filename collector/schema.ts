/** The tables of `state.sqlite`, and how a file of an earlier version becomes one of this. */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';

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
CREATE TABLE IF NOT EXISTS detector_changes (log_index INTEGER PRIMARY KEY, change TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS restarts (
  log_index INTEGER PRIMARY KEY, node TEXT NOT NULL, sequence INTEGER NOT NULL, restart TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS restarts_by_node ON restarts (node, sequence);
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
  verdict TEXT NOT NULL, reason TEXT NOT NULL, revision INTEGER NOT NULL);
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
 *  - 3: a verdict names the revision of the story that it is about; who changes what is recorded.
 */
const VERSION = 3;
/** Verdicts of version 2 are about the stories as they are. */
const REVISIONS_BEFORE = `ALTER TABLE verdicts ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
  UPDATE verdicts SET revision = coalesce((SELECT revision FROM stories WHERE id = verdicts.story), 0)`;
/** For batches that were indexed before this was kept; they do not say which pack they ran. */
const RULES_BEFORE = `INSERT INTO rules_in_force SELECT node, 'ruleset', min(sequence), min(received), ruleset FROM batches
  WHERE NOT EXISTS (SELECT 1 FROM rules_in_force) GROUP BY node, ruleset`;

/** For the collector itself. `carryOver` tells alerts of version 1 as stories, in the same transaction. */
export function openDatabase(file: string, carryOver: (database: DatabaseSync) => void): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 5_000 });
  // The log is the durable truth; after a power failure what is missing here is indexed again.
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
  const version = versionOf(database);
  if (version !== 1 && version !== 2) refuseOtherVersion(database, file);
  database.exec('BEGIN IMMEDIATE');
  if (version === 1) database.exec("ALTER TABLE alerts ADD COLUMN story TEXT NOT NULL DEFAULT ''");
  if (version === 2) database.exec(REVISIONS_BEFORE);
  database.exec(`${SCHEMA} ${RULES_BEFORE}; PRAGMA user_version = ${VERSION}`);
  if (version === 1) carryOver(database);
  database.exec('COMMIT');
  return database;
}

/** For commands beside a running collector. */
export function openDatabaseReadOnly(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
  refuseOtherVersion(database, file);
  return database;
}

/** For commands that write a line beside a running collector; to bring a file up to this version is the collector's. */
export function openDatabaseToAdd(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 5_000 });
  refuseOtherVersion(database, file);
  return database;
}

const versionOf = (database: DatabaseSync): SQLInputValue | undefined =>
  database.prepare('PRAGMA user_version').get()?.['user_version'];

function refuseOtherVersion(database: DatabaseSync, file: string): void {
  const version = versionOf(database);
  if (version === VERSION || version === 0) return;
  database.close();
  throw new Error(
    `${file} has version ${Number(version)}, this program knows ${VERSION}; move it away and it is made again from the log`,
  );
}
