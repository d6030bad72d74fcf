/** Detectors, cohorts, searches and back-tests to look at; some of what they say comes from an attacker. */
import type { BacktestRun } from '../../../collector/backtests.ts';
import type { CohortReport, MemberReport } from '../../../collector/detectors/cohort-report.ts';
import type { PlacedAlert } from '../../../collector/detectors/detector.ts';
import { knobsOf } from '../../../collector/detectors/knobs.ts';
import { saysOf } from '../../../collector/detectors/cohort-report.ts';
import { loadPack, STARTER_PACK } from '../../../collector/detectors/pack.ts';
import { saveAsDetector } from '../../../collector/explorer/command.ts';
import { parseQuery } from '../../../collector/explorer/query.ts';
import { bucketOf, type FoundEvent } from '../../../collector/explorer/search.ts';
import { QuestionFailed } from '../../../collector/questions.ts';
import { State } from '../../../collector/state.ts';
import type { TuningView } from '../../../collector/tuning-view.ts';
import { detectorReport, detectorRows, type ReportOptions } from '../../../collector/tuning/detector-report.ts';
import type { Tried } from '../../../collector/tuning/try-change.ts';
import type { LocatedRecord } from '../../../collector/view.ts';

const CRON = 'cbd5ba78-859d-47e3-964c-ea25bbd12400';
const DAY = 86_400e6;

export interface FakeTuned {
  readonly now: number;
  readonly hostile: string;
  readonly alerts: readonly PlacedAlert[];
  readonly records: readonly LocatedRecord[];
}

export function fakeTuning({ now, hostile, alerts, records }: FakeTuned): TuningView {
  const state = State.open(':memory:');
  state.commitStep({ alerts, stories: [] });
  for (const { story } of alerts.slice(0, 2))
    state.addVerdict({ story, time: now, who: 'kim', verdict: 'false', reason: hostile });
  const pack = loadPack(STARTER_PACK);
  const options = (sinceUs: number, nowUs: number): ReportOptions => ({
    ...{ home: '/var/lib/hushwatch-collector', rulesets: { exposure: () => [] }, state, sinceUs, nowUs },
    inForce: {
      ...{ rulepacks: { rules: pack }, tuning: { rate: { deviations: 9 } }, silenceSeconds: 300 },
      suppressions: [
        {
          ...{ id: 'nightly', owner: 'operations', reason: hostile, expires: now + 9 * DAY },
          ...{ detector: undefined, rule: CRON, node: 'alpha', program: undefined },
        },
      ],
    },
  });
  const found = records.map((record): FoundEvent => {
    const { node, logIndex, line, ...rest } = record;
    return { node, logIndex, line, sequence: 7, epoch: 690, record: rest };
  });
  const runs = new Map<string, BacktestRun>();
  const runOf = (id: string): BacktestRun => runs.get(id) ?? doneRun(id, now, hostile);
  return {
    detectors: (sinceUs, nowUs) => detectorRows(options(sinceUs, nowUs)),
    detector: (id, sinceUs, nowUs) => detectorReport(id, options(sinceUs, nowUs)),
    cohorts: () => fakeCohorts(now, hostile),
    search: async ({ query, sinceUs, untilUs, page, pageSize }) => {
      try {
        parseQuery(query);
      } catch (error) {
        throw new QuestionFailed('refused', error instanceof Error ? error.message : '');
      }
      const bucketUs = bucketOf(sinceUs, untilUs);
      const first = Math.floor(sinceUs / bucketUs) * bucketUs;
      const length = Math.floor((untilUs - first) / bucketUs) + 1;
      return {
        ...{ query, sinceUs, untilUs, page, pageSize, bucketUs, total: 4_711, events: found },
        buckets: Array.from({ length }, (_, i) => ({ time: first + i * bucketUs, events: (i * 37) % 90 })),
        kinds: [
          { event: 'process.exec', events: 4_000 },
          { event: 'file.open', events: 711 },
        ],
      };
    },
    save: async ({ query, title, level, author }) =>
      saveAsDetector({
        ...{
          query: query === '' ? 'event = process.exec and process.executable.path = /x' : query,
          title,
          level,
          author,
        },
        ...{ nowUs: now, mapping: pack.mapping, clear: new Set<string>(), found },
      }),
    backtests: {
      start: (asked) => {
        const run: BacktestRun = {
          ...{
            ...asked,
            id: 'ab'.repeat(16),
            state: 'running',
            began: now,
            ended: undefined,
            done: 0.42,
            events: 77_000,
          },
          ...{ result: undefined, problem: undefined },
        };
        runs.set(run.id, run);
        return run;
      },
      find: runOf,
      list: () => [doneRun('cd'.repeat(16), now, hostile)],
      cancel: (id) => {
        const run: BacktestRun = { ...runOf(id), state: 'cancelled', problem: 'Cancelled', result: undefined };
        runs.set(id, run);
        return run;
      },
    },
  };
}

function doneRun(id: string, now: number, hostile: string): BacktestRun {
  const alert = {
    ...{ id: 'a1', time: now - 60e6, node: 'alpha', detector: 'sigma', rule: CRON, title: hostile },
    ...{ severity: 'high' as const, reason: `${hostile} did it.` },
  };
  const result: Tried = {
    ...{ belongs: 'collector.yaml', sinceUs: now - DAY, batches: 1_200, events: 1_234_567, missing: 3 },
    before: { alerts: 4_711, shown: 42, microsecondsAnEvent: 11.94 },
    after: { alerts: 815, shown: 7, microsecondsAnEvent: 11.9 },
    detectors: [{ detector: 'sigma', rule: CRON, title: hostile, before: 4_000, after: 104 }],
    ...{ counts: { gained: 1, lost: 3_897, moved: 1 }, gained: [alert], lost: [alert] },
    ...{ moved: [{ ...alert, was: 'low' as const }], untried: [`${hostile} (${CRON})`], partly: ['A rule (x)'] },
  };
  return {
    ...{ id, change: `title: ${hostile}`, hours: 24, detector: 'rate', who: 'owner', state: 'done', began: now - 90e6 },
    ...{ ended: now, done: 1, events: result.events, result, problem: undefined },
  };
}

const fakeMember = (i: number, more: Partial<MemberReport> = {}): MemberReport => ({
  ...{ node: `replica-${String(i).padStart(2, '0')}`, standing: 'alike', release: 'agent 0.1.0', lastReceived: 0 },
  ...{ peers: 12, differences: [] },
  amounts: [
    { class: 'process', events: 300 + i, normal: { from: 75, to: 610, median: 304 } },
    { class: 'network', events: 9_000 + i * 10, normal: { from: 2_000, median: 9_050 } },
  ],
  ...more,
});

function fakeCohorts(now: number, hostile: string): readonly CohortReport[] {
  const knobs = knobsOf('cohort', {});
  const hour = Math.floor(now / 3_600e6 - 1) * 3_600e6;
  const measure = { what: 'process events an hour', value: 9_301, normal: { from: 75, to: 610 } };
  const odd = fakeMember(3, {
    standing: 'differs',
    differences: [
      { says: `running ${hostile}, which 0 of 12 peers did in a day`, isGrave: true, isGiven: false, measure },
      { says: '9301 process events in an hour, where 75 to 610 are normal', isGrave: false, isGiven: true, measure },
    ],
  });
  const peers = Array.from({ length: 30 }, (_, i) => fakeMember(i + 4));
  const silent = fakeMember(99, { standing: 'silent', lastReceived: now - 7_200e6, peers: 0, amounts: [] });
  const alone = fakeMember(0, { node: 'alpha', standing: 'alone', peers: 0 });
  return [
    {
      ...{ name: 'lab', nodes: 1, says: saysOf(1, knobs), hour, isPartial: true, learningUntil: now + DAY },
      ...{ members: [alone], given: [] },
    },
    {
      ...{ name: 'subnet', nodes: 32, says: saysOf(32, knobs), hour, isPartial: false, learningUntil: undefined },
      ...{ members: [odd, silent, ...peers], given: [{ node: 'replica-03', what: hostile, last: now }] },
    },
  ];
}
