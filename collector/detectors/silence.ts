/**
 * Alerts when a node that used to send stops sending. Time is the collector's: when a batch was received, and `tick`.
 *
 * Ticks come every few seconds. Where the time between two is longer, or negative, the collector slept or its clock was set, and
 * nobody was silent for it: what was heard moves with the clock, and is never later than now.
 */
import { alertId, MINUTE, spoken, type Alert, type Detector, type EvidenceBatch } from './detector.ts';
import { memberOf, numbersOf } from './saved.ts';

export interface SilenceKnobs {
  /** Silence longer than this alerts. */
  readonly silenceUs?: number;
}

/** More than this between two ticks is no silence of nodes. */
const TICKS_WITHIN_US = MINUTE;

export function makeSilenceDetector(knobs: SilenceKnobs = {}, saved?: unknown): Detector {
  const { silenceUs = 5 * MINUTE } = knobs;
  const heard = numbersOf(memberOf(saved, 'heard'));
  /** Nodes whose silence was alerted -> when they were last heard. */
  const alerted = numbersOf(memberOf(saved, 'alerted'));
  /** Nodes that said they stop -> when they were last heard. */
  const stopped = numbersOf(memberOf(saved, 'stopped'));
  let tickedAt: number | undefined;

  const follow = (nowUs: number): void => {
    const passed = tickedAt === undefined ? 0 : nowUs - tickedAt;
    const moved = passed < 0 || passed > TICKS_WITHIN_US ? passed : 0;
    tickedAt = nowUs;
    for (const [node, last] of heard) {
      const then = Math.min(last + moved, nowUs);
      if (then !== last) heard.set(node, then);
    }
  };
  return {
    id: 'silence',
    observe({ node, receivedAt, events }: EvidenceBatch): Iterable<Alert> {
      heard.set(node, Math.max(receivedAt, heard.get(node) ?? 0));
      alerted.delete(node);
      const stops = events.some(
        (record) => record.event === 'hushwatch.stop' && record['hushwatch.component'] === 'agent',
      );
      if (stops) stopped.set(node, receivedAt);
      else stopped.delete(node);
      return [];
    },
    *tick(nowUs): Iterable<Alert> {
      follow(nowUs);
      for (const [node, last] of heard) {
        if (nowUs - last <= silenceUs || alerted.has(node)) continue;
        alerted.set(node, last);
        yield silenceAlert(node, last, silenceUs, stopped.has(node));
      }
    },
    save: () => ({
      heard: Object.fromEntries(heard),
      alerted: Object.fromEntries(alerted),
      stopped: Object.fromEntries(stopped),
    }),
  };
}

/** Speaks of the limit, not of when somebody looked: the same silence gives the same bytes. */
function silenceAlert(node: string, last: number, limit: number, said: boolean): Alert {
  const how = said ? ' after saying that it stops' : ' without a word';
  return {
    id: alertId('silence', undefined, node, String(last)),
    time: last + limit,
    node,
    detector: 'silence',
    rule: undefined,
    title: 'A node is silent',
    severity: said ? 'medium' : 'high',
    reason: `Nothing came from ${node} for more than ${spoken(limit)}${how}; at most that is normal.`,
    silencedBy: `a batch from the node within ${spoken(limit)}`,
    attack: ['T1562.001', 'defense-evasion'],
    events: [],
    entity: undefined,
    loss: 0,
  };
}
