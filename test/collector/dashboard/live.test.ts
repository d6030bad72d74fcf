/** Who listens to what is new: let go once they may not look any more, or do not read. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Live } from '../../../collector/dashboard/live.ts';
import { alert, fakeView, type FakeView } from './fake-view.ts';

let view: FakeView;
let live: Live;
beforeEach(() => {
  vi.useFakeTimers();
  view = fakeView();
  live = new Live(view);
});
afterEach(() => {
  live.close();
  vi.useRealTimers();
});

/** Nobody reads it: what is written waits. */
const listener = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()));

test('a listener whose token is revoked hears nothing more', () => {
  const [kept, revoked] = [listener(), listener()];
  let isGood = true;
  live.add(kept, () => true);
  live.add(revoked, () => isGood);
  vi.advanceTimersByTime(60_000);
  expect([kept.writableEnded, revoked.writableEnded]).toEqual([false, false]);
  isGood = false;
  vi.advanceTimersByTime(15_000);
  expect([kept.writableEnded, revoked.writableEnded]).toEqual([false, true]);
  view.add(alert(99));
  vi.advanceTimersByTime(15_000);
  expect(kept.writableEnded).toBe(false);
});

test('what a listener does not read waits up to a megabyte, then it is let go', () => {
  const asleep = listener();
  live.add(asleep, () => true);
  for (let i = 0; i < 40 && !asleep.destroyed; i++) view.add(alert(100 + i, { title: 'x'.repeat(100_000) }));
  expect(asleep.destroyed).toBe(true);
  expect(asleep.writableLength).toBeLessThan(1_300_000);
});
