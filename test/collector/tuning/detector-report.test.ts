/** A detector told: counts, shares, knobs, suppressions and verdicts are its own and nobody else's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CATALOGUE, describedDetector } from '../../../collector/detectors/catalogue.ts';
import { alertId, DAY, HOUR, type PlacedAlert } from '../../../collector/detectors/detector.ts';
import { loadPack, STARTER_PACK } from '../../../collector/detectors/pack.ts';
import { tellAlone } from '../../../collector/detectors/stories.ts';
import { State } from '../../../collector/state.ts';
import {
  describeReport,
  describeRows,
  detectorReport,
  detectorRows,
  type ReportOptions,
} from '../../../collector/tuning/detector-report.ts';

const NOW = 1_800_000_000_000_000;
const CRON = 'cbd5ba78-859d-47e3-964c-ea25bbd12400';
const pack = loadPack(STARTER_PACK);
const EXPIRED = { id: 'old', owner: 'ops', reason: 'was', expires: NOW - DAY };
let home: string;
let state: State;
let options: ReportOptions;

function alertOf(n: number, more: Partial<PlacedAlert> = {}): PlacedAlert {
  const found = {
    ...{
      id: alertId('sigma', CRON, 'a', String(n)),
      time: NOW - n * HOUR,
      node: n % 4 === 0 ? 'b' : 'a',
      detector: 'sigma',
    },
    ...{ rule: CRON, title: 'A title', severity: 'medium' as const, silencedBy: '', attack: [], events: [], loss: 0 },
    ...{ reason: `A title: on a, /tmp/p-${'abcdefgh'.slice(n % 3)}22 was started by cron.`, entity: undefined },
    ...more,
  };
  return more.suppressedBy === undefined ? tellAlone(found).alert : { ...found, story: '', points: 0 };
}

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-report-'));
  state = State.open(join(home, 'state.sqlite'));
  const alerts = [
    ...Array.from({ length: 8 }, (_, n) => alertOf(n)),
    alertOf(20, { suppressedBy: 'night' }),
    alertOf(30, { detector: 'rate', rule: 'starts', reason: 'Much: on a, 5,000 starts an hour; normal is 12 to 80.' }),
    alertOf(300),
    alertOf(40, { rule: '00000000-0000-4000-8000-00000000dead' }),
  ];
  state.commitStep({
    alerts,
    stories: alerts.filter(({ story }) => story !== '').map((each) => tellAlone(each).story),
  });
  const say = (n: number, verdict: 'true' | 'false', reason: string): void =>
    state.addVerdict({ story: alerts[n]?.story ?? '', time: NOW, who: 'kim', verdict, reason });
  say(0, 'true', 'first thought');
  say(0, 'false', 'it was the build');
  say(1, 'true', 'a real one');
  say(9, 'false', 'a load test');
  options = {
    ...{ home, state, sinceUs: NOW - 7 * DAY, nowUs: NOW, rulesets: { exposure: () => [] } },
    inForce: {
      rulepacks: { rules: pack },
      ...{ tuning: { rate: { deviations: 9 } }, silenceSeconds: 120 },
      suppressions: [
        { ...EXPIRED, detector: undefined, rule: CRON, node: undefined, program: undefined },
        { ...EXPIRED, id: 'night', expires: NOW + DAY, detector: 'sigma', rule: CRON, node: 'a', program: undefined },
        {
          ...EXPIRED,
          id: 'other',
          expires: NOW + DAY,
          detector: 'rate',
          rule: undefined,
          node: 'a',
          program: undefined,
        },
        {
          ...EXPIRED,
          id: 'starts',
          expires: NOW + DAY,
          detector: undefined,
          rule: 'starts',
          node: 'a',
          program: undefined,
        },
      ],
    },
  };
});
afterAll(() => {
  state[Symbol.dispose]();
  rmSync(home, { recursive: true });
});

const report = (id: string): NonNullable<ReturnType<typeof detectorReport>> => {
  const found = detectorReport(id, options);
  if (found === undefined) throw new Error(`no ${id}`);
  return found;
};

test('every detector stands in the list, the loudest first, and what is no longer here too', () => {
  const rows = detectorRows(options);
  expect(rows[0]).toMatchObject({ id: CRON, alerts: 9, suppressed: 1, share: 9 / 11, last: NOW });
  for (const { id } of [...pack.rules, ...CATALOGUE]) expect(rows.some((row) => row.id === id)).toBe(true);
  expect(rows.find(({ id }) => id.endsWith('dead'))?.title).toContain('no longer here');
  expect(describeRows(rows)).toMatch(/^ alerts {2}share .*\n {6}9 {3}82 % {2}cbd5ba78/);
});

test('a rule: its words, its file, where it runs, how loud it is and about whom', () => {
  const found = report(CRON);
  const rule = pack.rules.find(({ id }) => id === CRON);
  expect(found).toMatchObject({ kind: 'rule', title: rule?.title, why: rule?.description, alerts: 9, knobs: [] });
  expect(found.harmless).toEqual(rule?.falsepositives);
  expect(found.file?.text).toContain(CRON);
  expect(found.runs).toMatchObject({ where: 'node' });
  expect(found.nodes).toEqual([
    { name: 'a', alerts: 6, share: 6 / 9 },
    { name: 'b', alerts: 3, share: 3 / 9 },
  ]);
  expect(found.deeds).toEqual([{ name: '/tmp/… was started by cron', alerts: 9, share: 1 }]);
  expect(found.volume.reduce((sum, { alerts }) => sum + alerts, 0)).toBe(9);
  expect(found.volume.reduce((sum, { suppressed }) => sum + suppressed, 0)).toBe(1);
  expect(found.volume.length).toBeGreaterThan(24);
  expect(found.latest.some(({ suppressedBy }) => suppressedBy === 'night')).toBe(true);
});

test('the last word on a story counts, the others are read', () => {
  const { marked, verdicts } = report(CRON);
  expect(marked).toEqual({ true: 1, false: 1, acknowledged: 0 });
  expect(verdicts.map(({ reason }) => reason)).toEqual(['a real one', 'it was the build', 'first thought']);
  expect(report('rate').marked).toEqual({ true: 0, false: 1, acknowledged: 0 });
});

test('suppressions are those about it, ended ones marked', () => {
  const brief = (id: string): unknown => report(id).suppressions.map(({ id: name, isInForce }) => [name, isInForce]);
  expect(brief(CRON)).toEqual([
    ['old', false],
    ['night', true],
  ]);
  expect(brief('rate')).toEqual([
    ['other', true],
    ['starts', true],
  ]);
});

test('a baseline: knobs as they are, and what it calls its rules', () => {
  const found = report('rate');
  expect(found.knobs.find(({ name }) => name === 'deviations')).toMatchObject({ value: 9, fallback: 6, least: 2 });
  expect(found.knobsFile).toBe(join(home, 'collector.yaml'));
  expect(found.rules).toEqual([{ name: 'starts', alerts: 1, share: 1 }]);
  expect(found.deeds[0]?.name).toBe('… starts an hour; normal is … to …');
  expect(report('silence').knobs).toMatchObject([{ name: 'silence_seconds', value: 120 }]);
  expect(describeReport(found)).toMatch(/knob {8}deviations: 9 \(default 6\)/);
});

test('a quiet one is told too, and there is nothing of that name', () => {
  expect(report('canary')).toMatchObject({ alerts: 0, perDay: 0, nodes: [], last: 0 });
  expect(detectorReport('nothing', options)).toBeUndefined();
  expect(describedDetector('constructor')).toBeUndefined();
});
