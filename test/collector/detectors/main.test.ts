/** `hushwatch detect`: what it prints, and how it ends. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { main } from '../../../collector/detectors/main.ts';
import { loadPack, STARTER_PACK } from '../../../collector/detectors/pack.ts';
import { compileRules } from '../../../collector/detectors/sigma/compile.ts';

const scratch = mkdtempSync(join(tmpdir(), 'hushwatch-detect-'));
afterAll(() => rmSync(scratch, { recursive: true }));

async function run(
  ...args: string[]
): Promise<{ readonly status: number; readonly out: string; readonly err: string }> {
  let out = '';
  let err = '';
  const status = await main(args, { out: (text) => void (out += text), err: (text) => void (err += text) });
  return { status, out, err };
}

const RULE = `title: A shell
id: 3f1b8a52-6c3e-4c0f-9d10-0a3f5d1c9b77
logsource: { product: linux, category: process_creation }
detection: { s: { Image|endswith: /sh }, condition: s }
level: high
`;

function directory(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(scratch, name);
  mkdirSync(join(path, 'tests'), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

describe('test', () => {
  test('the pack that comes along passes', async () => {
    const { status, out, err } = await run('test');
    expect(err).toBe('');
    expect(out).toMatch(/^\d+ rules, 0 failures, 0 rules without examples\n\d+ examples of baselines, 0 failures\n$/);
    expect(status).toBe(0);
  });

  test('says which example fails, where', async () => {
    const path = directory('failing', {
      'shell.yml': RULE,
      'tests/shell.yaml':
        'match:\n  - { event: process.exec, process.executable.path: /bin/ls }\nquiet:\n  - { event: process.exec, process.executable.path: /bin/sh }\n',
      'tests/ordinary.yaml': 'quiet:\n  - { event: process.exec, process.executable.path: /bin/bash }\n',
    });
    const { status, out } = await run('test', path);
    expect(out.split('\n')).toEqual([
      'tests/shell.yaml:2: shell.yml does not match',
      'tests/shell.yaml:4: shell.yml matches and should not',
      '1 rules, 2 failures, 0 rules without examples',
      '',
    ]);
    expect(status).toBe(1);
  });

  test('an ordinary event that a loud rule matches is a failure', async () => {
    const path = directory('loud', {
      'shell.yml': RULE,
      'tests/ordinary.yaml': 'quiet:\n  - { event: process.exec, process.executable.path: /bin/sh }\n',
    });
    const { status, out } = await run('test', path);
    expect(out).toContain('tests/ordinary.yaml:2: shell.yml matches an ordinary event');
    expect(status).toBe(1);
  });

  test('a rule that cannot be read is said with file and line', async () => {
    const { status, err } = await run(
      'test',
      directory('broken', { 'a.yml': RULE.replace('condition: s', 'condition: t') }),
    );
    expect(err).toBe('hushwatch detect: a.yml:4: condition names `t`, which is not there; there are `s`\n');
    expect(status).toBe(3);
  });

  test('two rules with one id are refused', async () => {
    const { err, status } = await run('test', directory('twins', { 'a.yml': RULE, 'b.yml': RULE }));
    expect(err).toMatch(/^hushwatch detect: b\.yml:1: id: .* is already that of a\.yml/);
    expect(status).toBe(3);
  });

  test('a correlation of rules that are not there is refused', async () => {
    const correlation = 'title: C\ncorrelation: { type: temporal, rules: [nobody], timespan: 5m }\n';
    const { err } = await run('test', directory('alone', { 'a.yml': RULE, 'c.yml': correlation }));
    expect(err).toBe('hushwatch detect: c.yml:1: correlation: rules: no rule here has the id or name nobody\n');
  });
});

test('an alias of a rule that is not there is refused', async () => {
  const story =
    'title: C\ncorrelation: { type: temporal, rules: [a_shell], timespan: 5m, group-by: [u], aliases: { u: { a_shlel: User } } }\n';
  const rule = RULE.replace('title: A shell', 'title: A shell\nname: a_shell');
  const { err } = await run('test', directory('alias', { 'a.yml': rule, 'c.yml': story }));
  expect(err).toBe(
    'hushwatch detect: c.yml:1: correlation: aliases: no rule here has the id or name a_shlel; did you mean `a_shell`?\n',
  );
});

describe('plan', () => {
  test('where nothing is released every rule runs on the node; stories are told by the collector', async () => {
    const { status, out } = await run('plan');
    // Those that ask whether one process did two things need to be told which process it was.
    expect(
      out.split('\n').filter((line) => line.startsWith('blind') && !line.includes('process.parent.entity.id')),
    ).toEqual([]);
    expect(out).toMatch(/\n\d+ on the node, \d+ on the collector, 2 blind\n$/);
    expect(out).toMatch(/^node {7}setuid-set\.yml +reads .*file\.mode/m);
    expect(status).toBe(0);
  });

  test('as JSON, one rule a line', async () => {
    const path = directory('json', { 'shell.yml': RULE });
    expect(JSON.parse((await run('plan', path, '--json')).out)).toEqual({
      kind: 'rule',
      id: '3f1b8a52-6c3e-4c0f-9d10-0a3f5d1c9b77',
      file: 'shell.yml',
      line: 1,
      level: 'high',
      runs: 'node',
      why: 'reads error.type, process.executable.path',
      withheld: ['error.type', 'process.executable.path'],
      missing: [],
    });
  });

  const NAMED = RULE.replace('title: A shell', 'title: A shell\nname: a_shell');
  const correlation = (body: string): string => `title: C\ncorrelation: { timespan: 5m, ${body} }\n`;
  const RULESET = fileURLToPath(new URL('../../../redaction-rules/rulesets/generic-linux.yaml', import.meta.url));

  test.each([
    [
      'type: event_count, rules: [a_shell], group-by: [Computer, LogonId], condition: { gte: 3 }',
      'collector',
      /^builds on a_shell$/,
    ],
    [
      'type: temporal, rules: [a_shell, dns], condition: a_shell and not dns',
      'collector',
      /waits for its time to be over/,
    ],
    [
      'type: event_count, rules: [a_shell], group-by: [QueryName], condition: { gte: 3 }',
      'blind',
      /^a_shell does not release QueryName$/,
    ],
    [
      'type: event_count, rules: [a_shell, dns], group-by: [QueryName], condition: { gte: 3 }',
      'collector',
      /; without a_shell does not release QueryName$/,
    ],
    [
      'type: temporal, rules: [a_shell, nowhere]',
      'blind',
      /^nowhere is blind: no event carries Imgae; did you mean `Image`\?$/,
    ],
  ])('correlations: %s', async (body, runs, why) => {
    const path = directory(`correlations-${body.length}`, {
      'shell.yml': NAMED,
      'dns.yml':
        'title: D\nname: dns\nlogsource: { product: linux, category: dns_query }\ndetection: { s: { QueryName: x }, condition: s }\n',
      'nowhere.yml':
        'title: N\nname: nowhere\nlogsource: { product: linux, category: process_creation }\ndetection: { s: { Imgae: x }, condition: s }\n',
      'story.yml': correlation(body),
    });
    const { out } = await run('plan', path, '--ruleset', RULESET, '--json');
    const row: { runs: string; why: string } = JSON.parse(out.trim().split('\n').at(-1) ?? '');
    expect(row).toMatchObject({ kind: 'correlation', runs });
    expect(row.why).toMatch(why);
  });

  test('a log source that is nearly one of ours', async () => {
    const path = directory('source', { 'a.yml': RULE.replace('process_creation', 'proces_creation') });
    expect((await run('plan', path)).out).toMatch(
      /^blind +a\.yml +no events here come from linux\/proces_creation; did you mean `process_creation`\?/,
    );
  });
});

describe('what a pack brings beside its rules', () => {
  const rule = (field: string, value: string): string =>
    `title: T\nlogsource: { product: linux, category: app_log }\ndetection: { s: { ${field}: ${value} }, condition: s }\n`;
  const MAPPING =
    'routes:\n  - logsource: { product: linux, category: app_log }\n    events: [{ event: process.exec, fields: { Program: process.executable.path } }]\n';

  function pack(name: string, files: Readonly<Record<string, string>>): ReturnType<typeof loadPack> {
    const path = join(scratch, name);
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(join(path, file, '..'), { recursive: true });
      writeFileSync(join(path, file), text);
    }
    return loadPack(path);
  }
  const idsFor = ({ rules, mapping }: ReturnType<typeof loadPack>, path: string): number =>
    compileRules(rules, mapping).match({ name: 'process.exec', attributes: { 'process.executable.path': path } })
      .length;

  test('a mapping: its log sources and fields count beside ours', () => {
    const mapped = pack('mapped', { 'a.yml': rule('Program', '/usr/bin/x'), 'mapping/own.yaml': MAPPING });
    expect([idsFor(mapped, '/usr/bin/x'), idsFor(mapped, '/usr/bin/y')]).toEqual([1, 0]);
    const moved = pack('moved', {
      'a.yml': RULE.replace('endswith', 'contains'),
      'mapping/own.yaml': 'fields: { Image: process.parent.executable.path }\n',
    });
    expect(idsFor(moved, '/usr/bin/sh')).toBe(0);
  });

  test('values for placeholders, one a line', () => {
    const filled = pack('filled', {
      'a.yml': rule('Program|expand', "'/opt/%tools%'"),
      'mapping/own.yaml': MAPPING,
      'placeholders/tools.txt': '# ours\nadm*\n\n  run  \n',
    });
    expect(['/opt/admin', '/opt/run', '/opt/other'].map((path) => idsFor(filled, path))).toEqual([1, 1, 0]);
  });

  test('all of it is in the digest', () => {
    const files = {
      'a.yml': rule('Program|expand', "'%tools%'"),
      'mapping/own.yaml': MAPPING,
      'placeholders/tools.txt': 'x\n',
    };
    const digests = [
      pack('digest', files),
      pack('digest', { 'placeholders/tools.txt': 'y\n' }),
      pack('digest', { 'mapping/own.yaml': `${MAPPING}# more\n` }),
    ].map(({ digest }) => digest);
    expect(new Set(digests).size).toBe(3);
  });

  test('folders of a checkout that hold no rules in force are left out', () => {
    const checkout = pack('checkout', {
      'rules/a.yml': RULE,
      'deprecated/b.yml': 'nonsense',
      'unsupported/c.yml': 'nonsense',
      '.github/workflows/d.yml': 'on: push',
      'regression_data/e/info.yml': 'match_count: 1',
    });
    expect(checkout.rules.map(({ file }) => file)).toEqual(['rules/a.yml']);
  });

  test.each([
    ['mapping/a.yaml', 'field: {}', /^mapping\/a\.yaml:1: mapping: field: no such key; did you mean `fields`\?/],
    ['mapping/a.yaml', 'fields: { X: process.pdi }', /no attribute of the vocabulary; did you mean `process\.pid`\?/],
    [
      'mapping/a.yaml',
      'routes: [{ logsource: { category: x }, events: [{ event: process.exce }] }]',
      /did you mean `process\.exec`\?/,
    ],
    [
      'mapping/a.yaml',
      'routes: [{ logsource: { category: x }, events: [{ event: process.exec, filds: {} }] }]',
      /did you mean `fields`\?/,
    ],
    ['mapping/a.yaml', 'routes: [{ logsource: { catgory: x }, blind: y }]', /did you mean `category`\?/],
    ['placeholders/a.txt', '# nothing\n', /^placeholders\/a\.txt:1: holds no value/],
    ['placeholders/a.txt', 'x\n'.repeat(10_001), /more than 10000 values/],
    ['placeholders/a.txt', 'x'.repeat(2_000_000), /larger than 1 MiB/],
  ])('%s is refused, and why', (file, text, message) => {
    const name = `refused-${text.length}-${file.length}`;
    expect(() => pack(name, { 'a.yml': RULE, [file]: text })).toThrow(message);
  });

  test('all that is wrong is told at once', () => {
    const broken = Object.fromEntries(
      Array.from({ length: 25 }, (_, i) => [`${String(i).padStart(2, '0')}.yml`, `a: ${i}\n`]),
    );
    const lines = (): readonly string[] => {
      try {
        pack('broken-all', broken);
        return [];
      } catch (error) {
        return String(error).split('\n');
      }
    };
    expect(lines()).toHaveLength(21);
    expect(lines()[1]).toMatch(/^01\.yml:1: title: missing/);
    expect(lines().at(-1)).toBe('and 5 more');
  });
});

describe('usage', () => {
  test.each([[[]], [['run']], [['test', 'a', 'b']], [['plan', '--unknown']]])('%j', async (args) => {
    const { status, err } = await run(...args);
    expect(err).toContain('usage: hushwatch detect test');
    expect(status).toBe(2);
  });

  test('asked for, it is no error', async () => {
    expect(await run('--help')).toMatchObject({ status: 0, err: '' });
  });
});

test('the digest covers names and contents', () => {
  const copy = join(scratch, 'copy');
  cpSync(STARTER_PACK, copy, { recursive: true });
  const before = loadPack(STARTER_PACK).digest;
  expect(loadPack(copy).digest).toBe(before);
  writeFileSync(join(copy, 'extra.yml'), RULE);
  expect(loadPack(copy).digest).not.toBe(before);
});
