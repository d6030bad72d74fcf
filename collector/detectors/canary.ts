/**
 * Alerts when a node's canaries came out of its redaction, and when a node that releases events has stopped saying how its
 * canaries fare. Time is that of the events: what comes late from a node that was cut off is as good as in time, and a node that
 * says nothing at all is the matter of `silence`.
 *
 * It remembers the last song of each node, which is what the dashboard shows.
 */
import { NO_RULES } from '#protocol/statement.ts';
import {
  alertId,
  MINUTE,
  spoken,
  type Alert,
  type Detector,
  type EvidenceBatch,
  type EventReference,
  type ReleasedRecord,
} from './detector.ts';
import { memberOf, numbersOf } from './saved.ts';

export interface CanaryKnobs {
  /** Agents try every ten minutes; longer than this without a word alerts. */
  readonly canaryUs?: number;
}

/** What a node last said of its canaries. */
export interface CanaryStatus {
  /** When it said so, by its clock, µs. */
  readonly at: number;
  /** Numbers as released; undefined where the ruleset keeps them back. */
  readonly tried: number | undefined;
  readonly leaked: number | undefined;
  readonly leaks: readonly string[];
}

const DETECTOR = 'canary';
/** A node of which nothing is known for so long was away; its canaries count anew. */
const AWAY_US = 5 * MINUTE;

export function makeCanaryDetector(knobs: CanaryKnobs = {}, saved?: unknown): Detector {
  const { canaryUs = 35 * MINUTE } = knobs;
  const songs = canariesOf(saved);
  /** Since when a node has been releasing events without a word; the time of its last one, and whether that was told. */
  const waiting = numbersOf(memberOf(saved, 'waiting'));
  const seen = numbersOf(memberOf(saved, 'seen'));
  const alerted = numbersOf(memberOf(saved, 'alerted'));

  function* overdueAt(batch: EvidenceBatch, now: number): Iterable<Alert> {
    const { node } = batch;
    if (!waiting.has(node) || now - (seen.get(node) ?? 0) > AWAY_US) waiting.set(node, now);
    seen.set(node, now);
    const since = waiting.get(node) ?? now;
    if (now - since <= canaryUs || alerted.has(node)) return;
    alerted.set(node, since);
    yield overdue(batch, since, now, canaryUs);
  }

  return {
    id: DETECTOR,
    *observe(batch: EvidenceBatch): Iterable<Alert> {
      const { node, statement } = batch;
      for (const [line, record] of batch.events.entries()) {
        if (record.event !== 'hushwatch.canary') continue;
        const song = songOf(record);
        songs.set(node, song);
        waiting.set(node, song.at);
        alerted.delete(node);
        if (song.leaked !== undefined && song.leaked > 0) yield leaked(batch, song, line);
      }
      // A node without rules releases nothing and has no canaries; a statement without events has no time.
      if (statement.ruleset === NO_RULES) waiting.delete(node);
      else if (statement.time.last > 0) yield* overdueAt(batch, statement.time.last);
    },
    tick: () => [],
    save: () => ({
      songs: Object.fromEntries(songs),
      waiting: Object.fromEntries(waiting),
      seen: Object.fromEntries(seen),
      alerted: Object.fromEntries(alerted),
    }),
  };
}

/** The last song of each node, from what the detector saved. */
export function canariesOf(saved: unknown): Map<string, CanaryStatus> {
  const songs = memberOf(saved, 'songs');
  const entries = typeof songs === 'object' && songs !== null ? Object.entries(songs) : [];
  return new Map(entries.map(([node, song]) => [node, statusOf(song)]));
}

function statusOf(song: unknown): CanaryStatus {
  const numbers = numbersOf(song);
  const leaks = memberOf(song, 'leaks');
  return {
    at: numbers.get('at') ?? 0,
    tried: numbers.get('tried'),
    leaked: numbers.get('leaked'),
    leaks: Array.isArray(leaks) ? leaks.map(String) : [],
  };
}

const songOf = (record: ReleasedRecord): CanaryStatus =>
  statusOf({
    at: record.time,
    tried: record['hushwatch.canary.tried'],
    leaked: record['hushwatch.canary.leaked'],
    leaks: record['hushwatch.canary.leaks'],
  });

const ABOUT = { detector: DETECTOR, attack: [], entity: undefined, loss: 0 } as const;

function leaked({ node, sequence, logIndex, receivedAt }: EvidenceBatch, song: CanaryStatus, line: number): Alert {
  const events: readonly EventReference[] = [{ logIndex, line }];
  const where = song.leaks.length === 0 ? '' : `, in ${song.leaks.slice(0, 3).join(', ')}`;
  return {
    ...ABOUT,
    id: alertId(DETECTOR, 'leak', node, String(sequence)),
    time: receivedAt,
    node,
    rule: 'leak',
    title: 'Redaction is broken on a node',
    severity: 'critical',
    reason: `Of ${song.tried ?? 'some'} made-up secrets ${song.leaked ?? 'some'} came out of the redaction of ${node}${where}; it releases nothing more until it is restarted.`,
    silencedBy: 'an agent whose redaction lets no canary pass',
    events,
  };
}

function overdue({ node, receivedAt }: EvidenceBatch, since: number, now: number, limit: number): Alert {
  return {
    ...ABOUT,
    id: alertId(DETECTOR, 'overdue', node, String(since)),
    time: receivedAt,
    node,
    rule: 'overdue',
    title: 'A node no longer tries its redaction',
    severity: 'medium',
    reason: `${node} releases events and has not said for ${spoken(now - since)} how its canaries fare; at most ${spoken(limit)} is normal.`,
    silencedBy: `an event hushwatch.canary within ${spoken(limit)}`,
    events: [],
  };
}
