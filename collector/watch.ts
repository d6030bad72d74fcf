/**
 * The follower of the evidence: gives it to the detectors in the order of the log, from a cursor of its own.
 *
 * Alerts are committed as they are found. What detectors remember is committed together with the cursor, less often
 * when it is large; after a crash the steps since then are taken again and find the same alerts, which have the same
 * identifiers and are therefore there once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { unpackLines } from '#protocol/batch.ts';
import { decodeEntry } from '#protocol/entry.ts';
import type { Statement } from '#protocol/statement.ts';
import type { Detection, Found } from './detectors/detection.ts';
import { alertId, type Alert, type EvidenceBatch, type ReleasedRecord } from './detectors/detector.ts';
import { textOfState } from './saving.ts';
import type { EvidenceStore } from './evidence.ts';
import type { TransparencyLog } from './log.ts';
import type { State } from './state.ts';

const CURSOR = 'detectors';
/** Batches of one step, at most. */
const STEP_BATCHES = 64;
const TICK_MS = 1_000;
/** Nodes need time to come back before their silence means anything. */
const QUIET_AFTER_START_MS = 90_000;
/** Saving may take this share of the time. */
const SAVING_SHARE = 0.1;

export interface Watched {
  readonly log: TransparencyLog;
  readonly evidence: EvidenceStore;
  readonly state: State;
}

export interface Step {
  readonly batches: readonly EvidenceBatch[];
  /** Alerts about the evidence itself: bodies that are not there. */
  readonly alerts: readonly Alert[];
  /** When everything has been seen: the time, µs. Not set while nodes that come back cannot be told from silent ones. */
  readonly tick: number | undefined;
  /** The log says that from here on another line-up looks at the batches. Then there are none in this step. */
  readonly lineup?: string;
}

export class Follower {
  readonly #watched: Watched;
  readonly #detection: Detection;
  #position: number;
  #savedPosition: number;
  #savedAt = 0;
  #savingTook = 0;

  constructor(watched: Watched, detection: Detection) {
    this.#watched = watched;
    this.#detection = detection;
    this.#position = watched.state.cursor(CURSOR) ?? 0;
    this.#savedPosition = this.#position;
  }

  /** Evidence as it comes, and a step without any every second while none does. Ends when asked to. */
  async *steps(signal: AbortSignal): AsyncGenerator<Step> {
    const startedAt = performance.now();
    let woken = Promise.withResolvers<void>();
    const wake = (): void => woken.resolve();
    const unsubscribe = this.#watched.state.onChange((what) => what === 'batch' && wake());
    signal.addEventListener('abort', wake);
    try {
      while (!signal.aborted) {
        const step = await this.#next();
        if (step.batches.length > 0 || step.alerts.length > 0 || step.lineup !== undefined) {
          yield step;
          continue;
        }
        const isSettled = performance.now() - startedAt > QUIET_AFTER_START_MS;
        yield isSettled ? { ...step, tick: Date.now() * 1000 } : step;
        const timer = new AbortController();
        await Promise.race([woken.promise, sleep(TICK_MS, undefined, { signal: timer.signal })]).catch(() => {});
        timer.abort();
        woken = Promise.withResolvers<void>();
      }
    } finally {
      unsubscribe();
      signal.removeEventListener('abort', wake);
    }
  }

  async #next(): Promise<Step> {
    const batches: EvidenceBatch[] = [];
    const alerts: Alert[] = [];
    for await (const { index, entry } of this.#watched.log.entries(this.#position)) {
      const decoded = decodeEntry(entry);
      if (decoded.kind === 'change') {
        if (batches.length > 0) break;
        this.#position++;
        return { batches, alerts, tick: undefined, lineup: decoded.change.after };
      }
      if (decoded.kind !== 'batch') {
        this.#position++;
        continue;
      }
      const received = this.#watched.state.batch(index)?.received;
      // The index is behind the log for a moment; what it has not seen is for the next step.
      if (received === undefined) break;
      const batch = await this.#load(index, decoded.statement, received);
      this.#position++;
      batches.push(batch.evidence);
      if (batch.missing !== undefined) alerts.push(batch.missing);
      if (batches.length === STEP_BATCHES) break;
    }
    return { batches, alerts, tick: undefined };
  }

  async #load(
    logIndex: number,
    statement: Statement,
    receivedAt: number,
  ): Promise<{ readonly evidence: EvidenceBatch; readonly missing: Alert | undefined }> {
    const { node, role, cohort, sequence } = statement;
    const restart = this.#watched.state.restart(node, sequence - 1);
    const about = { node, role, cohort, sequence, logIndex, receivedAt, statement, restart };
    try {
      const body = await this.#watched.evidence.read(statement.body.sha256);
      const lines = unpackLines(body, statement.body.unpacked, statement.events);
      return { evidence: { ...about, events: lines.map(parseRecord) }, missing: undefined };
    } catch {
      // A body that is gone must not hold up those after it: it is told, and verify finds it too.
      return { evidence: { ...about, events: [] }, missing: missingEvidence(about) };
    }
  }

  /** What a step found; and, when it is time or `always`, in one transaction how far it has come and all that detectors remember. */
  async commit({ alerts, stories }: Found, always = false): Promise<void> {
    const { state } = this.#watched;
    const startedAt = performance.now();
    // Found is told at once; what is found again after a crash is there once.
    if (alerts.length + stories.length > 0) state.commitStep({ alerts, stories });
    const isDue = startedAt - this.#savedAt >= this.#savingTook / SAVING_SHARE;
    if (!(always || (isDue && this.#position > this.#savedPosition))) return;
    const detectors = new Map<string, string>();
    // Nothing is observed before this returns, so all parts are of the same place in the log.
    for (const [id, saved] of this.#detection.save()) detectors.set(id, await textOfState(saved));
    state.commitStep({ alerts: [], cursor: { name: CURSOR, position: this.#position }, detectors });
    this.#savedPosition = this.#position;
    this.#savedAt = performance.now();
    this.#savingTook = this.#savedAt - startedAt;
  }
}

export const NOTHING: Found = { alerts: [], stories: [] };

/** Everything that is found in a step, batch after batch. */
export function detect(detection: Detection, { batches, alerts, tick }: Step): Found {
  const found = batches.map((batch) => {
    const aboutIt = alerts.filter(({ events }) => events[0]?.logIndex === batch.logIndex);
    return detection.observe(batch, aboutIt);
  });
  if (tick !== undefined) found.push(detection.tick(tick));
  const stories = found.flatMap((each) => each.stories).map((story) => [story.id, story] as const);
  return { alerts: found.flatMap((each) => each.alerts), stories: [...new Map(stories).values()] };
}

/** The line was held against the released schema before it became evidence. */
export function parseRecord(line: string): ReleasedRecord {
  const record: ReleasedRecord = JSON.parse(line);
  return record;
}

const ABOUT_US = { entity: undefined, loss: 0, attack: [] } as const;

function missingEvidence(batch: Omit<EvidenceBatch, 'events'>): Alert {
  const { node, logIndex, sequence, receivedAt } = batch;
  return {
    ...ABOUT_US,
    id: alertId('evidence', 'missing', node, String(logIndex)),
    time: receivedAt,
    node,
    detector: 'evidence',
    rule: 'missing',
    title: 'Evidence is missing at the collector',
    severity: 'high',
    reason: `The body of batch ${sequence} of ${node} is in the log and no longer on the disk as it was.`,
    silencedBy: 'restoring evidence/ from a backup',
    events: [{ logIndex, line: 0 }],
  };
}
