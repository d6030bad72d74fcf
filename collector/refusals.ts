/** Refusals as alerts: one for each node, code and hour, however often the same batch comes again. */
import { alertId, HOUR, type Alert, type Severity } from './detectors/detector.ts';

/** Somebody holds two histories, or speaks with a key that is not theirs. */
const GRAVE: Readonly<Record<string, Severity>> = {
  fork: 'critical',
  'bad-signature': 'high',
  'wrong-anchor': 'high',
  'not-released': 'high',
};

/** No attack and no mistake: we are older than the node. */
const NEWER: readonly string[] = ['unknown-version', 'unknown-vocabulary'];

const TITLES: Readonly<Record<string, string>> = {
  fork: 'A node told two stories',
  'not-released': 'A node sent what its ruleset does not release',
  'wrong-anchor': 'A node began its chain anew, and not where the log ends',
  'unknown-transport-key': 'An unknown sender',
  'unknown-version': 'A node speaks a newer protocol: upgrade the collector',
  'unknown-vocabulary': 'A node speaks a newer protocol: upgrade the collector',
};

export function refusalAlert(node: string, code: string, message: string, nowUs: number): Alert {
  return {
    id: alertId('refusal', code, node, code === 'fork' ? message : String(Math.floor(nowUs / HOUR))),
    time: nowUs,
    node,
    detector: 'refusal',
    rule: code,
    title: TITLES[code] ?? 'A batch was refused',
    severity: GRAVE[code] ?? 'medium',
    reason: NEWER.includes(code)
      ? `${node} speaks a newer protocol (${code}: ${message}): upgrade the collector; until then its batches wait in its spool.`
      : `${node === '' ? 'A sender' : `A batch of ${node}`} was refused (${code}): ${message}.`,
    silencedBy: NEWER.includes(code)
      ? 'a collector that is not older than its nodes'
      : 'a batch that the collector can verify',
    attack: code === 'fork' || code === 'bad-signature' ? ['T1565.002', 'impact'] : [],
    events: [],
    entity: undefined,
    loss: 0,
  };
}
