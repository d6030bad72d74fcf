/** SIGHUP at a collector that runs: a good configuration is in force, a bad one changes nothing and is told. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { initCollector, makeTlsIdentity, pinOf } from '../../collector/keys.ts';
import { readReport, type ReloadReport } from '../../service/reload.ts';
import { REVIEWER_LIST } from '../protocol/approved.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'hushwatch-reload-'));
const at = (name: string): string => join(home, name);
let collector: ChildProcess;
let port = 0;
let said = '';

beforeAll(async () => {
  await initCollector({ home, origin: 'localhost/test', listen: '127.0.0.1:0', dashboard: '127.0.0.1:0' });
  writeFileSync(at('reviewers'), REVIEWER_LIST);
  collector = spawn(process.execPath, [join(CHECKOUT, 'hushwatch.ts'), 'collector', 'run', at('collector.yaml')]);
  for (const stream of [collector.stdout, collector.stderr])
    stream?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await until(() => said.includes('"msg":"ready"'));
  port = Number(/"port":(\d+).*"msg":"ready"/.exec(said)?.[1]);
}, 60_000);
afterAll(async () => {
  const gone = new Promise((settle) => collector.once('close', settle));
  collector.kill('SIGTERM');
  await gone;
  rmSync(home, { recursive: true });
});

async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end && !holds();) await sleep(20);
  if (!holds()) throw new Error(said.slice(-2_000));
}

/** What came of it. */
async function reload(): Promise<ReloadReport> {
  const asked = (): number => {
    const { reloads, refused } = readReport(at('configuration.json')) ?? { reloads: 0, refused: 0 };
    return reloads + refused;
  };
  const before = asked();
  collector.kill('SIGHUP');
  await until(() => asked() > before);
  const report = readReport(at('configuration.json'));
  if (report === undefined) throw new Error('no report');
  return report;
}

async function pinNow(): Promise<string> {
  return new Promise((settle, fail) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      const found = socket.getPeerX509Certificate();
      socket.destroy();
      settle(found === undefined ? 'none' : pinOf(found));
    });
  });
}

const GOOD = 'origin: localhost/test\nlisten: 127.0.0.1:0\ndashboard: 127.0.0.1:0\n';
const write = (more: string): void => writeFileSync(at('collector.yaml'), `${GOOD}${more}`);

test('outputs begin, what waits is named, and the former certificate is shown until there is another', async () => {
  const former = await pinNow();
  write('files: [stories.ndjson]\n');
  expect(await reload()).toMatchObject({ reloads: 1, refused: 0, waiting: [] });
  writeFileSync(at('collector.yaml'), GOOD.replace('dashboard: 127.0.0.1:0', 'dashboard: 127.0.0.1:1'));
  expect(await reload()).toMatchObject({ reloads: 2, waiting: ['dashboard'] });
  expect(await pinNow()).toBe(former);
  const another = await makeTlsIdentity(at('another'), 'another');
  for (const name of ['tls.key', 'tls.crt']) copyFileSync(at(`another/${name}`), at(name));
  expect(await pinNow()).toBe(former);
  write('');
  await reload();
  expect(await pinNow()).toBe(another);
  await until(() => said.includes('the TLS key is another'));
});

test.each<readonly [string, () => void, RegExp]>([
  [
    'a key that nobody knows',
    () => write('lisen: 1\n'),
    /collector\.yaml:4:1 lisen: no such key; did you mean `listen`/,
  ],
  [
    'an output without its secret',
    () => write('webhooks: [{ url: "https://a.example/", secret_file: none }]\n'),
    /none: cannot be read/,
  ],
  ['a node that is none', () => writeFileSync(at('nodes.yaml'), 'nodes: [{}]\n'), /nodes\.yaml:1:9 name: must be/],
  ['reviewers that nobody can read', () => writeFileSync(at('reviewers'), 'quorum 9\n'), /reviewers: a quorum of 9/],
  ['half a certificate', () => copyFileSync(at('tls.key'), at('tls.crt')), /tls\.crt: is no certificate/],
  ['a file for everybody', () => spawnSync('chmod', ['o+w', at('collector.yaml')]), /anyone may write it/],
])('%s changes nothing, is told, counted, and shown', async (_, spoil, problem) => {
  const names = ['collector.yaml', 'nodes.yaml', 'reviewers', 'tls.crt'];
  const kept = names.map((name) => readFileSync(at(name)));
  const [pin, before] = [await pinNow(), readReport(at('configuration.json'))];
  spoil();
  const report = await reload();
  expect(report).toMatchObject({ reloads: before?.reloads, refused: (before?.refused ?? 0) + 1 });
  expect(report.problem).toMatch(problem);
  expect(await pinNow()).toBe(pin);
  await until(() => said.includes('the new configuration cannot be used; the former one stays in force'));
  spawnSync('chmod', ['o-w', at('collector.yaml')]);
  for (const [i, name] of names.entries()) writeFileSync(at(name), kept[i] ?? '');
  expect(await reload()).not.toHaveProperty('problem');
});
