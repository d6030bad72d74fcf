/**
 * Closes batches by count, bytes and age. The race between the next chunk and the clock lives here, so that no
 * timer is needed anywhere else on the line.
 *
 * One body is used again and again: what is yielded is good until the next is asked for. A batch is closed between
 * chunks only: everything that was counted up to then is in it, which is what lets a statement's counters add up.
 */
import type { ReleasedEvent } from '../redaction-rules/compile.ts';
import { Body } from './body.ts';

export interface BatchLimits {
  readonly events: number;
  readonly bytes: number;
  /** At most so old; see {@link HASTE}. */
  readonly ageMs: number;
  /** With nothing to say, an empty batch this often; also what carries counters of what was not released. */
  readonly heartbeatMs: number;
}

/**
 * What comes after a pause, or what a rule matched, waits for a sixth of the age only. So whoever watches hears at once of what is
 * rare, and a machine on which something always happens a little pays for one batch each age, not for six.
 */
const HASTE = 6;

export interface Alarm {
  /** Resolves when the time has come. */
  readonly rings: Promise<undefined>;
  cancel(): void;
}

export interface Timer {
  now(): number;
  alarm(ms: number): Alarm;
}

export const realTimer: Timer = {
  now: () => performance.now(),
  alarm: (ms) => {
    let timeout: NodeJS.Timeout | undefined;
    const rings = new Promise<undefined>((settle) => (timeout = setTimeout(() => settle(undefined), ms)));
    return { rings, cancel: () => clearTimeout(timeout) };
  },
};

export async function* inBatches(
  chunks: AsyncIterable<readonly ReleasedEvent[]>,
  limits: BatchLimits,
  timer: Timer = realTimer,
): AsyncGenerator<Body> {
  const source = chunks[Symbol.asyncIterator]();
  const open = new Body();
  let deadline = timer.now() + limits.heartbeatMs;
  let closed = Number.NEGATIVE_INFINITY;
  const due = (chunk: readonly ReleasedEvent[]): number => {
    const soon = timer.now() + limits.ageMs / HASTE;
    if (chunk.some(({ matched }) => matched)) return soon;
    return open.lines === 0 && chunk.length > 0 ? Math.max(soon, closed + limits.ageMs) : deadline;
  };
  let next = source.next();
  try {
    for (;;) {
      const alarm = timer.alarm(Math.max(0, deadline - timer.now()));
      const chunk = await Promise.race([next, alarm.rings]);
      alarm.cancel();
      if (chunk !== undefined) {
        if (chunk.done === true) break;
        deadline = Math.min(deadline, due(chunk.value));
        for (const event of chunk.value) open.add(event);
      }
      if (open.lines >= limits.events || open.bytes >= limits.bytes || timer.now() >= deadline) {
        yield open;
        open.clear();
        closed = timer.now();
        deadline = closed + limits.heartbeatMs;
      }
      if (chunk !== undefined) next = source.next();
    }
    // What is open when the source ends is the last batch, empty or not: it carries the final counters.
    yield open;
  } finally {
    // Not awaited: a source that waits for its next event would hold up whoever wants to stop.
    void source.return?.();
  }
}
