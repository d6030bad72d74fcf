/** What might be put in force: a directory, or a revision of git; what it does not hold is as it is now. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { candidateIn, inForceIn, NoCandidate, revisionIn } from '../../../collector/tuning/candidate.ts';

const NOW = 1_790_000_000_000_000;
const RULE = `title: Ran from memory
id: 00000000-0000-4000-8000-000000000001
status: test
description: A program below /dev/shm was started.
level: medium
logsource: { product: linux, category: process_creation }
detection: { one: { 'Image|startswith': /dev/shm/ }, condition: one }
`;

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-candidate-'));
  write('collector.yaml', 'detectors: { rate: { deviations: 8 } }\n');
});
afterEach(() => rmSync(home, { recursive: true }));

function write(name: string, text: string): void {
  mkdirSync(dirname(join(home, name)), { recursive: true });
  writeFileSync(join(home, name), text, { mode: 0o640 });
}

const git = (...args: readonly string[]): void =>
  void execFileSync('git', ['-C', home, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], {
    stdio: 'ignore',
  });

test('a directory of rules stands for all rules, and the knobs stay', () => {
  const now = inForceIn(home, NOW);
  write('tried/one.yml', RULE);
  const { rulepacks, tuning } = candidateIn(join(home, 'tried'), now, NOW);
  expect(rulepacks.rules.rules.map(({ title }) => title)).toEqual(['Ran from memory']);
  expect(tuning).toEqual(now.tuning);
});

test('a directory with packs/ is read as the collector reads its own', () => {
  const now = inForceIn(home, NOW);
  write('tried/packs/own/one.yml', RULE);
  const { rulepacks } = candidateIn(join(home, 'tried'), now, NOW);
  expect(rulepacks.rules.rules.length).toBe(now.rulepacks.rules.rules.length + 1);
});

test('knobs and suppressions alone leave the rules', () => {
  const now = inForceIn(home, NOW);
  write('tried/collector.yaml', 'detectors: { rate: { deviations: 9 } }\nsilence_seconds: 600\n');
  const found = candidateIn(join(home, 'tried'), now, NOW);
  expect(found).toMatchObject({ tuning: { rate: { deviations: 9 } }, silenceSeconds: 600 });
  expect(found.rulepacks).toBe(now.rulepacks);
});

test('nothing that could be tried is told', () => {
  const now = inForceIn(home, NOW);
  mkdirSync(join(home, 'empty'));
  expect(() => candidateIn(join(home, 'empty'), now, NOW)).toThrow(NoCandidate);
  expect(() => candidateIn(join(home, 'nowhere'), now, NOW)).toThrow('is not there');
});

test('a revision is what the files were then, whatever lies there now', () => {
  git('init', '--quiet');
  write('packs/own/one.yml', RULE);
  git('add', '--all');
  git('commit', '--quiet', '--message', 'one');
  write('packs/own/one.yml', RULE.replace('medium', 'high'));
  write('collector.yaml', 'detectors: {}\n');
  const now = inForceIn(home, NOW);
  const then = revisionIn(home, 'HEAD', now, NOW);
  const level = ({ rulepacks }: typeof now): unknown =>
    rulepacks.rules.rules.find(({ title }) => title === 'Ran from memory')?.level;
  expect([level(then), level(now)]).toEqual(['medium', 'high']);
  expect([then.tuning, now.tuning]).toEqual([{ rate: { deviations: 8 } }, {}]);
  for (const no of ['HEAD~9', '--output=x', 'nothing'])
    expect(() => revisionIn(home, no, now, NOW)).toThrow(NoCandidate);
});
