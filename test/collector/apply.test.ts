/** What an operator asks of a collector, and what they are told: by files in a directory that is the collector's. */
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { answerTo, ask, readAnswerable, refusedWords, writeAnswer } from '../../collector/apply.ts';

let home: string;
const at = (...names: readonly string[]): string => join(home, ...names);
beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'hushwatch-apply-'))));
afterEach(() => rmSync(home, { recursive: true }));

test('a request waits until it is answered, and its answer is for it alone', () => {
  expect(readAnswerable(home)).toBeUndefined();
  const asked = ask(home, 'alex', 'Because.');
  expect([readAnswerable(home), readAnswerable(home)]).toEqual([asked, asked]);
  expect(answerTo(home, asked)).toBeUndefined();
  writeAnswer(home, asked, { problem: 'no' });
  expect(answerTo(home, asked)).toMatchObject({ problem: 'no' });
  expect(readAnswerable(home)).toBeUndefined();
  const next = ask(home, 'alex', 'Again.');
  expect([answerTo(home, next), answerTo(home, asked)]).toEqual([undefined, undefined]);
});

test.each([
  ['no JSON', '{'],
  ['nobody', JSON.stringify({ id: '1', reason: 'x' })],
  ['a name of two lines', JSON.stringify({ id: '1', who: 'a\nb', reason: 'x' })],
  ['too long', JSON.stringify({ id: '1', who: 'a', reason: 'x'.repeat(20_000) })],
  ['null', 'null'],
])('what is no request is thrown away: %s', (_, text) => {
  mkdirSync(at('apply'));
  writeFileSync(at('apply/request'), text);
  expect(readAnswerable(home)).toBeUndefined();
  expect(existsSync(at('apply/request'))).toBe(false);
});

test('no link is followed', () => {
  writeFileSync(at('precious'), 'as it was');
  mkdirSync(at('apply'));
  for (const name of ['request', 'request.new', 'answer', 'answer.new']) symlinkSync(at('precious'), at('apply', name));
  writeAnswer(home, ask(home, 'alex', 'Because.'), { changes: [] });
  expect(readFileSync(at('precious'), 'utf8')).toBe('as it was');
  rmSync(at('apply'), { recursive: true });
  mkdirSync(at('elsewhere'));
  symlinkSync(at('elsewhere'), at('apply'));
  expect(() => ask(home, 'alex', 'Because.')).toThrow('is not a directory');
});

test.skipIf(process.getuid?.() !== 0)(
  'asked by root before the collector ever ran (needs root), it is the collector that answers',
  () => {
    chownSync(home, 12_345, 12_345);
    ask(home, 'alex', 'Because.');
    expect(statSync(at('apply')).uid).toBe(12_345);
  },
);

test.each([
  ['alex', 'Because.', undefined],
  ['', 'Because.', '--by'],
  [' alex', 'Because.', '--by'],
  ['a'.repeat(65), 'Because.', '--by'],
  ['alex', '', '--reason'],
  ['alex', 'a\u0007', '--reason'],
  ['alex', 'x'.repeat(501), '--reason'],
])('%o because %o', (who, reason, problem) => {
  const found = refusedWords(who, reason);
  if (problem === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(problem);
});
