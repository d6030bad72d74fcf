/**
 * What a detector is: a pure function of evidence and its own state that yields alerts.
 *
 * No clock, no file, no network: the time comes with the evidence or with `tick`. The same evidence in the
 * same order gives the same alerts, identifiers included, so a replay can be compared with what happened live.
 */
import { createHash } from 'node:crypto';
import type { Restart } from '#protocol/restart.ts';
import type { Statement } from '#protocol/statement.ts';
import type { EventName, Value } from '#protocol/vocabulary.ts';
import type { Level } from './sigma/rule.ts';

/** A released line, parsed. */
export interface ReleasedRecord {
  readonly event: EventName;
  /** Microseconds since 1970, UTC. */
  readonly time: number;
  readonly [attribute: string]: Value;
}

/** One verified batch as detectors see it. */
export interface EvidenceBatch {
  readonly node: string;
  readonly role: string;
  readonly cohort: string;
  readonly sequence: number;
  readonly logIndex: number;
  /** Microseconds since 1970, UTC. */
  readonly receivedAt: number;
  readonly statement: Statement;
  /** The restart of the chain that this batch follows directly, if it does. */
  readonly restart?: Restart | undefined;
  readonly events: readonly ReleasedRecord[];
}

export type Severity = Level;

export interface EventReference {
  readonly logIndex: number;
  readonly line: number;
}

/** A number that decided, beside what is normal for it. */
export interface Measure {
  /** `connections of /usr/bin/curl an hour`. */
  readonly what: string;
  readonly value: number;
  /** Both ends count as normal; a side that is left out has no bound. */
  readonly normal: { readonly from?: number; readonly to?: number };
}

/** One finding of one detector. What a person is shown is the {@link Story} that it belongs to. */
export interface Alert {
  /** The same for the same finding, however often it is found. */
  readonly id: string;
  readonly time: number;
  readonly node: string;
  readonly detector: string;
  readonly rule: string | undefined;
  readonly title: string;
  readonly severity: Severity;
  /** One sentence. */
  readonly reason: string;
  /** What would have kept it quiet. */
  readonly silencedBy: string;
  /** ATT&CK techniques and tactics. */
  readonly attack: readonly string[];
  readonly events: readonly EventReference[];
  readonly entity: string | undefined;
  /** Events lost or sampled away in the window the alert is about. */
  readonly loss: number;
  /** Numbers that decided. Rules that match or do not have none. */
  readonly measures?: readonly Measure[];
  /** Log-in session that it happened in. */
  readonly session?: string;
}

/** An alert that has found its place: the story it belongs to, and what it weighs there. */
export interface PlacedAlert extends Alert {
  readonly story: string;
  /** Points of its severity, less when the same comes often on this node. */
  readonly points: number;
  /** The suppression that kept it from being told: then it has no story (`''`) and no points. */
  readonly suppressedBy?: string;
}

/** What one detector said, once or often, within a story. */
export interface StoryFinding {
  readonly detector: string;
  readonly rule: string | undefined;
  readonly title: string;
  readonly severity: Severity;
  readonly points: number;
  /** How often it was said. */
  readonly count: number;
  /** The first alert that said it. */
  readonly alert: string;
}

/**
 * What a person reads: the alerts of one process tree within a window, or of one node where no process is to blame.
 * The heaviest finding lends title, reason, numbers and silencedBy.
 */
export interface Story {
  readonly id: string;
  /** Grows when something new was found, not when the same came again. A receiver keeps the highest of an id. */
  readonly revision: number;
  readonly node: string;
  /** Entity at the root of the process tree. */
  readonly root: string | undefined;
  /** Program at the root, as far as it was released. */
  readonly program: string | undefined;
  readonly session: string | undefined;
  readonly first: number;
  readonly last: number;
  readonly title: string;
  readonly reason: string;
  readonly silencedBy: string;
  readonly severity: Severity;
  /** Points of all findings; stories are ranked by it. */
  readonly score: number;
  readonly attack: readonly string[];
  readonly measures: readonly Measure[];
  readonly findings: readonly StoryFinding[];
  /** Alerts, those told again included. */
  readonly alerts: number;
  readonly events: readonly EventReference[];
  readonly loss: number;
  /** Medium or above, and within the budget: it goes to the outputs and stands on the first page. */
  readonly shown: boolean;
}

export interface Detector {
  readonly id: string;
  observe(batch: EvidenceBatch): Iterable<Alert>;
  tick(nowUs: number): Iterable<Alert>;
  /** State as JSON; given back at the next start. */
  save(): unknown;
}

/** Identifier of a finding: a hash of what makes it this finding and no other. */
export function alertId(detector: string, rule: string | undefined, node: string, key: string): string {
  return createHash('sha256')
    .update(JSON.stringify([detector, rule ?? '', node, key]))
    .digest('hex')
    .slice(0, 32);
}

export const MINUTE = 60_000_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** Seconds, minutes or hours, as a person would say it. */
export function spoken(us: number): string {
  const seconds = Math.round(us / 1_000_000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
