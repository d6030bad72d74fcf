/**
 * Releases that differ in what they speak, as real processes under load: a spool that outlives an upgrade of both sides, the way
 * back, and a node that is ahead of its collector. Nothing is lost, and whoever is older says so.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation, makeRelease, type Changes } from './release.ts';
import { CHECKOUT, until } from './stack.ts';

/** Knows one attribute more, which has a rule, and another pack of rules. */
const LARGER: Changes = {
  'protocol/vocabulary.ts': [
    [
      `  'hushwatch.crash.scope': a(`,
      `  'hushwatch.flavour': a('string', 'system', 'New.', 'new'),\n  'hushwatch.crash.scope': a(`,
    ],
    [
      `    'hushwatch.component',\n    'hushwatch.version',\n`,
      `    'hushwatch.component',\n    'hushwatch.version',\n    'hushwatch.flavour',\n`,
    ],
  ],
  'agent/sense.ts': [[`'hushwatch.version': `, `'hushwatch.flavour': 'new', 'hushwatch.version': `]],
  'redaction-rules/rulesets/generic-linux.yaml': [
    [
      `  hushwatch.crash.scope: {`,
      `  hushwatch.flavour: { do: keep, why: New., for: [health] }\n  hushwatch.crash.scope: {`,
    ],
  ],
  'collector/detectors/rules/miner.yml': [['status: test', 'status: stable']],
};

/** Signs statements of version 3. */
const LATER: Changes = {
  'protocol/statement.ts': [
    [`'hushwatch/batch/v2'] as const`, `'hushwatch/batch/v2', 'hushwatch/batch/v3'] as const`],
    ['s.epochs === undefined ? 0 : 1', 's.later ? 2 : s.epochs === undefined ? 0 : 1'],
    ['readonly epochs?: ', 'readonly later?: true;\n  readonly epochs?: '],
    ['...(version === 1 ? {}', '...(version === 3 ? { later: true as const } : {}),\n    ...(version === 1 ? {}'],
  ],
  'agent/spool.ts': [['...herald,\n', '...herald,\n      later: true,\n']],
};

const root = mkdtempSync(join(tmpdir(), 'hushwatch-releases-'));
const former = CHECKOUT;
let larger: string;
let later: string;
const load = spawn('sh', ['-c', 'while :; do sleep 0.3 & sleep 0.1; done'], { stdio: 'ignore' });
beforeAll(() => {
  larger = makeRelease(join(root, 'larger'), LARGER);
  later = makeRelease(join(root, 'later'), LARGER, LATER);
});
afterAll(() => {
  load.kill();
  rmSync(root, { recursive: true });
});

test('to a larger vocabulary, back, and ahead of the collector', async () => {
  await using machine = new Installation(join(root, 'home'), 19_720);
  const spool = join(machine.home, 'agent/spool');
  const waiting = (): number => readdirSync(spool).filter((name) => name.endsWith('.batch')).length;
  const sequence = (): number => Number(/\nsequence (\d+)\n/.exec(readFileSync(join(spool, 'head'), 'utf8'))?.[1] ?? 0);
  const grown = async (by: number): Promise<void> => {
    const from = existsSync(join(spool, 'head')) ? sequence() : 0;
    await until(() => existsSync(join(spool, 'head')) && sequence() >= from + by, 60_000, `${by} statements`);
  };
  const received = (): Promise<void> => until(() => waiting() === 0, 60_000, 'an empty spool');
  const install = async (release: string): Promise<void> => {
    machine.install(release);
    await until(() => machine.fetchProofs(release), 60_000, 'the proofs of the approvals');
  };
  const verified = (release: string): void => {
    const { status, stdout } = machine.cli(release, 'verify', join(machine.home, 'collector'));
    expect(stdout).toMatch(/node this-machine: .* 0 lost/);
    expect(stdout).toMatch(/\nverified\n$/);
    expect(status).toBe(0);
  };

  // The former release, and then its collector is away while the node goes on.
  machine.install(former);
  machine.start(former, 'collector');
  await install(former);
  machine.start(former, 'agent', 'shipper');
  await grown(2);
  await received();
  await machine.stop('collector', 'shipper');
  await grown(3);
  await machine.stop('agent');
  expect(waiting()).toBeGreaterThan(1);

  // Both sides are upgraded; what waits was made by the former one.
  machine.install(larger);
  machine.start(larger, 'collector');
  await install(larger);
  machine.start(larger, 'agent', 'shipper');
  await grown(2);
  await received();
  verified(larger);
  expect(machine.cli(larger, 'events', '--where', `"hushwatch.flavour" = 'new'`, '--json').stdout).toContain('new');

  // And back: first the node, then, while a batch of the larger release waits, the collector too.
  await machine.stop('agent', 'shipper');
  await install(former);
  machine.start(former, 'agent', 'shipper');
  await grown(2);
  await received();
  await machine.stop('collector');
  machine.start(former, 'collector');
  await grown(2);
  await received();
  verified(former);

  // A node ahead of its collector: refused, told on both sides, kept.
  await machine.stop('agent', 'shipper');
  await install(later);
  machine.start(later, 'agent', 'shipper');
  const status = (): string => machine.cli(later, 'status', '--config', join(machine.home, 'agent/agent.yaml')).stdout;
  await until(() => status().includes('unknown-version'), 60_000, 'the refusal');
  expect(status()).toMatch(/^act +batch \d+ was refused: a statement of version 3.*upgrade the collector/m);
  await grown(2);
  expect(waiting()).toBeGreaterThan(1);
  const alerts = machine.cli(former, 'alerts', '--json').stdout;
  expect(alerts).toContain('A node speaks a newer protocol: upgrade the collector');
  expect(alerts).not.toMatch(/"severity":"(?:high|critical)".*"rule":"unknown/);

  // The collector is upgraded, and nobody touches the node.
  await machine.stop('collector');
  machine.start(later, 'collector');
  await until(() => waiting() === 0, 90_000, 'what waited to arrive');
  expect(status()).not.toContain('refused');
  verified(later);
  const older = machine.cli(former, 'verify', join(machine.home, 'collector'));
  expect(older.status).toBe(4);
  expect(older.stdout).toContain('WRONG unknown-version');
});

test('a wiped disk: the chain goes on from what the log has, and it is said', async () => {
  await using machine = new Installation(join(root, 'wiped'), 19_730);
  const agent = join(machine.home, 'agent');
  const verify = (): { status: number | null; stdout: string } =>
    machine.cli(former, 'verify', join(machine.home, 'collector'));
  const restarted = (times: number): boolean => verify().stdout.split('\nrestarted: this-machine').length > times;
  machine.install(former);
  machine.start(former, 'collector');
  await until(() => machine.fetchProofs(former), 60_000, 'the proofs');
  machine.start(former, 'agent', 'shipper');
  await until(() => /batches 1 to (?:[3-9]|\d\d)/.test(verify().stdout), 60_000, 'a chain of some length');
  expect(verify().stdout).not.toContain('restarted');

  // The chain is gone, and its key is not. The collector is away: the agent lives, sees, and signs nothing.
  await machine.stop('collector', 'shipper', 'agent');
  rmSync(join(agent, 'spool'), { recursive: true });
  rmSync(join(agent, 'receipts'), { recursive: true });
  machine.install(former);
  machine.start(former, 'agent');
  await until(() => existsSync(join(agent, 'spool/ask')), 60_000, 'the question');
  expect(existsSync(join(agent, 'spool/head'))).toBe(false);
  machine.start(former, 'collector', 'shipper');
  await until(() => restarted(1), 120_000, 'the restart');

  // Chain and key are gone: another key is registered, as `admit --renew` does, and the former one proves the past.
  await machine.stop('agent', 'shipper');
  const nodes = join(machine.home, 'collector/nodes.yaml');
  const lost = readFileSync(join(agent, 'identity.key.pub'), 'utf8').trim();
  for (const name of ['spool', 'receipts', 'identity.key', 'identity.key.pub'])
    rmSync(join(agent, name), { recursive: true });
  machine.install(former);
  writeFileSync(nodes, `${readFileSync(nodes, 'utf8')}    former_keys: [${lost}]\n`);
  machine.start(former, 'agent', 'shipper');
  await until(() => restarted(2), 120_000, 'the second restart');

  const { status, stdout } = verify();
  expect(stdout).toMatch(
    /^restarted: this-machine at \d+ \(state-lost\), entry \d+; what it saw between .* may be missing$/m,
  );
  expect(stdout).toMatch(/^restarted: this-machine at \d+ \(key-lost\), entry \d+/m);
  expect(stdout).toMatch(/\nverified\n$/);
  expect(status).toBe(0);
  const alerts = (): string => machine.cli(former, 'alerts', '--json').stdout;
  await until(() => alerts().split('A node lost its chain').length > 2, 60_000, 'the alerts');
  expect(alerts()).not.toMatch(/"rule":"(?:fork|gap|rewind|counter-decrease|wrong-anchor)"/);
});
