/** What a rule can tell of what it reads: worked examples, and a property held against the matcher itself. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { oracleOf, totalsOf, type Exposed, type Told } from '../../../collector/detectors/oracle.ts';
import { loadMapping, loadPack, STARTER_PACK } from '../../../collector/detectors/pack.ts';
import { compileRules } from '../../../collector/detectors/sigma/compile.ts';
import { clearOf, planRules } from '../../../collector/detectors/sigma/plan.ts';
import { parseSigmaRule } from '../../../collector/detectors/sigma/parse.ts';

const MAPPING = loadMapping();
const NOTHING: readonly Exposed[] = [];

const ruleOf = (detection: object): ReturnType<typeof parseSigmaRule> =>
  parseSigmaRule(
    JSON.stringify({ title: 'A rule', logsource: { product: 'linux', category: 'file.open' }, detection }),
    'rule.yml',
  );

function told(detection: object, attribute = 'file.path'): { onMatch?: string; onSilence?: string } {
  const [row] = oracleOf(planRules([ruleOf(detection)], MAPPING, clearOf(NOTHING)), NOTHING);
  const found = row?.hidden.find((one) => one.attribute === attribute);
  const words = (what: Told | undefined): string | undefined =>
    what &&
    `${what.alternatives.map(({ how, text }) => `${how} ${text}`).join(' | ')}${what.openBits === undefined ? '' : `; ${what.openBits}`}`;
  const [onMatch, onSilence] = [words(found?.onMatch), words(found?.onSilence)];
  return { ...(onMatch === undefined ? {} : { onMatch }), ...(onSilence === undefined ? {} : { onSilence }) };
}

describe('one rule', () => {
  test('that asks for one value says it outright', () => {
    expect(told({ a: { 'file.path': '/a' }, condition: 'a' })).toEqual({ onMatch: 'value /a; 0' });
  });
  test('that asks for four leaves two bits open', () => {
    expect(told({ a: { 'file.path': ['/a', '/b', '/c', '/d'] }, condition: 'a' }).onMatch).toMatch(/; 2$/);
  });
  test('that denies says it by its silence', () => {
    expect(told({ a: { 'file.path': '/a' }, condition: 'not a' })).toEqual({ onSilence: 'value /a; 0' });
  });
  test('a filter does not say which of the others it was', () => {
    const detection = { a: { 'file.path|startswith': '/a' }, f: { 'file.path': '/a/x' }, condition: 'a and not f' };
    expect(told(detection)).toEqual({ onMatch: 'beginning /a*' });
  });
  test('of two things that are both true the closer counts', () => {
    const detection = { a: { 'file.path|startswith': '/', 'file.path|endswith': '/.ssh/rc' }, condition: 'a' };
    expect(told(detection)).toEqual({ onMatch: 'end */.ssh/rc' });
  });
  test('another way to match, without the attribute, says nothing of it', () => {
    const detection = { a: { 'file.path': '/a' }, b: { 'process.executable.path': '/b' }, condition: 'a or b' };
    expect(told(detection)).toEqual({});
    expect(told({ ...detection, condition: 'a and b' })).toEqual({ onMatch: 'value /a; 0' });
  });
  test('that asks whether there is a value', () => {
    expect(told({ a: { 'error.type': null }, condition: 'a' }, 'error.type')).toEqual({
      onMatch: 'presence absent',
      onSilence: 'presence present',
    });
  });
});

test('what leaves in clear is nothing that a rule could tell', () => {
  const rows = [{ event: 'file.open', attribute: 'file.path', leaves: true, do: 'keep', summary: 'as it is' }];
  const plan = planRules([ruleOf({ a: { 'file.path': '/a' }, condition: 'a' })], MAPPING, clearOf(rows));
  expect(oracleOf(plan, rows)).toEqual([]);
  expect(totalsOf(plan)).toEqual([]);
});

/** Conditions over two attributes and few values, so that every event there is can be tried. */
const VALUES = ['/a', '/b', '/ab'] as const;
const detection = fc
  .record({
    a: fc.record({ 'file.path': fc.subarray([...VALUES], { minLength: 1 }) }),
    b: fc.record({ 'file.path|startswith': fc.constantFrom('/a', '/b') }),
    c: fc.record({ 'process.executable.path': fc.subarray([...VALUES], { minLength: 1 }) }),
  })
  .chain((selections) =>
    fc
      .constantFrom(
        'a',
        'not a',
        'a or c',
        'a and c',
        'not (a or c)',
        'not (a and c)',
        '2 of them',
        'a and not b',
        'b or not c',
      )
      .map((condition) => ({ ...selections, condition })),
  );

test('no event that matched has a value which the rule was said to exclude, and the same for silence', () => {
  fc.assert(
    fc.property(detection, (one) => {
      const rule = ruleOf(one);
      const [row] = oracleOf(planRules([rule], MAPPING, clearOf(NOTHING)), NOTHING);
      const matcher = compileRules([rule], MAPPING);
      const path = row?.hidden.find(({ attribute }) => attribute === 'file.path');
      for (const file of VALUES) {
        for (const program of VALUES) {
          const attributes = { 'file.path': file, 'process.executable.path': program };
          const said = matcher.match({ name: 'file.open', attributes }).length > 0 ? path?.onMatch : path?.onSilence;
          if (said === undefined) continue;
          const fits = said.alternatives.some(({ how, text }) =>
            how === 'value' ? file === text : file.startsWith(text.replace('*', '')),
          );
          expect(fits, JSON.stringify({ one, file, program })).toBe(true);
        }
      }
    }),
  );
});

test('the pack that comes along: every rule on nodes has a row, those that say a value outright come first', () => {
  const { rules, mapping } = loadPack(STARTER_PACK);
  const plan = planRules(rules, mapping, clearOf(NOTHING));
  const rows = oracleOf(plan, NOTHING);
  expect(new Set(rows.map(({ file }) => file)).size).toBe(plan.filter(({ runs }) => runs === 'node').length);
  expect(rows[0]?.hidden[0]?.onMatch?.openBits).toBe(0);
  expect(totalsOf(plan)[0]).toMatchObject({ event: 'process.exec' });
});
