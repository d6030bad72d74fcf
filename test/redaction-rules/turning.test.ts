/** Which pseudonyms of a ruleset change, and how often, as statements name it. */
import { expect, test } from 'vitest';
import { turningOf } from '../../redaction-rules/turning.ts';
import { SHIPPED } from './shipped.ts';
import { smallRuleset, type Asked } from './small-ruleset.ts';

const top = { epoch: { length: '12h', why: 'Because.' } };
const rule = { do: 'pseudonym', scope: 'node' };
const path = (more: object = {}): NonNullable<Asked['attributes']> => ({ 'file.path': { ...rule, ...more } });

test('none where nothing is a pseudonym, none is to change, or each lasts', () => {
  expect(turningOf(smallRuleset({ top }))).toBeUndefined();
  expect(turningOf(smallRuleset({ attributes: path() }))).toBeUndefined();
  expect(turningOf(smallRuleset({ top, attributes: path({ forever: true }) }))).toBeUndefined();
});

test('the length in hours, the scopes from the fewest nodes to the most', () => {
  expect(turningOf(smallRuleset({ top, attributes: path() }))).toEqual({ hours: 12, scopes: ['node'] });
  const attributes = { ...path({ scope: 'fleet' }), 'process.user.name': rule };
  expect(turningOf(smallRuleset({ top, attributes }))).toEqual({ hours: 12, scopes: ['node', 'fleet'] });
});

test('of the rulesets that are shipped', () => {
  expect(Object.fromEntries(SHIPPED.map(({ ruleset }) => [ruleset.name, turningOf(ruleset)]))).toEqual({
    'generic-linux': { hours: 720, scopes: ['node'] },
    guestos: { hours: 168, scopes: ['node', 'cohort'] },
    hostos: { hours: 720, scopes: ['node'] },
  });
});
