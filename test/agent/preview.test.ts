/** `hushwatch agent preview` of recorded frames: on a terminal it shows them, elsewhere it refuses. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatVerifierKey } from '#protocol/note.ts';
import { render } from '../../agent/preview.ts';
import { compileBound } from '../../collector/detectors/sigma/compile.ts';
import { compileRuleset } from '../../redaction-rules/compile.ts';
import { parseRuleset } from '../../redaction-rules/ruleset.ts';
import { holderOf } from '../../redaction-rules/sums.ts';
import { logKey } from '../protocol/sample.ts';
import { KEYS as ROOTS } from '../redaction-rules/small-ruleset.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let work = '';
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'hushwatch-preview-'));
  const lines = [
    'node: node-1',
    `ruleset: ${join(ROOT, 'redaction-rules/rulesets/generic-linux.yaml')}`,
    `rule_pack: ${join(ROOT, 'collector/detectors/rules')}`,
    `pseudonym_key: ${join(work, 'pseudonym.key')}`,
    `log_key: ${formatVerifierKey(logKey.verifier)}`,
  ];
  writeFileSync(join(work, 'agent.yaml'), `${lines.join('\n')}\n`);
});
afterAll(() => rmSync(work, { recursive: true }));

const command = (): string[] => [
  ...[process.execPath, join(ROOT, 'hushwatch.ts'), 'agent', 'preview', '--config', join(work, 'agent.yaml')],
  ...['--frames', join(ROOT, 'test/data/frames/linux-6.1.bin'), '--limit', '1000'],
];

test('a recording is shown, before and after redaction', () => {
  const run = spawnSync('script', ['-qec', command().join(' '), '/dev/null'], { encoding: 'utf8' });
  expect(run.status).toBe(0);
  expect(run.stdout).toMatch(/^file\.memory\.create\r?$/m);
  expect(run.stdout).toMatch(/process\.command_args +\["kworker","nothing"\] {2}-> {2}\["[^"]*","p-[a-z0-9]+"\]/);
});

test('what does not leave is struck out, by style or, where the terminal has none, by marks', () => {
  const shown = (environment: Readonly<Record<string, string>>): string =>
    spawnSync('script', ['-qec', command().join(' '), '/dev/null'], {
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '', ...environment },
    }).stdout;
  const name = /process\.parent\.command_args +/.source;
  // oxlint-disable-next-line no-control-regex -- the style is what is asked for
  expect(shown({ TERM: 'xterm' })).toMatch(new RegExp(`${name}\u001b\\[9m\\[.*\\]\u001b\\[29m {2}\\(withheld`));
  const plain = shown({ TERM: 'dumb' });
  expect(plain).toMatch(new RegExp(`${name}~~\\[.*\\]~~ {2}\\(withheld`));
  expect(plain).not.toContain('\u001b');
});

test('lines of another exporter are shown, and nothing of what is not mapped', () => {
  const config = join(work, 'falco.yaml');
  const own = readFileSync(join(work, 'agent.yaml'), 'utf8');
  writeFileSync(config, `${own}source: falco\nexporter_file: ${join(work, 'not-there')}\n`);
  const alert = {
    time: '2024-05-07T18:54:19Z',
    rule: 'Any',
    output: 'a whole sentence',
    output_fields: { 'evt.type': 'openat', 'fd.name': '/etc/shadow', 'proc.cmdline': 'cat /etc/shadow' },
  };
  writeFileSync(join(work, 'lines'), `no line\n${JSON.stringify(alert)}\n`);
  const [node = '', script = ''] = command();
  const words = [node, script, 'agent', 'preview', '--config', config, '--lines', join(work, 'lines')];
  const run = spawnSync('script', ['-qec', words.join(' '), '/dev/null'], { encoding: 'utf8' });
  expect(run.stdout).toMatch(/^file\.open\r?\n {2}file\.path +"\/etc\/shadow" {2}-> {2}"\/etc\/shadow"/m);
  expect(run.stdout).not.toMatch(/sentence|cat/);
  expect(run.status).toBe(0);
});

test('rules that are in force nowhere are shown without a configuration: of a recording, and of lines', () => {
  const shown = (...words: readonly string[]): string => {
    const all = [process.execPath, join(ROOT, 'hushwatch.ts'), 'rules', 'preview', ...words].join(' ');
    return spawnSync('script', ['-qec', all, '/dev/null'], { encoding: 'utf8', env: { ...process.env, TERM: 'dumb' } })
      .stdout;
  };
  const rules = (name: string): string => join(ROOT, `redaction-rules/rulesets/${name}.yaml`);
  const frames = ['--frames', join(ROOT, 'test/data/frames/linux-6.1.bin'), '--limit', '500'];
  expect(shown(rules('guestos'), ...frames)).toMatch(/process\.pid +~~\d+~~ {2}\(withheld: system\)/);
  expect(shown(rules('generic-linux'), ...frames)).toMatch(/process\.pid +(\d+) {2}-> {2}\1\r/);
  const exits = shown(rules('generic-linux'), ...frames, '--event', 'process.exit');
  expect(new Set(exits.match(/^[a-z]+\.[a-z._]+/gm))).toEqual(new Set(['process.exit']));
  const lines = ['--lines', join(work, 'lines'), '--from', 'falco'];
  expect(shown(rules('generic-linux'), ...lines)).toMatch(/file\.path +"\/etc\/shadow" {2}-> {2}"\/etc\/shadow"/);
  expect(shown(rules('generic-linux'), '--lines', join(work, 'lines'))).toContain('usage: hushwatch rules preview');
});

describe('of a recording', () => {
  const shown = (...words: readonly string[]): { readonly stdout: string; readonly status: number | null } => {
    const all = [process.execPath, join(ROOT, 'hushwatch.ts'), 'rules', 'preview', ...words].join(' ');
    return spawnSync('script', ['-qec', all, '/dev/null'], { encoding: 'utf8', env: { ...process.env, TERM: 'dumb' } });
  };
  const rules = join(ROOT, 'redaction-rules/rulesets/guestos.yaml');
  const recording = join(ROOT, 'test/data/frames/linux-6.18.bin');

  test('some of each event are shown, and how many there were', () => {
    const { stdout } = shown(rules, '--frames', recording, '--each', '2');
    expect(stdout.match(/^process\.exec\r$/gm)?.length).toBe(2);
    expect(stdout).toMatch(/^shown: \d+ of \d+ events\r\nof these 2 each; all of one with --event:\r\n/m);
    expect(stdout).toMatch(/^ {2}process\.exec: \d+\r$/m);
  });

  test('lines that become no event are counted, and why', () => {
    const lines = join(work, 'other-lines');
    writeFileSync(lines, 'no line\n{"process_throttle":{}}\n{"something":{}}\n');
    const { stdout } = shown(rules, '--lines', lines, '--from', 'tetragon');
    expect(stdout).toMatch(/shown: 0 of 0 events/);
    expect(stdout).toMatch(/\d lines? none that tetragon writes/);
  });

  test('what is no recording is said in one line', () => {
    for (const [words, why] of [
      [['--frames', rules], /not what a sensor of this version recorded/],
      [['--frames', join(work, 'not-there')], /no such file/],
      [['--lines', join(work, 'not-there'), '--from', 'falco'], /absent; name a file of lines that falco wrote/],
      [['--lines', work, '--from', 'falco'], /unreadable; name a file of lines/],
    ] as const) {
      const { stdout, status } = shown(rules, ...words);
      expect(stdout).toMatch(why);
      expect(stdout.trimEnd().split('\n').length, stdout).toBe(1);
      expect(status).toBe(3);
    }
    expect(shown(rules, '--frames', recording, '--event', 'process.exek').stdout).toContain(
      'did you mean process.exec?',
    );
  });
});

test('an event that a sum takes is struck out whole, and says so', () => {
  const ruleset = parseRuleset(
    readFileSync(join(ROOT, 'redaction-rules/rulesets/guestos.yaml'), 'utf8'),
    'guestos.yaml',
  );
  const gate = { matcher: compileBound([]), redactor: compileRuleset(ruleset, ROOTS), holder: holderOf(ruleset.sums) };
  const attributes = { 'process.executable.path': '/opt/ic/bin/canister_sandbox' };
  expect(render({ name: 'process.exec', time: 0, attributes }, gate, ['~~', '~~'])).toMatch(
    /^process\.exec {2}\(counted in the sum sandboxes, told with the others of its window\)\n.*~~"\/opt\/ic\/bin\/canister_sandbox"~~/,
  );
});

test('a redirected output is refused: raw data has no business in a file', () => {
  const [program = '', ...args] = command();
  const run = spawnSync(program, args, { encoding: 'utf8' });
  expect(run).toMatchObject({ status: 3, stdout: '' });
  expect(run.stderr).toMatch(/belong on a terminal only/);
});
