/** Rules and correlations as the collector runs them: whatever the restarts and the order of nodes, the same alerts. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NO_PREVIOUS, NO_RULES, type Statement } from '#protocol/statement.ts';
import type { Alert, EvidenceBatch, ReleasedRecord } from '../../../collector/detectors/detector.ts';
import { loadMapping } from '../../../collector/detectors/pack.ts';
import { makeSigmaDetector } from '../../../collector/detectors/sigma.ts';
import { parseSigmaFile } from '../../../collector/detectors/sigma/parse.ts';

const SECOND = 1_000_000;
const START = 1_800_000_000 * SECOND;
const DIGEST = 'a'.repeat(64);

const rule = (name: string, level: string): string => `title: ${name} was run
id: 00000000-0000-4000-8000-00000000000${name.charCodeAt(0) % 10}
name: ${name}
level: ${level}
logsource: { product: linux, category: process_creation }
detection: { s: { process.executable.path: /usr/bin/${name} }, condition: s }
`;
const correlation = (name: string, body: string): string =>
  `title: Story ${name}\nname: ${name}\nlevel: high\ncorrelation:\n  group-by: [Computer]\n  timespan: 60s\n  ${body}\n`;

const documents = parseSigmaFile(
  [
    ...[rule('a', 'low'), rule('b', 'low'), rule('c', 'low'), rule('d', 'medium')],
    correlation('sequence', 'type: temporal_ordered\n  rules: [a, b, c]'),
    correlation('alone', 'type: temporal\n  rules: [a, b]\n  condition: a and not b'),
    correlation('twice', 'type: event_count\n  rules: [d]\n  generate: true\n  condition: { gte: 2 }'),
    correlation('inner', 'type: event_count\n  rules: [c]\n  condition: { gte: 2 }'),
    correlation('outer', 'type: temporal\n  rules: [inner, d]\n  generate: true'),
  ].join('---\n'),
  'stories.yml',
);
const rules = documents.flatMap((one) => (one.kind === 'rule' ? one : []));
const correlations = documents.flatMap((one) => (one.kind === 'correlation' ? one : []));
const mapping = loadMapping();
const clear = new Set(['process.exec process.executable.path', 'process.exec error.type']);

const statement: Statement = {
  ...{ node: 'n', boot: '0b5d3f2c-0000-4000-8000-000000000001', sequence: 1, previous: NO_PREVIOUS },
  ...{ role: 'generic', cohort: 'c', ruleset: DIGEST, rulepack: NO_RULES, vocabulary: DIGEST },
  ...{ agent: { version: '0.1.0', build: DIGEST }, sources: ['ebpf'], time: { first: 0, last: 0 }, events: {} },
  ...{ seen: {}, released: {}, merged: {}, sampled: {}, withheld: {}, lost: {} },
  body: { sha256: DIGEST, bytes: 13, unpacked: 0 },
};

/** `a@3` is program a at second 3; `a*5@3` stands for five of it. */
function batch(node: string, sequence: number, events: string, lost = 0): EvidenceBatch {
  const records = events.split(' ').map((text, line): ReleasedRecord => {
    const [, name = '', times = '1', at = ''] = /^(\w)(?:\*(\d+))?@(\d+)$/.exec(text) ?? [];
    const time = START + Number(at) * SECOND;
    return {
      ...{ event: 'process.exec', time, 'process.entity.id': `${node}-${sequence}-${line}` },
      ...{ 'process.executable.path': `/usr/bin/${name}`, 'event.repeats': Number(times) - 1 },
    };
  });
  const times = records.map(({ time }) => time);
  const time = { first: Math.min(...times), last: Math.max(...times) };
  const signed = { ...statement, node, sequence, time, lost: { ring: { process: lost } } };
  const about = { node, role: 'generic', cohort: 'c', sequence, logIndex: sequence + (node === 'm' ? 1000 : 0) };
  return { ...about, receivedAt: time.last, statement: signed, events: records };
}

/** Alerts of the correlations and of the rules that alert, stopped and started before the batches named. */
function alertsOf(batches: readonly EvidenceBatch[], restarts: ReadonlySet<number> = new Set()): readonly Alert[] {
  const make = (saved?: unknown): ReturnType<typeof makeSigmaDetector> =>
    makeSigmaDetector({ rules, correlations, mapping, clearFor: () => clear }, saved);
  let detector = make();
  return batches.flatMap((one, index) => {
    if (restarts.has(index)) detector = make(JSON.parse(JSON.stringify(detector.save())));
    return [...detector.observe(one)];
  });
}

const titlesOf = (alerts: readonly Alert[]): readonly string[] => alerts.map(({ title }) => title);

const day = [
  batch('n', 1, 'a@0 b@10'),
  batch('n', 2, 'c@20 d@25 c@30'),
  batch('n', 3, 'd@90'),
  batch('n', 4, 'a@200'),
  batch('n', 5, 'd*2@300'),
];

test('steps that only serve keep quiet; stories are told, the one that waited when its time is over', () => {
  expect(titlesOf(alertsOf(day))).toEqual([
    'Story sequence',
    'd was run',
    'Story inner',
    'Story outer',
    'd was run',
    'd was run',
    'Story twice',
    'Story alone',
  ]);
});

test('restarts change nothing', () => {
  const whole = alertsOf(day);
  const indexes = fc.subarray([1, 2, 3, 4]);
  fc.assert(
    fc.property(indexes, (restarts) => {
      expect(alertsOf(day, new Set(restarts))).toEqual(whole);
    }),
  );
});

test('nor does another node, whatever the order in which their batches come', () => {
  const other = [batch('m', 1, 'a@5 c@6 c@7'), batch('m', 2, 'd@8 d@9'), batch('m', 3, 'c@300')];
  const own = (alerts: readonly Alert[], node: string): readonly Alert[] => alerts.filter((one) => one.node === node);
  const [alone, theirs] = [alertsOf(day), alertsOf(other)];
  const turns = fc.array(fc.boolean(), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(turns, (mine) => {
      const [left, right] = [[...day], [...other]];
      const merged = mine.flatMap((isMine) => (isMine ? left.shift() : right.shift()) ?? []);
      const alerts = alertsOf([...merged, ...left, ...right]);
      expect(own(alerts, 'n')).toEqual(alone);
      expect(own(alerts, 'm')).toEqual(theirs);
    }),
  );
});

test('a story says what was lost while it went on, not in its last batch alone', () => {
  const lossy = [batch('n', 1, 'a@0 b@10', 7), batch('n', 2, 'c@20', 10), batch('n', 3, 'c@500', 10)];
  const [story] = alertsOf(lossy);
  expect(story).toMatchObject({ title: 'Story sequence', loss: 10 });
});
