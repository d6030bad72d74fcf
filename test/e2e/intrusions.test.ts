/**
 * Intrusions of many kinds, each for real in namespaces of its own under the real sensor: each deed alerts, and how long it
 * takes from the deed until an operator can see the alert is printed. Then a dozen attacks of others, in a container.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attack, hitsOf, readTests, type Hits } from './atomic/run.ts';
import { Container } from './container.ts';
import { Group } from './origins.ts';
import { Sightings } from './sightings.ts';
import { CHECKOUT, isRoot, Stack, WHY_SKIPPED } from './stack.ts';

const DIRECTORY = join(CHECKOUT, 'test/e2e/intrusions');
const SCRIPTS = readdirSync(DIRECTORY).filter((name) => name.endsWith('.sh') && name !== 'scene.sh');
/** Far more than it takes: the machine may be busy with other things. What it takes is printed. */
const PATIENCE_MS = 20_000;

const portOf = (server: Server): number => {
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
};

interface Deed {
  readonly rule: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Runs one to its end; what it did, and when. */
async function commit(script: string, ports: readonly number[]): Promise<readonly Deed[]> {
  const work = mkdtempSync(join(tmpdir(), 'hushwatch-intrusion-'));
  chmodSync(work, 0o755);
  const args = ['--mount', '--pid', '--fork', '--uts', '--kill-child', 'sh', join(DIRECTORY, script), work];
  const child = spawn('unshare', [...args, ...ports.map(String)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, problems] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (problems += chunk.toString()));
  await once(child, 'close');
  rmSync(work, { recursive: true, force: true });
  expect(child.exitCode, problems).toBe(0);
  return output
    .trim()
    .split('\n')
    .map((line) => ({ rule: line.split(' ')[0] ?? '', at: Number(line.split(' ')[1]) }));
}

describe.skipIf(!isRoot)(`intrusions${WHY_SKIPPED}`, () => {
  const sinks = [0, 1].map(() => createServer((socket) => socket.on('error', () => {}).end()));
  const took: string[] = [];
  let stack: Stack;
  let sightings: Sightings;

  beforeAll(async () => {
    for (const sink of sinks) await once(sink.listen(0, '127.0.0.1'), 'listening');
    stack = await new Stack(18_462).start();
    sightings = new Sightings(stack.home);
  });

  afterAll(async () => {
    await sightings[Symbol.asyncDispose]();
    await stack[Symbol.asyncDispose]();
    for (const sink of sinks) sink.close();
    rmSync(journal, { recursive: true, force: true });
    process.stdout.write(`from the deed to the alert, milliseconds:\n${took.join('\n')}\n`);
  });

  test('there are ten different ones', () => {
    expect(SCRIPTS.length).toBeGreaterThanOrEqual(10);
  });

  test.each(SCRIPTS)('%s: each deed alerts', async (script) => {
    const deeds = await commit(script, sinks.map(portOf));
    expect(deeds.length).toBeGreaterThan(0);
    const missed: string[] = [];
    for (const { rule, at } of deeds) {
      const sighting = await sightings.first(rule, at, PATIENCE_MS);
      if (sighting === undefined) missed.push(rule);
      else took.push(`${script.replace('.sh', '').padEnd(18)} ${rule.padEnd(28)} ${sighting.seenAt - at}`);
    }
    expect(missed).toEqual([]);
  });

  /** Of the hundred and more that `npm run atomic` runs. */
  const ATOMIC: readonly (readonly [test: string, rule: string])[] = [
    ['T1003.008 Access /etc/shadow (Local)', 'shadow-read'],
    ['T1036.005 Execute a process from a directory masquerading as the current parent directory', 'disguised-path'],
    ['T1037.004 rc.local', 'boot-persistence'],
    ['T1053.003 Cron - Add script to /etc/cron.d folder', 'cron-persistence'],
    ['T1053.006 Create a system level transient systemd service and timer', 'transient-timer'],
    ['T1518.001 Security Software Discovery - ps (Linux)', 'defence-searched'],
    ['T1070.003 Clear Bash history (rm)', 'history-deleted'],
    ['T1098.004 Modify SSH Authorized Keys', 'ssh-authorized-keys'],
    ['T1140 Linux Base64 Encoded Shebang in CLI', 'fetched-run'],
    ['T1548.001 Set a SetUID flag on file', 'setuid-set'],
    ['T1552.004 Discover Private SSH Keys', 'secrets-searched'],
    ['T1574.006 Shared Library Injection via /etc/ld.so.preload', 'preload-file'],
  ];
  const journal = mkdtempSync(join(tmpdir(), 'hushwatch-atomic-'));
  let hits: Hits = new Map();

  test('a dozen of Atomic Red Team run in a container', async () => {
    using group = new Group('hushwatch-intrusions').enter();
    await using container = await Container.start(journal);
    group.leave();
    const attacks = await attack(container, readTests(ATOMIC.map(([name]) => name)));
    await stack.settled();
    const machine = { name: 'machine', pid: container.pid, at: container.startedAt };
    hits = hitsOf(join(stack.home, 'collector'), attacks, machine);
  });

  test.each(ATOMIC)('%s: %s', (name, rule) => {
    expect([...(hits.get(name) ?? [])].map(([file]) => file)).toContain(rule);
  });
});
