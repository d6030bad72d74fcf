/** Each baseline: what it says and what it keeps quiet about; and what holds for all of them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Value } from '#protocol/vocabulary.ts';
import { makeCohortDetector } from '../../../collector/detectors/cohort.ts';
import { Detection } from '../../../collector/detectors/detection.ts';
import {
  DAY,
  HOUR,
  MINUTE,
  type Alert,
  type Detector,
  type EvidenceBatch,
  type ReleasedRecord,
} from '../../../collector/detectors/detector.ts';
import { makeFirstSeenDetector } from '../../../collector/detectors/first-seen.ts';
import { makeLineageDetector } from '../../../collector/detectors/lineage.ts';
import { makeRarityDetector } from '../../../collector/detectors/rarity.ts';
import { makeRateDetector } from '../../../collector/detectors/rate.ts';
import { makeUpgradeDetector } from '../../../collector/detectors/upgrade.ts';
import { exec, placed, record, Sender, START } from './evidence.ts';

const feed = (detector: Detector, batches: readonly EvidenceBatch[]): readonly Alert[] =>
  batches.flatMap((one) => [...detector.observe(one)]);

const SENTENCE = /^[A-Z].{20,}\.$/;

const connect = (time: number, path: string, port: number, more: Readonly<Record<string, Value>> = {}) =>
  record('network.connect', time, { 'process.executable.path': path, 'network.peer.port': port, ...more });
const listen = (time: number, path: string, port: number) =>
  record('network.listen', time, { 'process.executable.path': path, 'network.local.port': port });

/** `events` once in `everyUs`, from `from` for `forUs`. */
function repeat(
  from: number,
  forUs: number,
  everyUs: number,
  events: (time: number) => readonly ReleasedRecord[],
): ReleasedRecord[] {
  const all: ReleasedRecord[] = [];
  for (let time = from; time < from + forUs; time += everyUs) all.push(...events(time));
  return all;
}

const inventory = (time: number, kernel: string): ReleasedRecord =>
  record('host.inventory', time, { 'os.name': 'Debian', 'os.version': '13', 'os.kernel.release': kernel });

describe('first seen', () => {
  const detector = () => makeFirstSeenDetector({ learning_hours: 1 });
  const later = START + 2 * HOUR;

  test('a socket, a module, a way to log on, a disk', () => {
    const log = (time: number, service: string): ReleasedRecord =>
      record('session.start', time, { 'session.service': service, 'session.authentication.method': 'publickey' });
    const disks = (time: number, ...names: readonly string[]): ReleasedRecord =>
      record('host.inventory', time, { 'host.disks': names });
    const socket = (time: number, path: string): ReleasedRecord =>
      record('network.connect', time, { 'process.executable.path': '/usr/bin/curl', 'network.unix.path': path });
    const alerts = feed(detector(), [
      new Sender('a').send([
        ...[log(START, 'sshd'), disks(START, '/dev/vda'), socket(START, '/run/nscd/socket')],
        ...[log(later, 'sshd'), log(later, 'login'), disks(later, '/dev/vda', '/dev/sdb')],
        ...[socket(later, '/run/docker.sock'), record('kernel.module.load', later, { 'kernel.module.name': 'x' })],
      ]),
    ]);
    expect(alerts.map(({ rule }) => rule)).toEqual(['login', 'disk', 'socket', 'module']);
    for (const { reason, measures } of alerts) {
      expect(reason).toMatch(SENTENCE);
      expect(measures).toEqual([{ what: 'times seen before', value: 0, normal: { from: 1 } }]);
    }
  });

  test('the turn of an epoch is nothing new: pseudonyms count as one', () => {
    const alerts = feed(detector(), [
      new Sender('a').send([
        exec(START, '/home/p-abcdefghij/p-klmnopqrst'),
        exec(later, '/home/p-zyxwvutsrq/p-ponmlkjihg'),
        exec(later, '/tmp/p-zyxwvutsrq'),
      ]),
    ]);
    expect(alerts.map(({ reason }) => reason)).toEqual([
      'A program ran under this parent for the first time: on a, /tmp/p-zyxwvutsrq was started by /usr/bin/bash, which is not among the 1 habits seen in 2 h.',
    ]);
  });

  test('after an upgrade what is new is only informational, and says why; the upgrade is told', () => {
    const sender = new Sender('a');
    const old = sender.send([inventory(START, '6.1.0-26'), exec(START, '/usr/bin/ls')]);
    const fresh = sender.send([
      inventory(later, '6.1.0-27'),
      exec(later, '/usr/bin/new'),
      exec(later + 7 * HOUR, '/usr/bin/newer'),
    ]);
    const alerts = feed(detector(), [old, fresh]);
    expect(alerts.map(({ severity }) => severity)).toEqual(['informational', 'low']);
    expect(alerts[0]?.reason).toMatch(/relearns after an upgrade, so this is only informational\.$/);
    const told = feed(makeUpgradeDetector(), [old, fresh]);
    expect(told.map(({ rule, severity, reason }) => ({ rule, severity, reason }))).toEqual([
      {
        rule: 'kernel',
        severity: 'informational',
        reason:
          'A node runs other software than before: a went from kernel 6.1.0-26 to 6.1.0-27; its baselines relearn until 2027-01-15T16:00Z, and what is new until then is only informational.',
      },
    ]);
  });

  test('loss around an alert is said', () => {
    const sender = new Sender('a');
    const alerts = feed(detector(), [
      sender.send([exec(START, '/usr/bin/ls')]),
      sender.send([exec(later, '/usr/bin/new')], { lost: { ring: { file: 7 } } }),
    ]);
    expect(alerts).toMatchObject([{ loss: 7 }]);
    expect(alerts[0]?.reason).toMatch(/; 7 events were lost around it\.$/);
  });
});

describe('rarity', () => {
  const open = (time: number, path: string): ReleasedRecord =>
    record('file.open', time, { 'process.executable.path': '/usr/bin/vim', 'file.path': path });

  test('what hardly ever happens is told, with the bound', () => {
    const events = repeat(START, 2 * DAY, MINUTE, (time) => [open(time, '/var/lib/app/x.db')]);
    const alerts = feed(makeRarityDetector(), [
      new Sender('a').send([
        ...events,
        open(START + 2 * DAY, '/etc/ssh/sshd_config'),
        record('process.trace', START + 2 * DAY, { 'process.executable.path': '/usr/bin/vim' }),
        open(START + 2 * DAY, '/var/lib/app/y.db'),
      ]),
    ]);
    expect(alerts.map(({ rule, severity }) => [rule, severity])).toEqual([
      ['file', 'informational'],
      ['privilege', 'low'],
    ]);
    expect(alerts[0]?.reason).toBe(
      'A program went to files where it hardly ever goes: on a, /usr/bin/vim opened /etc/ssh/sshd_config for writing, which happened there at most 0 times (decayed, half-life 7 days) among 2614 deeds before; 1.5 times or more are normal.',
    );
  });

  test('a full table forgets the rarest, says its error, and calls nothing rare that may not be', () => {
    const many = Array.from({ length: 4_000 }, (_, i) => [
      ...[
        connect(START + i * MINUTE, `/usr/bin/p${i % 400}`, 443),
        connect(START + i * MINUTE, `/usr/bin/p${i % 400}`, 80),
      ],
    ]).flat();
    const detector = makeRarityDetector({ shapes: 200 });
    expect(feed(detector, [new Sender('a').send(many)])).toEqual([]);
    expect(JSON.stringify(detector.save()).length).toBeLessThan(20_000);
  });
});

describe('rate', () => {
  /** A busy hour each night at three, little else. */
  const daily = (days: number): ReleasedRecord[] =>
    repeat(START, days * DAY, HOUR, (time) => {
      const isNight = new Date(time / 1000).getUTCHours() === 3;
      const repeats = isNight ? 5_000 : 20;
      return [exec(time + MINUTE, '/usr/bin/backup', { 'event.repeats': repeats })];
    });

  test('a daily peak is normal at its hour, and too much at another', () => {
    const quiet = feed(makeRateDetector(), [new Sender('a').send(daily(12))]);
    expect(quiet).toEqual([]);
    const midday = START + 8 * DAY + 4 * HOUR + 30 * MINUTE;
    const events = [...daily(9), exec(midday, '/usr/bin/backup', { 'event.repeats': 4_000 })].toSorted(
      (a, b) => a.time - b.time,
    );
    const alerts = feed(makeRateDetector(), [new Sender('a').send(events)]);
    expect(alerts.map(({ rule }) => rule)).toEqual(['starts', 'process events']);
    expect(alerts[0]?.reason).toMatch(
      /^Much more than usual happened in an hour: on a, more than 60 starts of \/usr\/bin\/backup came in one hour; 21 in the median of [0-9]+ like hours of the last days, and up to 60 are normal\.$/,
    );
    expect(alerts[0]?.measures).toMatchObject([{ value: 4_022, normal: { from: 0, to: 60 } }]);
  });

  test('nothing is too much before two days are known; what was sent counts in MiB', () => {
    const flow = (time: number, size: number): ReleasedRecord =>
      record('network.flow.end', time, {
        'process.executable.path': '/usr/bin/curl',
        'network.flow.direction': 'outbound',
        'network.flow.sent.size': size,
      });
    const few = repeat(START, DAY, HOUR, (time) => [flow(time, 65_536)]);
    expect(feed(makeRateDetector(), [new Sender('a').send([...few, flow(START + DAY, 2 ** 32)])])).toEqual([]);
    const enough = repeat(START, 3 * DAY, HOUR, (time) => [flow(time, 65_536)]);
    const alerts = feed(makeRateDetector(), [new Sender('a').send([...enough, flow(START + 3 * DAY, 2 ** 32)])]);
    expect(alerts).toMatchObject([
      { severity: 'medium', rule: 'data sent', measures: [{ value: 4096, normal: { from: 0, to: 256 } }] },
    ]);
  });
});

describe('lineage', () => {
  const step = (time: number, parent: string, child: string, ...above: readonly string[]): ReleasedRecord =>
    exec(time, child, { 'process.parent.executable.path': parent, 'process.ancestors': [parent, ...above] });

  test('known steps in an unknown chain', () => {
    const ordinary = repeat(START, 3 * DAY, 5 * MINUTE, (time) => [
      step(time, '/usr/sbin/nginx', '/usr/bin/php'),
      step(time, '/usr/bin/bash', '/usr/bin/ls', '/usr/sbin/sshd'),
      step(time, '/usr/bin/bash', '/usr/bin/cat', '/usr/sbin/sshd'),
      step(time, '/usr/bin/make', '/usr/bin/gcc', '/usr/bin/bash'),
    ]);
    const odd = step(START + 3 * DAY, '/usr/bin/bash', '/usr/bin/gcc', '/usr/bin/php', '/usr/sbin/nginx');
    const alerts = feed(makeLineageDetector(), [new Sender('a').send([...ordinary, odd])]);
    expect(alerts).toHaveLength(1);
    expect(alerts[0]?.reason).toMatch(
      /came about as \/usr\/sbin\/nginx > \/usr\/bin\/php > \/usr\/bin\/bash > \/usr\/bin\/gcc, which is worth [0-9.]+ bits of surprise; up to [0-9]+ are usual there and up to [0-9.]+ are let pass\.$/,
    );
    expect(feed(makeLineageDetector(), [new Sender('a').send(ordinary)])).toEqual([]);
  });
});

describe('cohort', () => {
  const usual = (time: number): readonly ReleasedRecord[] => [
    exec(time, '/usr/bin/replica', { 'event.repeats': 99 }),
    connect(time, '/usr/bin/replica', 4100),
  ];
  const names = (n: number): readonly string[] => Array.from({ length: n }, (_, i) => `n${String(i).padStart(2, '0')}`);

  /** Days of a cohort, hour by hour, every node in each; `extra` gives what one does beyond the others. */
  function cohort(
    n: number,
    hours: number,
    extra: (node: number, hour: number, time: number) => readonly ReleasedRecord[],
  ): readonly EvidenceBatch[] {
    const senders = names(n).map((name) => new Sender(name));
    const batches = Array.from({ length: hours }, (_, hour) =>
      senders.map((sender, i) => {
        const time = START + hour * HOUR + i * 1_000;
        return sender.send([...usual(time), ...extra(i, hour, time)]);
      }),
    );
    return placed(batches.flat());
  }

  const odd =
    (who: readonly number[], at = 50) =>
    (node: number, hour: number, time: number) =>
      who.includes(node) && hour === at ? [listen(time, '/usr/bin/nc', 4444)] : [];

  test.each([
    [1, [0], ['informational alone n00']],
    [2, [1], ['low differs n01']],
    [4, [2], ['medium differs n02']],
    [4, [1, 2], []],
    [13, [12], ['medium differs n12']],
    [13, [3, 4, 5], []],
    [40, [0, 1, 2], ['medium differs n00', 'medium differs n01', 'medium differs n02']],
    [40, [0, 1, 2, 3, 4, 5, 6, 7, 8], []],
  ])('of %i nodes, %j listen where the others do not', (n, who, expected) => {
    const alerts = feed(makeCohortDetector(), cohort(n, 54, odd(who)));
    expect(alerts.map(({ severity, rule, node }) => `${severity} ${rule} ${node}`)).toEqual(expected);
    for (const { reason } of alerts) expect(reason).toMatch(SENTENCE);
  });

  test('says which node, in what, and what its peers did', () => {
    const [alert] = feed(makeCohortDetector(), cohort(13, 54, odd([7])));
    expect(alert?.reason).toBe(
      'A node differs from its peers: n07 of 13 alike in databases showed listening on port 4444 by /usr/bin/nc, which 0 of 12 peers did in a day.',
    );
    expect(alert?.events).toHaveLength(1);
  });

  test('of two, what one has always done is no difference', () => {
    const always = (node: number, _: number, time: number) => (node === 1 ? [listen(time, '/usr/bin/nc', 4444)] : []);
    expect(feed(makeCohortDetector(), cohort(2, 60, always))).toEqual([]);
  });

  test('amounts: one node of four does much more, and one of thirteen stops doing what all others do', () => {
    const much = (node: number, hour: number, time: number) =>
      node === 3 && hour === 50 ? [exec(time, '/usr/bin/replica', { 'event.repeats': 5_000 })] : [];
    expect(feed(makeCohortDetector(), cohort(4, 54, much)).map(({ node, reason }) => [node, reason])).toEqual([
      [
        'n03',
        'A node differs from its peers: n03 of 4 alike in databases showed 5101 process events in an hour, where 20 to 200 are normal by 3 peers.',
      ],
    ]);
    const stops = (node: number, hour: number, time: number) =>
      node === 5 && hour > 30 ? [] : [exec(time, '/usr/sbin/auditd')];
    const [alert] = feed(makeCohortDetector(), cohort(13, 60, stops));
    expect(alert).toMatchObject({ node: 'n05' });
    expect(alert?.reason).toContain('for a day no running /usr/sbin/auditd, which all 12 peers did');
  });

  test('nodes of another release are not peers, and relearn', () => {
    const upgraded = (node: number, hour: number, time: number) => [
      ...(hour === 0 ? [inventory(time, '1')] : []),
      ...(node > 1 && hour === 40 ? [inventory(time, '2')] : []),
      ...(node > 1 && hour > 40 ? [exec(time, '/usr/bin/new')] : []),
    ];
    expect(feed(makeCohortDetector(), cohort(4, 60, upgraded))).toEqual([]);
  });

  test('a clock that is far ahead does not push the others', () => {
    const ahead = (node: number, hour: number, time: number) =>
      node === 0 && hour === 30 ? [exec(time + 1_000 * DAY, '/usr/bin/replica')] : [];
    const batches = cohort(4, 54, (node, hour, time) => [...ahead(node, hour, time), ...odd([2])(node, hour, time)]);
    const honest = batches.map((batch) => ({ ...batch, receivedAt: START + Math.floor(batch.logIndex / 4) * HOUR }));
    expect(feed(makeCohortDetector(), honest).map(({ node }) => node)).toEqual(['n02']);
  });
});

describe('all of them', () => {
  /** Deterministic noise: what three nodes do in four days, with an upgrade, loss and an intrusion. */
  function life(): readonly (readonly EvidenceBatch[])[] {
    let seed = 7;
    const random = (n: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * n);
    };
    return ['a', 'b', 'c'].map((name) => {
      const sender = new Sender(name);
      return Array.from({ length: 4 * 24 * 2 }, (_, i) => {
        const from = START + i * 30 * MINUTE;
        const events = Array.from({ length: 24 }, (__, j) => {
          const time = from + j * MINUTE;
          const program = `/usr/bin/p${Math.floor(random(12) ** 2 / 12)}`;
          const kinds = [
            exec(time, program, { 'process.entity.id': `${name}${i}-${j}`, 'process.parent.entity.id': `${name}${i}` }),
            connect(time, program, [443, 80, 5432][random(3)] ?? 22),
            record('file.open', time, { 'process.executable.path': program, 'file.path': `/srv/p${random(9)}/x.db` }),
          ];
          return kinds[random(3)] ?? exec(time, program);
        });
        if (i === 60) events.push(inventory(from, '6.1.0-26'));
        if (i === 120) events.push(inventory(from, '6.1.0-27'));
        if (i === 170 && name === 'b') events.push(...intrusion(from + 25 * MINUTE));
        return sender.send(events, i > 100 ? { lost: { ring: { file: 5 * i } } } : {});
      });
    });
  }

  /** One process does what the node never does. */
  function intrusion(time: number): readonly ReleasedRecord[] {
    const by = { 'process.entity.id': 'evil', 'process.executable.path': '/usr/bin/nc' };
    const chain = ['/usr/bin/p0', '/usr/bin/p5', '/usr/bin/p0'];
    return [
      exec(time, '/usr/bin/nc', { ...by, 'process.ancestors': chain, 'process.parent.entity.id': 'b170' }),
      record('network.listen', time, { ...by, 'network.local.port': 4444 }),
      record('kernel.module.load', time, { ...by, 'kernel.module.name': 'evil' }),
      record('process.trace', time, { ...by, 'process.target.executable.path': '/usr/bin/p1' }),
      record('file.delete', time, { ...by, 'file.path': '/srv/x.db', 'event.repeats': 9_000 }),
      record('file.open', time, { ...by, 'file.path': '/etc/shadow' }),
    ];
  }

  const make = (saved?: unknown): Detection => {
    const state = (id: string): unknown =>
      saved === undefined ? undefined : (Object.entries(saved ?? {}).find(([name]) => name === id) ?? [])[1];
    return new Detection({
      detectors: [
        makeUpgradeDetector({}, state('upgrade')),
        makeFirstSeenDetector({}, state('first-seen')),
        makeRarityDetector({}, state('rarity')),
        makeRateDetector({ learning_hours: 24 }, state('rate')),
        makeLineageDetector({ least_bits: 4 }, state('lineage')),
        makeCohortDetector({}, state('cohort')),
      ],
      ...(saved === undefined ? {} : { saved }),
    });
  };

  const [a = [], b = [], c = []] = life();
  /** In the order of time. Log indices stay with their batches whatever the order, so that bytes can be compared. */
  const inOrder = a.flatMap((each, i) => [each, b[i], c[i]]).flatMap((each) => each ?? []);
  const numbered = inOrder.map((batch, logIndex) => ({ ...batch, logIndex }));
  const all = (batches: readonly EvidenceBatch[], detection = make()): readonly string[] =>
    batches.flatMap((batch) => detection.observe(batch).alerts.map((alert) => JSON.stringify(alert)));
  const expected = all(numbered);

  test('there is something to compare, of every detector', () => {
    const detectors = new Set(expected.map((text) => /"detector":"([^"]*)"/.exec(text)?.[1]));
    expect([...detectors].map(String).toSorted()).toEqual([
      'cohort',
      'first-seen',
      'lineage',
      'rarity',
      'rate',
      'risk',
      'upgrade',
    ]);
  });

  test('stopped and started again and again, it finds the same bytes and remembers the same', () => {
    let saved: unknown;
    const found = Array.from({ length: Math.ceil(numbered.length / 17) }, (_, i) => {
      const detection = make(saved);
      const texts = all(numbered.slice(i * 17, (i + 1) * 17), detection);
      saved = JSON.parse(JSON.stringify(Object.fromEntries(detection.save())));
      return texts;
    });
    expect(found.flat()).toEqual(expected);
    const whole = make();
    all(numbered, whole);
    expect(JSON.stringify(saved)).toBe(JSON.stringify(Object.fromEntries(whole.save())));
  });

  test('a saved state that something else has written makes nothing fail: what is not understood is learned again', () => {
    const whole = make();
    all(numbered.slice(0, 90), whole);
    const saved = JSON.stringify(Object.fromEntries(whole.save()));
    /** Each number of the state made into something else, some at a time. */
    const spoiled = (modulus: number, with_: string): unknown => {
      let i = 0;
      return JSON.parse(saved.replaceAll(/(?<=[[,:])-?[0-9.]+(?=[\],}])/g, (n) => (i++ % 13 === modulus ? with_ : n)));
    };
    for (const with_ of ['null', '"x"', '[]', '{}', '-1', '1e300']) {
      for (let modulus = 0; modulus < 13; modulus += 4) {
        const detection = make(spoiled(modulus, with_));
        const found = numbered.slice(90, 120).flatMap((batch) => detection.observe(batch).alerts);
        expect(found.filter(({ rule }) => rule === 'broken-detector')).toEqual([]);
      }
    }
  });

  test('nodes in another order, late by less than the patience: the same bytes', () => {
    const shuffled = [...numbered].map((batch, i) => ({
      batch,
      // Up to an hour late, each node by its own.
      at: (batch.events[0]?.time ?? 0) + ({ a: 0, b: 50 * MINUTE, c: 25 * MINUTE }[batch.node] ?? 0) + i / 1000,
    }));
    shuffled.sort((x, y) => x.at - y.at);
    expect(all(shuffled.map(({ batch }) => batch)).toSorted()).toEqual([...expected].toSorted());
  });

  test('whatever the restarts and whichever node comes late, within the patience: the same bytes', () => {
    const delays = fc.record({ a: fc.nat(50), b: fc.nat(50), c: fc.nat(50) });
    const restarts = fc.array(fc.nat(numbered.length - 1), { maxLength: 6 });
    fc.assert(
      fc.property(delays, restarts, (late: Readonly<Record<string, number>>, stops) => {
        const arrived = numbered
          .map((batch, i) => ({
            batch,
            at: (batch.events[0]?.time ?? 0) + (late[batch.node] ?? 0) * MINUTE + i / 1000,
          }))
          .toSorted((x, y) => x.at - y.at);
        let detection = make();
        const found = arrived.flatMap(({ batch }, i) => {
          if (stops.includes(i)) detection = make(JSON.parse(JSON.stringify(Object.fromEntries(detection.save()))));
          return all([batch], detection);
        });
        expect(found.toSorted()).toEqual(expected.toSorted());
      }),
      { numRuns: 8 },
    );
  });

  test('one event a batch tells the same, but for where its events lie', () => {
    const whole = numbered.filter(({ node }) => node === 'b');
    const single = whole.flatMap(({ events, ...batch }) => events.map((event) => ({ ...batch, events: [event] })));
    const essence = (texts: readonly string[]): readonly string[] =>
      texts.map((text) => text.replaceAll(/"events":\[[^\]]*\]/g, ''));
    expect(essence(all(single))).toEqual(essence(all(whole)));
  });
});
