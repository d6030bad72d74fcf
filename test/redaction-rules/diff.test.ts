/** What a change of rules means, in words: every kind of change, and that nothing is said where nothing changed. */
import { describe, expect, test } from 'vitest';
import type { AttributeName } from '#protocol/vocabulary.ts';
import { diffRulesets } from '../../redaction-rules/diff.ts';
import type { DiffRow } from '../../redaction-rules/difference.ts';
import { SHIPPED } from './shipped.ts';
import { smallRuleset, type Asked } from './small-ruleset.ts';

type Rules = NonNullable<Asked['attributes']>;
const TOP = {
  reasons: { tried: 'In this test.' },
  paths: { few: { readable: ['/usr/bin/{name}'] }, many: { readable: ['/usr/bin/{name}', '/etc/{name}'] } },
};
/** Only what a test needs, so that no name stands unused. */
const only = (rules: Rules): Asked['top'] => {
  const text = JSON.stringify(rules);
  const paths = Object.fromEntries(Object.entries(TOP.paths).filter(([name]) => text.includes(`"${name}"`)));
  return {
    ...(text.includes('tried') ? { reasons: TOP.reasons } : {}),
    ...(Object.keys(paths).length > 0 ? { paths } : {}),
  };
};
const changes = (before: Rules, after: Rules, epochs: readonly [object?, object?] = []): readonly DiffRow[] => {
  const [was, is] = [before, after].map((rules, at) =>
    smallRuleset({ attributes: rules, top: { ...only(rules), ...epochs[at] } }),
  );
  if (was === undefined || is === undefined) throw new Error('two rulesets were asked for');
  return diffRulesets(was, is);
};
const brief = (rows: readonly DiffRow[]): readonly string[] => rows.map((row) => `${row.change}: ${row.what}`);

interface Row {
  readonly name: string;
  readonly attribute: AttributeName;
  readonly before: Readonly<Record<string, unknown>>;
  readonly after: Readonly<Record<string, unknown>>;
  readonly out: readonly string[];
}

const keep = { do: 'keep', reason: 'tried' };
const pseudonym = { do: 'pseudonym', scope: 'node' };
const round = (quantum: number): Row['after'] => ({ do: 'round', quantum, reason: 'tried' });
const path = (template: string): Row['after'] => ({ do: 'path', scope: 'node', template });

const ROWS: readonly Row[] = [
  {
    name: 'the same',
    attribute: 'process.user.name',
    before: keep,
    after: keep,
    out: [],
  },
  {
    name: 'dropped, now kept',
    attribute: 'process.user.name',
    before: { do: 'drop' },
    after: keep,
    out: ['newly leaves: as it is'],
  },
  {
    name: 'kept, now dropped',
    attribute: 'process.user.name',
    before: keep,
    after: { do: 'drop' },
    out: ['no longer leaves: was: as it is'],
  },
  {
    name: 'a pseudonym, now kept',
    attribute: 'process.user.name',
    before: pseudonym,
    after: keep,
    out: ['more precise: pseudonym, this node only, for ever -> as it is'],
  },
  {
    name: 'kept, now a pseudonym',
    attribute: 'process.user.name',
    before: keep,
    after: pseudonym,
    out: ['less precise: as it is -> pseudonym, this node only, for ever'],
  },
  {
    name: 'scope widened',
    attribute: 'process.user.name',
    before: pseudonym,
    after: { do: 'pseudonym', scope: 'fleet' },
    out: ['joins more: joins across all nodes now; was on one node'],
  },
  {
    name: 'scope narrowed',
    attribute: 'process.user.name',
    before: { do: 'pseudonym', scope: 'cohort' },
    after: pseudonym,
    out: ['joins less: joins on one node now; was across a cohort'],
  },
  {
    name: 'a value kept',
    attribute: 'process.user.name',
    before: pseudonym,
    after: { ...pseudonym, keep: ['root'], reason: 'tried' },
    out: ['more precise: kept as they are: +root'],
  },
  {
    name: 'a shorter pseudonym',
    attribute: 'process.user.name',
    before: { ...pseudonym, length: 16 },
    after: { ...pseudonym, length: 8 },
    out: ['less precise: letters of the pseudonym: 16 -> 8'],
  },
  {
    name: 'rounded finer',
    attribute: 'process.lifetime',
    before: round(1),
    after: round(0.1),
    out: ['more precise: quantum: 1 -> 0.1'],
  },
  {
    name: 'a template widened',
    attribute: 'file.path',
    before: path('few'),
    after: path('many'),
    out: ['more precise: readable paths: +/etc/{name}'],
  },
  {
    name: 'neither more nor less',
    attribute: 'process.user.name',
    before: { ...pseudonym, keep: ['root'], reason: 'tried' },
    after: { ...pseudonym, keep: ['daemon'], reason: 'tried' },
    out: ['told differently: kept as they are: +daemon -root'],
  },
];

describe('one change', () => {
  for (const row of ROWS) {
    test(row.name, () => {
      expect(brief(changes({ [row.attribute]: row.before }, { [row.attribute]: row.after }))).toEqual(row.out);
    });
  }
});

test('an epoch that grows lets pseudonyms be joined longer', () => {
  const epoch = (length: string): object => ({ epoch: { length, why: 'Because.' } });
  const rules = { 'process.user.name': pseudonym };
  expect(brief(changes(rules, rules, [epoch('1d'), epoch('30d')]))).toEqual([
    'joins more: the same value keeps its pseudonym longer',
  ]);
  expect(brief(changes(rules, rules, [{}, epoch('30d')]))).toEqual(['joins less: pseudonyms change sooner']);
});

test('two attributes that come to share a domain can be joined, and the one that changed says so', () => {
  const apart = {
    'process.user.name': { ...pseudonym, domain: 'a' },
    'file.owner.name': { ...pseudonym, domain: 'b' },
  };
  const together = {
    'process.user.name': { ...pseudonym, domain: 'a' },
    'file.owner.name': { ...pseudonym, domain: 'a' },
  };
  expect(changes(apart, together)).toMatchObject([
    { attribute: 'file.owner.name', change: 'joins more', what: 'joins with process.user.name now' },
  ]);
  expect(changes(together, apart)).toMatchObject([
    { attribute: 'file.owner.name', change: 'joins less', what: 'no longer joins with process.user.name' },
  ]);
});

test('what newly leaves says what it joins with; its partners, whose rules are as they were, say nothing', () => {
  const one = { 'process.user.name': { ...pseudonym, domain: 'a' } };
  const both = { ...one, 'file.owner.name': { ...pseudonym, domain: 'a' } };
  expect(changes(one, both)).toMatchObject([
    {
      attribute: 'file.owner.name',
      change: 'newly leaves',
      what: expect.stringMatching(/; joins with process\.user\.name$/),
    },
  ]);
  expect(changes(both, one)).toMatchObject([{ attribute: 'file.owner.name', change: 'no longer leaves' }]);
});

test('a row shows one value before and after, and every event that it concerns', () => {
  const [row] = changes({ 'process.exit.code': { do: 'drop' } }, { 'process.exit.code': { do: 'keep' } });
  expect(row).toMatchObject({ events: ['process.exit'], example: { in: 0, after: 0 } });
  expect(row?.example.before).toBeUndefined();
});

for (const { ruleset } of SHIPPED) {
  test(`${ruleset.name} does not differ from itself`, () => {
    expect(diffRulesets(ruleset, ruleset)).toEqual([]);
  });
}
