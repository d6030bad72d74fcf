/** Every construct of the rule language, each with an event it matches and one it does not. */
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, test } from 'vitest';
import type { Value } from '#protocol/vocabulary.ts';
import { bindRule } from '../../../../collector/detectors/sigma/bind.ts';
import { compileBound, compileRules } from '../../../../collector/detectors/sigma/compile.ts';
import { SigmaError } from '../../../../collector/detectors/sigma/error.ts';
import { GENERIC, parseMapping, type Mapping } from '../../../../collector/detectors/sigma/mapping.ts';
import { applyFilters } from '../../../../collector/detectors/sigma/filter.ts';
import { parseSigmaFile, parseSigmaRule } from '../../../../collector/detectors/sigma/parse.ts';
import { loadMapping } from '../../../../collector/detectors/pack.ts';
import { planRules } from '../../../../collector/detectors/sigma/plan.ts';
import { planCorrelations } from '../../../../collector/detectors/sigma/plan-correlation.ts';
import { compileRegex, problemOf } from '../../../../collector/detectors/sigma/regex.ts';

type Attributes = { readonly [name: string]: Value | null };

const HEAD = 'title: T\nlogsource: { product: any }\n';

const ruleOf = (detection: string, condition = 'selection'): ReturnType<typeof parseSigmaRule> =>
  parseSigmaRule(`${HEAD}detection:\n${detection.replaceAll(/^/gm, '  ')}\n  condition: ${condition}\n`, 'test.yml');

const matches = (
  rule: ReturnType<typeof parseSigmaRule>,
  attributes: Attributes,
  mapping: Mapping = GENERIC,
): boolean => compileRules([rule], mapping).match({ name: 'any', attributes }).length > 0;

interface Row {
  readonly name: string;
  readonly detection: string;
  readonly condition?: string;
  readonly yes: readonly Attributes[];
  readonly no: readonly Attributes[];
}

const values: readonly Row[] = [
  {
    name: 'text, any case',
    detection: 'selection: { a: FooBar }',
    yes: [{ a: 'foobar' }, { a: 'FOOBAR' }],
    no: [{ a: 'foobarx' }, { b: 'foobar' }, {}],
  },
  { name: 'a list is one of', detection: 'selection: { a: [x, y] }', yes: [{ a: 'x' }, { a: 'Y' }], no: [{ a: 'z' }] },
  {
    name: 'a map is all of',
    detection: 'selection: { a: x, b: y }',
    yes: [{ a: 'x', b: 'y' }],
    no: [{ a: 'x' }, { b: 'y' }],
  },
  {
    name: 'a list of maps is one of',
    detection: 'selection: [{ a: x }, { b: y }]',
    yes: [{ a: 'x' }, { b: 'y' }],
    no: [{ a: 'y', b: 'x' }],
  },
  {
    name: 'number',
    detection: 'selection: { a: 4688 }',
    yes: [{ a: 4688 }, { a: '4688' }],
    no: [{ a: 46880 }, { a: '04688' }],
  },
  { name: 'boolean', detection: 'selection: { a: true }', yes: [{ a: true }, { a: 'True' }], no: [{ a: false }, {}] },
  {
    name: 'null',
    detection: 'selection: { a: null, b: x }',
    yes: [{ b: 'x' }, { a: null, b: 'x' }],
    no: [
      { a: '', b: 'x' },
      { a: 'y', b: 'x' },
    ],
  },
  { name: 'empty text', detection: "selection: { a: '' }", yes: [{ a: '' }], no: [{ a: ' ' }, {}, { a: null }] },
  {
    name: 'a list in the event: any item',
    detection: 'selection: { a: y }',
    yes: [{ a: ['x', 'y'] }],
    no: [{ a: ['x', 'yy'] }, { a: [] }],
  },
  {
    name: 'star',
    detection: "selection: { a: 'a*c*e' }",
    yes: [{ a: 'ace' }, { a: 'abcde' }, { a: 'A--C--E' }],
    no: [{ a: 'aec' }, { a: 'acex' }, { a: 'xace' }],
  },
  {
    name: 'star at both ends',
    detection: "selection: { a: '*b*' }",
    yes: [{ a: 'b' }, { a: 'abc' }],
    no: [{ a: 'ac' }],
  },
  { name: 'only a star', detection: "selection: { a: '*' }", yes: [{ a: '' }, { a: 'x' }], no: [{}] },
  {
    name: 'question mark',
    detection: "selection: { a: 'a?c' }",
    yes: [{ a: 'abc' }],
    no: [{ a: 'ac' }, { a: 'abbc' }],
  },
  { name: 'question mark at the end', detection: "selection: { a: 'ab?' }", yes: [{ a: 'abc' }], no: [{ a: 'ab' }] },
  {
    name: 'question marks in the middle of stars',
    detection: "selection: { a: '*a?c*' }",
    yes: [{ a: 'xxabcx' }, { a: 'aacabc' }],
    no: [{ a: 'xxacx' }],
  },
  { name: 'escaped star', detection: "selection: { a: 'a\\*c' }", yes: [{ a: 'a*c' }], no: [{ a: 'abc' }] },
  { name: 'escaped question mark', detection: "selection: { a: 'a\\?' }", yes: [{ a: 'a?' }], no: [{ a: 'ab' }] },
  {
    name: 'backslash before a letter is itself',
    detection: "selection: { a: 'C:\\Windows\\x' }",
    yes: [{ a: 'c:\\windows\\X' }],
    no: [{ a: 'C:Windowsx' }],
  },
  {
    name: 'two backslashes are one',
    detection: "selection: { a: '\\\\srv' }",
    yes: [{ a: '\\srv' }],
    no: [{ a: '\\\\srv' }],
  },
  {
    name: 'escaped backslash before a star',
    detection: "selection: { a: 'C:\\\\*' }",
    yes: [{ a: 'C:\\any' }],
    no: [{ a: 'C:*' }],
  },
  {
    name: 'letters beyond ASCII, any case',
    detection: 'selection: { a|contains: GRÖSSE }',
    yes: [{ a: 'die größe'.replace('ß', 'ss') }],
    no: [{ a: 'grosse' }],
  },
  {
    name: 'a letter that folds into ASCII',
    detection: 'selection: { a|contains: kill }',
    yes: [{ a: '\u212Aill -9' }, { a: 'kill' }],
    no: [{ a: 'ill' }],
  },
  {
    name: 'one pattern longer than the pre-filter keeps',
    detection: `selection: { a|endswith: ${'/very'.repeat(12)}end }`,
    yes: [{ a: `x${'/very'.repeat(12)}end` }],
    no: [{ a: `${'/very'.repeat(11)}end` }],
  },
];

const modifiers: readonly Row[] = [
  { name: 'contains', detection: 'selection: { a|contains: b }', yes: [{ a: 'aBc' }], no: [{ a: 'ac' }] },
  {
    name: 'contains with a wildcard',
    detection: "selection: { a|contains: 'b*d' }",
    yes: [{ a: 'abcde' }],
    no: [{ a: 'adcb' }],
  },
  {
    name: 'startswith',
    detection: 'selection: { a|startswith: /tmp/ }',
    yes: [{ a: '/tmp/x' }, { a: '/TMP/' }],
    no: [{ a: '/var/tmp/x' }],
  },
  { name: 'endswith', detection: 'selection: { a|endswith: .sh }', yes: [{ a: 'x.sh' }], no: [{ a: 'x.sh.gz' }] },
  {
    name: 'all',
    detection: 'selection: { a|contains|all: [x, y] }',
    yes: [{ a: 'y-x' }],
    no: [{ a: 'x' }, { a: 'y' }],
  },
  { name: 'cased', detection: 'selection: { a|cased: Foo }', yes: [{ a: 'Foo' }], no: [{ a: 'foo' }] },
  {
    name: 'contains cased',
    detection: 'selection: { a|contains|cased: Foo }',
    yes: [{ a: 'xFoox' }],
    no: [{ a: 'xfoox' }],
  },
  { name: 'exists', detection: 'selection: { a|exists: true }', yes: [{ a: '' }, { a: 0 }], no: [{}, { a: null }] },
  {
    name: 'exists not',
    detection: 'selection: { a|exists: false, b: x }',
    yes: [{ b: 'x' }],
    no: [{ a: 'y', b: 'x' }],
  },
  {
    name: 're searches, case counts',
    detection: "selection: { a|re: 'b+c' }",
    yes: [{ a: 'abbcd' }],
    no: [{ a: 'aBBC' }],
  },
  { name: 're anchored', detection: "selection: { a|re: '^b$' }", yes: [{ a: 'b' }], no: [{ a: 'ab' }, { a: 'a\nb' }] },
  { name: 're i', detection: "selection: { a|re|i: '^b$' }", yes: [{ a: 'B' }], no: [{ a: 'BB' }] },
  { name: 're m', detection: "selection: { a|re|m: '^b$' }", yes: [{ a: 'a\nb' }], no: [{ a: 'ab' }] },
  { name: 're s', detection: "selection: { a|re|s: 'a.b' }", yes: [{ a: 'a\nb' }], no: [{ a: 'ab' }] },
  { name: 're i s', detection: "selection: { a|re|i|s: 'a.b' }", yes: [{ a: 'A\nB' }], no: [{ a: 'AB' }] },
  { name: 're ignorecase', detection: "selection: { a|re|ignorecase: '^b$' }", yes: [{ a: 'B' }], no: [{ a: 'BB' }] },
  { name: 're multiline', detection: "selection: { a|re|multiline: '^b$' }", yes: [{ a: 'a\nb' }], no: [{ a: 'ab' }] },
  { name: 're dotall', detection: "selection: { a|re|dotall: 'a.b' }", yes: [{ a: 'a\nb' }], no: [{ a: 'ab' }] },
  { name: 're contains', detection: "selection: { a|re|contains: 'b|c' }", yes: [{ a: 'xcx' }], no: [{ a: 'xx' }] },
  { name: 're startswith', detection: "selection: { a|re|startswith: 'b|c' }", yes: [{ a: 'cx' }], no: [{ a: 'xc' }] },
  { name: 're endswith', detection: "selection: { a|re|endswith: 'b|c' }", yes: [{ a: 'xc' }], no: [{ a: 'cx' }] },
  {
    name: 're all',
    detection: "selection: { a|re|all: ['b', 'c+'] }",
    yes: [{ a: 'ccb' }],
    no: [{ a: 'b' }, { a: 'c' }],
  },
  { name: 're with flags inside', detection: "selection: { a|re: '(?i)abc' }", yes: [{ a: 'ABC' }], no: [{ a: 'AC' }] },
  {
    name: 'cidr 4',
    detection: 'selection: { a|cidr: 192.0.2.0/24 }',
    yes: [{ a: '192.0.2.77' }, { a: '::ffff:192.0.2.1' }],
    no: [{ a: '192.0.3.1' }, { a: '::1' }, { a: 'host' }, { a: '192.0.2.256' }],
  },
  {
    name: 'cidr 6',
    detection: "selection: { a|cidr: 'fe80::/10' }",
    yes: [{ a: 'fe80::1' }, { a: 'FEBF::' }],
    no: [{ a: 'fec0::1' }, { a: '10.0.0.1' }, { a: 'fe80:::1' }],
  },
  {
    name: 'cidr list',
    detection: "selection: { a|cidr: [10.0.0.0/8, '::1/128'] }",
    yes: [{ a: '10.9.9.9' }, { a: '::1' }, { a: '0:0:0:0:0:0:0:1' }],
    no: [{ a: '11.0.0.1' }, { a: '::2' }],
  },
  {
    name: 'lt',
    detection: 'selection: { a|lt: 10 }',
    yes: [{ a: 9 }, { a: '9.5' }],
    no: [{ a: 10 }, { a: 'x' }, { a: '' }, {}],
  },
  { name: 'lte', detection: 'selection: { a|lte: 10 }', yes: [{ a: 10 }], no: [{ a: 11 }] },
  { name: 'gt', detection: 'selection: { a|gt: 10 }', yes: [{ a: 11 }], no: [{ a: 10 }, {}] },
  { name: 'gte', detection: 'selection: { a|gte: 10 }', yes: [{ a: '10' }], no: [{ a: 9 }] },
  {
    name: 'neq',
    detection: 'selection: { a|neq: x, b: y }',
    yes: [{ a: 'z', b: 'y' }, { b: 'y' }],
    no: [{ a: 'X', b: 'y' }],
  },
  {
    name: 'neq of a list: none of',
    detection: 'selection: { a|neq: [x, y], b: z }',
    yes: [{ a: 'w', b: 'z' }],
    no: [{ a: 'y', b: 'z' }],
  },
  {
    name: 'base64',
    detection: 'selection: { a|base64|contains: foobar }',
    yes: [{ a: 'xxZm9vYmFyxx' }],
    no: [{ a: 'foobar' }],
  },
  {
    name: 'base64offset',
    detection: 'selection: { a|base64offset|contains: /bin/sh }',
    yes: [0, 1, 2].map((n) => ({ a: Buffer.from(`${'x'.repeat(n)} /bin/sh -c`).toString('base64') })),
    no: [{ a: Buffer.from('/bin/ls').toString('base64') }, { a: '/bin/sh' }],
  },
  {
    name: 'wide base64offset',
    detection: 'selection: { a|wide|base64offset|contains: ping }',
    yes: [{ a: Buffer.from('xping', 'utf16le').toString('base64') }],
    no: [{ a: Buffer.from('ping').toString('base64') }],
  },
  {
    name: 'utf16le base64',
    detection: 'selection: { a|utf16le|base64|contains: ab }',
    yes: [{ a: Buffer.from('ab', 'utf16le').toString('base64') }],
    no: [{ a: 'ab' }],
  },
  {
    name: 'utf16be base64',
    detection: 'selection: { a|utf16be|base64: ab }',
    yes: [{ a: 'AGEAYg==' }],
    no: [{ a: 'YQBiAA==' }],
  },
  {
    name: 'utf16 base64 with byte order mark',
    detection: 'selection: { a|utf16|base64: ab }',
    yes: [{ a: '//5hAGIA' }],
    no: [{ a: 'YQBiAA==' }],
  },
  { name: 'wide alone', detection: 'selection: { a|wide|contains: ab }', yes: [{ a: 'xa\0b\0' }], no: [{ a: 'ab' }] },
  {
    name: 'windash',
    detection: "selection: { a|windash|contains: ' -f ' }",
    yes: ['-', '/', '\u2013', '\u2014', '\u2015'].map((dash) => ({ a: `x ${dash}f y` })),
    no: [{ a: 'x +f y' }, { a: 'x f y' }],
  },
  {
    name: 'windash leaves hyphens in words',
    detection: "selection: { a|windash|contains: 'a-b' }",
    yes: [{ a: 'a-b' }],
    no: [{ a: 'a/b' }],
  },
  {
    name: 'fieldref',
    detection: 'selection: { a|fieldref: b }',
    yes: [{ a: 'x', b: 'X' }],
    no: [{ a: 'x', b: 'y' }, { a: 'x' }, {}],
  },
  {
    name: 'fieldref startswith',
    detection: 'selection: { a|fieldref|startswith: b }',
    yes: [{ a: 'xy', b: 'x' }],
    no: [{ a: 'yx', b: 'x' }],
  },
  {
    name: 'fieldref endswith',
    detection: 'selection: { a|fieldref|endswith: b }',
    yes: [{ a: 'yx', b: 'x' }],
    no: [{ a: 'xy', b: 'x' }],
  },
  {
    name: 'fieldref contains',
    detection: 'selection: { a|fieldref|contains: b }',
    yes: [{ a: 'yxy', b: 'x' }],
    no: [{ a: 'yy', b: 'x' }],
  },
  {
    name: 'fieldref neq',
    detection: 'selection: { a|fieldref|neq: b }',
    yes: [{ a: 'x', b: 'y' }],
    no: [{ a: 'x', b: 'X' }],
  },
  {
    name: 'fieldref cased',
    detection: 'selection: { a|fieldref|cased: b }',
    yes: [{ a: 'x', b: 'x' }],
    no: [{ a: 'x', b: 'X' }],
  },
  {
    name: 'hour gte',
    detection: 'selection: { a|hour|gte: 22 }',
    yes: [{ a: '2026-11-23T22:00:00Z' }, { a: '2026-11-23T23:59:59Z' }],
    no: [{ a: '2026-11-23T21:59:59Z' }, { a: 'x' }],
  },
  {
    name: 'year neq',
    detection: 'selection: { a|year|neq: 2026 }',
    yes: [{ a: '2025-11-23T22:00:00Z' }],
    no: [{ a: '2026-11-23T21:59:59Z' }],
  },
  {
    name: 'minute',
    detection: 'selection: { a|minute: 30 }',
    yes: [{ a: '2026-11-23T10:30:00Z' }],
    no: [{ a: '2026-11-23T10:31:00Z' }, { a: 'x' }],
  },
  {
    name: 'hour, of microseconds',
    detection: 'selection: { a|hour: 1 }',
    yes: [{ a: 3_600_000_000 }],
    no: [{ a: 7_200_000_000 }],
  },
  {
    name: 'day',
    detection: 'selection: { a|day: 23 }',
    yes: [{ a: '2026-11-23T00:00:00Z' }],
    no: [{ a: '2026-11-24T00:00:00Z' }],
  },
  {
    name: 'week',
    detection: 'selection: { a|week: 53 }',
    yes: [{ a: '2027-01-01T00:00:00Z' }],
    no: [{ a: '2026-01-01T00:00:00Z' }],
  },
  {
    name: 'month',
    detection: 'selection: { a|month: 11 }',
    yes: [{ a: '2026-11-23T00:00:00Z' }],
    no: [{ a: '2026-10-23T00:00:00Z' }],
  },
  {
    name: 'year',
    detection: 'selection: { a|year: 2026 }',
    yes: [{ a: '2026-11-23T00:00:00Z' }],
    no: [{ a: '2025-11-23T00:00:00Z' }],
  },
];

const three = 'sel_a: { a: x }\nsel_b: { b: x }\nsel_c: { c: x }\n_hidden: { d: x }';
const conditions: readonly Row[] = [
  { name: 'and', detection: three, condition: 'sel_a and sel_b', yes: [{ a: 'x', b: 'x' }], no: [{ a: 'x' }] },
  { name: 'or', detection: three, condition: 'sel_a or sel_b', yes: [{ a: 'x' }, { b: 'x' }], no: [{ c: 'x' }] },
  { name: 'not', detection: three, condition: 'sel_a and not sel_b', yes: [{ a: 'x' }], no: [{ a: 'x', b: 'x' }] },
  { name: 'not alone', detection: three, condition: 'not sel_a', yes: [{}], no: [{ a: 'x' }] },
  { name: 'not not', detection: three, condition: 'not not sel_a', yes: [{ a: 'x' }], no: [{}] },
  {
    name: 'and binds before or',
    detection: three,
    condition: 'sel_a or sel_b and sel_c',
    yes: [{ a: 'x' }, { b: 'x', c: 'x' }],
    no: [{ b: 'x' }, { c: 'x' }],
  },
  {
    name: 'parentheses',
    detection: three,
    condition: '(sel_a or sel_b) and sel_c',
    yes: [{ a: 'x', c: 'x' }],
    no: [{ a: 'x' }],
  },
  { name: '1 of a pattern', detection: three, condition: '1 of sel_*', yes: [{ b: 'x' }], no: [{ d: 'x' }] },
  { name: 'any of', detection: three, condition: 'any of sel_*', yes: [{ c: 'x' }], no: [{}] },
  {
    name: '2 of',
    detection: three,
    condition: '2 of sel_*',
    yes: [
      { a: 'x', c: 'x' },
      { a: 'x', b: 'x', c: 'x' },
    ],
    no: [{ a: 'x' }],
  },
  {
    name: 'all of a pattern',
    detection: three,
    condition: 'all of sel_*',
    yes: [{ a: 'x', b: 'x', c: 'x' }],
    no: [{ a: 'x', b: 'x' }],
  },
  {
    name: 'all of them leaves out names with _',
    detection: three,
    condition: 'all of them',
    yes: [{ a: 'x', b: 'x', c: 'x' }],
    no: [{ d: 'x' }],
  },
  { name: '1 of them', detection: three, condition: '1 of them', yes: [{ a: 'x' }], no: [{ d: 'x' }] },
  {
    name: 'not 1 of',
    detection: three,
    condition: 'sel_a and not 1 of sel_b*',
    yes: [{ a: 'x' }],
    no: [{ a: 'x', b: 'x' }],
  },
  {
    name: 'a list of conditions is one of',
    detection: three,
    condition: '[sel_a, sel_b and sel_c]',
    yes: [{ a: 'x' }, { b: 'x', c: 'x' }],
    no: [{ b: 'x' }],
  },
  {
    name: 'keywords',
    detection: 'selection: [foo, bar*baz]',
    yes: [{ m: 'a FOO b' }, { m: 'x bar-baz' }, { m: 'n', o: ['foo'] }],
    no: [{ m: 'fo o' }, { foo: 'x' }],
  },
  { name: 'one keyword', detection: 'selection: foo', yes: [{ m: 'xfoox' }], no: [{ m: 'x' }] },
  {
    name: 'keywords, all',
    detection: "selection: { '|all': [foo, bar] }",
    yes: [{ m: 'bar', n: 'foo' }],
    no: [{ m: 'foo' }],
  },
  { name: 'keyword re', detection: "selection: { '|re': 'b.r' }", yes: [{ m: 'xbarx' }], no: [{ m: 'br' }] },
  {
    name: 'keywords and maps in one list',
    detection: 'selection: [foo, { a: x }]',
    yes: [{ m: 'foo' }, { a: 'x' }],
    no: [{ m: 'x' }],
  },
];

describe.each([
  ['values', values],
  ['modifiers', modifiers],
  ['conditions', conditions],
])('%s', (_, rows) => {
  test.each(rows)('$name', ({ detection, condition, yes, no }) => {
    const rule = ruleOf(detection, condition);
    expect(yes.filter((event) => !matches(rule, event))).toEqual([]);
    expect(no.filter((event) => matches(rule, event))).toEqual([]);
  });
});

describe('placeholders', () => {
  const mapping: Mapping = { ...GENERIC, placeholders: new Map([['admins', ['root', 'op*']]]) };
  const rule = ruleOf("selection: { a|expand: 'user %admins%' }");

  test('take their values, with wildcards', () => {
    expect(matches(rule, { a: 'user root' }, mapping)).toBe(true);
    expect(matches(rule, { a: 'user operator' }, mapping)).toBe(true);
    expect(matches(rule, { a: 'user alex' }, mapping)).toBe(false);
  });

  test('stand beside percent signs that are meant', () => {
    const escaped = ruleOf("selection: { a|expand|contains: '\\\\%path%admins%' }");
    expect(matches(escaped, { a: 'x %pathroot x' }, mapping)).toBe(true);
    expect(matches(escaped, { a: '%path%admins%' }, mapping)).toBe(false);
    expect(matches(ruleOf("selection: { a: '%admins%' }"), { a: '%admins%' }, mapping)).toBe(true);
  });

  test('without values make the rule blind, and say which', () => {
    expect(bindRule(rule, GENERIC).blind).toBe('no event carries values for %admins%');
  });
});

describe('filters', () => {
  const [filter] = parseSigmaFile(
    `${HEAD}filter:\n  rules: [6f3e2987-db24-4c78-a860-b4f4095a7095]\n  selection: { b: harmless }\n  condition: not selection\n`,
    'filter.yml',
  );
  const [rule] = parseSigmaFile(
    `${HEAD}id: 6f3e2987-db24-4c78-a860-b4f4095a7095\ndetection:\n  s: { a: x }\n  condition: s\n`,
    'rule.yml',
  );
  test('narrow the rules they name', () => {
    if (filter?.kind !== 'filter' || rule?.kind !== 'rule') throw new Error('parsed as something else');
    const [narrowed] = applyFilters([rule], [filter]);
    if (narrowed === undefined) throw new Error('the rule is gone');
    expect(matches(narrowed, { a: 'x' })).toBe(true);
    expect(matches(narrowed, { a: 'x', b: 'harmless' })).toBe(false);
    const other = { ...rule, id: 'another' };
    expect(applyFilters([rule, other], [filter])[1]).toEqual(other);
  });

  const named = (rules: string, condition: string, source = 'product: any'): string =>
    `title: F\nlogsource: { ${source} }\nfilter:\n  rules: ${rules}\n  selection: { b: harmless }\n  condition: ${condition}\n`;
  const applied = (text: string): ReturnType<typeof parseSigmaRule>[] => {
    const one = parseSigmaRule(`${HEAD}name: one_rule\ndetection: { s: { a: x }, condition: s }`, 'one.yml');
    const other = { ...one, id: 'other', name: 'other_rule' };
    const filters = parseSigmaFile(text, 'f.yml').flatMap((document) => (document.kind === 'filter' ? document : []));
    return [...applyFilters([one, other], filters)];
  };

  test.each([
    ['by name', '[one_rule]', [false, true]],
    ['by one name', 'other_rule', [true, false]],
    ['any', 'any', [false, false]],
    ['all', 'ALL', [false, false]],
    ['an empty list, which is any', '[]', [false, false]],
  ])('%s', (_, rules, expected) => {
    const both = applied(named(rules, 'not selection'));
    expect(both.map((one) => matches(one, { a: 'x', b: 'harmless' }))).toEqual(expected);
    expect(both.map((one) => matches(one, { a: 'x' }))).toEqual([true, true]);
  });

  test('say what must hold: without `not` only what the selection finds is left', () => {
    const [one] = applied(named('any', 'selection'));
    if (one === undefined) throw new Error('the rule is gone');
    expect([{ a: 'x' }, { a: 'x', b: 'harmless' }].map((event) => matches(one, event))).toEqual([false, true]);
  });

  test('reach any rule of their log source, and no other', () => {
    const [one] = applied(named('any', 'not selection', 'product: other'));
    if (one === undefined) throw new Error('the rule is gone');
    expect(matches(one, { a: 'x', b: 'harmless' })).toBe(true);
  });

  test.each([
    [
      'a name nobody has',
      named('[one_rlue]', 'not selection'),
      /^f\.yml:4: .*the id or name one_rlue; did you mean `one_rule`\?/,
    ],
    [
      'a rule of another source',
      named('[one_rule]', 'not selection', 'product: other'),
      /^f\.yml:4: .*another log source/,
    ],
    [
      'no rules',
      named('any', 'not selection').replace('rules:', 'rule:'),
      /^f\.yml:4: rule: no such key; did you mean `rules`\?/,
    ],
  ])('are refused with %s', (_, text, message) => {
    expect(() => applied(text)).toThrow(message);
  });
});

describe('documents that share keys, as before version 2', () => {
  const shared =
    'action: global\ntitle: T\nid: 6f3e2987-db24-4c78-a860-b4f4095a7095\nlevel: high\ndetection: { s: { a: x }, condition: s }\n---\n';
  const rulesOf = (text: string): readonly ReturnType<typeof parseSigmaRule>[] =>
    parseSigmaFile(text, 'f.yml').flatMap((document) => (document.kind === 'rule' ? document : []));

  test('global lends its keys, its id excepted', () => {
    const [one, two] = rulesOf(
      `${shared}logsource: { product: p }\n---\nlogsource: { product: q }\ndetection: { s: { b: y } }\n`,
    );
    if (one === undefined || two === undefined) throw new Error('expected two rules');
    expect([one.logsource.product, two.logsource.product, one.level, two.level]).toEqual(['p', 'q', 'high', 'high']);
    expect(one.id).not.toBe(two.id);
    expect([{ a: 'x' }, { a: 'x', b: 'y' }].map((event) => matches(two, event))).toEqual([false, true]);
  });

  test('reset ends it', () => {
    expect(() => rulesOf(`${shared}action: reset\n---\nlogsource: { product: p }\n`)).toThrow(
      /^f\.yml:9: title: missing/,
    );
  });

  test('repeat is the document before, changed', () => {
    const [one, two] = rulesOf(
      `${HEAD}detection: { s: { a: x }, condition: s }\n---\naction: repeat\nlogsource: { product: q }\ndetection: { s: { a: y } }\n`,
    );
    if (one === undefined || two === undefined) throw new Error('expected two rules');
    expect([one, two].map((rule) => [rule.logsource.product, matches(rule, { a: 'y' })])).toEqual([
      ['any', false],
      ['q', true],
    ]);
  });

  test('another action is refused', () => {
    expect(() => rulesOf(`${shared}action: golbal\n`)).toThrow(
      /^f\.yml:7: action: `golbal` is none of .*did you mean `global`\?/,
    );
  });
});

test.each([
  ['taxonomy: ecs', 'written with the names of ecs; only those of sigma are mapped'],
  ['taxonomy: sigma', undefined],
  ['status: unsupported', 'its author says that it cannot be used: unsupported'],
  ['status: deprecated', undefined],
])('a rule with %s', (line, blind) => {
  const rule = parseSigmaRule(`${HEAD}${line}\ndetection: { s: { a: x }, condition: s }`, 'f.yml');
  expect(bindRule(rule, GENERIC).blind).toBe(blind);
});

describe('errors say where and what', () => {
  const detection = (text: string): string => `${HEAD}detection:\n${text}\n`;
  const rows: readonly (readonly [string, string, RegExp])[] = [
    ['no title', 'logsource: { product: a }\ndetection: { s: { a: b }, condition: s }', /^f\.yml:1: title: missing/],
    ['no logsource', 'title: T\ndetection: { s: { a: b }, condition: s }', /^f\.yml:1: logsource: missing/],
    ['no detection', HEAD, /^f\.yml:1: detection: missing/],
    ['no condition', detection('  s: { a: b }'), /^f\.yml:4: detection: condition: missing/],
    ['no selection', detection('  condition: s'), /^f\.yml:4: detection: has a condition but no selection/],
    ['unknown selection', detection('  s: { a: b }\n  condition: t'), /^f\.yml:5: condition names `t`.*there are `s`/],
    [
      'unknown pattern',
      detection('  s: { a: b }\n  condition: 1 of t*'),
      /^f\.yml:5: condition: no selection is named like `t\*`/,
    ],
    ['too many of', detection('  s: { a: b }\n  condition: 2 of s*'), /^f\.yml:5: .*there are only 1/],
    ['open parenthesis', detection('  s: { a: b }\n  condition: (s'), /^f\.yml:5: .*without a closing one/],
    ['closing parenthesis', detection('  s: { a: b }\n  condition: s)'), /^f\.yml:5: condition: `\)` is not expected/],
    ['two names', detection('  s: { a: b }\n  condition: s s'), /^f\.yml:5: condition: `s` is not expected/],
    ['nothing after not', detection('  s: { a: b }\n  condition: not'), /^f\.yml:5: .*at the end/],
    ['aggregation', detection('  s: { a: b }\n  condition: s | count() > 5'), /^f\.yml:5: .*correlation rule/],
    [
      'unknown modifier',
      detection('  s:\n    a|contain: b\n  condition: s'),
      /^f\.yml:5: a\|contain: contain: no such modifier; did you mean `contains`\?/,
    ],
    [
      'bad regex',
      detection('  s:\n    a|re: "a("\n  condition: s'),
      /^f\.yml:5: a\|re: re: the pattern is not understood/,
    ],
    ['lookahead', detection('  s:\n    a|re: "a(?=b)"\n  condition: s'), /^f\.yml:5: .*linear time/],
    ['back reference', detection('  s:\n    a|re: "(a)\\\\1"\n  condition: s'), /^f\.yml:5: .*linear time/],
    ['flag without re', detection('  s:\n    a|i: b\n  condition: s'), /^f\.yml:5: .*only follows `re`/],
    ['bad cidr', detection('  s:\n    a|cidr: 10.0.0.0/33\n  condition: s'), /^f\.yml:5: .*is not a network/],
    ['bad number', detection('  s:\n    a|gt: b\n  condition: s'), /^f\.yml:5: .*needs a number/],
    [
      'wildcard in base64',
      detection("  s:\n    a|base64: 'b*'\n  condition: s"),
      /^f\.yml:5: .*cannot encode wildcards/,
    ],
    ['empty list', detection('  s:\n    a: []\n  condition: s'), /^f\.yml:5: .*matches nothing/],
    ['keys as value', detection('  s:\n    a: { b: c }\n  condition: s'), /^f\.yml:5: .*not keys/],
    ['bad id', `id: 12\n${HEAD}detection: { s: { a: b }, condition: s }`, /^f\.yml:1: id: must be a UUID/],
    [
      'bad level',
      `${HEAD}level: urgent\ndetection: { s: { a: b }, condition: s }`,
      /^f\.yml:3: level: `urgent` is none of/,
    ],
    ['duplicate key', `${HEAD}title: U\n`, /^f\.yml:3: title: stands in line 1 already/],
    [
      'a key, nearly',
      `${HEAD}detections: { s: { a: b }, condition: s }`,
      /^f\.yml:3: detections: no such key; did you mean `detection`\?/,
    ],
    [
      'a selection, nearly',
      detection('  selection: { a: b }\n  condition: selecton'),
      /^f\.yml:5: condition names `selecton`.*did you mean `selection`\?/,
    ],
    ['a level, nearly', `${HEAD}level: hihg\ndetection: { s: { a: b }, condition: s }`, /did you mean `high`\?/],
    ['alias', `${HEAD}detection: { s: &x { a: b }, t: *x, condition: s }`, /^f\.yml:\d: an alias/],
    ['tag', `${HEAD}detection: { s: !!js/function { a: b }, condition: s }`, /^f\.yml:3: not valid YAML/],
    ['not a map', '- a\n- b\n', /^f\.yml:1: a rule is a map/],
    ['empty', '', /^f\.yml:1: empty/],
    ['a collection of nothing', `action: global\n${HEAD}`, /^f\.yml:1: action: shares keys/],
  ];
  test.each(rows)('%s', (_, text, message) => {
    expect(() => parseSigmaRule(text, 'f.yml')).toThrow(SigmaError);
    expect(() => parseSigmaRule(text, 'f.yml')).toThrow(message);
  });
});

describe('hostile input', () => {
  const linux = loadMapping();
  const a = 'a'.repeat(30_000);
  // What a pattern must contain stands at the wrong end, or a search for it would end the matter at once.
  let state = 1;
  const letter = (): string => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state > 1_073_741_824 ? 'a' : 'b';
  };
  const mixed = `!cyzxA${Array.from({ length: 15_000 }, letter).join('')}`;
  const evil: readonly (readonly [string, string])[] = [
    ['(a+)+$', `${a}!`],
    ['(a|aa)+$', `${a}!`],
    ['(a*)*b$', `b${a}`],
    ['^(([a-z])+.)+[A-Z]([a-z])+$', `A${a}`],
    ['(.*a){20}b$', `b${a}`],
    ['(?i)(x+x+)+y$', `y${'x'.repeat(30_000)}`],
    ['(a|b)*a(a|b){20}c', mixed],
    ['(a|b)*a(a|b){400}c', mixed],
    ['([ab]{0,40}a){1,20}z', mixed],
    ['(?:.{1,30}x){20}y', mixed],
    ['(\\w+\\s?)*$!', mixed],
  ];
  test.each(evil)('regular expression %s takes time linear in the text', (pattern, text) => {
    const isIn = compileRegex({ source: pattern, flags: '' });
    const start = performance.now();
    expect(isIn(text)).toBe(false);
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  const large: readonly (readonly [string, RegExp])[] = [
    ['a{1000}'.repeat(500), /repetitions make the pattern larger/],
    ['(a{50}){50}', /pattern larger/],
    ['((((a{10}){10}){10}){10}){10}', /pattern larger/],
    ['[ab]{1000}[cd]{1000}[ef]{1000}', /pattern larger/],
    ['x'.repeat(5000), /longer than 4096/],
    ['('.repeat(2000) + ')'.repeat(2000), /not understood|too large|larger/],
  ];
  test.each(large.map(([source, message]) => [source.slice(0, 30), source, message] as const))(
    'regular expression %s… is refused before it is compiled',
    (_, source, message) => {
      const start = performance.now();
      expect(problemOf({ source, flags: '' })).toMatch(message);
      expect(performance.now() - start).toBeLessThan(1000);
    },
  );

  test('no pattern compiles to more than its bound', () => {
    const piece = fc.constantFrom(
      'a',
      '(',
      ')',
      '{9}',
      '{2,30}',
      '{90,}',
      '[a-z]',
      '\\d',
      '|',
      '*',
      '+',
      '?',
      '[^]b]',
      '\\{',
      '.',
      '(?:',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
        const source = pieces.join('');
        if (problemOf({ source, flags: '' }) !== undefined) return;
        expect(RE2JS.compile(source).programSize()).toBeLessThanOrEqual(2000);
      }),
      { numRuns: 500 },
    );
  });

  const rule = `${HEAD}detection:\n  s: { a: b }\n  condition: `;
  const files: readonly (readonly [string, string, RegExp])[] = [
    ['brackets', '['.repeat(500_000), /nested deeper than 16/],
    ['maps in maps', '{a: '.repeat(200_000), /nested deeper than 16/],
    ['lists in lists', '- '.repeat(400_000), /nested deeper than 16/],
    ['keys', Array.from({ length: 90_000 }, (_, i) => `k${i}: 1`).join('\n'), /more than 200000 words/],
    ['documents', '---\n'.repeat(2000), /more than 1000 documents/],
    ['characters', 'x'.repeat(2_000_000), /larger than 1048576 characters/],
    ['words in a condition', `${rule}${'s or '.repeat(3000)}s`, /more than 2000 words/],
    ['parentheses', `${rule}${'('.repeat(500)}s${')'.repeat(500)}`, /nested deeper than 60/],
    [
      'questions',
      `${HEAD}detection:\n  s:\n    a:\n${Array.from({ length: 5000 }, (_, i) => `      - v${i}\n`).join('')}  condition: ${'s or '.repeat(30)}s`,
      /asks more than 50000 questions/,
    ],
  ];
  test.each(files)('too many %s are refused before they cost', (_, text, message) => {
    const start = performance.now();
    expect(() => parseSigmaFile(text, 'f.yml')).toThrow(message);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test('a pattern of many stars is bounded, too', () => {
    const rule = ruleOf(`selection: { a: '${'*a?'.repeat(40)}*b' }`);
    const start = performance.now();
    expect(matches(rule, { a })).toBe(false);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  test('any text is parsed or refused with a line', () => {
    const line = fc.oneof(
      fc.constantFrom(
        'title: T',
        'logsource: { product: a }',
        'detection:',
        '  s:',
        '    a|contains: b',
        '  condition: s',
        '---',
        '- x',
        '    - y',
      ),
      fc.string({ maxLength: 30 }),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 15 }), (lines) => {
        try {
          parseSigmaFile(lines.join('\n'), 'f.yml');
        } catch (error) {
          expect(error).toBeInstanceOf(SigmaError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('whatever stands where, it is parsed, bound, planned and compiled, or refused with a line', () => {
    const key = fc.constantFrom(
      ...['title', 'id', 'name', 'level', 'status', 'logsource', 'detection', 'correlation', 'filter', 'action'],
      ...['product', 'category', 'condition', 'selection', 'rules', 'type', 'timespan', 'group-by', 'aliases', 'field'],
      ...[
        'Image|re',
        'Image|contains|all',
        'a|expand',
        'a|cidr',
        'a|base64offset',
        'a|gte',
        'a|hour|lt',
        '|all',
        'gte',
      ],
    );
    const word = fc.constantFrom(
      'selection',
      'not selection',
      '1 of them',
      'linux',
      'process_creation',
      'global',
      'repeat',
    );
    const more = fc.constantFrom('temporal', 'event_count', '5m', 'any', '%x%', '(a', '10.0.0.0/8', '*', 'high', '-1');
    const scalar = fc.oneof(word, more, fc.integer(), fc.constant(null), fc.boolean(), fc.string({ maxLength: 6 }));
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ maxDepth: 4 }, scalar, tie('map'), fc.array(tie('tree'), { maxLength: 3 })),
      map: fc.dictionary(key, tie('tree'), { maxKeys: 5 }),
    }));
    const sound = { title: 'T', logsource: { product: 'linux', category: 'process_creation' } };
    const detection = fc.dictionary(fc.constantFrom('selection', 'other'), tree, { minKeys: 1 });
    const document = fc.oneof(
      fc.dictionary(key, tree, { maxKeys: 6 }),
      fc
        .record({ detection, condition: word })
        .map((one) => ({ ...sound, detection: { condition: one.condition, ...one.detection } })),
      fc.record({ correlation: fc.dictionary(key, tree) }).map((one) => ({ ...sound, ...one })),
      fc.record({ filter: fc.dictionary(key, tree) }).map((one) => ({ ...sound, ...one })),
    );
    fc.assert(
      fc.property(fc.array(document, { minLength: 1, maxLength: 3 }), (documents) => {
        try {
          const parsed = parseSigmaFile(documents.map((one) => JSON.stringify(one)).join('\n---\n'), 'f.yml');
          const rules = parsed.flatMap((one) => (one.kind === 'rule' ? one : []));
          const correlations = parsed.flatMap((one) => (one.kind === 'correlation' ? one : []));
          const filters = parsed.flatMap((one) => (one.kind === 'filter' ? one : []));
          const plan = planRules(applyFilters(rules, filters), linux, new Set());
          planCorrelations(correlations, plan, linux, new Set());
          compileBound(plan.flatMap(({ bound }) => bound)).match({
            name: 'process.exec',
            attributes: { 'process.pid': 1 },
          });
        } catch (error) {
          expect(error).toBeInstanceOf(SigmaError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('any mapping is read or refused with a line', () => {
    const key = fc.constantFrom(
      'fields',
      'routes',
      'resolved',
      'placeholders',
      'logsource',
      'events',
      'event',
      'where',
      'constant',
      'joined',
      'a',
    );
    const scalar = fc.constantFrom('process.exec', 'process.pid', 'linux', null, 7, '', '/bin/', 'x|re');
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        scalar,
        fc.dictionary(key, tie('tree'), { maxKeys: 3 }),
        fc.array(tie('tree'), { maxLength: 2 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(key, tree), (map) => {
        try {
          parseMapping(JSON.stringify(map), 'm.yaml');
        } catch (error) {
          expect(error).toBeInstanceOf(SigmaError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('any condition is parsed or refused with a line', () => {
    const word = fc.constantFrom(
      's',
      't',
      'and',
      'or',
      'not',
      '(',
      ')',
      '1',
      'all',
      'of',
      'them',
      's*',
      '|',
      '3',
      'any',
    );
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 14 }), (words) => {
        try {
          ruleOf('s: { a: x }\nt: { b: y }', `"${words.join(' ')}"`);
        } catch (error) {
          expect(error).toBeInstanceOf(SigmaError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the pre-filter', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'B', 'c', '/', '.', 'é', 'K', '\u212A'), maxLength: 6 });
  const value = fc.string({
    unit: fc.constantFrom('a', 'B', 'c', '/', '.', 'é', 'k', '*', '?'),
    minLength: 1,
    maxLength: 5,
  });
  const item = fc.record({
    field: fc.constantFrom('a', 'b'),
    modifier: fc.constantFrom('', '|contains', '|startswith', '|endswith', '|contains|cased', '|contains|all', '|neq'),
    values: fc.array(value, { minLength: 1, maxLength: 3 }),
  });
  /** Patterns of pieces; what is none is left out. */
  const pattern = fc
    .array(
      fc.constantFrom(
        'abc',
        'a',
        'b',
        'c',
        '/',
        '\\.',
        '.',
        '?',
        '*',
        '+',
        '|',
        '(',
        ')',
        '{0,2}',
        '[ab]',
        'k',
        '^',
        '$',
      ),
      {
        minLength: 1,
        maxLength: 7,
      },
    )
    .map((pieces) => pieces.join(''))
    .filter((source) => problemOf({ source, flags: '' }) === undefined);
  const regex = fc.record({
    field: fc.constantFrom('a', 'b'),
    modifier: fc.constantFrom('|re', '|re|i'),
    values: fc.array(pattern, { minLength: 1, maxLength: 2 }),
  });
  const condition = fc.constantFrom('s and t', 's or t', 's and not t', 'not s', '1 of them', 'all of them', 's');

  test('never hides a match: rules together match what each matches when it is always evaluated', () => {
    const rule = fc.record({ s: fc.oneof(item, regex), t: fc.oneof(item, regex), condition });
    fc.assert(
      fc.property(
        fc.array(rule, { minLength: 1, maxLength: 6 }),
        fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 8 }),
        (specs, events) => {
          const rules = specs.map((spec, i) => {
            const lines = [spec.s, spec.t].map(
              (one, j) => `${j === 0 ? 's' : 't'}: { '${one.field}${one.modifier}': ${JSON.stringify(one.values)} }`,
            );
            return { ...ruleOf(lines.join('\n'), spec.condition), id: `rule ${i}` };
          });
          const together = compileRules(rules, GENERIC);
          const always = compileBound(
            rules
              .flatMap((one) => bindRule(one, GENERIC).bound)
              .map((one) => ({ ...one, condition: { kind: 'not', of: { kind: 'not', of: one.condition } } })),
          );
          for (const [a, b] of events) {
            const event = { name: 'any', attributes: { a, b } };
            expect(together.match(event)).toEqual(always.match(event));
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
