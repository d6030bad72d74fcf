/** How sums are read; what is refused, and in which words, is in `broken/`. */
import { expect, test } from 'vitest';
import { parseRuleset } from '../../redaction-rules/ruleset.ts';
import { holderOf, type Sum } from '../../redaction-rules/sums.ts';
import { smallRulesetText } from './small-ruleset.ts';

const KEPT = { do: 'keep' };

function read(sum: Readonly<Record<string, unknown>>): Sum {
  const size = { window: '2h', quantum: 10, scale: 20, floor: 30 };
  const text = smallRulesetText({
    attributes: {
      'process.exit.code': KEPT,
      'process.exit.signal': KEPT,
      'detection.rules': KEPT,
      'error.type': KEPT,
      'process.executable.path': { do: 'path', scope: 'node', template: 'few' },
      'process.user.name': { do: 'pseudonym', scope: 'node', keep: ['root'], reason: 'told' },
      'hushwatch.sum.name': KEPT,
      'hushwatch.sum.of': KEPT,
      'hushwatch.sum.count': { ...KEPT, reason: 'told' },
      'hushwatch.sum.duration': KEPT,
    },
    top: {
      reasons: { told: 'Because.' },
      paths: { few: { readable: ['/opt/{name}', '/var/lib/x/{rest}'] } },
      sums: { ends: { events: ['process.exit'], ...size, why: 'Because.', ...sum } },
    },
  });
  const [found] = parseRuleset(text, 'small.yaml').sums;
  if (found === undefined) throw new Error('there is one');
  return found;
}

test('a sum is what it says, sizes in microseconds and whole numbers', () => {
  const sum = read({ where: { 'process.exit.code': [0, 1] }, unless: { 'error.type': 'any' } });
  expect(sum).toMatchObject({
    name: 'ends',
    events: ['process.exit'],
    window: 7.2e9,
    quantum: 10,
    scale: 20,
    floor: 30,
  });
  expect(sum.where).toEqual(new Map([['process.exit.code', { values: new Set([0, 1]), below: [] }]]));
  expect(sum.unless).toEqual(new Map([['error.type', 'any']]));
});

test('what leaves in clear may be asked for: kept values, readable paths, directories', () => {
  const sum = read({
    where: { 'process.executable.path': ['/opt/tool', '/var/lib/x/{rest}'] },
    unless: { 'process.user.name': ['root'] },
  });
  const takes = (attributes: Readonly<Record<string, unknown>>): boolean =>
    holderOf([sum])('process.exit', attributes) !== undefined;
  expect(takes({ 'process.executable.path': '/opt/tool' })).toBe(true);
  expect(takes({ 'process.executable.path': '/var/lib/x/a/b' })).toBe(true);
  expect(takes({ 'process.executable.path': '/var/lib/x' })).toBe(false);
  expect(takes({ 'process.executable.path': '/var/lib/xyz' })).toBe(false);
  expect(takes({ 'process.executable.path': '/opt/tool2' })).toBe(false);
  expect(takes({ 'process.executable.path': '/opt/tool', 'process.user.name': 'root' })).toBe(false);
  expect(takes({})).toBe(false);
});

test('what does not leave in clear may not', () => {
  for (const where of [
    { 'process.executable.path': ['/home/alex/x'] },
    { 'process.executable.path': ['/srv/{rest}'] },
    { 'process.user.name': ['alex'] },
    { 'process.lifetime': 'any' },
  ])
    expect(() => read({ where }), JSON.stringify(where)).toThrow(/in clear; ask for what leaves|not a value of/);
});
