/** What came lately: a map that forgets, but never what is recent. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Recent } from '../../agent/recent.ts';

test('the last ones are there, and there is an end to how many are', () => {
  const recent = new Recent<number, string>(4);
  for (let n = 0; n < 100; n++) recent.set(n, String(n));
  const kept = Array.from({ length: 100 }, (_, n) => n).filter((n) => recent.get(n) !== undefined);
  expect(kept.slice(-4)).toEqual([96, 97, 98, 99]);
  expect(kept.length).toBeLessThanOrEqual(8);
});

test('what is asked for stays', () => {
  const recent = new Recent<string, number>(2);
  recent.set('asked', 1);
  for (let n = 0; n < 20; n++) {
    recent.set(`other ${n}`, n);
    expect(recent.get('asked')).toBe(1);
  }
});

test('it never says anything but what was said last', () => {
  const deed = fc.record({ key: fc.nat(6), value: fc.option(fc.nat(3), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 60 }), (deeds) => {
      const recent = new Recent<number, number>(3);
      const all = new Map<number, number>();
      for (const { key, value } of deeds) {
        if (value === undefined) {
          recent.delete(key);
          all.delete(key);
        } else {
          recent.set(key, value);
          all.set(key, value);
        }
        for (let asked = 0; asked <= 6; asked++) expect([undefined, all.get(asked)]).toContain(recent.get(asked));
        if (value !== undefined) expect(recent.get(key)).toBe(value);
      }
    }),
  );
});
