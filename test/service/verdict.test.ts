/** Verdicts on a screen, and the exit code that monitoring sees. */
import { utimesSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configurationVerdicts, exitOf, screen, worstFirst, type Verdict } from '../../service/verdict.ts';

const VERDICTS: readonly Verdict[] = [
  { state: 'well', because: 'a' },
  { state: 'act', because: 'b' },
  { state: 'look', because: 'c' },
];

test('the worst is first, and decides', () => {
  expect(worstFirst(VERDICTS).map(({ because }) => because)).toEqual(['b', 'c', 'a']);
  expect(exitOf(VERDICTS)).toBe(2);
  expect(exitOf(VERDICTS.slice(0, 1))).toBe(0);
  expect(screen([['node', 'n']], VERDICTS.slice(0, 1))).toBe('node      n\nwell      a\n');
});

test('whatever a report says, it draws nothing on a terminal', () => {
  const report = {
    file: 'x',
    since: 0,
    reloads: 0,
    refused: 1,
    waiting: [],
    problem: '\u001b]0;x\u0007größer\u202e\r\nmore',
  };
  const verdicts = configurationVerdicts('shipper', report, { file: 'x', reload: 'reload it', restart: 'restart it' });
  expect(screen([], verdicts)).toMatch(/^look {6}[^\p{Cc}\p{Cf}]*größer[^\p{Cc}\p{Cf}]*\n$/u);
});

test('a file that was changed after it was read is told, once it was', () => {
  const directory = mkdtempSync(join(tmpdir(), 'hushwatch-verdict-'));
  const file = join(directory, 'agent.yaml');
  writeFileSync(file, '');
  utimesSync(file, 1_000, 1_000);
  const ways = { file, reload: 'reload it', restart: 'restart it' };
  const report = { file, reloads: 0, refused: 0, waiting: [] };
  expect(configurationVerdicts('agent', { ...report, since: 2_000_000 }, ways)).toEqual([]);
  expect(configurationVerdicts('agent', { ...report, since: 999_000 }, ways)).toEqual([
    { state: 'look', because: `agent: ${file} was changed after it was read: reload it` },
  ]);
  expect(configurationVerdicts('agent', undefined, ways)).toEqual([]);
  rmSync(directory, { recursive: true });
});
