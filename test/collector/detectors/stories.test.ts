/** Stories: what belongs together is told once; small things add up; the same evidence tells the same story. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { Detection } from '../../../collector/detectors/detection.ts';
import {
  alertId,
  DAY,
  HOUR,
  MINUTE,
  type Alert,
  type Detector,
  type EvidenceBatch,
  type Severity,
  type Story,
} from '../../../collector/detectors/detector.ts';
import { State } from '../../../collector/state.ts';
import { exec, record, Sender, START } from './evidence.ts';

/** Alerts for each event that carries `detection.rules`: `severity rule`. */
function pointingDetector(): Detector {
  return {
    id: 'pointing',
    *observe(batch): Iterable<Alert> {
      for (const [line, event] of batch.events.entries()) {
        const told = event['detection.rules'];
        for (const text of typeof told === 'object' ? told : []) {
          const [severity = '', rule = ''] = text.split(' ');
          const entity = event['process.entity.id'];
          yield {
            id: alertId('pointing', rule, batch.node, `${batch.logIndex} ${line}`),
            time: event.time,
            node: batch.node,
            detector: 'pointing',
            rule,
            title: `Rule ${rule}`,
            // oxlint-disable-next-line no-unsafe-type-assertion -- written in the tests below
            severity: severity as Severity,
            reason: `Rule ${rule} matched.`,
            silencedBy: 'nothing',
            attack: [`T${rule}`],
            events: [{ logIndex: batch.logIndex, line }],
            entity: typeof entity === 'string' ? entity : undefined,
            loss: 0,
          };
        }
      }
    },
    tick: () => [],
    save: () => ({}),
  };
}

const told = (detection: Detection, batches: readonly EvidenceBatch[]): ReadonlyMap<string, Story> =>
  new Map(batches.flatMap((batch) => detection.observe(batch).stories.map((story) => [story.id, story] as const)));

const start = (entity: string, parent: string, parentPath: string, rules: readonly string[], time = START) =>
  exec(time, '/usr/bin/dash', {
    'process.entity.id': entity,
    'process.parent.entity.id': parent,
    'process.parent.executable.path': parentPath,
    'detection.rules': rules,
  });

describe('stories', () => {
  test('alerts of one process tree are one story, under the service that is its root', () => {
    const detection = new Detection({ detectors: [pointingDetector()] });
    const batch = new Sender('web-1').send([
      exec(START, '/usr/sbin/nginx', {
        'process.entity.id': 'n',
        'process.parent.entity.id': 'i',
        'process.parent.executable.path': '/usr/lib/systemd/systemd',
      }),
      start('s', 'n', '/usr/sbin/nginx', ['high 1']),
      start('c', 's', '/usr/bin/dash', ['medium 2']),
      start('x', 'i', '/usr/lib/systemd/systemd', ['high 3']),
    ]);
    const stories = [...told(detection, [batch]).values()];
    expect(stories.map(({ root, program, alerts, severity }) => ({ root, program, alerts, severity }))).toEqual([
      { root: 'n', program: '/usr/sbin/nginx', alerts: 2, severity: 'high' },
      { root: 'x', program: '/usr/bin/dash', alerts: 1, severity: 'high' },
    ]);
    expect(stories[0]).toMatchObject({
      title: 'Rule 1',
      reason: 'Rule 1 matched. One other finding in the same story.',
      attack: ['T1', 'T2'],
      events: [
        { logIndex: 0, line: 1 },
        { logIndex: 0, line: 2 },
      ],
      shown: true,
    });
  });

  test('a pause begins another story', () => {
    const detection = new Detection({ detectors: [pointingDetector()] });
    const at = [0, 20 * MINUTE, 40 * MINUTE, 2 * HOUR];
    const events = at.map((time) => start('s', 'p', '/usr/bin/bash', ['high 1'], START + time));
    expect([...told(detection, [new Sender('a').send(events)]).values()].map(({ alerts }) => alerts)).toEqual([3, 1]);
  });

  test('different findings together are graver than each; the same again is not', () => {
    const severityAfter = (rules: readonly string[]): readonly (Severity | undefined)[] => {
      const detection = new Detection({ detectors: [pointingDetector()] });
      const stories = [...told(detection, [new Sender('a').send([start('s', 'p', '/usr/bin/bash', rules)])]).values()];
      return stories.map(({ severity }) => severity);
    };
    expect(severityAfter(['medium 1', 'medium 2', 'medium 3', 'medium 4'])).toEqual(['high']);
    expect(severityAfter(['medium 1', 'medium 1', 'medium 1', 'medium 1'])).toEqual(['medium']);
    expect(severityAfter(['high 1', 'high 2', 'high 3', 'high 4'])).toEqual(['critical']);
    expect(severityAfter(['low 1', 'low 2'])).toEqual(['low']);
  });

  test('where findings are too many the lightest are not kept, and what was told is not taken back', () => {
    const detection = new Detection({ detectors: [pointingDetector()] });
    const rules = Array.from({ length: 40 }, (_, i) => `medium ${i}`);
    const sender = new Sender('a');
    const storyAfter = (more: readonly string[]): Story => {
      const batch = sender.send([start('s', 'p', '/usr/bin/bash', more)]);
      return [...told(detection, [batch]).values()].find(({ root }) => root !== undefined) ?? expect.unreachable();
    };
    const full = storyAfter(rules);
    expect(full.findings.map(({ rule }) => rule)).toEqual(rules.slice(0, 32).map((_, i) => String(i)));
    const heavier = storyAfter(['high 99']);
    expect(heavier).toMatchObject({ title: 'Rule 99', revision: full.revision + 1 });
    expect(heavier.findings).toHaveLength(32);
    expect(heavier.findings.map(({ title }) => title)).toContain(heavier.title);
    expect(heavier.score).toBeGreaterThan(full.score);
    const lighter = storyAfter(['low 100']);
    expect(lighter.findings).toEqual(heavier.findings);
    expect(lighter).toMatchObject({ alerts: 42, score: heavier.score, severity: heavier.severity });
  });

  test('small things add up: three low rules of one tree alert, one low rule thirty times does not', () => {
    const several = new Detection({ detectors: [pointingDetector()] });
    const found = several.observe(
      new Sender('a').send([start('s', 'p', '/usr/bin/bash', ['low 1', 'low 2', 'low 3'])]),
    );
    expect(found.alerts.map(({ detector, severity }) => `${detector} ${severity}`)).toEqual([
      ...['pointing low', 'pointing low', 'pointing low', 'risk medium'],
    ]);
    expect(found.alerts.at(-1)?.reason).toBe(
      'Small things add up: /usr/bin/bash and what it started on a gathered 12 points from 3 different findings, fewer than 12 are normal: rule 1; rule 2; rule 3.',
    );
    const same = new Detection({ detectors: [pointingDetector()] });
    const often = Array.from({ length: 30 }, () => start('s', 'p', '/usr/bin/bash', ['low 1']));
    expect(same.observe(new Sender('a').send(often)).alerts.filter(({ detector }) => detector === 'risk')).toEqual([]);
  });

  test('what comes daily weighs less, and medium becomes low', () => {
    const detection = new Detection({ detectors: [pointingDetector()] });
    const sender = new Sender('a');
    const days = Array.from({ length: 10 }, (_, day) =>
      sender.send([start(`s${day}`, `p${day}`, '/usr/bin/cron', ['medium 1', 'high 2'], START + day * DAY)]),
    );
    const alerts = days.flatMap((day) => detection.observe(day).alerts);
    expect(alerts.filter(({ rule }) => rule === '1').map(({ severity }) => severity)).toEqual([
      ...['medium', 'medium', 'medium', 'medium', 'medium', 'medium', 'low', 'low', 'low', 'low'],
    ]);
    expect(alerts.filter(({ rule }) => rule === '2').every(({ severity }) => severity === 'high')).toBe(true);
  });

  test('batch by batch, and stopped and started after each, tells the same bytes', () => {
    const sender = new Sender('a');
    const batches = Array.from({ length: 40 }, (_, i) => ({
      ...sender.send([
        start(`s${i % 7}`, `p${i % 3}`, '/usr/bin/bash', [`low ${i % 5}`, `medium ${i % 11}`], START + i * 5 * MINUTE),
        record('host.load', START + i * 5 * MINUTE),
      ]),
    }));
    const whole = new Detection({ detectors: [pointingDetector()] });
    const expected = batches.map((batch) => JSON.stringify(whole.observe(batch)));
    let saved: unknown;
    const restarted = batches.map((batch) => {
      const detection = new Detection({ detectors: [pointingDetector()], saved });
      const found = JSON.stringify(detection.observe(batch));
      saved = JSON.parse(JSON.stringify(Object.fromEntries(detection.save())));
      return found;
    });
    expect(restarted).toEqual(expected);
    expect(JSON.stringify(saved)).toBe(JSON.stringify(Object.fromEntries(whole.save())));
  });

  test('what is over is forgotten, and the clock of one node ends no story of another', () => {
    const detection = new Detection({ detectors: [pointingDetector()] });
    const [a, b] = [new Sender('a'), new Sender('b')];
    for (let day = 0; day < 60; day++) {
      const events = Array.from({ length: 20 }, (_, i) =>
        start(`s${day}-${i}`, `p${day}-${i}`, '/usr/bin/x', ['low 1'], START + day * DAY),
      );
      detection.observe(a.send(events));
    }
    const saved = detection.save();
    expect(JSON.stringify(saved.get('stories')).length).toBeLessThan(60_000);
    expect(JSON.stringify(saved.get('risk')).length).toBeLessThan(60_000);
    const now = START + 60 * DAY;
    const [first] = detection.observe(a.send([start('s', 'p', '/usr/bin/x', ['high 1'], now)])).stories;
    detection.observe(b.send([start('s', 'p', '/usr/bin/x', ['high 1'], now + 20_000 * DAY)]));
    const [second] = detection.observe(a.send([start('s', 'p', '/usr/bin/x', ['high 2'], now + MINUTE)])).stories;
    expect(second).toMatchObject({ id: first?.id, alerts: 2 });
  });

  test('a budget shows the best of a day, and every critical story', () => {
    const rules = ['medium 1', 'high 2', 'medium 3', 'medium 4', 'critical 5', 'high 6', 'high 7', 'medium 8'];
    const shownWith = (alertsPerDay: number): number => {
      const detection = new Detection({
        detectors: [pointingDetector()],
        tuning: { stories: { alerts_per_day: alertsPerDay } },
      });
      const events = rules.map((rule, i) => start(`s${i}`, `p${i}`, '/usr/bin/bash', [rule], START + i * HOUR));
      return [...told(detection, [new Sender('a').send(events)]).values()].filter(({ shown }) => shown).length;
    };
    expect([0, 1, 2, 3, 8].map(shownWith)).toEqual([8, 3, 3, 5, 8]);
  });
});

describe('stories in the state', () => {
  const inDirectory = (work: (file: string) => void): void => {
    const home = mkdtempSync(join(tmpdir(), 'hushwatch-stories-'));
    try {
      work(join(home, 'state.sqlite'));
    } finally {
      rmSync(home, { recursive: true });
    }
  };

  test('a new revision is a change, the same one again is not, an older one is nothing', () => {
    inDirectory((file) => {
      using state = State.open(file);
      const detection = new Detection({ detectors: [pointingDetector()] });
      const sender = new Sender('a');
      const first = detection.observe(sender.send([start('s', 'p', '/usr/bin/bash', ['high 1'])]));
      const same = detection.observe(sender.send([start('s', 'p', '/usr/bin/bash', ['high 1'])]));
      const more = detection.observe(sender.send([start('s', 'p', '/usr/bin/bash', ['high 2'])]));
      state.commitStep(first);
      const seq = state.lastStorySeq();
      state.commitStep(same);
      expect(state.lastStorySeq()).toBe(seq);
      expect(state.stories({ limit: 9 })).toMatchObject([{ alerts: 2, seq }]);
      state.commitStep(more);
      state.commitStep(first);
      expect(state.stories({ limit: 9, afterSeq: seq, shown: true })).toMatchObject([{ alerts: 3 }]);
      const [story] = state.stories({ limit: 9 });
      expect(state.alertsOfStory(story?.id ?? '', 9)).toHaveLength(3);
      state.addVerdict({ story: story?.id ?? '', time: START, who: 'alex', verdict: 'true', reason: 'It was real.' });
      expect(state.verdicts(story?.id)).toMatchObject([{ verdict: 'true', reason: 'It was real.' }]);
    });
  });

  test('alerts of a state of version 1 become stories', () => {
    inDirectory((file) => {
      const old = new DatabaseSync(file);
      old.exec(`CREATE TABLE alerts (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        time INTEGER NOT NULL, node TEXT NOT NULL, severity INTEGER NOT NULL, log_index INTEGER NOT NULL,
        alert TEXT NOT NULL); PRAGMA user_version = 1;`);
      const [alert] = pointingDetector().observe(new Sender('a').send([start('s', 'p', '/usr/bin/bash', ['high 1'])]));
      old
        .prepare('INSERT INTO alerts (id, time, node, severity, log_index, alert) VALUES (?, ?, ?, ?, ?, ?)')
        .run(alert?.id ?? '', START, 'a', 3, 0, JSON.stringify(alert));
      old.close();
      using state = State.open(file);
      const [story] = state.stories({ limit: 9 });
      expect(story).toMatchObject({ title: 'Rule 1', severity: 'high', alerts: 1, shown: true });
      expect(state.alertsOfStory(story?.id ?? '', 9)).toMatchObject([{ id: alert?.id, story: story?.id }]);
    });
  });
});
