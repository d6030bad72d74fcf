/** Bars over time: what is drawn and what the table says are the same numbers, and what is not there is not drawn. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bars, length, moment, type Bar } from '../../../collector/dashboard/chart.ts';

const HOUR = 3_600e6;
const AT = Date.parse('2026-11-28T10:00:00Z') * 1_000;
const at = (i: number, value: number, part?: number): Bar => ({
  ...{ time: AT + i * HOUR, value },
  ...(part === undefined ? {} : { part }),
});
const EVENTS = { unit: 'events', bucketUs: HOUR };
const heightsIn = (text: string, name: string): readonly number[] =>
  [...text.matchAll(new RegExp(`class="${name}"[^>]*?\\sheight="([\\d.]+)"`, 'g'))].map(([, height]) => Number(height));

test('nothing is drawn of nothing', () => {
  expect(bars([], EVENTS).text).toBe('');
  expect(bars([at(0, 0), at(1, 0)], EVENTS).text).toBe('');
});

test('the highest fills the height, the others in proportion, and a single event is seen', () => {
  const { text } = bars([at(0, 1_000), at(1, 500), at(2, 0), at(3, 1)], EVENTS);
  expect(heightsIn(text, 'bar')).toEqual([120, 60, 1]);
  expect(text).toContain('aria-label="events over time, at most 1,000 in 1 h"');
  expect(text).toContain('<title>2026-11-28 11:00 UTC: 500 events</title>');
  expect(text).toContain('<span>2026-11-28 14:00 UTC</span>');
});

test('a part is drawn apart and has a column of its own', () => {
  const { text } = bars([at(0, 10, 5), at(1, 10, 0)], { ...EVENTS, partName: 'suppressed' });
  expect(heightsIn(text, 'bar part')).toEqual([60]);
  expect(text).toContain('<th scope="col">suppressed</th>');
  expect(text.match(/<td>5<\/td>|<td>0<\/td>/g)).toEqual(['<td>5</td>', '<td>0</td>']);
});

test('a bar leads where its row leads, and where it leads stays an address', () => {
  const { text } = bars([at(0, 3)], { ...EVENTS, link: ({ time }) => `/events?since=${time}&q="><script>` });
  const to = `/events?since=${AT}&amp;q=&quot;&gt;&lt;script&gt;`;
  expect(text).toContain(`<a href="${to}" tabindex="-1">`);
  expect(text).toContain(`<td><a href="${to}">2026-11-28 10:00 UTC</a></td>`);
});

test('bars stay inside the picture, and each that is not empty is also a row', () => {
  const amounts = fc.array(fc.nat({ max: 1_000_000 }), { minLength: 1, maxLength: 96 });
  fc.assert(
    fc.property(amounts, (values) => {
      const { text } = bars(
        values.map((value, i) => at(i, value)),
        EVENTS,
      );
      const heights = heightsIn(text, 'bar');
      const shown = values.filter((value) => value > 0).length;
      expect(heights).toHaveLength(shown);
      expect(heights.every((height) => height >= 1 && height <= 120)).toBe(true);
      expect([...text.matchAll(/<td>\d{4}-/g)]).toHaveLength(shown);
    }),
  );
});

test('a moment is as exact as the buckets are', () => {
  expect(moment(AT, 86_400e6)).toBe('2026-11-28');
  expect(moment(AT, 60e6)).toBe('2026-11-28 10:00 UTC');
  expect(moment(AT + 5e6, 5e6)).toBe('2026-11-28 10:00:05 UTC');
  expect([5e6, 300e6, 10_800e6, 604_800e6].map(length)).toEqual(['5 s', '5 min', '3 h', '7 d']);
});
