/** Collected in the first minute, when it grows quiet, and every ten minutes while it stays so. */
import { afterEach, expect, test, vi } from 'vitest';
import { keepTidy } from '../../service/tidy.ts';

const before = globalThis.gc;
afterEach(() => {
  globalThis.gc = before;
});

test('at first, and each time that much is followed by little', () => {
  vi.useFakeTimers();
  let [collected, done] = [0, 0];
  globalThis.gc = Object.assign(async () => void collected++, {});
  const tidy = keepTidy(() => done, 10, 1_000);
  const minute = (work: number): number => {
    done += work;
    vi.advanceTimersByTime(1_000);
    return collected;
  };
  expect([minute(0), minute(10), minute(3)]).toEqual([1, 1, 1]);
  // Much: the heap grows, and is left alone until it is over.
  expect([minute(11), minute(12), minute(0), minute(0)]).toEqual([1, 1, 2, 2]);
  for (let more = 0; more < 7; more++) expect(minute(1)).toBe(2);
  expect([minute(10), minute(10)]).toEqual([2, 3]);
  tidy.end();
  expect(minute(99)).toBe(3);
  vi.useRealTimers();
});

test('where nothing can be collected, nothing is', () => {
  globalThis.gc = undefined;
  keepTidy(() => 0, 1, 1).end();
});
