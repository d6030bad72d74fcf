/** A suggested filter hides the false alarm, nothing wider, and never what must be found; noise is counted as it was. */
import { expect, test } from 'vitest';
import type { PlacedAlert, ReleasedRecord } from '../../../collector/detectors/detector.ts';
import { loadMapping } from '../../../collector/detectors/pack.ts';
import { compileRules } from '../../../collector/detectors/sigma/compile.ts';
import { applyFilters } from '../../../collector/detectors/sigma/filter.ts';
import { parseSigmaFile } from '../../../collector/detectors/sigma/parse.ts';
import type { SigmaFilter, SigmaRule } from '../../../collector/detectors/sigma/rule.ts';
import { describeNoise, noiseOf } from '../../../collector/tuning/noise.ts';
import { suggest } from '../../../collector/tuning/suggest.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const RULE = `title: A shell connects
id: ${ID}
status: test
description: A shell made a connection.
level: high
logsource: { product: linux, category: process_creation }
detection: { selection: { 'Image|endswith': /curl }, condition: selection }
`;
const isRule = (document: { readonly kind: string }): document is SigmaRule => document.kind === 'rule';
const isFilter = (document: { readonly kind: string }): document is SigmaFilter => document.kind === 'filter';
const [rule] = parseSigmaFile(RULE, 'rule.yml').filter(isRule);
if (rule === undefined) throw new Error('the rule is a rule');

const EVENT: ReleasedRecord = {
  event: 'process.exec',
  time: 1_790_000_000_000_000,
  'process.executable.path': '/usr/bin/curl',
  'process.parent.executable.path': '/usr/sbin/backup',
  'process.user.name': 'root',
  'process.pid': 4711,
};
const asked = { rule, event: EVENT, mustAlert: [], id: ID.replace(/1$/, '2'), author: 'operator' };

const narrowed = (filter: string): readonly SigmaRule[] =>
  applyFilters([rule], parseSigmaFile(filter, 'filter.yml').filter(isFilter));

function isFound(rules: readonly SigmaRule[], changes: object): boolean {
  const { event: name, time: _, ...attributes } = { ...EVENT, ...changes };
  return compileRules(rules, loadMapping()).match({ name, attributes }).length > 0;
}

test('the filter keeps the same quiet, and finds what differs in one attribute', () => {
  const answer = suggest(asked);
  if (!('filter' in answer)) throw new Error(answer.refused);
  const rules = narrowed(answer.filter);
  expect(isFound([rule], {})).toBe(true);
  expect(isFound(rules, {})).toBe(false);
  expect(isFound(rules, { 'process.pid': 1 })).toBe(false);
  for (const name of ['process.executable.path', 'process.parent.executable.path', 'process.user.name'])
    expect(isFound(rules, { [name]: '/opt/curl' })).toBe(true);
  expect(answer.filter).not.toContain('4711');
});

test('refused when it would hide what must be found', () => {
  const mustAlert = [{ where: 'alert 12', attributes: EVENT }];
  expect(suggest({ ...asked, mustAlert })).toEqual({ refused: expect.stringContaining('alert 12') });
  const other = [{ where: 'alert 13', attributes: { ...EVENT, 'process.user.name': 'www-data' } }];
  expect(suggest({ ...asked, mustAlert: other })).toHaveProperty('filter');
});

test('refused when too little is left to tell one event from another', () => {
  const event: ReleasedRecord = { event: 'process.exec', time: 1, 'process.executable.path': '/usr/bin/curl' };
  expect(suggest({ ...asked, event })).toHaveProperty('refused');
});

test('a rule that ran on the node gets no pseudonyms, which are not there yet', () => {
  const event = { ...EVENT, 'process.user.name': 'p-abcdefgh', 'detection.rules': [ID] };
  const answer = suggest({ ...asked, event });
  expect(JSON.stringify(answer)).not.toContain('p-abcdefgh');
  const here = suggest({ ...asked, event: { ...EVENT, 'process.user.name': 'p-abcdefgh' } });
  expect(JSON.stringify(here)).toMatch(/p-abcdefgh.*|Pseudonyms change/);
});

const alert = (rule: string, node: string, story: string): PlacedAlert => ({
  ...{ id: `${rule}${node}${story}`, time: 0, node, detector: 'sigma', rule, title: rule, severity: 'low' },
  ...{ reason: '', silencedBy: '', attack: [], events: [], entity: undefined, loss: 0, story, points: 1 },
});

test('noise: shares, days, nodes and what people said', () => {
  const alerts = [alert('a', 'n1', 's1'), alert('a', 'n1', 's2'), alert('a', 'n2', 's2'), alert('b', 'n1', 's3')];
  const [loud, quiet] = noiseOf(alerts, new Map([['s2', 'false']]), 2);
  expect(loud).toMatchObject({ rule: 'a', count: 3, share: 0.75, perDay: 1.5, marked: { true: 0, false: 1 } });
  expect(loud?.nodes[0]).toEqual({ node: 'n1', share: 2 / 3 });
  expect(quiet).toMatchObject({ rule: 'b', count: 1 });
  expect(describeNoise([loud, quiet].flatMap((row) => row ?? []))).toMatch(
    /3 +75 %.*67 % from n1; marked true 0, false 1/,
  );
  expect(describeNoise([])).toBe('nothing was said in this time\n');
});
