/** The detectors on made-up evidence: what alerts, what does not, what survives a restart, what is bounded. */
import { describe, expect, test } from 'vitest';
import { NO_PREVIOUS, NO_RULES, statementDigest, type Statement } from '#protocol/statement.ts';
import type { Value } from '#protocol/vocabulary.ts';
import { canariesOf, makeCanaryDetector } from '../../../collector/detectors/canary.ts';
import { makeChainDetector } from '../../../collector/detectors/chain.ts';
import {
  DAY,
  HOUR,
  MINUTE,
  type Alert,
  type Detector,
  type EvidenceBatch,
  type ReleasedRecord,
} from '../../../collector/detectors/detector.ts';
import { makeDetectors, saveDetectors } from '../../../collector/detectors/detectors.ts';
import { makeFirstSeenDetector } from '../../../collector/detectors/first-seen.ts';
import { loadPack, STARTER_PACK } from '../../../collector/detectors/pack.ts';
import { makeSigmaDetector } from '../../../collector/detectors/sigma.ts';
import { makeSilenceDetector } from '../../../collector/detectors/silence.ts';

const START = 1_800_000_000_000_000;
const DIGEST = 'a'.repeat(64);

const first: Statement = {
  node: 'db-1',
  boot: '0b5d3f2c-0000-4000-8000-000000000001',
  sequence: 1,
  previous: NO_PREVIOUS,
  role: 'generic',
  cohort: 'databases',
  ruleset: DIGEST,
  rulepack: DIGEST,
  vocabulary: DIGEST,
  agent: { version: '0.1.0', build: DIGEST },
  sources: ['ebpf', 'host'],
  time: { first: 0, last: 0 },
  events: {},
  seen: {},
  released: {},
  merged: {},
  sampled: {},
  withheld: {},
  lost: {},
  body: { sha256: DIGEST, bytes: 13, unpacked: 0 },
};

const next = (before: Statement, changes: Partial<Statement> = {}): Statement => ({
  ...before,
  sequence: before.sequence + 1,
  previous: statementDigest(before),
  ...changes,
});

/** A chain of batches of one event each, at so many µs after the day began in which START lies. */
const chainAt = (...offsets: readonly number[]): readonly EvidenceBatch[] => {
  const chain: Statement[] = [];
  for (const [i, offset] of offsets.entries()) {
    const before = chain.at(-1);
    const time = Math.floor(START / DAY) * DAY + offset;
    const day = Math.floor(time / DAY);
    const counts = { seen: { file: i + 1 }, released: { file: i + 1 }, events: { file: 1 } };
    const epochs = { hours: 24, first: day, last: day, scopes: ['node'] as const };
    const body = { ...first.body, unpacked: 100 };
    const made = { ...counts, body, epochs, time: { first: time, last: time } };
    chain.push(before === undefined ? { ...first, ...made } : next(before, made));
  }
  return chain.map((statement) => batch(statement));
};

const batch = (statement: Statement, events: readonly ReleasedRecord[] = [], at = START): EvidenceBatch => ({
  node: statement.node,
  role: statement.role,
  cohort: statement.cohort,
  sequence: statement.sequence,
  logIndex: statement.sequence - 1,
  receivedAt: at,
  statement,
  events,
});

const feed = (detector: Detector, batches: readonly EvidenceBatch[]): readonly Alert[] =>
  batches.flatMap((one) => [...detector.observe(one)]);

const exec = (path: string, more: Readonly<Record<string, Value>> = {}, time = START): ReleasedRecord => ({
  event: 'process.exec',
  time,
  'process.entity.id': '7-1',
  'process.executable.path': path,
  'process.parent.executable.path': '/usr/bin/bash',
  ...more,
});

const isSentence = /^[A-Z].{20,}\.$/;

test('the correlations of a pack run with its rules', () => {
  const pack = loadPack(STARTER_PACK);
  const step = (name: string, seconds: number): ReleasedRecord => {
    const id = pack.rules.find((rule) => rule.name === name)?.id ?? name;
    return exec('/usr/bin/true', { 'detection.rules': [id] }, START + seconds * 1_000_000);
  };
  const steps = ['download-temporary', 'chmod-executable-temporary', 'exec-temporary-directory'];
  const detectors = makeDetectors({ pack, clearFor: () => new Set() });
  const events = steps.map((name, at) => step(name, at));
  const alerts = detectors.flatMap((detector) => feed(detector, [batch(first, events)]));
  expect(alerts.map(({ title }) => title)).toContain(
    'A program was downloaded, made executable and run in temporary directories',
  );
});

describe('chain', () => {
  const second = next(first);
  const rows: readonly (readonly [string, readonly EvidenceBatch[], readonly string[]])[] = [
    ['a whole chain is quiet', [batch(first), batch(second), batch(next(second))], []],
    ['a batch that came twice is quiet', [batch(first), batch(first)], []],
    ['a gap', [batch(first), batch(next(second))], ['gap']],
    ['a chain that does not begin', [batch(second)], ['gap']],
    ['a fork', [batch(first), batch({ ...first, cohort: 'other' })], ['fork']],
    ['a fork further on', [batch(first), batch(next({ ...first, cohort: 'other' }))], ['fork']],
    ['a rewind', [batch(first), batch(second), batch(first)], ['rewind']],
    [
      'counters that run backwards',
      [
        batch({ ...first, seen: { file: 5 }, withheld: { file: 5 } }),
        batch(
          next({ ...first, seen: { file: 5 }, withheld: { file: 5 } }, { seen: { file: 4 }, withheld: { file: 4 } }),
        ),
      ],
      ['counter-decrease', 'counter-decrease'],
    ],
    ['events not accounted for', [batch({ ...first, seen: { file: 5 } })], ['conservation']],
    ['loss', [batch({ ...first, seen: { file: 5 }, lost: { ring: { file: 5 } } })], ['loss']],
    ['sampling', [batch({ ...first, seen: { file: 5 }, sampled: { file: 5 } })], ['sampling']],
    [
      'the weaker source, once',
      [batch({ ...first, sources: ['host', 'proc'] }), batch(next({ ...first, sources: ['host', 'proc'] }))],
      ['weaker-source'],
    ],
    [
      'a long blindness',
      [
        batch(first, [
          { event: 'hushwatch.start', time: START, 'hushwatch.component': 'sensor', 'hushwatch.blind.duration': 300 },
        ]),
      ],
      ['blind'],
    ],
    ['an epoch that has not begun', chainAt(0, 2 * DAY), ['epoch-ahead']],
    ['an epoch that was over', chainAt(0, -DAY), ['epoch-rewind']],
    ['events that are late around the turn of an epoch are quiet', chainAt(0, -MINUTE, 0), []],
    [
      'a short blindness is quiet',
      [batch(first, [{ event: 'hushwatch.start', time: START, 'hushwatch.blind.duration': 2 }])],
      [],
    ],
  ];
  test.each(rows)('%s', (_, batches, expected) => {
    const alerts = feed(makeChainDetector(), batches);
    expect(alerts.map(({ rule }) => rule)).toEqual(expected);
    for (const { reason } of alerts) expect(reason).toMatch(isSentence);
  });

  test('one alert for a flood, with the number', () => {
    const detector = makeChainDetector();
    let statement: Statement = first;
    const alerts: Alert[] = [];
    for (let i = 1; i <= 20; i++) {
      statement = next(statement, { seen: { file: 10 * i }, lost: { ring: { file: 10 * i } } });
      alerts.push(...feed(detector, [batch(statement, [], START + i)]));
    }
    expect(alerts.filter(({ rule }) => rule === 'loss').map(({ loss }) => loss)).toEqual([10]);
  });

  test('a restart does not forget which epoch was the latest', () => {
    const before = makeChainDetector();
    const [one, two] = chainAt(0, -DAY);
    feed(before, one ? [one] : []);
    const after = makeChainDetector({}, JSON.parse(JSON.stringify(before.save())));
    expect(feed(after, two ? [two] : []).map(({ rule }) => rule)).toEqual(['epoch-rewind']);
  });

  test('a restart does not forget where the chain stood', () => {
    const before = makeChainDetector();
    feed(before, [batch(first), batch(second)]);
    const after = makeChainDetector({}, JSON.parse(JSON.stringify(before.save())));
    expect(feed(after, [batch(next(second))])).toEqual([]);
    expect(feed(after, [batch(first)]).map(({ rule }) => rule)).toEqual(['rewind']);
  });
});

describe('silence', () => {
  test('alerts once, and again after the node spoke', () => {
    const detector = makeSilenceDetector({ silenceUs: MINUTE });
    feed(detector, [batch(first)]);
    expect([...detector.tick(START + MINUTE)]).toEqual([]);
    const [alert, ...more] = [...detector.tick(START + 2 * MINUTE)];
    expect(alert).toMatchObject({ title: 'A node is silent', node: 'db-1', severity: 'high' });
    expect(alert?.reason).toMatch(isSentence);
    expect(more).toEqual([]);
    expect([...detector.tick(START + 3 * MINUTE)]).toEqual([]);
    feed(detector, [batch(next(first), [], START + 4 * MINUTE)]);
    expect([...detector.tick(START + 4 * MINUTE)]).toEqual([]);
    expect([...detector.tick(START + 5 * MINUTE)]).toEqual([]);
    expect([...detector.tick(START + 6 * MINUTE)]).toHaveLength(1);
  });

  test.each([24, -24, 1, -1])('a clock of the collector that is set by %i hours is nobody who is silent', (hours) => {
    const step = hours * 60 * MINUTE;
    const detector = makeSilenceDetector({ silenceUs: 3 * MINUTE });
    const other = { ...batch(first), node: 'db-2' };
    feed(detector, [batch(first), other]);
    expect([...detector.tick(START + MINUTE)]).toEqual([]);
    // One of them speaks after the step and before the next tick.
    feed(detector, [batch(next(first), [], START + step + MINUTE)]);
    expect([...detector.tick(START + step + 2 * MINUTE)]).toEqual([]);
    const found = [3, 4, 5, 6].flatMap((minute) => [...detector.tick(START + step + minute * MINUTE)]);
    expect(found.map(({ node }) => node).toSorted()).toEqual(['db-1', 'db-2']);
  });

  test('a restart does not repeat it', () => {
    const detector = makeSilenceDetector({ silenceUs: MINUTE });
    feed(detector, [batch(first)]);
    expect([...detector.tick(START + 2 * MINUTE)]).toHaveLength(1);
    const again = makeSilenceDetector({ silenceUs: MINUTE }, JSON.parse(JSON.stringify(detector.save())));
    expect([...again.tick(START + 3 * MINUTE)]).toEqual([]);
  });

  test('an announced stop weighs less', () => {
    const detector = makeSilenceDetector({ silenceUs: MINUTE });
    feed(detector, [batch(first, [{ event: 'hushwatch.stop', time: START, 'hushwatch.component': 'agent' }])]);
    expect([...detector.tick(START + 2 * MINUTE)]).toMatchObject([{ severity: 'medium' }]);
  });
});

describe('first seen', () => {
  const connect = (path: string, port: number, time: number): ReleasedRecord => ({
    event: 'network.connect',
    time,
    'process.executable.path': path,
    'network.peer.port': port,
  });
  const listen = (path: string, port: number, time: number): ReleasedRecord => ({
    event: 'network.listen',
    time,
    'process.executable.path': path,
    'network.local.port': port,
  });

  test('learns silently, then says what is new, once', () => {
    const detector = makeFirstSeenDetector();
    const later = START + DAY + HOUR;
    const alerts = feed(detector, [
      batch(first, [exec('/usr/bin/ls'), connect('/usr/bin/curl', 443, START), listen('/usr/sbin/nginx', 80, START)]),
      batch(next(first), [
        exec('/usr/bin/ls', {}, later),
        exec('/opt/new', {}, later),
        exec('/opt/new', {}, later),
        connect('/usr/bin/curl', 443, later),
        connect('/usr/bin/curl', 4444, later),
        listen('/usr/bin/nc', 4444, later),
        listen('/usr/sbin/nginx', 40_001, later),
        listen('/usr/sbin/nginx', 50_002, later),
      ]),
    ]);
    expect(alerts.map(({ rule, severity, events }) => [rule, severity, events[0]?.line])).toEqual([
      ['program', 'low', 1],
      ['peer', 'low', 4],
      ['listen', 'medium', 5],
      ['listen', 'medium', 6],
    ]);
    for (const { reason } of alerts) expect(reason).toMatch(isSentence);
  });

  test('what was refused is not a habit', () => {
    const detector = makeFirstSeenDetector({ learning_hours: 0 });
    expect(feed(detector, [batch(first, [exec('/opt/x', { 'error.type': 'EACCES' })])])).toEqual([]);
  });

  test('remembers at most what it may, and alerts at most as often as it may', () => {
    const detector = makeFirstSeenDetector({ learning_hours: 0, habits: 50, alerts_an_hour: 5 });
    const events = Array.from({ length: 500 }, (_, i) => exec(`/opt/${i}`));
    expect(feed(detector, [batch(first, events)])).toHaveLength(5);
    expect(JSON.stringify(detector.save()).length).toBeLessThan(5000);
  });

  test('a restart does not learn again', () => {
    const before = makeFirstSeenDetector();
    feed(before, [batch(first, [exec('/usr/bin/ls')])]);
    const after = makeFirstSeenDetector({}, JSON.parse(JSON.stringify(before.save())));
    const later = START + 2 * DAY;
    const alerts = feed(after, [batch(next(first), [exec('/usr/bin/ls', {}, later), exec('/opt/x', {}, later)])]);
    expect(alerts).toHaveLength(1);
  });
});

describe('sigma', () => {
  const pack = loadPack(STARTER_PACK);
  const idOf = (file: string): string => pack.rules.find((rule) => rule.file === file)?.id ?? '';
  const reverse = idOf('reverse-shell.yml');
  const temporary = idOf('exec-temporary-directory.yml');
  const clear = new Set(
    ['process.executable.path', 'process.parent.executable.path', 'error.type'].map((name) => `process.exec ${name}`),
  );
  const make = (released: ReadonlySet<string> = clear, saved?: unknown): Detector =>
    makeSigmaDetector({ ...pack, clearFor: () => released }, saved);

  test('what the node matched alerts, in words of what was released', () => {
    const [alert, ...more] = feed(make(new Set()), [
      batch(first, [exec('/usr/bin/bash', { 'detection.rules': [reverse] })]),
    ]);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({
      rule: reverse,
      severity: 'critical',
      title: 'Command line of a reverse shell',
      reason: 'Command line of a reverse shell: on db-1, /usr/bin/bash was started by /usr/bin/bash.',
      events: [{ logIndex: 0, line: 0 }],
      entity: '7-1',
      loss: 0,
    });
    expect(alert?.attack).toContain('T1059.004');
    expect(alert?.silencedBy).toContain('reverse-shell.yml');
  });

  test('what is released in clear is matched here', () => {
    expect(feed(make(), [batch(first, [exec('/tmp/x')])]).map(({ rule }) => rule)).toEqual([temporary]);
    expect(feed(make(new Set()), [batch(first, [exec('/tmp/x')])])).toEqual([]);
  });

  test('one alert for a rule, a process and a minute, across batches and restarts', () => {
    const detector = make();
    const again = exec('/tmp/x', {}, START + 1000);
    expect(feed(detector, [batch(first, [exec('/tmp/x'), again])])).toHaveLength(1);
    const restarted = make(clear, JSON.parse(JSON.stringify(detector.save())));
    expect(feed(restarted, [batch(next(first), [again])])).toEqual([]);
    expect(feed(restarted, [batch(next(first), [exec('/tmp/x', {}, START + 2 * MINUTE)])])).toHaveLength(1);
  });

  test('the same evidence gives the same alerts', () => {
    const batches = [batch(first, [exec('/tmp/x'), exec('/dev/shm/y', { 'detection.rules': [reverse] })])];
    expect(feed(make(), batches)).toEqual(feed(make(), batches));
  });

  test('a rule that only the node knows is said so', () => {
    const [alert] = feed(make(), [
      batch(first, [exec('/usr/bin/x', { 'detection.rules': ['11111111-0000-4000-8000-000000000000'] })]),
    ]);
    expect(alert).toMatchObject({
      severity: 'medium',
      title: 'A rule that the collector does not have matched on the node',
    });
  });

  test('download, chmod, run: three steps are one story', () => {
    const id = (file: string): string => pack.rules.find((rule) => rule.file === file)?.id ?? '';
    const step = (file: string, seconds: number): ReleasedRecord =>
      exec('/usr/bin/x', { 'detection.rules': [id(file)] }, START + seconds * 1_000_000);
    const story = [
      step('download-temporary.yml', 0),
      step('chmod-executable-temporary.yml', 1),
      step('exec-temporary-directory.yml', 2),
    ];
    const alerts = feed(make(new Set()), [batch(first, story)]);
    expect(alerts.map(({ severity }) => severity)).toEqual(['low', 'low', 'medium', 'high']);
    expect(alerts.at(-1)?.reason).toMatch(/3 of 3 steps happened within 2 s\.$/);
    expect(alerts.at(-1)?.events).toHaveLength(3);
    // Told in the story of the process whose deed made it whole, with what else that tree did.
    expect(alerts.at(-1)?.entity).toBe(story.at(-1)?.['process.entity.id']);
    expect(alerts.at(-1)?.entity).toBeDefined();
    expect(
      feed(make(new Set()), [
        batch(
          first,
          story.toReversed().map((one, i) => ({ ...one, time: START + i })),
        ),
      ]),
    ).toHaveLength(3);
  });

  test('the loss in the window is said', () => {
    const lossy = { ...first, seen: { file: 7 }, lost: { ring: { file: 7 } } };
    expect(feed(make(), [batch(lossy, [exec('/tmp/x')])])).toMatchObject([{ loss: 7 }]);
  });

  test('control characters and long values do not get into the sentence', () => {
    const [alert] = feed(make(), [batch(first, [exec(`/tmp/\u001b[31m\n${'x'.repeat(500)}`)])]);
    expect(alert?.reason).toMatch(/^[^\p{C}]{1,400}$/u);
  });
});

describe('all together', () => {
  const pack = loadPack(STARTER_PACK);
  const options = { pack, clearFor: (): ReadonlySet<string> => new Set<string>(), silenceUs: MINUTE };

  test('save and restore as one', () => {
    const detectors = makeDetectors(options);
    for (const detector of detectors) detector.observe(batch(first, [exec('/usr/bin/ls')]));
    const saved: unknown = JSON.parse(JSON.stringify(saveDetectors(detectors)));
    const again = makeDetectors({ ...options, saved });
    expect(JSON.parse(JSON.stringify(saveDetectors(again)))).toEqual(saved);
  });

  test('state does not depend on whether alerts are read', () => {
    const [chain] = makeDetectors(options);
    chain?.observe(batch(first));
    expect([...(chain?.observe(batch(next(first))) ?? [])]).toEqual([]);
  });

  test('saved state of another shape counts as none', () => {
    for (const saved of [null, 1, 'x', [], { chain: [], sigma: 'x', 'first-seen': { memories: 3 }, silence: null }]) {
      expect(makeDetectors({ ...options, saved })).toHaveLength(10);
    }
  });
});

describe('canary', () => {
  const song = (time: number, leaked = 0, leaks: readonly string[] = []): ReleasedRecord => ({
    ...{ event: 'hushwatch.canary', time, 'hushwatch.canary.tried': 5_000 },
    ...{ 'hushwatch.canary.leaked': leaked, 'hushwatch.canary.leaks': leaks },
  });
  /** Batches every four minutes, which is no silence; the collector gets all of them at once. */
  const hours = (from: number, to: number, events: readonly ReleasedRecord[] = []): readonly EvidenceBatch[] =>
    Array.from({ length: (to - from) * 15 }, (_, i) => {
      const time = START + from * HOUR + i * 4 * MINUTE;
      const statement = { ...first, sequence: from * 15 + i + 1, time: { first: time, last: time } };
      return batch(statement, i === 0 ? events : []);
    });
  const rules = (alerts: readonly Alert[]): readonly (string | undefined)[] => alerts.map(({ rule }) => rule);

  test('all well is quiet, and remembered', () => {
    const detector = makeCanaryDetector();
    const often = [0, 1, 2].flatMap((i) => hours(i, i + 1, [song(START + i * HOUR)]).slice(0, 8));
    expect(feed(detector, often)).toEqual([]);
    expect(canariesOf(JSON.parse(JSON.stringify(detector.save()))).get('db-1')).toEqual({
      ...{ at: START + 2 * HOUR, tried: 5_000, leaked: 0, leaks: [] },
    });
  });

  test('one that came out alerts, with where', () => {
    const [alert] = feed(makeCanaryDetector(), [batch(first, [song(START, 2, ['file.open file.path'])])]);
    expect(alert).toMatchObject({ rule: 'leak', severity: 'critical', events: [{ logIndex: 0, line: 0 }] });
    expect(alert?.reason).toMatch(isSentence);
    expect(alert?.reason).toContain('file.open file.path');
  });

  test('no word for long alerts once, until there is one again', () => {
    const detector = makeCanaryDetector();
    expect(rules(feed(detector, hours(0, 3)))).toEqual(['overdue']);
    expect(rules(feed(detector, hours(3, 4, [song(START + 3 * HOUR)])))).toEqual(['overdue']);
  });

  test('a node that was away begins anew', () => {
    const detector = makeCanaryDetector();
    expect(feed(detector, [...hours(0, 1, [song(START)]).slice(0, 8), ...hours(6, 7).slice(0, 8)])).toEqual([]);
  });

  test('no word of a node without rules is no matter', () => {
    const idle = { ruleset: NO_RULES, rulepack: NO_RULES };
    const silent = hours(0, 5).map((each) => ({ ...each, statement: { ...each.statement, ...idle } }));
    expect(feed(makeCanaryDetector(), silent)).toEqual([]);
  });

  test('a restart forgets neither the song nor the alert', () => {
    const before = makeCanaryDetector();
    expect(feed(before, hours(0, 1, [song(START)]))).toHaveLength(1);
    const after = makeCanaryDetector({}, JSON.parse(JSON.stringify(before.save())));
    expect(feed(after, hours(1, 2))).toEqual([]);
  });

  test('a ruleset that keeps the numbers back leaves them open', () => {
    const detector = makeCanaryDetector();
    expect(feed(detector, [batch(first, [{ event: 'hushwatch.canary', time: START }])])).toEqual([]);
    expect(canariesOf(detector.save()).get('db-1')?.leaked).toBeUndefined();
  });
});
