/** `hushwatch detect`: what it prints, and how it ends. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { main } from '../../../collector/detectors/main.ts';
import { loadPack, STARTER_PACK } from '../../../collector/detectors/pack.ts';

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
    expect(out).toMatch(/^\d+ rules, 0 failures, 0 rules without examples\n$/);
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

describe('plan', () => {
  test('where nothing is released everything runs on the node', async () => {
    const { status, out } = await run('plan');
    expect(out).toMatch(/\n\d+ on the node, 0 on the collector, 0 blind\n$/);
    expect(out).toMatch(/^node {7}setuid-set\.yml +reads .*file\.mode/m);
    expect(status).toBe(0);
  });

  test('as JSON, one rule a line', async () => {
    const path = directory('json', { 'shell.yml': RULE });
    expect(JSON.parse((await run('plan', path, '--json')).out)).toEqual({
      id: '3f1b8a52-6c3e-4c0f-9d10-0a3f5d1c9b77',
      file: 'shell.yml',
      level: 'high',
      runs: 'node',
      why: 'reads error.type, process.executable.path',
    });
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
