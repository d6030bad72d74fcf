/**
 * What another pack of rules, or other knobs, would have made of the evidence that is there: both are run over the same batches, from the
 * beginning of the log, so that baselines know what they would know; only what they say after `sinceUs` counts.
 *
 * Rules that read what does not leave ran on the nodes. Their matches are in the evidence as the pack of that time had
 * them, so such a rule cannot be tried here once it is changed: it is named.
 */
import type { Detection } from '../detectors/detection.ts';
import type { EvidenceBatch, PlacedAlert, Severity, Story } from '../detectors/detector.ts';
import type { Replayed } from './replay.ts';

/** What one side made of it. */
export interface Side {
  readonly alerts: ReadonlyMap<string, PlacedAlert>;
  readonly stories: ReadonlyMap<string, Story>;
  /** Spent in detection. */
  readonly milliseconds: number;
}

export interface Moved {
  readonly alert: PlacedAlert;
  readonly from: Severity;
}

export interface Backtest {
  readonly batches: number;
  readonly events: number;
  /** Bodies that are no longer there. */
  readonly missing: number;
  /** In all, reading included. */
  readonly milliseconds: number;
  readonly now: Side;
  readonly candidate: Side;
  readonly gained: readonly PlacedAlert[];
  readonly lost: readonly PlacedAlert[];
  /** Of another severity. */
  readonly moved: readonly Moved[];
}

export interface BacktestOptions {
  readonly evidence: Iterable<Replayed>;
  readonly now: Detection;
  readonly candidate: Detection;
  readonly sinceUs: number;
  readonly onProgress?: ((done: number, events: number) => void) | undefined;
}

export function backtest({ evidence, now, candidate, sinceUs, onProgress }: BacktestOptions): Backtest {
  const startedAt = performance.now();
  const sides = [new Running(now, sinceUs), new Running(candidate, sinceUs)] as const;
  let [batches, events, missing] = [0, 0, 0];
  for (const { batch, done } of evidence) {
    if (batch === undefined) missing++;
    else {
      for (const side of sides) side.observe(batch);
      batches++;
      events += batch.events.length;
    }
    onProgress?.(done, events);
  }
  const [before, after] = sides;
  const missingIn = (one: Side, other: Side): readonly PlacedAlert[] =>
    [...one.alerts.values()].filter(({ id }) => !other.alerts.has(id));
  const moved = [...after.alerts.values()].flatMap((alert) => {
    const from = before.alerts.get(alert.id)?.severity;
    return from === undefined || from === alert.severity ? [] : [{ alert, from }];
  });
  const compared = { gained: missingIn(after, before), lost: missingIn(before, after), moved };
  const milliseconds = performance.now() - startedAt;
  return { batches, events, missing, milliseconds, now: before, candidate: after, ...compared };
}

class Running implements Side {
  readonly alerts = new Map<string, PlacedAlert>();
  readonly stories = new Map<string, Story>();
  milliseconds = 0;
  readonly #detection: Detection;
  readonly #sinceUs: number;

  constructor(detection: Detection, sinceUs: number) {
    this.#detection = detection;
    this.#sinceUs = sinceUs;
  }

  observe(batch: EvidenceBatch): void {
    const startedAt = performance.now();
    const { alerts, stories } = this.#detection.observe(batch);
    this.milliseconds += performance.now() - startedAt;
    if (batch.receivedAt < this.#sinceUs) return;
    // The first of an id counts, as in the collector's own state.
    for (const alert of alerts)
      if (alert.suppressedBy === undefined && !this.alerts.has(alert.id)) this.alerts.set(alert.id, alert);
    for (const story of stories) this.stories.set(story.id, story);
  }
}

const SHOWN = 20;

/** For people. */
export function describeBacktest(result: Backtest, untried: readonly string[]): string {
  const { batches, events, missing, milliseconds, now, candidate, gained, lost, moved } = result;
  const shown = ({ stories }: Side): number => [...stories.values()].filter((story) => story.shown).length;
  const cost = ({ milliseconds }: Side): string => (events === 0 ? '-' : ((milliseconds * 1_000) / events).toFixed(1));
  const row = (name: string, of: (side: Side) => string | number): string =>
    `${name.padEnd(18)}${String(of(now)).padStart(10)}${String(of(candidate)).padStart(12)}\n`;
  const told = (alert: PlacedAlert, more = ''): string =>
    `  ${new Date(alert.time / 1_000).toISOString()} ${alert.severity}${more} ${alert.node}: ${alert.reason}\n`;
  const list = (title: string, lines: readonly string[]): string =>
    lines.length === 0
      ? ''
      : `\n${title}: ${lines.length}\n${lines.slice(0, SHOWN).join('')}${lines.length > SHOWN ? `  … and ${lines.length - SHOWN} more; --json has all\n` : ''}`;
  return [
    `${batches} batches, ${events} events${missing > 0 ? `; ${missing} bodies are no longer there` : ''}\n\n`,
    `${''.padEnd(18)}${'now'.padStart(10)}${'with this'.padStart(12)}\n`,
    row('alerts', ({ alerts }) => alerts.size),
    row('stories shown', shown),
    row('seconds', (side) => (side.milliseconds / 1_000).toFixed(1)),
    row('µs an event', cost),
    `${(milliseconds / 1_000).toFixed(1)} s in all, ${Math.round((events / Math.max(milliseconds, 1)) * 1_000)} events a second\n`,
    list(
      'Gained',
      gained.map((alert) => told(alert)),
    ),
    list(
      'Lost',
      lost.map((alert) => told(alert)),
    ),
    list(
      'Moved',
      moved.map(({ alert, from }) => told(alert, `, was ${from},`)),
    ),
    list(
      'Run on nodes and differ; evidence cannot tell what they would find',
      untried.map((rule) => `  ${rule}\n`),
    ),
  ].join('');
}
