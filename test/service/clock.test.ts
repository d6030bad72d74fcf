/** What is thought of a clock; what the service manager says is asked, not tested. */
import { expect, test } from 'vitest';
import { clockFindings, isClockSynchronized } from '../../service/clock.ts';

test.each([
  [true, 'ok'],
  [false, 'warning'],
  [undefined, 'warning'],
] as const)('%s is %s', (isSynchronized, state) => {
  expect(clockFindings(isSynchronized)).toEqual([expect.objectContaining({ topic: 'clock', state })]);
});

test('the question is answered, or not, and never throws', () => {
  expect([true, false, undefined]).toContain(isClockSynchronized());
});
