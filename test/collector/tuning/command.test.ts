/** Options of the commands of tuning: what is misused is told as that. */
import { expect, test } from 'vitest';
import { DAY, HOUR } from '../../../collector/detectors/detector.ts';
import { Misused, parse } from '../../../collector/tuning/command.ts';
import { main } from '../../../collector/tuning/main.ts';

test('a span and a subject; that an alert was false may be said', () => {
  expect(parse(['--since', '36h'])).toMatchObject({ spanUs: 36 * HOUR, subject: undefined });
  expect(parse(['abc', '--false-positive'])).toMatchObject({ spanUs: 7 * DAY, subject: 'abc' });
});

test.each([[['--since', '7']], [['--since', 'yesterday']], [['--since', '7w']], [['a', 'b']]])(
  'misused: %o',
  (args) => {
    expect(() => parse(args)).toThrow(Misused);
  },
);

test.each([
  ['backtest', '--since', 'yesterday'],
  ['noise', '--since', '7'],
  ['explain', '--sinse', '7d'],
  ['apply', '--by', 'alex'],
  ['apply', '--reason', 'Because.'],
])('exit 2: %s %s %s', async (...args) => {
  expect(await main([...args, '--home', '/nowhere'])).toBe(2);
});
