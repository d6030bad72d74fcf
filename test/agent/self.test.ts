/** Lives that end as asked, killed, or with the machine; rules that are others than before. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { beginLife, crashed, endLife, rulesChanged, SensorLives } from '../../agent/self.ts';
import { FIRST } from '../protocol/sample.ts';
import { herald } from './sample.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hushwatch-self-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

test('a life: begun, ended as asked, begun again', () => {
  expect(beginLife(directory, 'boot-1')).toBe('orderly');
  endLife(directory);
  expect(existsSync(join(directory, 'running'))).toBe(false);
  expect(beginLife(directory, 'boot-1')).toBe('orderly');
  // Killed.
  expect(beginLife(directory, 'boot-1')).toBe('process');
  // The machine went down.
  expect(beginLife(directory, 'boot-2')).toBe('machine');
  writeFileSync(join(directory, 'running'), '');
  expect(beginLife(directory, 'boot-2')).toBe('machine');
  endLife(directory);
  endLife(directory);
});

test('what is told of it', () => {
  expect(crashed('agent', 'orderly')).toEqual([]);
  expect(crashed('agent', 'machine')).toMatchObject([
    { name: 'hushwatch.crash', attributes: { 'hushwatch.component': 'agent', 'hushwatch.crash.scope': 'machine' } },
  ]);
});

test('a sensor that says goodbye did not crash; one that is followed without a goodbye did', () => {
  const lives = new SensorLives();
  // The agent was away, and this sensor goes on.
  expect(lives.met(false)).toEqual([]);
  expect(lives.met(false)).toEqual([]);
  expect(lives.met(true)).toMatchObject([{ attributes: { 'hushwatch.component': 'sensor' } }]);
  lives.left();
  expect(lives.met(true)).toEqual([]);
});

test('rules that are others than those of the last statement', () => {
  const last = { ...FIRST, ruleset: herald.ruleset, rulepack: herald.rulepack };
  expect(rulesChanged(undefined, herald)).toEqual([]);
  expect(rulesChanged(last, herald)).toEqual([]);
  expect(rulesChanged({ ...last, rulepack: 'f'.repeat(64) }, herald)).toMatchObject([
    {
      name: 'hushwatch.ruleset.change',
      attributes: {
        'hushwatch.rules.kind': 'rulepack',
        'hushwatch.rules.digest': herald.rulepack,
        'hushwatch.rules.previous': 'f'.repeat(64),
      },
    },
  ]);
});
