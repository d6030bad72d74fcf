/** `hushwatch rules` as a reviewer runs it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { openApproval, parseReviewers } from '#protocol/approval.ts';
import { signCheckpoint } from '#protocol/checkpoint.ts';
import { leafHash } from '#protocol/merkle.ts';
import { formatVerifierKey } from '#protocol/note.ts';
import { formatReceipt } from '#protocol/receipt.ts';
import { logKey } from '../protocol/sample.ts';
import { smallRulesetText } from './small-ruleset.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'hushwatch-rules-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const write = (name: string, text: string): string => {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
};
function rules(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['hushwatch.ts', 'rules', ...args], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1e8,
  });
}

const GENERIC = 'redaction-rules/rulesets/generic-linux.yaml';

test('check: the shipped ruleset is sound', () => {
  const { status, stdout, stderr } = rules('check', GENERIC);
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(
    /^generic-linux 1: \d+ of \d+ attributes leave in some form; (\d+) of \1 examples hold\nsha256 [0-9a-f]{64}\n$/,
  );
});

test('check, for tools: one object a file, failing examples in it', () => {
  const { status, stdout } = rules('check', GENERIC, '--json');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    name: 'generic-linux',
    role: 'generic',
    failing: [],
    unused: [],
    sums: [],
  });
  const text = smallRulesetText({
    attributes: { 'process.pid': { do: 'keep' } },
    events: { 'process.exit': { examples: [{ name: 'wish', in: { 'process.pid': 1 }, out: { 'process.pid': 2 } }] } },
  });
  const wish = rules('check', write('wish-for-tools.yaml', text), '--json');
  expect(wish.status).toBe(1);
  expect(JSON.parse(wish.stdout)).toMatchObject({
    leaving: 1,
    failing: [{ name: 'wish', line: 1, problem: 'process.pid: expected 2, released 1' }],
    unused: ['process.pid'],
  });
});

test('risk and oracle as pages: nothing runs, nothing is asked of the network', () => {
  const lines = write('lines.ndjson', '{"event":"file.open","time":0,"file.path":"/srv/p-abcdefghij"}\n');
  for (const args of [
    ['risk', lines, '--html'],
    ['risk', lines, lines, '--html'],
    ['oracle', GENERIC, '--html'],
  ]) {
    const { status, stdout } = rules(...args);
    expect(status, args.join(' ')).toBe(0);
    expect(stdout).toMatch(/^<!doctype html>/);
    expect(stdout).toContain("default-src 'none'");
    expect(stdout).not.toMatch(/<script|<link|src=/);
    expect(stdout).toMatch(/<t[dh][^>]*>/);
  }
});

test('check: an example that does not hold is a failure', () => {
  const text = smallRulesetText({
    attributes: { 'process.pid': { do: 'keep' } },
    events: { 'process.exit': { examples: [{ name: 'a wish', in: { 'process.pid': 1 }, out: {} }] } },
  });
  const { status, stderr } = rules('check', write('wish.yaml', text));
  expect(status).toBe(1);
  expect(stderr).toContain('example "a wish": process.pid: expected nothing, released 1');
  expect(stderr).toContain('process.pid leaves, but nobody is named who uses it');
});

test('check: what is no ruleset is a problem of configuration', () => {
  const { status, stderr } = rules('check', write('broken.yaml', 'name: x\nversion: 0\n'));
  expect(status).toBe(3);
  expect(stderr).toContain('broken.yaml:2:10: version: not a whole number above 0; write 1, 2, 3, …');
  expect(stderr).toContain('problems; nothing would be released');
});

test('a file that is not there', () => {
  const { status, stderr } = rules('check', join(directory, 'none.yaml'));
  expect(status).toBe(3);
  expect(stderr).toContain('hint: name a file that can be read');
});

test('explain: a table for each event, in words', () => {
  const { status, stdout } = rules('explain', GENERIC, '--event', 'network.connect');
  expect(status).toBe(0);
  expect(stdout).toContain('network.connect  A socket was connected, or could not be (error.type).');
  expect(stdout).toMatch(
    /network\.peer\.address +network-identity +pseudonymous address that keeps which share a network, this node only, per epoch of 30 days; as they are: loopback, unspecified/,
  );
  expect(stdout).toMatch(/203\.0\.113\.7 -> p-\d/);
  expect(stdout).not.toContain('process.exec ');
});

test('explain on a terminal that is too narrow for a table: one below the other', () => {
  const words = `stty cols 100; ${process.execPath} hushwatch.ts rules explain ${GENERIC} --event network.connect`;
  const { stdout } = spawnSync('script', ['-qec', words, '/dev/null'], { cwd: root, encoding: 'utf8' });
  expect(stdout).toMatch(
    /^ {2}process\.user\.id {2}\(operator-identity\)\r\n {6}pseudonym.*\r\n {6}1000 -> \d+\r\n {6}.*\r\n {6}used by /m,
  );
});

test('explain --json: a line for each attribute of each event', () => {
  const { status, stdout } = rules('explain', GENERIC, '--json');
  expect(status).toBe(0);
  const rows: readonly unknown[] = stdout
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  expect(rows.length).toBeGreaterThan(200);
  expect(rows).toContainEqual(
    expect.objectContaining({
      event: 'process.exec',
      attribute: 'process.parent.command_args',
      leaves: false,
      summary: 'nothing',
    }),
  );
});

test('wrong usage says how', () => {
  for (const args of [
    [],
    ['chek'],
    ['check'],
    ['explain'],
    ['explain', GENERIC, '--jsno'],
    ['explain', GENERIC, '--event', 'x'],
  ]) {
    const { status, stderr } = rules(...args);
    expect(status, args.join(' ')).toBe(2);
    expect(stderr).toContain('usage: hushwatch rules check FILE...');
  }
});

test('two reviewers approve one ruleset; a third file, or another version, is not what they signed', () => {
  const [first, second] = ['one', 'two'].map((name) => {
    const { stdout, status } = rules('key', `reviewer-${name}`, '--out', join(directory, `${name}.key`));
    expect(status).toBe(0);
    return stdout.trim();
  });
  const out = join(directory, 'generic.approval');
  const approve = (name: string, file = GENERIC): ReturnType<typeof rules> =>
    rules('approve', file, '--key', join(directory, `${name}.key`), '--name', `reviewer-${name}`, '--out', out);
  expect(approve('one')).toMatchObject({ status: 0, stdout: expect.stringContaining('1 signed') });
  expect(approve('two')).toMatchObject({ status: 0, stdout: expect.stringContaining('2 signed') });
  expect(approve('two')).toMatchObject({ status: 0, stdout: expect.stringContaining('2 signed') });
  const reviewers = parseReviewers(Buffer.from(`quorum 2\n${first}\n${second}\n`));
  expect(openApproval(readFileSync(out), reviewers)).toMatchObject({ kind: 'ruleset', name: 'generic-linux' });
  expect(approve('one', write('other.yaml', smallRulesetText({})))).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('approves something else'),
  });
  const pack = ['--pack', 'collector/detectors/rules', '--version', '2', '--out', join(directory, 'pack.approval')];
  expect(rules('approve', ...pack, '--key', join(directory, 'one.key'), '--name', 'reviewer-one').stdout).toMatch(
    /kind rulepack, name rules, version 2, role any; 1 signed/,
  );
});

test('a stranger checks an approval: who signed, whether it is in the log, whether it is this file', () => {
  const line = rules('key', 'reviewer-four', '--out', join(directory, 'four.key')).stdout;
  const [approval, proof] = [join(directory, 'four.approval'), join(directory, 'four.tlog-proof')];
  rules('approve', GENERIC, '--key', join(directory, 'four.key'), '--name', 'reviewer-four', '--out', approval);
  const reviewers = write('reviewers', `quorum 1\n${line}`);
  const root = leafHash(readFileSync(approval));
  const checkpoint = signCheckpoint({ size: 1, root }, logKey);
  writeFileSync(proof, formatReceipt({ index: 0, proof: [], checkpoint }));
  const log = write('log.pub', `${formatVerifierKey(logKey.verifier)}\n`);
  const all = ['--reviewers', reviewers, '--proof', proof, '--log', log];
  expect(rules('verify', approval, ...all, '--ruleset', GENERIC)).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(
      /signed by reviewer-four; 1 of 1[^]*entry 0 of the log[^]*is what they signed\nverified\n$/,
    ),
  });
  const other = write('another.yaml', smallRulesetText({}));
  expect(rules('verify', approval, ...all, '--ruleset', other)).toMatchObject({
    status: 4,
    stdout: expect.stringMatching(/WRONG: .*another\.yaml is something else[^]*NOT verified\n$/),
  });
  const strangers = write(
    'strangers',
    `quorum 1\n${rules('key', 'reviewer-five', '--out', join(directory, 'five.key')).stdout}`,
  );
  expect(rules('verify', approval, '--reviewers', strangers)).toMatchObject({
    status: 4,
    stdout: expect.stringContaining('WRONG: too few'),
  });
  writeFileSync(
    proof,
    formatReceipt({
      index: 0,
      proof: [],
      checkpoint: signCheckpoint({ size: 1, root: leafHash(Buffer.from('x')) }, logKey),
    }),
  );
  expect(rules('verify', approval, ...all)).toMatchObject({
    status: 4,
    stdout: expect.stringContaining('does not prove'),
  });
  expect(rules('verify', approval)).toMatchObject({ status: 2 });
});

test('whoever approves has seen the examples hold', () => {
  rules('key', 'reviewer-three', '--out', join(directory, 'three.key'));
  const file = write(
    'wishful.yaml',
    smallRulesetText({
      attributes: { 'process.pid': { do: 'keep' } },
      events: { 'process.exit': { examples: [{ name: 'a wish', in: { 'process.pid': 1 }, out: {} }] } },
    }),
  );
  const as = [
    '--key',
    join(directory, 'three.key'),
    '--name',
    'reviewer-three',
    '--out',
    join(directory, 'no.approval'),
  ];
  expect(rules('approve', file, ...as)).toMatchObject({ status: 3, stderr: expect.stringContaining('a wish') });
  expect(existsSync(join(directory, 'no.approval'))).toBe(false);
});

test('diff: in words, and as lines of JSON', () => {
  const before = write('before.yaml', smallRulesetText({ attributes: { 'process.pid': { do: 'drop' } } }));
  const after = write('after.yaml', smallRulesetText({ attributes: { 'process.pid': { do: 'keep' } } }));
  expect(rules('diff', before, after).stdout).toMatch(
    /^newly leaves\n {2}process\.pid {2}\(\d+ events\)\n {4}as it is\n {4}4711: nothing -> 4711\n$/,
  );
  expect(JSON.parse(rules('diff', before, after, '--json').stdout)).toMatchObject({ change: 'newly leaves' });
  expect(rules('diff', before, before).stdout).toBe('no difference in what leaves\n');
  expect(rules('diff', before, after, '--html').stdout).toMatch(/^<!doctype html>[^]*newly leaves/);
  expect(rules('diff', before).status).toBe(2);
});

test('oracle: in words, the worst first, and as lines of JSON', () => {
  const { status, stdout } = rules('oracle', GENERIC);
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /\n\npreload-file\.yml {2}high [^]*a match says: it is \/etc\/ld\.so\.preload \(told outright\)/,
  );
  expect(JSON.parse(rules('oracle', GENERIC, '--json').stdout.split('\n')[0] ?? '')).toMatchObject({
    file: 'preload-file.yml',
    hidden: [{ attribute: 'file.path', onMatch: { openBits: 0 } }],
  });
  expect(rules('oracle').status).toBe(2);
});
