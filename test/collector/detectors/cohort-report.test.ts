/** A cohort told: which node differs and in what, for cohorts of every size that matters. */
import { describe, expect, test } from 'vitest';
import { cohortReports, describeCohort, type CohortReport } from '../../../collector/detectors/cohort-report.ts';
import { makeCohortDetector } from '../../../collector/detectors/cohort.ts';
import { HOUR, type EvidenceBatch, type ReleasedRecord } from '../../../collector/detectors/detector.ts';
import { knobsOf } from '../../../collector/detectors/knobs.ts';
import { exec, placed, record, Sender, START } from './evidence.ts';

type Extra = (node: number, hour: number, time: number) => readonly ReleasedRecord[];
const KNOBS = knobsOf('cohort', {});
const names = (n: number): readonly string[] => Array.from({ length: n }, (_, i) => `n${String(i).padStart(2, '0')}`);

function told(n: number, extra: Extra, hours = 54, registered = names(n)): CohortReport {
  const senders = names(n).map((name) => new Sender(name));
  const batches: readonly EvidenceBatch[] = Array.from({ length: hours }, (_, hour) =>
    senders.map((sender, i) => {
      const time = START + hour * HOUR + i * 1_000;
      return sender.send([exec(time, '/usr/bin/replica', { 'event.repeats': 299 }), ...extra(i, hour, time)]);
    }),
  ).flat();
  const detector = makeCohortDetector();
  for (const batch of placed(batches)) for (const _ of detector.observe(batch));
  const saved: unknown = JSON.parse(JSON.stringify(detector.save()));
  const nodes = registered.map((name) => ({ name, cohort: 'databases', lastReceived: START }));
  const [report] = cohortReports(saved, nodes, KNOBS);
  if (report === undefined) throw new Error('no cohort');
  expect(detector.save()).toEqual(detector.save());
  return report;
}

/** The last whole hour of 54. */
const LAST = 52;
const listen: Extra = (node, hour, time) =>
  node === 1 && hour === LAST
    ? [record('network.listen', time, { 'process.executable.path': '/usr/bin/nc', 'network.local.port': 4444 })]
    : [];
const nothing: Extra = () => [];

describe.each([2, 4, 13, 40])('%i nodes', (n) => {
  test('one listens where the others do not', () => {
    const report = told(n, listen);
    expect([report.name, report.nodes, report.members.length]).toEqual(['databases', n, n]);
    const [first, ...others] = report.members;
    expect(first).toMatchObject({ node: 'n01', standing: 'differs', peers: n - 1 });
    expect(first?.differences[0]).toMatchObject({
      says: `listening on port 4444 by /usr/bin/nc, which 0 of ${n - 1} ${n === 2 ? 'peer' : 'peers'} did in a day`,
      ...{ isGrave: n >= 4, isGiven: false },
    });
    expect(others.every(({ standing }) => standing === 'alike')).toBe(true);
    expect(describeCohort(report)).toContain('n01                      differs\n    listening on port 4444');
  });

  test('all alike', () => {
    const report = told(n, nothing);
    expect(new Set(report.members.map(({ standing }) => standing))).toEqual(new Set(['alike']));
    const [{ amounts } = { amounts: [] }] = report.members;
    expect(amounts.map(({ class: kind, events }) => [kind, events])).toEqual([['process', 300]]);
    expect(amounts[0]?.normal === undefined).toBe(n === 2);
  });
});

test('one node has no peers', () => {
  const report = told(1, nothing);
  expect(report.members).toMatchObject([{ node: 'n00', standing: 'alone', differences: [] }]);
  expect(report.says).toContain('One node has no peers');
});

test('much more than peers, with what is normal by them', () => {
  const much: Extra = (node, hour, time) =>
    node === 3 && hour === LAST ? [exec(time, '/usr/bin/replica', { 'event.repeats': 9_000 })] : [];
  const [first] = told(13, much).members;
  expect(first?.node).toBe('n03');
  expect(first?.differences[0]?.measure).toMatchObject({ value: 9301, normal: { to: expect.any(Number) } });
  expect(first?.amounts[0]?.normal).toMatchObject({ median: 300 });
});

test('a difference that was told is given, and listed', () => {
  const always: Extra = (node, hour, time) => (hour > 30 ? listen(node, LAST, time) : []);
  const report = told(4, always);
  expect(report.members[0]).toMatchObject({ node: 'n01', differences: [{ isGiven: true }] });
  expect(report.given[0]).toMatchObject({ node: 'n01', what: 'it alone: listening on port 4444 by /usr/bin/nc' });
});

test('a node that says nothing is there, and so is a cohort that never sent', () => {
  expect(told(4, nothing, 54, [...names(4), 'n99']).members[0]).toMatchObject({ node: 'n99', standing: 'silent' });
  const [empty] = cohortReports(undefined, [{ name: 'a', cohort: 'new', lastReceived: 0 }], KNOBS);
  expect(empty).toMatchObject({ name: 'new', hour: undefined, members: [{ standing: 'silent' }] });
  expect(cohortReports('nonsense', [], KNOBS)).toEqual([]);
});

test('while it learns, differences are given', () => {
  expect(told(4, nothing, 5).learningUntil).toBeGreaterThan(START);
  expect(told(4, nothing).learningUntil).toBeUndefined();
});
