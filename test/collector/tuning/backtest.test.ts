/** A back-test of the rules in force finds what the collector found, to the byte; of other rules, what differs and nothing else. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatVerifierKey } from '#protocol/note.ts';
import { bodyPath } from '#protocol/verify.ts';
import { Detection } from '../../../collector/detectors/detection.ts';
import { makeDetectors } from '../../../collector/detectors/detectors.ts';
import { loadMapping, type Pack } from '../../../collector/detectors/pack.ts';
import { parseSigmaFile } from '../../../collector/detectors/sigma/parse.ts';
import type { SigmaRule } from '../../../collector/detectors/sigma/rule.ts';
import { accept, watch } from '../../../collector/pipeline.ts';
import { backtest, describeBacktest, type Backtest } from '../../../collector/tuning/backtest.ts';
import { replay } from '../../../collector/tuning/replay.ts';
import { Follower } from '../../../collector/watch.ts';
import { logKey } from '../../protocol/sample.ts';
import { line, openCollector, SampleNode, type OpenCollector } from '../sample.ts';

const T = 1_790_000_000_000_000;
const RULE = (id: string, level: string, path: string): string => `title: Ran from ${path}
id: 00000000-0000-4000-8000-00000000000${id}
status: test
description: A program below ${path} was started.
level: ${level}
logsource: { product: linux, category: process_creation }
detection: { selection: { 'Image|startswith': ${path} }, condition: selection }
`;
const rulesOf = (text: string): Pack['rules'] =>
  parseSigmaFile(text, 'rules.yml').filter((document): document is SigmaRule => document.kind === 'rule');
const pack = {
  rules: [...rulesOf(RULE('1', 'high', '/dev/shm/')), ...rulesOf(RULE('2', 'medium', '/usr/bin/'))],
  correlations: [],
  mapping: loadMapping(),
};
const made = (rules: Pack['rules'] = pack.rules): Detection =>
  new Detection({
    detectors: makeDetectors({ pack: { ...pack, rules }, alertFrom: 'informational', clearFor: () => new Set(CLEAR) }),
  });
const CLEAR = ['process.executable.path', 'error.type'].map((name) => `process.exec ${name}`);

let home: string;
let collector: OpenCollector;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-backtest-'));
  writeFileSync(join(home, 'log.pub'), formatVerifierKey(logKey.verifier));
  const node = new SampleNode('node-1');
  collector = await openCollector(home, [node]);
  const batches = Array.from({ length: 300 }, (_, i) => {
    const path = i % 10 === 0 ? '/dev/shm/tool' : '/usr/bin/cat';
    return node.next([line('process.exec', T + i * 60_000_000, { 'process.executable.path': path })]);
  });
  await Promise.all(batches.map((bytes) => accept(collector, bytes)));
}, 60_000);
afterAll(async () => {
  await collector[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

/** All that the collector itself finds. */
async function live(): Promise<void> {
  const detection = made();
  const ending = new AbortController();
  const done = watch(new Follower(collector, detection), detection, ending.signal);
  while ((collector.state.cursor('detectors') ?? 0) < 300) await new Promise((settle) => setTimeout(settle, 5));
  ending.abort();
  await done;
}

const tried = (candidate: Detection, sinceUs = 0): Backtest =>
  backtest({ evidence: replay(home, collector.state), now: made(), candidate, sinceUs });

test('a back-test equals live, byte for byte, beyond one bundle of the log', async () => {
  await live();
  const { now, candidate, gained, lost, moved, batches, events } = tried(made());
  expect([batches, events]).toEqual([300, 300]);
  expect([gained, lost, moved]).toEqual([[], [], []]);
  const found = collector.state.alerts({ limit: 10_000, afterSeq: 0 });
  expect(found.length).toBeGreaterThan(5);
  expect(JSON.stringify([...now.alerts.values()])).toBe(
    JSON.stringify(
      found.map((row) =>
        Object.fromEntries(Object.entries(row).filter(([key]) => key !== 'seq' && key !== 'logIndex')),
      ),
    ),
  );
  expect(JSON.stringify([...candidate.alerts])).toBe(JSON.stringify([...now.alerts]));
});

test('without a rule its alerts are lost, with it they are gained', () => {
  const one = pack.rules.slice(1);
  const without = tried(made(one));
  expect(without.lost.filter(({ detector }) => detector === 'sigma').map(({ rule }) => rule?.at(-1))).toContain('1');
  expect(without.gained.filter(({ detector }) => detector === 'sigma')).toEqual([]);
  expect(describeBacktest(without, ['a.yml: A'])).toMatch(/Lost: \d+\n[^]*Run on nodes and differ[^]*a\.yml: A/);
  const back = backtest({ evidence: replay(home, collector.state), now: made(one), candidate: made(), sinceUs: 0 });
  expect(back.gained.map(({ id }) => id)).toEqual(without.lost.map(({ id }) => id));
});

test('a level that changes moves alerts', () => {
  const { moved } = tried(made([...rulesOf(RULE('1', 'critical', '/dev/shm/')), ...pack.rules.slice(1)]));
  expect(moved.length).toBeGreaterThan(0);
  expect(moved.every(({ alert, from }) => alert.severity === 'critical' && from === 'high')).toBe(true);
});

test('what was before counts for what is learned, and not as an alert', () => {
  const all = tried(made()).now.alerts.size;
  const half = tried(made(), Date.now() * 1_000 + 1_000_000).now.alerts.size;
  expect([all > 0, half]).toEqual([true, 0]);
});

test('bodies that are gone are counted', () => {
  const [body] = collector.state.batchesFrom(0, 0).map((batch) => batch.body);
  rmSync(join(home, bodyPath(body ?? '')));
  expect(tried(made()).missing).toBeGreaterThan(0);
});
