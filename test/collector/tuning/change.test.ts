/** A change as a text: what it is taken for, what it does to what is in force, and what evidence can tell of it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatVerifierKey } from '#protocol/note.ts';
import { loadMapping } from '../../../collector/detectors/pack.ts';
import { parseSigmaFile } from '../../../collector/detectors/sigma/parse.ts';
import type { SigmaRule } from '../../../collector/detectors/sigma/rule.ts';
import type { InForce } from '../../../collector/in-force.ts';
import { accept } from '../../../collector/pipeline.ts';
import { Afterwards, changeOf, MAX_CHANGE } from '../../../collector/tuning/change.ts';
import { describeTried, readChange, tryChange, type Tried } from '../../../collector/tuning/try-change.ts';
import { logKey } from '../../protocol/sample.ts';
import { line, openCollector, SampleNode, type OpenCollector } from '../sample.ts';

const NOW = Date.parse('2026-11-28T12:00:00Z') * 1_000;
const ID = '00000000-0000-4000-8000-000000000001';
const RULE = `title: Ran from shared memory
id: ${ID}
description: A program below /dev/shm was started.
level: high
logsource: { product: linux, category: process_creation }
detection: { selection: { 'Image|startswith': /dev/shm/ }, condition: selection }
`;
const FILTER = `title: Not the test tool
id: 00000000-0000-4000-8000-0000000000ff
logsource: { product: linux, category: process_creation }
filter: { rules: [${ID}], selection: { 'Image|endswith': /tool }, condition: not selection }
`;
const rules = parseSigmaFile(RULE, 'rule.yml').filter((each): each is SigmaRule => each.kind === 'rule');
const inForce: InForce = {
  rulepacks: { rules: { rules, correlations: [], mapping: loadMapping() } },
  ...{ tuning: { rate: { deviations: 7 } }, silenceSeconds: 300, suppressions: [] },
};
const changed = (text: string): ReturnType<typeof changeOf> => changeOf(text, inForce, NOW);

const afterwards = (text: string, leaving: ReadonlySet<string>): Afterwards =>
  new Afterwards({ ...changed(text), mapping: inForce.rulepacks.rules.mapping }, () => leaving);

test('knobs go over those that are set, the others stay', () => {
  const { candidate, belongs } = changed('detectors:\n  rate: { least_events: 90 }\n  rarity: { rare_below: 3 }\n');
  expect(candidate.tuning).toEqual({ rate: { deviations: 7, least_events: 90 }, rarity: { rare_below: 3 } });
  expect(belongs).toBe('collector.yaml');
});

test('a suppression is added', () => {
  const text = `suppressions:\n  - { id: a, owner: ops, reason: why, expires: 2026-12-24, rule: ${ID} }\n`;
  expect(changed(text).candidate.suppressions.map(({ id }) => id)).toEqual(['a']);
});

test('a rule takes the place of the one with its id; a filter narrows', () => {
  const louder = changed(RULE.replace('level: high', 'level: critical'));
  expect(louder.candidate.rulepacks.rules.rules.map(({ level }) => level)).toEqual(['critical']);
  expect(louder.narrowed).toEqual([]);
  const { candidate, narrowed } = changed(FILTER);
  expect(candidate.rulepacks.rules.rules[0]?.condition).not.toEqual(rules[0]?.condition);
  expect(narrowed.map(({ id }) => id)).toEqual([ID]);
});

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['detectors: { rate: { deviation: 9 } }', /deviation/],
  [
    'detectors: { rate: { deviations: 1 } }',
    /change\.yml:1:34 detectors\.rate\.deviations: must be a number from 2 to 100/,
  ],
  ['suppressions:\n  - { id: a }', /owner/],
  ['title: x', /logsource|detection/],
  [FILTER.replace(ID, 'nothing'), /no rule here has the id or name nothing/],
  ['a: &a [*a]', /./],
  ['', /./],
  ['x'.repeat(MAX_CHANGE + 1), /at most/],
];
for (const [text, words] of REFUSED)
  test(`refused: ${text.slice(0, 40)}`, () => expect(() => changed(text)).toThrow(words));

test('a filter is asked of what nodes matched, as far as it reads what leaves', () => {
  const leaving = new Set(['process.exec process.executable.path', 'process.exec error.type']);
  const under = (clear: ReadonlySet<string>): Afterwards => afterwards(FILTER, clear);
  const record = { event: 'process.exec', time: 1, 'process.executable.path': '/dev/shm/tool' } as const;
  const other = { ...record, 'process.executable.path': '/dev/shm/x' };
  const asked = under(leaving);
  expect(asked.isStillMatched('r', ID, record)).toBe(false);
  expect(asked.isStillMatched('r', ID, other)).toBe(true);
  expect(asked.isStillMatched('r', 'another', record)).toBe(true);
  expect([...asked.triedUnder(['r'])]).toEqual([ID]);
  expect(under(new Set()).isStillMatched('r', ID, record)).toBe(true);
  expect([...under(new Set()).triedUnder(['r'])]).toEqual([]);
});

test('a rule that is new is asked of what left', () => {
  const id = ID.replace(/1$/, '2');
  const text = RULE.replace(ID, id).replace('/dev/shm/', '/var/tmp/');
  const record = { event: 'process.exec', time: 1, 'process.executable.path': '/var/tmp/x' } as const;
  const leaving = new Set(['process.exec process.executable.path', 'process.exec error.type']);
  const asked = afterwards(text, leaving);
  expect(asked.alsoMatched('r', record)).toEqual([id]);
  expect(asked.alsoMatched('r', { ...record, 'process.executable.path': '/usr/bin/x' })).toEqual([]);
  expect([...asked.triedUnder(['r'])]).toEqual([id]);
  expect(afterwards(text, new Set()).alsoMatched('r', record)).toEqual([]);
  expect(afterwards(RULE, leaving).alsoMatched('r', record)).toEqual([]);
});

let home: string;
let collector: OpenCollector;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-change-'));
  mkdirSync(join(home, 'rulesets'));
  mkdirSync(join(home, 'packs/own'), { recursive: true });
  writeFileSync(join(home, 'packs/own/rule.yml'), RULE);
  writeFileSync(join(home, 'collector.yaml'), '{}\n', { mode: 0o644 });
  writeFileSync(join(home, 'log.pub'), formatVerifierKey(logKey.verifier));
  const node = new SampleNode('node-1');
  collector = await openCollector(home, [node]);
  // What nodes matched is released here too.
  const trusting = { ...collector, rulesets: { ...collector.rulesets, validatorOf: () => () => undefined } };
  for (let i = 0; i < 20; i++) {
    const path = i % 2 === 0 ? '/dev/shm/tool' : '/dev/shm/other';
    const attributes = { 'process.executable.path': path, 'detection.rules': [ID] };
    await accept(trusting, node.next([line('process.exec', 1_790_000_000_000_000 + i * 60_000_000, attributes)]));
  }
}, 60_000);
afterAll(async () => {
  await collector[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

const tried = (change: string, most = 100): Tried => {
  const file = join(home, 'change.txt');
  writeFileSync(file, change);
  const nowUs = Date.now() * 1_000;
  return tryChange({ home, state: collector.state, change: readChange(file), sinceUs: 0, nowUs, most });
};

test('before and after, and what is lost', () => {
  const result = tried(RULE.replace('level: high', 'level: low'));
  expect(result.counts.lost).toBe(0);
  expect(result.counts.moved).toBeGreaterThanOrEqual(20);
  expect(result.moved.find(({ rule }) => rule === ID)).toMatchObject({ severity: 'low', was: 'high' });
  expect(result.before.shown).toBeGreaterThan(result.after.shown);
  expect(describeTried(result)).toMatch(/Moved: \d+\n[^]*Nothing was written/);
  expect(tried(RULE.replace('level: high', 'level: low'), 1).moved).toHaveLength(1);
});

test('a suppression loses what it names', () => {
  const result = tried(`suppressions:\n  - { id: a, owner: o, reason: r, expires: 2026-12-31, rule: ${ID} }\n`);
  expect(result.detectors.find(({ rule }) => rule === ID)).toMatchObject({ before: 20, after: 0 });
  expect(result.untried).toEqual([]);
});

test('what evidence cannot tell is named', () => {
  const result = tried(FILTER);
  // No ruleset is held here, so nothing is known to leave.
  expect(result.counts).toEqual({ gained: 0, lost: 0, moved: 0 });
});
