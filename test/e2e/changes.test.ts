/**
 * A collector that is killed while it puts other rules in force: whatever the moment, the next start ends with what lies in the
 * files, the log says who did it and why, and verifies.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answerTo, ask } from '../../collector/apply.ts';
import { CHECKOUT, until } from './stack.ts';

const PORT = 18_492;
/** The request is seen within a second; reading, line-up, log and swap take a few milliseconds. */
const KILLED_AFTER_MS = [0, 400, 800, 1_000];

const home = mkdtempSync(join(tmpdir(), 'hushwatch-changes-'));
let child: ChildProcess | undefined;

const hushwatch = (...args: readonly string[]): { readonly status: number | null; readonly stdout: string } =>
  spawnSync(process.execPath, [join(CHECKOUT, 'hushwatch.ts'), ...args], { encoding: 'utf8' });

const configure = (deviations: number): void =>
  writeFileSync(
    join(home, 'collector.yaml'),
    `listen: 127.0.0.1:${PORT + 1}\ndashboard: 127.0.0.1:${PORT}\ndetectors: { rate: { deviations: ${deviations} } }\n`,
    { mode: 0o640 },
  );

async function start(): Promise<void> {
  const file = join(home, 'collector.yaml');
  child = spawn(process.execPath, [join(CHECKOUT, 'hushwatch.ts'), 'collector', 'run', '--config', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await until(() => said.includes('"ready"'), 60_000, 'the collector');
}

async function end(signal: NodeJS.Signals): Promise<void> {
  const gone = child && once(child, 'close');
  child?.kill(signal);
  await gone;
}

interface Changed {
  readonly who: string;
  readonly reason: string;
  readonly isProven: boolean;
  readonly listed: readonly { readonly name: string }[];
}

const changes = (): readonly Changed[] =>
  hushwatch('detect', 'changes', '--home', home, '--json')
    .stdout.split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

beforeAll(async () => {
  expect(hushwatch('collector', 'init', '--home', home).status).toBe(0);
  configure(6);
  await start();
});
afterAll(async () => {
  await end('SIGKILL');
  rmSync(home, { recursive: true });
});

test('a kill at any moment of a change loses neither the change nor its reason', async () => {
  for (const [round, wait] of KILLED_AFTER_MS.entries()) {
    configure(7 + round);
    const asked = ask(home, 'alex', `Round ${round}.`);
    await sleep(wait);
    await end('SIGKILL');
    await start();
    // Answered by the one that was killed, or by the next.
    await until(() => answerTo(home, asked) !== undefined, 60_000, 'an answer');
    const found = changes();
    expect(found).toHaveLength(round + 2);
    expect(found.at(-1)).toMatchObject({ who: 'alex', reason: `Round ${round}.`, isProven: true });
    expect(found.at(-1)?.listed.map(({ name }) => name)).toEqual(['rate.deviations']);
  }
  expect(hushwatch('detect', 'diff', '--home', home).stdout).toBe('what lies in the files is in force\n');
  expect(hushwatch('verify', home)).toMatchObject({ status: 0 });
});

test('SIGHUP reads the files again and goes on', async () => {
  const before = changes().length;
  configure(20);
  child?.kill('SIGHUP');
  await until(() => changes().length > before, 60_000, 'the change');
  expect(changes().at(-1)?.reason).toBe('Asked by SIGHUP; nobody gave a reason.');
  expect(child?.exitCode).toBeNull();
});
