/** The language: what it understands, what it refuses and how, and that SQL, Sigma and a plain reading of it agree on every event. */
import { createRequire } from 'node:module';
import type * as DuckDB from '@duckdb/node-api';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ATTRIBUTES, isAttributeName, type Value } from '#protocol/vocabulary.ts';
import { parseExamples } from '../../../collector/detectors/examples.ts';
import { loadMapping } from '../../../collector/detectors/pack.ts';
import { compileRules } from '../../../collector/detectors/sigma/compile.ts';
import { parseSigmaFile } from '../../../collector/detectors/sigma/parse.ts';
import type { SigmaRule } from '../../../collector/detectors/sigma/rule.ts';
import { namesIn, parseQuery, QuestionError, type Query } from '../../../collector/explorer/query.ts';
import { fileNameOf, toExamples, toSigma } from '../../../collector/explorer/query-sigma.ts';
import { toSql } from '../../../collector/explorer/query-sql.ts';

const SQL: readonly (readonly [string, string, readonly unknown[]])[] = [
  ['', 'true', []],
  ['process.pid = 7', 'coalesce(("process.pid" = $1), false)', [7]],
  ['process.pid != 7', 'NOT coalesce(("process.pid" = $1), false)', [7]],
  ["file.path contains 'a b'", 'coalesce((contains("file.path", $1)), false)', ['a b']],
  [String.raw`file.path = "say \"hi\""`, 'coalesce(("file.path" = $1), false)', ['say "hi"']],
  ['file.path exists', 'coalesce("file.path" IS NOT NULL, false)', []],
  ['node in (a, b)', 'coalesce(("node" = $1 OR "node" = $2), false)', ['a', 'b']],
  [
    'process.pid >= 1 AND (file.path = and or not user.id < 5)',
    '(coalesce(("process.pid" >= $1), false) AND (coalesce(("file.path" = $2), false) OR NOT coalesce(("user.id" < $3), false)))',
    [1, 'and', 5],
  ],
  [
    'process.command_args startswith --no',
    'coalesce((len(list_filter("process.command_args", lambda item: starts_with(item, $1))) > 0), false)',
    ['--no'],
  ],
];
for (const [text, sql, values] of SQL)
  test(text === '' ? 'everything' : text, () => expect(toSql(parseQuery(text))).toEqual({ sql, values }));

test('a class is all its events', () => {
  expect(toSql(parseQuery('class = self')).values).toContain('hushwatch.canary');
});

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['proces.pid = 1', /`proces\.pid` is no attribute of the vocabulary; did you mean `process\.pid`/],
  ['"process.pid" = 1', /no attribute/],
  ['process.pid = x', /whole number, not x/],
  ['process.pid = 1.5', /whole number/],
  ['process.pid contains 1', /no text/],
  ['file.path < 3', /no number/],
  ['file.path', /what about file\.path/],
  ['file.path =', /at the end/],
  ['file.path = =', /a value was expected after file\.path =, not `=`/],
  ['file.path in ()', /`,`|`\)`|value/],
  ['file.path = a file.path = b', /`and` or `or` was expected before `file\.path`/],
  ['(file.path = a', /`\)` was expected at the end/],
  ['file.path = a)', /expected before `\)`/],
  ['file.path = "a', /not understood from here: "a/],
  ['file.path like a', /`like` after file\.path is none of/],
  ['file.path matches "(?=a)"', /linear time/],
  ['file.path matches "a{1000}{1000}"', /larger than|understood/],
  ['event = process.exce', /there is no event process\.exce; did you mean `process\.exec`/],
  ['class = nothing', /there is no class nothing.*there are file, network/],
  [`${'('.repeat(40)}file.path = a`, /within one another/],
  [`${'not '.repeat(40)}file.path = a`, /within one another/],
  [Array.from({ length: 70 }, () => 'process.pid = 1').join(' or '), /more than 64/],
  [`node in (${Array.from({ length: 101 }, (_, i) => i).join(', ')})`, /more than 100 values/],
  ['x'.repeat(4_001), /longer than 4000/],
];
for (const [text, words] of REFUSED)
  test(`refused: ${text.slice(0, 50)}`, () => {
    expect(() => parseQuery(text)).toThrow(QuestionError);
    expect(() => parseQuery(text)).toThrow(words);
  });

test('whatever is typed is a query or a QuestionError, in little time', () => {
  const words = [
    '(',
    ')',
    ',',
    '=',
    '!=',
    'and',
    'or',
    'not',
    'in',
    'exists',
    'process.pid',
    'file.path',
    '"',
    "'",
    '\\',
  ];
  const typed = fc.array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 5 })), { maxLength: 60 });
  fc.assert(
    fc.property(typed, (parts) => {
      try {
        parseQuery(parts.join(' '));
      } catch (error) {
        expect(error).toBeInstanceOf(QuestionError);
      }
    }),
    { numRuns: 2_000 },
  );
});

const TEXTS = ['/tmp/x', '/tmp/X', '/etc/a*b', String.raw`a\b`, String.raw`a\*?`, '', 'ä%b', "it's", 'not', '7'];
const NAMES = ['process.script.path', 'process.executable.path', 'process.pid', 'process.command_args'] as const;

type Event = { readonly [name: string]: Value };
const anyEvent = fc.record(
  {
    'process.script.path': fc.constantFrom(...TEXTS),
    'process.executable.path': fc.constantFrom(...TEXTS),
    'process.pid': fc.integer({ min: 0, max: 9 }),
    'process.command_args': fc.array(fc.constantFrom(...TEXTS), { maxLength: 3 }),
  },
  { requiredKeys: [] },
);

const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
const anyTest = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('process.script.path', 'process.executable.path', 'process.command_args'),
      fc.constantFrom('=', '!=', 'contains', 'startswith', 'endswith'),
      fc.constantFrom(...TEXTS.filter((text) => text !== '')),
    )
    .map(([name, how, value]) => `${name} ${how} ${quoted(value)}`),
  fc
    .tuple(fc.constantFrom('=', '!=', '<', '<=', '>', '>='), fc.integer({ min: 0, max: 9 }))
    .map(([how, value]) => `process.pid ${how} ${value}`),
  fc.constantFrom(
    'process.script.path exists',
    'process.script.path matches "^/(tmp|etc)/[a-z]"',
    'process.script.path in (/tmp/x, "7")',
  ),
);
const anyQuery = fc.letrec<{ query: string }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'query' },
    anyTest,
    tie('query').map((inner) => `not ${inner}`),
    fc.tuple(tie('query'), fc.constantFrom('and', 'or'), tie('query')).map(([a, word, b]) => `(${a} ${word} ${b})`),
  ),
})).query;

/** The language read as plainly as can be. */
function holds(query: Query, event: Event): boolean {
  switch (query.is) {
    case 'all':
      return true;
    case 'not':
      return !holds(query.of, event);
    case 'and':
      return query.of.every((part) => holds(part, event));
    case 'or':
      return query.of.some((part) => holds(part, event));
    case 'test': {
      const value = event[query.name];
      if (value === undefined) return false;
      if (query.how === 'exists') return true;
      const items = typeof value === 'object' ? value : [value];
      return query.values.some((wanted) => items.some((item) => isSo(item, query.how, wanted)));
    }
  }
}

function isSo(item: string | number | boolean, how: string, wanted: string | number | boolean): boolean {
  const [text, part] = [String(item), String(wanted)];
  if (how === 'contains') return text.includes(part);
  if (how === 'startswith') return text.startsWith(part);
  if (how === 'endswith') return text.endsWith(part);
  if (how === 'matches') return new RegExp(part, 'u').test(text);
  if (how === '<') return item < wanted;
  if (how === '<=') return item <= wanted;
  if (how === '>') return item > wanted;
  if (how === '>=') return item >= wanted;
  return item === wanted;
}

describe('one meaning', () => {
  let instance: DuckDB.DuckDBInstance;
  let connection: DuckDB.DuckDBConnection;
  beforeAll(async () => {
    const duckdb: typeof DuckDB = createRequire(import.meta.url)('@duckdb/node-api');
    instance = await duckdb.DuckDBInstance.create(':memory:');
    connection = await instance.connect();
  });
  afterAll(() => {
    connection.closeSync();
    instance.closeSync();
  });

  const inSql = async (text: string, event: Event): Promise<boolean> => {
    const { sql, values } = toSql(parseQuery(text), 2);
    const types = Object.fromEntries(
      NAMES.map((name) => [
        name,
        { string: 'VARCHAR', int: 'BIGINT', 'string[]': 'VARCHAR[]' }[String(ATTRIBUTES[name].type)] ?? 'VARCHAR',
      ]),
    );
    const events = `SELECT unnest(from_json($1, '${JSON.stringify(types)}'))`;
    const reader = await connection.runAndReadAll(`SELECT ${sql} FROM (${events})`, [JSON.stringify(event), ...values]);
    return reader.getRowsJS()[0]?.[0] === true;
  };
  const ruleOf = (text: string): string =>
    toSigma({
      ...{
        query: parseQuery(`event = process.exec and (${text})`),
        text,
        title: 'Saved',
        level: 'medium',
        author: 'me',
      },
      ...{ day: '2026-01-01', newId: () => crypto.randomUUID() },
    });
  const mapping = loadMapping();
  const inSigma = (text: string, event: Event): boolean => {
    const rules = parseSigmaFile(ruleOf(text), 'saved.yml').filter((each): each is SigmaRule => each.kind === 'rule');
    return compileRules(rules, mapping).match({ name: 'process.exec', attributes: event }).length > 0;
  };

  test('SQL, Sigma and a plain reading find the same', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(anyQuery, anyEvent, async (text, event) => {
        const expected = holds(parseQuery(text), event);
        expect([await inSql(text, event), inSigma(text, event)]).toEqual([expected, expected]);
      }),
      { numRuns: 400 },
    );
  });
});

test('a rule of several kinds of event is several rules, in one file', () => {
  let id = 0;
  const newId = (): string => `00000000-0000-4000-8000-${String(++id).padStart(12, '0')}`;
  const text =
    'event in (file.open, file.create) and file.path startswith /etc/ and not process.pid = 1 and file.path endswith .d';
  const rule = toSigma({
    query: parseQuery(text),
    text,
    title: 'Etc',
    level: 'low',
    author: 'me',
    day: '2026-01-01',
    newId,
  });
  const rules = parseSigmaFile(rule, 'etc.yml');
  expect(rules.map(({ title }) => title)).toEqual(['Etc (file.open)', 'Etc (file.create)']);
  expect(rule).toMatch(
    /selection:\n {4}file\.path\|startswith\|cased: \/etc\/\n {4}file\.path\|endswith\|cased: \.d\n/,
  );
  expect(rule).toContain('condition: selection and not part_1');
});

const UNSAVED: readonly (readonly [string, RegExp])[] = [
  ['file.path = /etc/passwd', /begin with `event = ` and its name, such as process\./],
  ['event = file.open', /every file\.open would alert/],
  ['event = file.open and node = a', /leave `node` out/],
  ['event = file.open and not event = file.create', /name the kinds of event once/],
  ['event = process.exec and file.path = /x', /process\.exec carries no file\.path/],
  ['event = file.open and file.path = /tmp/p-oyenzh3deo', /pseudonym/],
];
for (const [text, words] of UNSAVED)
  test(`not saved: ${text}`, () => {
    const wanted = {
      query: parseQuery(text),
      text,
      title: 'T',
      level: 'low',
      author: 'me',
      day: '2026-01-01',
    } as const;
    expect(() => toSigma({ ...wanted, newId: () => crypto.randomUUID() })).toThrow(words);
  });

test('examples hold what the question is about and nothing else', () => {
  const query = parseQuery(
    'event = process.exec and process.executable.path startswith /tmp/ and process.command_args contains x',
  );
  const found = {
    event: 'process.exec',
    time: 1,
    'process.executable.path': '/tmp/a',
    'process.command_args': ['x'],
    'user.name': 'eve',
  } as const;
  const examples = parseExamples(toExamples(query, [found, { ...found, time: 2 }]), 'a.yaml');
  expect(examples.match.map(({ name, attributes }) => ({ name, attributes }))).toEqual([
    { name: 'process.exec', attributes: { 'process.executable.path': '/tmp/a', 'process.command_args': ['x'] } },
  ]);
  expect([...namesIn(query)].every((name) => name === 'event' || isAttributeName(name))).toBe(true);
});

test('a title becomes a name of a file, whatever it is', () => {
  expect(fileNameOf('Ran from /tmp!')).toBe('ran-from-tmp');
  expect(fileNameOf('../../etc')).toBe('etc');
  expect(fileNameOf('…')).toBe('saved-search');
});
