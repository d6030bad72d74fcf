/** The line-up: everything that detects has a name and a value, and another value exactly when it is another thing. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { changesBetween, formatLineup, parseLineup } from '#protocol/change.ts';
import { lineupOf, nameOf, readInForce, type InForce } from '../../collector/in-force.ts';

const NOW = 1_790_000_000_000_000;
let home: string;
let now: InForce;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-lineup-'));
  mkdirSync(join(home, 'packs'));
  writeFileSync(join(home, 'collector.yaml'), 'detectors: {}\n', { mode: 0o640 });
  now = readInForce(join(home, 'collector.yaml'), NOW);
});
afterAll(() => rmSync(home, { recursive: true }));

const changed = (after: InForce, at = NOW): readonly string[] =>
  changesBetween(lineupOf(now, NOW), lineupOf(after, at)).map(({ how, kind, name }) => `${how} ${kind} ${name}`);

test('every rule, correlation and knob is in it, set or not', () => {
  const names = [...lineupOf(now, NOW).keys()];
  const { rules, correlations } = now.rulepacks.rules;
  for (const { id } of rules) expect(names).toContain(`rule ${id}`);
  for (const { id } of correlations) expect(names).toContain(`correlation ${id}`);
  expect(names).toEqual(
    expect.arrayContaining(['mapping fields', 'knob rate.deviations', 'knob silence.silence_seconds']),
  );
  expect(parseLineup(formatLineup(lineupOf(now, NOW)))).toEqual(
    new Map([...lineupOf(now, NOW)].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  );
});

test('the same files read twice are the same; where a rule stands does not matter, a word of it does', () => {
  expect(changed(readInForce(join(home, 'collector.yaml'), NOW))).toEqual([]);
  const { rules } = now.rulepacks;
  const [first, ...rest] = rules.rules;
  if (first === undefined) throw new Error('there are rules');
  const other = (rule: typeof first): InForce => ({
    ...now,
    rulepacks: { rules: { ...rules, rules: [rule, ...rest] } },
  });
  expect(changed(other({ ...first, file: 'moved.yml', line: 99 }))).toEqual([]);
  expect(changed(other({ ...first, title: 'Another' }))).toEqual([`changed rule ${first.id}`]);
  expect(changed({ ...now, tuning: { rate: { deviations: 6 } } })).toEqual([]);
  expect(changed({ ...now, tuning: { rate: { deviations: 7 } } })).toEqual(['changed knob rate.deviations']);
});

test('a suppression is in it until its day, under one word', () => {
  const one = {
    ...{ id: 'the backup, nightly', owner: 'a', reason: 'b', expires: NOW + 5 },
    ...{ detector: 'sigma', rule: undefined, node: undefined, program: undefined },
  };
  const with_ = { ...now, suppressions: [one] };
  expect(changed(with_)).toEqual(['added suppression the%20backup%2C%20nightly']);
  expect(changed(with_, NOW + 5)).toEqual([]);
  expect(nameOf({ id: 'ü'.repeat(100) })).toMatch(/^sha256:[0-9a-f]{64}$/);
});
