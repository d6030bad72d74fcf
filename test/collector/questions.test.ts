/** Questions in processes of their own: answered, refused in words, bounded in number and time; and back-tests by them. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatVerifierKey } from '#protocol/note.ts';
import { RunningBacktests, type BacktestAsked, type BacktestRun } from '../../collector/backtests.ts';
import { accept } from '../../collector/pipeline.ts';
import { QuestionFailed, Questions, type Asking } from '../../collector/questions.ts';
import { Registry } from '../../collector/registry.ts';
import { Rulesets } from '../../collector/rulesets.ts';
import { tuningViewOf, type TuningView } from '../../collector/tuning-view.ts';
import { logKey } from '../protocol/sample.ts';
import { line, openCollector, SampleNode, type OpenCollector } from './sample.ts';

const T = 1_790_000_000_000_000;
let home: string;
let collector: OpenCollector;
let view: TuningView & Disposable;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-questions-'));
  for (const name of ['rulesets', 'packs']) mkdirSync(join(home, name));
  writeFileSync(join(home, 'collector.yaml'), '{}\n', { mode: 0o644 });
  writeFileSync(join(home, 'nodes.yaml'), 'nodes: []\n', { mode: 0o644 });
  writeFileSync(join(home, 'log.pub'), formatVerifierKey(logKey.verifier));
  const node = new SampleNode('node-1');
  collector = await openCollector(home, [node]);
  const lines = [1, 2, 3].map((i) => line('process.exec', T + i, { 'process.executable.path': `/tmp/--home=${i}` }));
  await accept(collector, node.next(lines));
  view = tuningViewOf({
    ...{ home, state: collector.state, registry: Registry.open(join(home, 'nodes.yaml')) },
    rulesets: Rulesets.open(join(home, 'rulesets')),
    inForce: () => {
      throw new Error('not asked here');
    },
  });
}, 60_000);
afterAll(async () => {
  view[Symbol.dispose]();
  await collector[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

const asked = { sinceUs: T - 1_000, untilUs: T + 1_000, node: undefined, page: 0, pageSize: 2 };
const SLOW = { timeoutMs: 60_000 };

test('a search is asked as it was typed, options and all', { timeout: 60_000 }, async () => {
  const found = await view.search({ ...asked, query: 'process.executable.path contains "--home="' });
  expect([found.total, found.events.length, found.events[0]?.line]).toEqual([3, 2, 2]);
  const title = '--where=true';
  const query = 'event = process.exec and process.executable.path contains "--home="';
  const saved = await view.save({ ...asked, query, title, level: 'low', author: '--json' });
  expect(saved.rule).toContain('title: --where=true');
});

test('what is asked cannot be read off the list of processes', { timeout: 60_000 }, async () => {
  const listed = new Set<string>();
  const found = view.search({ ...asked, query: 'process.executable.path contains nobodys-business' });
  const listing = setInterval(() => {
    const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean);
    for (const pid of children)
      if (existsSync(`/proc/${pid}/cmdline`)) listed.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  }, 5);
  expect((await found).total).toBe(0);
  clearInterval(listing);
  expect([...listed].join()).toContain('events');
  expect([...listed].join()).not.toContain('nobodys');
});

test('a question that is none is refused in words', { timeout: 60_000 }, async () => {
  const refused = view.search({ ...asked, query: '--help' });
  await expect(refused).rejects.toThrow(/what about --help|`--help` is no attribute/);
  await expect(refused).rejects.toMatchObject({ code: 'refused' });
});

test('so is one that no command could be asked', async () => {
  await expect(view.search({ ...asked, node: '\0', query: '' })).rejects.toMatchObject({ code: 'refused' });
  expect((await view.search({ ...asked, query: 'node = \0' })).total).toBe(0);
});

test('no more than so many at once; cancelled and late ones end', { timeout: 60_000 }, async () => {
  const questions = new Questions(1);
  const cancel = new AbortController();
  const waiting = questions.ask(['detect', 'backtest', '--change', '-'], { ...SLOW, signal: cancel.signal });
  await expect(questions.ask(['--help'], SLOW)).rejects.toMatchObject({ code: 'busy' });
  cancel.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  await expect(questions.ask(['--help'], { timeoutMs: 1 })).rejects.toMatchObject({ code: 'too-long' });
  expect(await questions.ask(['--help'], SLOW)).toContain('usage: hushwatch');
});

const WANTED: BacktestAsked = {
  change: 'detectors: { rate: { deviations: 9 } }',
  hours: 24,
  detector: 'rate',
  who: 'kim',
};

async function ended(backtests: RunningBacktests, id: string): Promise<BacktestRun | undefined> {
  while (backtests.find(id)?.state === 'running') await new Promise((settle) => setTimeout(settle, 20));
  return backtests.find(id);
}

test('a back-test runs beside the collector, and says what it found', { timeout: 120_000 }, async () => {
  using backtests = new RunningBacktests(home);
  const { id } = backtests.start({ ...WANTED, hours: 8_000 });
  expect(() => backtests.start(WANTED)).toThrow(/is running/);
  const run = await ended(backtests, id);
  expect(run).toMatchObject({ state: 'done', done: 1, events: 3, who: 'kim', problem: undefined });
  expect(run?.result).toMatchObject({ belongs: 'collector.yaml', counts: { gained: 0, lost: 0, moved: 0 } });
  const wrong = backtests.start({ ...WANTED, change: 'detectors: { rat: 1 }' });
  expect(await ended(backtests, wrong.id)).toMatchObject({ state: 'failed' });
  expect(backtests.find(wrong.id)?.problem).toMatch(/change\.yml:1.*detectors\.rat: /);
});

test('progress is heard, a cancelled one says so, and only the last few are kept', async () => {
  let note: Asking['onNote'];
  const gate = { ...Promise.withResolvers<string>() };
  using backtests = new RunningBacktests(home, {
    ask: (_, { signal, onNote }) => {
      note = onNote;
      signal?.addEventListener('abort', () => gate.reject(new QuestionFailed('cancelled', 'Cancelled')));
      return gate.promise;
    },
  });
  const { id } = backtests.start(WANTED);
  note?.({ done: 0.5, events: 7 });
  note?.({ done: 'all' });
  expect(backtests.find(id)).toMatchObject({ state: 'running', done: 0.5, events: 7 });
  backtests.cancel('ff');
  backtests.cancel(id);
  expect(await ended(backtests, id)).toMatchObject({ state: 'cancelled' });
  expect(backtests.find(id)?.ended).toBeGreaterThan(0);
  for (let i = 0; i < 12; i++) await ended(backtests, backtests.start(WANTED).id);
  expect(backtests.list()).toHaveLength(10);
  expect(backtests.find(id)).toBeUndefined();
});
