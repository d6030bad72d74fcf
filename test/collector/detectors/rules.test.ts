/** The starter pack: every rule matches what its examples say, none is loud on an ordinary machine. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseExamples } from '../../../collector/detectors/examples.ts';
import { loadPack, STARTER_PACK } from '../../../collector/detectors/pack.ts';
import { compileRules } from '../../../collector/detectors/sigma/compile.ts';
import { planRules } from '../../../collector/detectors/sigma/plan.ts';
import { LEVELS } from '../../../collector/detectors/sigma/rule.ts';

const pack = loadPack(STARTER_PACK);
const whole = compileRules(pack.rules, pack.mapping);

const read = (name: string): ReturnType<typeof parseExamples> =>
  parseExamples(readFileSync(join(STARTER_PACK, 'tests', name), 'utf8'), name);

const shown = (example: { readonly file: string; readonly line: number }): string => `${example.file}:${example.line}`;

test('there are rules enough, and none without examples', () => {
  expect(pack.rules.length).toBeGreaterThanOrEqual(30);
  const expected = [...pack.rules.map(({ file }) => file.replace('.yml', '.yaml')), 'ordinary.yaml'].toSorted();
  expect(readdirSync(join(STARTER_PACK, 'tests')).toSorted()).toEqual(expected);
});

describe.each(pack.rules.map((rule) => ({ file: rule.file, rule })))('$file', ({ rule }) => {
  const { match, quiet } = read(rule.file.replace('.yml', '.yaml'));
  const alone = compileRules([rule], pack.mapping);

  test('matches and keeps quiet as its examples say, alone and in the pack', () => {
    expect(match.length).toBeGreaterThan(0);
    expect(quiet.length).toBeGreaterThan(0);
    expect(match.filter((example) => alone.match(example).length === 0).map(shown)).toEqual([]);
    expect(match.filter((example) => !whole.match(example).includes(rule.id)).map(shown)).toEqual([]);
    expect(quiet.filter((example) => alone.match(example).length > 0).map(shown)).toEqual([]);
  });

  test('says why, what is known to be harmless, and which technique', () => {
    expect(rule.description).toMatch(/^[\p{L}/].*\.$/u);
    expect(rule.falsepositives.length).toBeGreaterThan(0);
    expect(rule.tags.some((tag) => /^attack\.t\d{4}(\.\d{3})?$/.test(tag))).toBe(true);
  });
});

test('every rule runs somewhere, in all its branches', () => {
  const plan = planRules(pack.rules, pack.mapping, new Set());
  expect(plan.filter(({ runs, why }) => runs !== 'node' || why.includes('without')).map(({ why }) => why)).toEqual([]);
});

test('an ordinary day is quiet', () => {
  const levels = new Map(pack.rules.map((rule) => [rule.id, rule]));
  const loud = read('ordinary.yaml').quiet.flatMap((example) =>
    whole
      .match(example)
      .flatMap((id) => levels.get(id) ?? [])
      .filter(({ level }) => LEVELS.indexOf(level) >= LEVELS.indexOf('medium'))
      .map(({ file }) => `${file} on ${shown(example)}`),
  );
  expect(loud).toEqual([]);
});

test('twelve thousand harmless command lines: fewer than one in 300 matches at medium or above', () => {
  const commands = new URL('../../../../shared/data/commands/nl2bash.cm', import.meta.url);
  const levels = new Map(pack.rules.map((rule) => [rule.id, rule.level]));
  const lines = readFileSync(commands, 'utf8').split('\n').filter(Boolean);
  const loud = lines.filter((line) => {
    const words = line.split(/\s+/);
    const attributes = { 'process.executable.path': `/usr/bin/${words[0] ?? ''}`, 'process.command_args': words };
    return whole
      .match({ name: 'process.exec', attributes })
      .some((id) => !['low', 'informational'].includes(levels.get(id) ?? ''));
  });
  expect(lines.length).toBeGreaterThan(12_000);
  expect(loud.length).toBeLessThan(lines.length / 300);
});

test('the digest names the pack', () => {
  expect(pack.digest).toMatch(/^[0-9a-f]{64}$/);
  expect(loadPack(STARTER_PACK).digest).toBe(pack.digest);
});
