import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import type { NodeRow } from '../../collector/state.ts';
import { collectorReadings, type Watched } from '../../collector/telemetry.ts';
import { COLLECTOR_METRICS } from '../../telemetry/metrics.ts';

const node = (name: string, more: Partial<NodeRow> = {}): NodeRow => ({
  ...{
    name,
    role: 'generic',
    cohort: 'none',
    lastSequence: 9,
    lastTime: 0,
    lastReceived: (Date.now() - 5_000) * 1_000,
  },
  ...{ ruleset: '', agentVersion: '', sources: 'ebpf', weaker: false, epochs: undefined },
  ...{ seen: 100, released: 60, merged: 20, sampled: 10, withheld: 7, lost: 3 },
  ...more,
});

const watched: Watched = {
  home: tmpdir(),
  log: { size: 50 },
  state: {
    nodes: () => [node('node-1'), node('node-2', { seen: 1, lost: 0 })],
    refusals: () => [{ node: 'node-1', code: 'fork', message: '', refused: 2, first: 0, last: 0 }],
    storyCounts: () => new Map([['high', 3]]),
    lastStorySeq: () => 12,
    cursor: (name) => ({ detectors: 48, 'output webhook example.org/x': 10 })[name],
  },
  feeds: { outputs: [{ name: 'webhook example.org/x' }] },
};

test('every metric of the table can be read, by node where it is about nodes', () => {
  const readings = collectorReadings(watched);
  expect(Object.keys(readings).toSorted()).toEqual(Object.keys(COLLECTOR_METRICS).toSorted());
  expect(readings['hushwatch.node.events.lost']()).toEqual([
    { value: 3, attributes: { 'hushwatch.node': 'node-1' } },
    { value: 0, attributes: { 'hushwatch.node': 'node-2' } },
  ]);
  const [age] = readings['hushwatch.node.statement.age']();
  expect(age?.value).toBeGreaterThanOrEqual(5);
  expect(readings['hushwatch.disk.free']()[0]?.value).toBeGreaterThan(0);
});

test('what waits is the distance of a cursor from the end', () => {
  const readings = collectorReadings(watched);
  expect(readings['hushwatch.detection.pending']()).toEqual([{ value: 2 }]);
  expect(readings['hushwatch.output.pending']()).toEqual([
    { value: 2, attributes: { 'hushwatch.output': 'webhook example.org/x' } },
  ]);
  expect(readings['hushwatch.batches.refused']()).toEqual([
    { value: 2, attributes: { 'hushwatch.node': 'node-1', 'hushwatch.code': 'fork' } },
  ]);
});
