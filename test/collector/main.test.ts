/** The collector as people run it: started, killed, asked, audited. Real process, real TLS, real ruleset and rules. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { formatVerifierKey } from '#protocol/note.ts';
import { bodyPath } from '#protocol/verify.ts';
import { loadPack, STARTER_PACK } from '../../collector/detectors/pack.ts';
import { initCollector, makeTlsIdentity } from '../../collector/keys.ts';
import { State } from '../../collector/state.ts';
import { approvalOfPack, approvalOfRuleset } from '../../redaction-rules/approve.ts';
import { compileRuleset, type Redactor } from '../../redaction-rules/compile.ts';
import { parseRuleset } from '../../redaction-rules/ruleset.ts';
import { approvalNote, REVIEWER_LIST } from '../protocol/approved.ts';
import { SampleNode } from './sample.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const RULESET = join(CHECKOUT, 'redaction-rules/rulesets/generic-linux.yaml');
const ruleset = parseRuleset(readFileSync(RULESET, 'utf8'), RULESET);
const redactor: Redactor = compileRuleset(ruleset, { node: randomBytes(32) });
const names = { ruleset: ruleset.digest, rulepack: loadPack(STARTER_PACK).digest };

const root = mkdtempSync(join(tmpdir(), 'hushwatch-main-'));
const home = join(root, 'collector');
const config = join(home, 'collector.yaml');
const node = new SampleNode('node-1');
const environment = { ...process.env, HUSHWATCH_HOME: root };

let running: ChildProcess | undefined;
let port = 0;

beforeAll(async () => {
  await initCollector({ home, origin: 'localhost/test', listen: '127.0.0.1:0', dashboard: '127.0.0.1:0' });
  copyFileSync(RULESET, join(home, 'rulesets/generic-linux.yaml'));
  writeFileSync(join(home, 'reviewers'), REVIEWER_LIST);
  for (const approval of [approvalOfRuleset(RULESET), approvalOfPack(STARTER_PACK, 'rules', 1)])
    writeFileSync(join(home, `approvals/${approval.digest}.approval`), approvalNote(approval));
  const { name, role, cohort } = node.registered;
  const registered = {
    ...{ name, role, cohort, batch_key: formatVerifierKey(node.key.verifier) },
    transport_key: await makeTlsIdentity(join(root, 'shipper'), 'shipper'),
  };
  writeFileSync(join(home, 'nodes.yaml'), JSON.stringify({ nodes: [registered] }));
  await start();
});
afterAll(async () => {
  await stop('SIGTERM');
  rmSync(root, { recursive: true });
});

async function start(): Promise<void> {
  const args = [join(CHECKOUT, 'hushwatch.ts'), 'collector', 'run', '--config', config];
  const child = spawn(process.execPath, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  running = child;
  let said = '';
  await new Promise<void>((settle, fail) => {
    const keep = (chunk: Buffer): void => {
      said += chunk.toString();
      const ready = /\{.*"port":([0-9]+).*"msg":"ready"\}/.exec(said);
      port = Number(ready?.[1] ?? 0);
      if (ready !== null) settle();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('close', (code) => fail(new Error(`ended with ${String(code)}: ${said}`)));
  });
}

async function stop(signal: NodeJS.Signals): Promise<number | null> {
  const child = running;
  running = undefined;
  if (child === undefined) return null;
  const code = new Promise<number | null>((settle) => child.once('close', settle));
  child.kill(signal);
  return await code;
}

function hushwatch(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const run = spawnSync(process.execPath, [join(CHECKOUT, 'hushwatch.ts'), ...args], {
    env: environment,
    encoding: 'utf8',
  });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

const rows = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** Sends until every batch has a receipt; how many connections it took. */
async function ship(batches: readonly Uint8Array[], disturb: (answers: number) => void = () => {}): Promise<number> {
  let answers = 0;
  for (let connections = 1; ; connections++) {
    let sent = answers;
    const socket = new WebSocket(`wss://127.0.0.1:${port}/v1/ship`, 'hushwatch.v1', {
      key: readFileSync(join(root, 'shipper/tls.key')),
      cert: readFileSync(join(root, 'shipper/tls.crt')),
      rejectUnauthorized: false,
    });
    const done = await new Promise<boolean>((settle) => {
      socket.on('error', () => settle(false));
      socket.on('close', () => settle(false));
      socket.on('message', (data: Buffer) => {
        const [what, sequence] = data.toString().split(/[ \n]/, 2);
        if (what === 'receipt') {
          answers += 1;
          disturb(answers);
        } else if (what !== 'welcome') throw new Error(`${String(what)} ${String(sequence)}`);
        // Nobody sends to a collector that is being killed: otherwise all would be answered before it dies.
        while (running !== undefined && sent < Math.min(batches.length, answers + 8)) {
          socket.send(batches[sent++] ?? new Uint8Array());
        }
        if (answers === batches.length) settle(true);
      });
    });
    socket.terminate();
    if (done) return connections;
    await new Promise((settle) => setTimeout(settle, 20));
  }
}

/** A batch of programs that were started just now. */
function batch(count: number, path = '/usr/bin/true'): Uint8Array {
  const lines = Array.from({ length: count }, (_, i) => {
    const attributes = { 'process.entity.id': `${i}-1`, 'process.pid': i + 1, 'process.executable.path': path };
    return redactor.redact({ name: 'process.exec', time: Date.now() * 1000, attributes })?.line ?? '';
  });
  return node.next(lines, names);
}

test('check says what there is, and refuses a mistake with exit 3', () => {
  expect(hushwatch('collector', 'check', '--config', config)).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/1 nodes, 1 rulesets, [0-9]+ rules/),
  });
  writeFileSync(join(root, 'wrong.yaml'), 'lisen: a:1\n');
  const { status, stderr } = hushwatch('collector', 'check', join(root, 'wrong.yaml'));
  expect(status).toBe(3);
  expect(stderr).toMatch(/wrong.yaml:1:1 lisen: no such key; did you mean `listen`/);
});

test('a second collector in the same directory ends at once', () => {
  const { status, stderr } = hushwatch('collector', 'run', '--config', config);
  expect(status).toBe(1);
  expect(stderr).toContain('held by another process');
});

test('a port that is taken ends it at once', async () => {
  const other = join(root, 'other');
  await initCollector({
    home: other,
    origin: 'localhost/other',
    listen: `127.0.0.1:${port}`,
    dashboard: '127.0.0.1:0',
  });
  const { status, stderr } = hushwatch('collector', 'run', '--config', join(other, 'collector.yaml'));
  expect(status).toBe(1);
  expect(stderr).toContain('EADDRINUSE');
});

test('batches survive kill -9 in their midst; nothing is lost, nothing twice', { timeout: 60_000 }, async () => {
  const batches = Array.from({ length: 60 }, () => batch(5));
  const kills = [7, 23, 50];
  let restarted = Promise.resolve();
  const connections = await ship(batches, (answers) => {
    if (running === undefined || answers < (kills[0] ?? Infinity)) return;
    kills.shift();
    restarted = stop('SIGKILL').then(start);
  });
  await restarted;
  expect(connections).toBeGreaterThan(2);
  const found = rows(hushwatch('events', '--since', '1h', '--limit', '100000', '--json').stdout);
  expect(found).toHaveLength(300);
  expect(new Set(found.map(({ sequence }) => sequence)).size).toBe(60);
  expect(hushwatch('verify', home)).toMatchObject({ status: 0, stdout: expect.stringContaining('63 entries') });
});

describe('questions', () => {
  beforeAll(() => ship([batch(3, '/tmp/evil')]));
  const events = (...args: string[]): ReturnType<typeof hushwatch> => hushwatch('events', '--json', ...args);

  test('a condition selects; the line is as it was released', () => {
    const where = "event = 'process.exec' AND process.executable.path LIKE '/tmp/%'";
    const found = rows(events('--where', where, '--limit', '2').stdout);
    expect(found).toHaveLength(2);
    expect(found[0]).toMatchObject({ node: 'node-1', event: 'process.exec', 'process.pid': expect.any(Number) });
    expect(Object.keys(found[0] ?? {}).slice(0, 4)).toEqual(['node', 'sequence', 'event', 'time']);
  });

  const NONE: readonly (readonly [string, readonly string[]])[] = [
    ['another node', ['--node', 'node-2']],
    ['a false condition', ['--where', 'false']],
    ['another time', ['--since', '2d', '--until', '1d']],
  ];
  for (const [name, args] of NONE)
    test(`nothing: ${name}`, () => expect(events(...args)).toMatchObject({ status: 0, stdout: '' }));

  const REFUSED: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['two statements', ['--where', 'true; DROP TABLE batches'], 1, /no semicolon/],
    ['a column that is not there', ['--where', 'nothing = 1'], 1, /nothing/],
    ['another file', ['--where', "(SELECT count(*) FROM read_text('/etc/passwd')) > 0"], 1, /[Pp]ermission|disabled/],
    [
      'our own key',
      ['--where', `(SELECT count(*) FROM read_text('${home}/log.key')) > 0`],
      1,
      /[Pp]ermission|disabled/,
    ],
    ['writing', ['--where', "(SELECT 1 FROM (COPY batches TO '/tmp/x'))"], 1, /./],
    ['a time that is none', ['--since', 'yesterday'], 2, /such as 10m/],
    ['an option that is none', ['--were', 'true'], 2, /were/],
  ];
  for (const [name, args, status, message] of REFUSED) {
    test(`refused: ${name}`, () => {
      const answer = events(...args);
      expect(answer).toMatchObject({ status, stdout: '' });
      expect(answer.stderr).toMatch(message);
    });
  }

  test('alerts as JSON', () => {
    using state = State.open(join(home, 'state.sqlite'));
    const found = rows(hushwatch('alerts', '--json').stdout);
    expect(found.map(({ id }) => id)).toEqual(state.alerts({ limit: 1000, afterSeq: 0 }).map(({ id }) => id));
    expect(hushwatch('alerts', '--severity', 'grave')).toMatchObject({ status: 2 });
  });
});

test('verify says no, and where, when a bit of the evidence changes', () => {
  using state = State.open(join(home, 'state.sqlite'));
  const file = join(home, bodyPath(state.batch(6)?.body ?? ''));
  const bytes = readFileSync(file);
  const flipped = Buffer.from(bytes);
  flipped[20] = (flipped[20] ?? 0) ^ 1;
  writeFileSync(file, flipped);
  const { status, stdout } = hushwatch('verify', home);
  writeFileSync(file, bytes);
  expect(status).toBe(4);
  expect(stdout).toMatch(/^WRONG body-mismatch: entry 6 \(node-1 #4\): /m);
  expect(hushwatch('verify', home)).toMatchObject({ status: 0 });
});

test('asked to stop, it stops', async () => {
  expect(await stop('SIGTERM')).toBe(0);
});
