/** Every construct of the rule language, each with an event it matches and one it does not. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Value } from '#protocol/vocabulary.ts';
import { compileBound, compileRules } from '../../../../collector/detectors/sigma/compile.ts';
import { SigmaError } from '../../../../collector/detectors/sigma/error.ts';
import { bindRule, GENERIC, type Mapping } from '../../../../collector/detectors/sigma/mapping.ts';
import { applyFilters, parseSigmaFile, parseSigmaRule } from '../../../../collector/detectors/sigma/rule.ts';

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
    expect(applyFilters([other], [filter])).toEqual([other]);
  });
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
      /^f\.yml:5: a\|contain: contain: no such modifier/,
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
    ['duplicate key', `${HEAD}title: U\n`, /^f\.yml:3: not valid YAML/],
    ['alias', `${HEAD}detection: { s: &x { a: b }, t: *x, condition: s }`, /^f\.yml:\d: an alias/],
    ['tag', `${HEAD}detection: { s: !!js/function { a: b }, condition: s }`, /^f\.yml:3: not valid YAML/],
    ['not a map', '- a\n- b\n', /^f\.yml:1: a rule is a map/],
    ['empty', '', /^f\.yml:1: empty/],
    ['old collection', `action: global\n${HEAD}`, /^f\.yml:1: action:/],
  ];
  test.each(rows)('%s', (_, text, message) => {
    expect(() => parseSigmaRule(text, 'f.yml')).toThrow(SigmaError);
    expect(() => parseSigmaRule(text, 'f.yml')).toThrow(message);
  });
});

describe('hostile input', () => {
  const a = 'a'.repeat(30_000);
  const evil: readonly (readonly [string, string])[] = [
    ['(a+)+$', `${a}!`],
    ['(a|aa)+$', `${a}!`],
    ['(a*)*b', a],
    ['^(([a-z])+.)+[A-Z]([a-z])+$', a],
    ['(.*a){20}b', a.slice(0, 5000)],
    ['(?i)(x+x+)+y', 'x'.repeat(30_000)],
  ];
  test.each(evil)('regular expression %s takes time linear in the text', (pattern, text) => {
    const rule = ruleOf(`selection: { a|re: '${pattern}' }`);
    const start = performance.now();
    expect(matches(rule, { a: text })).toBe(false);
    expect(performance.now() - start).toBeLessThan(2000);
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
  const condition = fc.constantFrom('s and t', 's or t', 's and not t', 'not s', '1 of them', 'all of them', 's');

  test('never hides a match: rules together match what each matches when it is always evaluated', () => {
    const rule = fc.record({ s: item, t: item, condition });
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
      { numRuns: 1000 },
    );
  });
});
