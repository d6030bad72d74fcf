/** The budget: what it shows, what it costs, and that it is computed as it is applied. */
import { expect, test } from 'vitest';
import { curveOf, describeCurve } from '../../../collector/detectors/curve.ts';
import { DAY, HOUR, type Severity, type Story } from '../../../collector/detectors/detector.ts';
import { tellAlone } from '../../../collector/detectors/stories.ts';
import { alertAbout } from '../outputs/stories.ts';
import { START } from './evidence.ts';

const story = (i: number, score: number, severity: Severity): Story => {
  const { story: told } = tellAlone(alertAbout(`n${i}-${score}`, severity));
  return { ...told, score, first: START + i * HOUR, last: START + i * HOUR };
};

const stories = [
  ...Array.from({ length: 96 }, (_, i) => story(i, 16 + (i % 5), 'medium')),
  ...[story(20, 60, 'high'), story(50, 70, 'high'), story(90, 150, 'critical'), story(91, 3, 'low')],
];
const marks = new Map<string, 'true' | 'false'>([
  ...stories.slice(96, 99).map(({ id }) => [id, 'true'] as const),
  ...stories.slice(0, 10).map(({ id }) => [id, 'false'] as const),
]);
const known = [
  { score: 48, severity: 'high' as const },
  { score: 16, severity: 'medium' as const },
  { score: 144, severity: 'critical' as const },
  { score: 4, severity: 'low' as const },
];

test('more stories a day keep more; none of those marked true is lost before those of every day', () => {
  const curve = curveOf(stories, marks, known, [1, 3, 5, 30, 0]);
  expect(curve).toMatchObject({ stories: 99, markedTrue: 3, markedFalse: 10, examples: 3 });
  expect(Math.abs(curve.days - 95 / 24)).toBeLessThan(0.01);
  expect(curve.rows.map(({ budget, markedTrue, examples }) => [budget, markedTrue, examples])).toEqual([
    ...[
      [1, 3, 2],
      [3, 3, 2],
      [5, 3, 2],
      [30, 3, 3],
      [0, 3, 3],
    ],
  ]);
  const shown = curve.rows.map((row) => row.shown);
  expect(shown).toEqual(shown.toSorted((a, b) => a - b));
  expect(curve.rows.at(-1)).toMatchObject({ shown: 99, markedFalse: 10 });
  expect(curve.rows[0]?.shownADay).toBeLessThan(3);
});

test('as a table', () => {
  const text = describeCurve(curveOf(stories, marks, known, [1, 0]));
  expect(text.split('\n').slice(0, 3)).toEqual([
    '99 stories of medium severity or above in 4.0 days (25.0 a day)',
    '',
    'budget  shown  a day  marked true  marked false  examples kept',
  ]);
  expect(describeCurve(curveOf([], new Map(), [], [1]))).toContain('0 stories of medium severity or above in 1.0 days');
  expect(DAY).toBe(24 * HOUR);
});
