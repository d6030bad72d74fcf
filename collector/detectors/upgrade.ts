/**
 * Says that a node runs other software than before, which makes its baselines relearn: whoever wonders why they are
 * quiet finds the reason and the time at which it ends.
 */
import { alertId, HOUR, type Alert, type Detector } from './detector.ts';
import { knobsOf, type Tuning } from './knobs.ts';
import { Releases, type ReleaseChange } from './releases.ts';
import { memberOf } from './saved.ts';

export function makeUpgradeDetector(tuning: Tuning = {}, saved?: unknown): Detector {
  const releases = new Releases(memberOf(saved, 'releases'));
  const relearning = ['first-seen', 'rarity', 'rate', 'cohort', 'lineage'] as const;
  const longest = Math.max(...relearning.map((detector) => knobsOf(detector, tuning).relearn_hours));

  const alertOf = (node: string, time: number, change: ReleaseChange, at: Alert['events']): Alert => ({
    id: alertId('upgrade', change.part, node, `${change.after} ${time}`),
    time,
    node,
    detector: 'upgrade',
    rule: change.part,
    title: 'A node runs other software than before',
    severity: 'informational',
    reason: `A node runs other software than before: ${node} went from ${change.part} ${change.before} to ${change.after}; its baselines relearn until ${new Date((time + longest * HOUR) / 1000).toISOString().slice(0, 16)}Z, and what is new until then is only informational.`,
    silencedBy: 'nothing; it tells that baselines relearn (detectors.*.relearn_hours)',
    attack: [],
    events: at,
    entity: undefined,
    loss: 0,
  });

  return {
    id: 'upgrade',
    *observe(batch): Iterable<Alert> {
      const { node, logIndex } = batch;
      const begun = batch.events[0]?.time ?? batch.receivedAt;
      for (const change of releases.begin(batch)) yield alertOf(node, begun, change, []);
      for (const [line, record] of batch.events.entries()) {
        for (const change of releases.observe(node, record))
          yield alertOf(node, record.time, change, [{ logIndex, line }]);
      }
    },
    tick: () => [],
    save: () => ({ releases: releases.save() }),
  };
}
