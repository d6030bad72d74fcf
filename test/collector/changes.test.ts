/** Changes of what detects: logged with who and why, in force from their place in the log on, and nothing is forgotten. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { verifyArchive } from '#protocol/verify.ts';
import type { AttributeName } from '#protocol/vocabulary.ts';
import { answerTo, ask, type Answer } from '../../collector/apply.ts';
import { DetectorChanges } from '../../collector/changes.ts';
import { Detecting } from '../../collector/detecting.ts';
import { readInForce } from '../../collector/in-force.ts';
import { type ExposureRow } from '../../redaction-rules/exposure.ts';
import { accept } from '../../collector/pipeline.ts';
import { Follower } from '../../collector/watch.ts';
import { logKey } from '../protocol/sample.ts';
import { line, openCollector, SampleNode, type OpenCollector } from './sample.ts';

const T = 1_790_000_000_000_000;
const DAY = 86_400_000_000;
const RULE = (id: number, path: string): string => `title: Ran from ${path}
id: 00000000-0000-4000-8000-00000000000${id}
status: test
description: A program below ${path} was started.
level: high
logsource: { product: linux, category: process_creation }
detection: { selection: { 'Image|startswith': ${path} }, condition: selection }
`;
const SUPPRESSION = `suppressions:
  - id: nightly backup
    owner: operations
    reason: It reads
      password hashes.
    expires: 2026-09-23
    rule: 00000000-0000-4000-8000-000000000001
`;

let home: string;
let node: SampleNode;
let collector: OpenCollector;
let now: number;
let problems: string[];
const at = (...names: readonly string[]): string => join(home, ...names);
const write = (name: string, text: string): void => {
  writeFileSync(at(name), text);
  // Whatever the clock of the file system, it is another file now.
  utimesSync(at(name), new Date(), new Date(Date.now() + (later += 2_000)));
};
let later = 0;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-changes-'));
  mkdirSync(at('packs/own'), { recursive: true });
  write('packs/own/one.yml', RULE(1, '/dev/shm/'));
  write('collector.yaml', 'detectors: {}\n');
  node = new SampleNode('node-1');
  collector = await openCollector(home, [node]);
  now = T;
  problems = [];
});
afterEach(async () => {
  await collector[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

async function opened(): Promise<DetectorChanges> {
  const { log, state } = collector;
  const logger = {
    info: () => {},
    warn: () => {},
    error: ({ problem }: { problem: string }) => problems.push(problem),
  };
  const follow = (): Promise<void> => state.follow(log, () => now);
  const configFile = at('collector.yaml');
  const options = { configFile, key: logKey, log, state, follow, logger, now: () => now };
  return await DetectorChanges.open(options, readInForce(configFile, now));
}

const told = (): readonly string[] =>
  collector.state.detectorChanges().map(({ who, reason, listed }) => {
    const items = listed.filter(({ name }) => name.startsWith('0') || !/^[a-f0-9]{8}-/.test(name));
    return `${who}: ${reason} ${items.length > 9 ? 'all' : items.map(({ how, kind, name }) => `${how} ${kind} ${name}`).join(', ')}`;
  });
const RULE_1 = 'rule 00000000-0000-4000-8000-000000000001';
const RULE_2 = 'rule 00000000-0000-4000-8000-000000000002';

/** What an operator asked, and what the collector answered. */
async function applied(changes: DetectorChanges, reason = 'Because.'): Promise<Answer | undefined> {
  const asked = ask(home, 'alex', reason);
  await changes.refresh();
  return answerTo(home, asked);
}

async function problemsFound(): Promise<readonly string[]> {
  const reader = {
    readFile: (path: string): Promise<Uint8Array | undefined> =>
      Promise.resolve(statSync(at(path), { throwIfNoEntry: false }) && readFileSync(at(path))),
  };
  const nodes = [{ name: node.name, key: node.key.verifier }];
  const report = await verifyArchive({ reader, logKey: logKey.verifier, nodes });
  expect(report.changes).toHaveLength(collector.state.detectorChanges().length);
  return report.problems.map(({ code, message }) => `${code} ${message}`);
}

test('the log says what detects from the beginning on, and again only when it is something else', async () => {
  await opened();
  await opened();
  expect(told()).toEqual(['hushwatch: The collector began. all']);
  write('packs/own/two.yml', RULE(2, '/var/tmp/'));
  rmSync(at('packs/own/one.yml'));
  await opened();
  expect(told().slice(1)).toEqual([
    `hushwatch: Found at the start; nobody gave a reason. removed ${RULE_1}, added ${RULE_2}`,
  ]);
  expect(await problemsFound()).toEqual([]);
});

test('nothing is in force until somebody says so, by name and with a reason', async () => {
  const changes = await opened();
  const before = changes.current;
  write('packs/own/two.yml', RULE(2, '/var/tmp/'));
  write('collector.yaml', 'detectors: { rate: { deviations: 8 } }\n');
  now += DAY;
  await changes.refresh();
  expect(changes.current).toBe(before);
  expect(await applied(changes, 'Two more.')).toMatchObject({
    changes: [{ name: 'rate.deviations' }, { how: 'added' }],
  });
  expect(told().slice(1)).toEqual([`alex: Two more. changed knob rate.deviations, added ${RULE_2}`]);
  expect(await applied(changes)).toMatchObject({ changes: [] });
  expect(await problemsFound()).toEqual([]);
});

test('a signal does it without a name', async () => {
  const changes = await opened();
  write('collector.yaml', 'detectors: { rate: { deviations: 8 } }\n');
  changes.signal();
  await changes.refresh();
  expect(told().slice(1)).toEqual(['hushwatch: Asked by SIGHUP; nobody gave a reason. changed knob rate.deviations']);
});

test('a mistake leaves everything as it was, and is told where it is: to who asked, and to who reads stories', async () => {
  const changes = await opened();
  const before = changes.current;
  write('collector.yaml', 'detectors: { rate: { deviations: 8 } }\n');
  write('packs/own/two.yml', RULE(2, '/var/tmp/').replace('condition: selection', 'condition: selektion'));
  for (let i = 0; i < 3; i++) {
    const answer = await applied(changes);
    expect(answer).toMatchObject({ problem: expect.stringMatching(/packs\/own\/two\.yml:7: .*selektion/) });
  }
  expect(changes.current).toBe(before);
  expect(told()).toHaveLength(1);
  expect(problems).toHaveLength(1);
  expect(collector.state.stories({ limit: 9, shown: true })).toMatchObject([
    { title: 'A change of what detects has a mistake and is not in force', severity: 'medium' },
  ]);
  write('packs/own/two.yml', RULE(2, '/var/tmp/'));
  expect(await applied(changes)).toMatchObject({ changes: [{}, {}] });
});

test('a mistake that nobody asked about is found too', async () => {
  const changes = await opened();
  write('collector.yaml', 'detectors: { rate: { deviations: many } }\n');
  now += 60_000_000;
  await changes.refresh();
  await changes.refresh();
  expect(problems).toEqual([expect.stringContaining('detectors.rate.deviations: must be a number')]);
});

test('suppressions say themselves who and why, hold at once, and leave by themselves when their day comes', async () => {
  const changes = await opened();
  write('suppressions.yaml', SUPPRESSION);
  await changes.refresh();
  expect(changes.current.suppressions).toHaveLength(1);
  write('suppressions.yaml', 'suppressions: 7\n');
  await changes.refresh();
  expect([changes.current.suppressions.length, problems.length]).toEqual([1, 1]);
  now = Date.parse('2026-09-23T00:00:00Z') * 1_000;
  await changes.refresh();
  await changes.refresh();
  expect(told().slice(1)).toEqual([
    'operations: nightly backup: It reads password hashes. added suppression nightly%20backup',
    'hushwatch: The day of nightly backup (operations) came. expired suppression nightly%20backup',
  ]);
  rmSync(at('suppressions.yaml'));
  await changes.refresh();
  expect([told().length, changes.current.suppressions.length]).toEqual([3, 0]);
  expect(await problemsFound()).toEqual([]);
});

test('whatever people wrote into suppressions, the log can say it', async () => {
  const changes = await opened();
  const odd = SUPPRESSION.replace('operations', '"oper\\x01ations\\n\\ud83d"').replace(
    'It reads',
    `${'a'.repeat(482)}\u{1f600} It reads`,
  );
  write('suppressions.yaml', odd);
  await changes.refresh();
  expect(told().at(-1)).toMatch(
    /^oper ations \ufffd: nightly backup: a{482}\ufffd… added suppression nightly%20backup$/,
  );
  now += 3 * DAY;
  await changes.refresh();
  expect(told().at(-1)).toMatch(/^hushwatch: The day of nightly backup \(oper ations \ufffd\) came\. expired /);
  expect(await problemsFound()).toEqual([]);
});

test('one taken out before its day was removed by somebody', async () => {
  const changes = await opened();
  write('suppressions.yaml', SUPPRESSION);
  await changes.refresh();
  write('suppressions.yaml', 'suppressions: []\n');
  await changes.refresh();
  expect(told().at(-1)).toBe('unnamed: Taken out of suppressions.yaml. removed suppression nightly%20backup');
});

const exec = (path: string, time: number): string => line('process.exec', time, { 'process.executable.path': path });
/** What the rules read is released in clear. */
const row = (attribute: AttributeName): ExposureRow => ({
  ...{ event: 'process.exec', attribute, sensitivity: 'system', do: 'keep', leaves: true },
  ...{ summary: '', why: '', for: [], reason: undefined },
});
const rulesets = { exposure: () => [row('process.executable.path'), row('error.type')] };

/** Follows until everything in the log was seen. */
async function followed(detecting: Detecting): Promise<Detecting> {
  const ending = new AbortController();
  const done = detecting.watch(new Follower(collector, detecting.detection), ending.signal);
  while ((collector.state.cursor('detectors') ?? 0) < collector.log.size) await sleep(5);
  ending.abort();
  await done;
  return detecting;
}

const found = (): readonly string[] =>
  collector.state
    .alerts({ limit: 99, afterSeq: 0 })
    .filter(({ title }) => title.startsWith('Ran from'))
    .map(({ title, time, suppressedBy }) => `${(time - T) / 60_000_000} ${title}${suppressedBy ?? ''}`);

const send = async (path: string, minute: number): Promise<void> =>
  void (await accept(collector, node.next([exec(path, T + minute * 60_000_000)])));

test('a batch is looked at by what the log names before it, even when the follower comes late', async () => {
  const changes = await opened();
  const detecting = new Detecting(rulesets, collector.state, changes);
  await send('/var/tmp/a', 1);
  await send('/dev/shm/a', 2);
  write('packs/own/two.yml', RULE(2, '/var/tmp/'));
  rmSync(at('packs/own/one.yml'));
  await applied(changes);
  await send('/var/tmp/a', 3);
  await send('/dev/shm/a', 4);
  await followed(detecting);
  expect(found()).toEqual(['2 Ran from /dev/shm/', '3 Ran from /var/tmp/']);
});

test('baselines, trees and windows go on over a change; only what is another counts anew', async () => {
  const changes = await opened();
  const detecting = new Detecting(rulesets, collector.state, changes);
  for (let minute = 1; minute < 20; minute++) await send('/usr/bin/cat', minute);
  const before = (await followed(detecting)).detection.save();
  write('packs/own/two.yml', RULE(2, '/var/tmp/'));
  write('collector.yaml', 'detectors: { rate: { deviations: 8 }, stories: { gap_minutes: 5 } }\n');
  await applied(changes);
  const after = (await followed(detecting)).detection.save();
  const text = (saved: ReadonlyMap<string, unknown>): unknown => JSON.parse(JSON.stringify([...saved]));
  expect(text(after)).toEqual(text(before));
  await send('/var/tmp/a', 21);
  await followed(detecting);
  expect(found()).toEqual(['21 Ran from /var/tmp/']);
});
