/**
 * Closes batches by count, bytes and age. The race between the next chunk and the clock lives here, so that no
 * timer is needed anywhere else on the line.
 *
 * A batch is closed between chunks only: everything that was counted up to then is in it, which is what lets a
 * statement's counters add up.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export interface BatchLimits {
  readonly events: number;
  readonly bytes: number;
  readonly ageMs: number;
  /** With nothing to say, an empty batch this often; also what carries counters of what was not released. */
  readonly heartbeatMs: number;
}

export interface Line {
  readonly line: string;
}

export interface Timer {
  now(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const realTimer: Timer = {
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    await sleep(ms, undefined, { signal, ref: false }).catch(() => {});
  },
};

export async function* inBatches<T extends Line>(
  chunks: AsyncIterable<readonly T[]>,
  limits: BatchLimits,
  timer: Timer = realTimer,
): AsyncGenerator<readonly T[]> {
  const source = chunks[Symbol.asyncIterator]();
  let open: T[] = [];
  let bytes = 0;
  let deadline = timer.now() + limits.heartbeatMs;
  let next = source.next();
  try {
    for (;;) {
      const alarm = new AbortController();
      const chunk = await Promise.race([next, timer.sleep(Math.max(0, deadline - timer.now()), alarm.signal)]);
      alarm.abort();
      if (chunk !== undefined) {
        if (chunk.done === true) break;
        if (open.length === 0 && chunk.value.length > 0) deadline = Math.min(deadline, timer.now() + limits.ageMs);
        for (const item of chunk.value) {
          open.push(item);
          bytes += item.line.length;
        }
      }
      if (open.length >= limits.events || bytes >= limits.bytes || timer.now() >= deadline) {
        yield open;
        open = [];
        bytes = 0;
        deadline = timer.now() + limits.heartbeatMs;
      }
      if (chunk !== undefined) next = source.next();
    }
    // What is open when the source ends is the last batch, empty or not: it carries the final counters.
    yield open;
  } finally {
    await source.return?.();
  }
}
