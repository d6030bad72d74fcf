/** Evidence made up for detectors: batches of one node after the other, each event at its time. */
import { NO_PREVIOUS, statementDigest, type Statement } from '#protocol/statement.ts';
import type { EventName, Value } from '#protocol/vocabulary.ts';
import type { EvidenceBatch, ReleasedRecord } from '../../../collector/detectors/detector.ts';

export const START = 1_800_000_000_000_000;
const DIGEST = 'a'.repeat(64);

export const FIRST_STATEMENT: Statement = {
  node: 'db-1',
  boot: '0b5d3f2c-0000-4000-8000-000000000001',
  sequence: 0,
  previous: NO_PREVIOUS,
  role: 'generic',
  cohort: 'databases',
  ruleset: DIGEST,
  rulepack: DIGEST,
  vocabulary: DIGEST,
  agent: { version: '0.1.0', build: DIGEST },
  sources: ['ebpf', 'host'],
  time: { first: 0, last: 0 },
  events: {},
  seen: {},
  released: {},
  merged: {},
  sampled: {},
  withheld: {},
  lost: {},
  body: { sha256: DIGEST, bytes: 13, unpacked: 0 },
};

export const record = (
  event: EventName,
  time: number,
  attributes: Readonly<Record<string, Value>> = {},
): ReleasedRecord => ({ event, time, ...attributes });

export const exec = (time: number, path: string, more: Readonly<Record<string, Value>> = {}): ReleasedRecord =>
  record('process.exec', time, {
    'process.entity.id': '7-1',
    'process.executable.path': path,
    'process.parent.executable.path': '/usr/bin/bash',
    ...more,
  });

/** A node that sends one batch after the other. Log indices are handed out by `place`. */
export class Sender {
  #last: Statement;

  constructor(node: string, changes: Partial<Statement> = {}) {
    this.#last = { ...FIRST_STATEMENT, node, ...changes };
  }

  send(events: readonly ReleasedRecord[], changes: Partial<Statement> = {}): EvidenceBatch {
    const before = this.#last;
    const previous = before.sequence === 0 ? NO_PREVIOUS : statementDigest(before);
    const statement = { ...before, sequence: before.sequence + 1, previous, ...changes };
    this.#last = statement;
    const { node, role, cohort, sequence } = statement;
    const receivedAt = (events.at(-1)?.time ?? START) + 1_000_000;
    return { node, role, cohort, sequence, logIndex: sequence - 1, receivedAt, statement, events };
  }
}

/** The batches as they lie in a log: numbered in their order. */
export const placed = (batches: readonly EvidenceBatch[]): readonly EvidenceBatch[] =>
  batches.map((batch, logIndex) => ({ ...batch, logIndex }));
