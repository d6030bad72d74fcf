/**
 * What all baselines of single nodes have in common: the loss around an alert, relearning after an upgrade, and a
 * bound on the alerts of an hour. A baseline itself only looks at events and says what is not as usual.
 */
import { alertId, HOUR, type Alert, type Detector, type EvidenceBatch, type ReleasedRecord } from './detector.ts';
import { RecentLoss } from './loss.ts';
import { Releases } from './releases.ts';
import { mapOf, memberOf, numberOf, rowsOf, textOf } from './saved.ts';

/** An event as a baseline sees it. */
export interface Seen {
  readonly node: string;
  readonly record: ReleasedRecord;
  /** Last time that the software of the node changed; 0 when it never did. */
  readonly changedAt: number;
}

/** What is not as usual. */
export type Unusual = Pick<Alert, 'rule' | 'title' | 'severity' | 'reason' | 'silencedBy' | 'attack' | 'measures'> & {
  /** With node and rule it makes this finding. */
  readonly key: string;
};

export interface Baseline {
  see(seen: Seen): Iterable<Unusual>;
  save(): unknown;
}

export interface BaselineKnobs {
  readonly relearn_hours: number;
  readonly alerts_an_hour?: number;
}

interface Hour {
  hour: number;
  alerts: number;
}

/** `saved`: what the detector's `save` gave; the baseline's own part is made by the caller from `saved.own`. */
export function makeBaselineDetector(id: string, knobs: BaselineKnobs, own: Baseline, saved?: unknown): Detector {
  const losses = new RecentLoss(memberOf(saved, 'losses'));
  const releases = new Releases(memberOf(saved, 'releases'));
  const hours = mapOf(memberOf(saved, 'hours'), ([hour, alerts]) => hourOf(numberOf(hour), numberOf(alerts)));
  const { relearn_hours, alerts_an_hour = Infinity } = knobs;

  const isWithinBudget = (node: string, time: number): boolean => {
    const now = Math.floor(time / HOUR);
    const hour = hours.get(node);
    const alerts = hour?.hour === now ? hour.alerts + 1 : 1;
    hours.set(node, { hour: now, alerts });
    return alerts <= alerts_an_hour;
  };

  return {
    id,
    *observe(batch): Iterable<Alert> {
      const { node } = batch;
      losses.observe(batch.statement, batch.receivedAt);
      releases.begin(batch);
      for (const [line, record] of batch.events.entries()) {
        releases.observe(node, record);
        const changedAt = releases.changedAt(node);
        for (const unusual of own.see({ node, record, changedAt })) {
          if (!isWithinBudget(node, record.time)) continue;
          const alert = alertOf(id, batch, line, record, unusual, losses.around(node));
          yield record.time - changedAt < relearn_hours * HOUR ? tempered(alert) : alert;
        }
      }
    },
    tick: () => [],
    save: () => ({
      losses: losses.save(),
      releases: releases.save(),
      hours: rowsOf(hours, ({ hour, alerts }) => [hour, alerts]),
      own: own.save(),
    }),
  };
}

const hourOf = (hour: number | undefined, alerts: number | undefined): Hour | undefined =>
  hour === undefined || alerts === undefined ? undefined : { hour, alerts };

/** New software has new habits: it is said, and wakes nobody. */
export function tempered(alert: Alert): Alert {
  return {
    ...alert,
    severity: 'informational',
    reason: alert.reason.replace(/\.$/, '; the node relearns after an upgrade, so this is only informational.'),
  };
}

function alertOf(
  detector: string,
  { node, logIndex }: EvidenceBatch,
  line: number,
  record: ReleasedRecord,
  { key, rule, title, severity, reason, silencedBy, attack, measures }: Unusual,
  loss: number,
): Alert {
  const suffix = loss === 0 ? '' : `; ${loss} events were lost around it`;
  return {
    id: alertId(detector, rule, node, key),
    time: record.time,
    node,
    detector,
    rule,
    title,
    severity,
    reason: reason.replace(/\.$/, `${suffix}.`),
    silencedBy,
    attack,
    events: [{ logIndex, line }],
    entity: textOf(record['process.entity.id']),
    loss,
    measures: measures ?? [],
  };
}
