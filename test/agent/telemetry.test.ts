import { expect, test } from 'vitest';
import { agentReadings, type Watched } from '../../agent/telemetry.ts';
import { AGENT_METRICS } from '../../telemetry/metrics.ts';

const LAST = {
  sequence: 12,
  ...{
    seen: { file: 7, process: 2 },
    released: { file: 4 },
    merged: {},
    sampled: { file: 2 },
    withheld: { process: 1 },
  },
  lost: { ring: { file: 1 }, queue: { process: 1 } },
};
const watched = (last: typeof LAST | undefined): Watched => ({
  spool: { last, waiting: [11, 12], bytes: 2_048 },
  spoolLimit: 4_096,
  receipts: { accepted: 10, refused: 0 },
  isReleasing: () => false,
});

test('what the last statement says is what is told, by class and place', () => {
  const readings = agentReadings(watched(LAST));
  expect(readings['hushwatch.events.seen']()).toEqual([
    { value: 7, attributes: { 'hushwatch.class': 'file' } },
    { value: 2, attributes: { 'hushwatch.class': 'process' } },
  ]);
  expect(readings['hushwatch.events.lost']()).toEqual([
    { value: 1, attributes: { 'hushwatch.class': 'file', 'hushwatch.place': 'ring' } },
    { value: 1, attributes: { 'hushwatch.class': 'process', 'hushwatch.place': 'queue' } },
  ]);
  expect(readings['hushwatch.spool.batches']()).toEqual([{ value: 2 }]);
  expect(readings['hushwatch.release.allowed']()).toEqual([{ value: 0 }]);
});

test('before the first statement there is nothing to count, and every metric can be read', () => {
  const readings = agentReadings(watched(undefined));
  expect(Object.keys(readings).toSorted()).toEqual(Object.keys(AGENT_METRICS).toSorted());
  expect(
    Object.values(readings)
      .flatMap((read) => read())
      .every(({ value }) => Number.isFinite(value)),
  ).toBe(true);
  expect(readings['hushwatch.events.seen']()).toEqual([]);
  expect(readings['hushwatch.statement.age']()).toEqual([]);
});

test('a statement grows older until there is a new one', async () => {
  const spool = { last: LAST, waiting: [], bytes: 0 };
  const readings = agentReadings({ ...watched(LAST), spool });
  const [first] = readings['hushwatch.statement.age']();
  await new Promise((settle) => setTimeout(settle, 20));
  const [later] = readings['hushwatch.statement.age']();
  expect(later?.value).toBeGreaterThan(first?.value ?? Number.POSITIVE_INFINITY);
  spool.last = { ...LAST, sequence: 13 };
  expect(readings['hushwatch.statement.age']()[0]?.value).toBe(0);
});
