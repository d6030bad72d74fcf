/** watch(): every batch is seen, every alert is there once, whatever stops it and whoever breaks. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bodyPath } from '#protocol/verify.ts';
import { Detection } from '../../collector/detectors/detection.ts';
import { alertId, type Alert, type Detector, type EvidenceBatch } from '../../collector/detectors/detector.ts';
import { makeChainDetector } from '../../collector/detectors/chain.ts';
import { accept, watch } from '../../collector/pipeline.ts';
import { detect, Follower } from '../../collector/watch.ts';
import { line, openCollector, SampleNode, type OpenCollector } from './sample.ts';

const T = 1_790_000_000_000_000;
const exec = (path: string): string => line('process.exec', T, { 'process.executable.path': path });

let home: string;
let node: SampleNode;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-watch-'));
  node = new SampleNode();
});
afterEach(() => rmSync(home, { recursive: true }));

const alertAbout = (batch: EvidenceBatch, lineNumber: number, key: string): Alert => ({
  id: alertId('count', undefined, batch.node, key),
  time: batch.receivedAt,
  node: batch.node,
  detector: 'count',
  rule: undefined,
  title: 'A program',
  severity: 'low',
  reason: `The ${key} program.`,
  silencedBy: 'nothing',
  attack: [],
  events: [{ logIndex: batch.logIndex, line: lineNumber }],
  entity: undefined,
  loss: 0,
});

/** Alerts for each event with its number since the beginning: a batch seen twice or not at all gives other numbers. */
function countingDetector(saved: unknown): Detector {
  let count = typeof saved === 'number' ? saved : 0;
  return {
    id: 'count',
    *observe(batch) {
      for (const lineNumber of batch.events.keys()) yield alertAbout(batch, lineNumber, `${(count += 1)}th`);
    },
    tick: () => [],
    save: () => count,
  };
}

interface Watching {
  readonly stop: () => Promise<void>;
}

function start(collector: OpenCollector, make = countingDetector): Watching {
  const detection = new Detection({ detectors: [make(collector.state.detectorStates().get('count'))] });
  const ending = new AbortController();
  const done = watch(new Follower(collector, detection), detection, ending.signal);
  return {
    stop: async () => {
      ending.abort();
      await done;
    },
  };
}

async function until(what: () => boolean): Promise<number> {
  const startedAt = performance.now();
  while (!what()) {
    if (performance.now() - startedAt > 5_000) throw new Error('waited 5 s in vain');
    await new Promise((settle) => setTimeout(settle, 2));
  }
  return performance.now() - startedAt;
}

const reasons = ({ state }: OpenCollector): readonly string[] =>
  state.alerts({ limit: 1000, afterSeq: 0 }).map(({ reason }) => reason);

test('an alert is there within 200 ms of the receipt, and tells where its event lies', async () => {
  await using collector = await openCollector(home, [node]);
  const watching = start(collector);
  await accept(collector, node.next([exec('/bin/a')]));
  await accept(collector, node.next([exec('/bin/b'), exec('/bin/c')]));
  const took = await until(() => reasons(collector).length === 3);
  expect(took).toBeLessThan(200);
  const [third] = collector.state.alerts({ limit: 1 });
  expect(third).toMatchObject({ reason: 'The 3th program.', logIndex: 1, events: [{ logIndex: 1, line: 1 }] });
  expect(collector.state.alert(third?.id ?? '')).toEqual(third);
  await watching.stop();
});

test('stopped and started again and again, every event is counted once', async () => {
  for (let round = 0; round < 5; round++) {
    await using collector = await openCollector(home, [node]);
    const watching = start(collector);
    await Promise.all([exec('/bin/a'), exec('/bin/b')].map((text) => accept(collector, node.next([text]))));
    if (round % 2 === 0) await until(() => reasons(collector).length === 2 * round + 2);
    await watching.stop();
  }
  await using collector = await openCollector(home, [node]);
  const watching = start(collector);
  await until(() => reasons(collector).length === 10);
  await watching.stop();
  expect(reasons(collector)).toEqual(Array.from({ length: 10 }, (_, i) => `The ${i + 1}th program.`));
});

test('a crash between alert and cursor finds the same alerts again, and they are there once', async () => {
  await using collector = await openCollector(home, [node]);
  for (let i = 0; i < 4; i++) await accept(collector, node.next([exec('/bin/a')]));
  // What a crash leaves: alerts committed, the cursor where it was.
  const detection = new Detection({ detectors: [countingDetector(undefined)] });
  const follower = new Follower(collector, detection);
  for await (const step of follower.steps(new AbortController().signal)) {
    collector.state.commitStep(detect(detection, step));
    break;
  }
  expect(reasons(collector)).toHaveLength(4);
  expect(collector.state.cursor('detectors')).toBeUndefined();
  const watching = start(collector);
  await until(() => collector.state.cursor('detectors') === 4);
  await watching.stop();
  expect(reasons(collector)).toHaveLength(4);
});

test('a detector that breaks is told about, without what it stumbled over, and the next batch is seen', async () => {
  await using collector = await openCollector(home, [node]);
  const watching = start(collector, () => ({
    ...countingDetector(undefined),
    *observe(batch) {
      const [first] = batch.events;
      if (first?.['process.executable.path'] === '/bin/canary') throw new TypeError('canary');
      yield alertAbout(batch, 0, String(batch.sequence));
    },
  }));
  await accept(collector, node.next([exec('/bin/canary')]));
  await accept(collector, node.next([exec('/bin/a')]));
  await until(() => reasons(collector).length === 2);
  expect(reasons(collector)).toEqual([
    'The detector count failed with TypeError and did not see everything.',
    'The 2 program.',
  ]);
  await watching.stop();
});

test('a body that is gone is told about, and those behind it are seen', async () => {
  await using collector = await openCollector(home, [node]);
  await accept(collector, node.next([exec('/bin/a')]));
  await accept(collector, node.next([exec('/bin/b')]));
  rmSync(join(home, bodyPath(collector.state.batch(0)?.body ?? '')));
  const watching = start(collector);
  await until(() => reasons(collector).length === 2);
  expect(reasons(collector)[0]).toMatch(/^The body of batch 1 of node-1 is in the log/);
  await watching.stop();
});

test('a gap is an alert of the chain detector', async () => {
  await using collector = await openCollector(home, [node]);
  const watching = start(collector, () => makeChainDetector());
  await accept(collector, node.next([exec('/bin/a')]));
  node.next([exec('/bin/lost')]);
  await accept(collector, node.next([exec('/bin/b')]));
  await until(() => reasons(collector).length > 0);
  expect(collector.state.alerts({ limit: 1 })).toMatchObject([{ detector: 'chain', rule: 'gap', severity: 'high' }]);
  await watching.stop();
});
