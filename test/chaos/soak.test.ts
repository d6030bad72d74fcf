/** A minute of the soak, as `npm run soak` does it for ten: a stress mix, every process killed, nothing unaccounted for. */
import { describe, expect, test } from 'vitest';
import { slope, soak, VICTIMS } from '../bench/soak.ts';
import { isRoot, WHY_SKIPPED } from '../e2e/stack.ts';

/** Megabytes that no part should ever need. */
const MOST = { sensor: 40, agent: 260, shipper: 160, collector: 600 } as const;

test('a slope is what it is', () => {
  expect(
    slope([
      [0, 10],
      [1, 12],
      [2, 14],
    ]),
  ).toBeCloseTo(2);
  expect(slope([[0, 10]])).toBe(0);
});

describe.skipIf(!isRoot)(`a short soak${WHY_SKIPPED}`, () => {
  test('conservation is exact, memory bounded', { timeout: 300_000 }, async () => {
    const report = await soak(60, 18_490, () => {});
    expect(report.verification).not.toBe('');
    expect(report).toMatchObject({ verified: true, unaccounted: [] });
    expect(report.released).toBeGreaterThan(1_000);
    for (const victim of VICTIMS) {
      expect(report.killed[victim], victim).toBeGreaterThan(1);
      expect(report.memory[victim].most, victim).toBeLessThan(MOST[victim]);
    }
  });
});
