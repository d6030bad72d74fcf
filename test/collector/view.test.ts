/** What the dashboard asks: answers come from the evidence, with their places, newest first where it says so. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatVerifierKey } from '#protocol/note.ts';
import { loadPack, STARTER_PACK } from '../../collector/detectors/pack.ts';
import { bodyPath } from '#protocol/verify.ts';
import { accept } from '../../collector/pipeline.ts';
import { tellAlone } from '../../collector/detectors/stories.ts';
import { refusalAlert } from '../../collector/refusals.ts';
import { Registry } from '../../collector/registry.ts';
import { Rulesets } from '../../collector/rulesets.ts';
import { tuningViewOf } from '../../collector/tuning-view.ts';
import { viewOf, type StateView } from '../../collector/view.ts';
import { FIRST } from '../protocol/sample.ts';
import { line, openCollector, pin, SampleNode, type OpenCollector } from './sample.ts';

const T = 1_790_000_000_000_000;
const home = mkdtempSync(join(tmpdir(), 'hushwatch-view-'));
const node = new SampleNode('node-1');
const silent = new SampleNode('node-2');
let collector: OpenCollector;
let view: StateView;

const made = (event: string, at: number, entity: string, parent: string): string =>
  line(event, T + at, { 'process.entity.id': entity, 'process.parent.entity.id': parent });
const did = (at: number, entity: string): string => line('file.open', T + at, { 'process.entity.id': entity });

beforeAll(async () => {
  collector = await openCollector(home, [node]);
  const all = {
    ...collector,
    rulesets: {
      validatorOf: () => () => undefined,
      epochsOf: () => ({ turning: undefined, resolution: 1 }),
      isUnreadable: () => false,
    },
  };
  for (const lines of [
    [made('process.fork', 1, 'sshd', 'init'), made('process.exec', 2, 'sshd', 'init')],
    [made('process.exec', 3, 'bash', 'sshd'), did(4, 'bash'), made('process.exec', 5, 'curl', 'bash')],
    [did(6, 'curl'), did(7, 'bash'), did(8, 'curl')],
    [],
  ]) {
    await accept(all, node.next(lines));
  }
  const entries = [node, silent].map((each, i) => ({
    ...{ name: each.name, role: 'generic', cohort: 'lab', transport_key: pin(i === 0 ? 'A' : 'B') },
    batch_key: formatVerifierKey(each.key.verifier),
  }));
  writeFileSync(join(home, 'nodes.yaml'), JSON.stringify({ nodes: entries }));
  mkdirSync(join(home, 'rulesets'));
  const registry = Registry.open(join(home, 'nodes.yaml'));
  const rulepacks = { rules: { rules: [], correlations: [], mapping: loadPack(STARTER_PACK).mapping } };
  const rulesets = Rulesets.open(join(home, 'rulesets'));
  const inForce = { rulepacks, tuning: {}, silenceSeconds: 300, suppressions: [] };
  const tuning = tuningViewOf({ home, state: collector.state, registry, rulesets, inForce: () => inForce });
  view = viewOf({ ...collector, registry, rulepacks, rulesets, tuning });
});
afterAll(async () => {
  await collector[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

test('nodes, those that never sent included', () => {
  expect(view.nodes()).toMatchObject([
    { name: 'node-1', lastSequence: 4, released: 8, lastTime: T + 8 },
    { name: 'node-2', lastSequence: 0, released: 0, cohort: 'lab' },
  ]);
});

test('which rules each node uses, since its first batch under them', () => {
  expect(view.privacy.inForce()).toMatchObject([
    { node: 'node-1', kind: 'rulepack', digest: FIRST.rulepack },
    { node: 'node-1', kind: 'ruleset', digest: FIRST.ruleset },
  ]);
});

test('recent events, newest first, each with its place', async () => {
  const recent = await view.recentEvents({ limit: 4 });
  expect(recent.map(({ time, logIndex, line: at }) => [time - T, logIndex, at])).toEqual([
    [8, 2, 2],
    [7, 2, 1],
    [6, 2, 0],
    [5, 1, 2],
  ]);
  expect(await view.recentEvents({ limit: 4, node: 'node-2' })).toEqual([]);
});

test('an event by its place', async () => {
  expect(await view.eventAt(1, 1)).toMatchObject({ event: 'file.open', time: T + 4, node: 'node-1' });
  expect(await view.eventAt(1, 3)).toBeUndefined();
  expect(await view.eventAt(9, 0)).toBeUndefined();
});

test('the lineage of a process, nearest first', async () => {
  const lineage = await view.lineage('node-1', 'curl', T + 6);
  expect(lineage.map((record) => `${record.event} ${String(record['process.entity.id'])}`)).toEqual([
    'process.exec curl',
    'process.exec bash',
    'process.exec sshd',
    'process.fork sshd',
  ]);
  expect(await view.lineage('node-2', 'curl', T)).toEqual([]);
});

test('what a process did, oldest first', async () => {
  const events = await view.eventsOfEntity('node-1', 'curl', T, 10);
  expect(events.map(({ time }) => time - T)).toEqual([5, 6, 8]);
});

test('activity in buckets', () => {
  expect(view.activity(0, 60e6)).toEqual([
    { time: Math.floor(T / 60e6) * 60e6, class: 'file', events: 4 },
    { time: Math.floor(T / 60e6) * 60e6, class: 'process', events: 4 },
  ]);
});

test('alerts: newest first, after one oldest first, by severity; listeners hear of them once', () => {
  const heard: string[] = [];
  const unsubscribe = view.onChange((what) => heard.push(what));
  for (const name of ['a', 'b', 'a']) {
    collector.state.commitStep({
      alerts: [tellAlone(refusalAlert(name, name === 'a' ? 'fork' : 'gap', 'says', T)).alert],
    });
  }
  unsubscribe();
  expect(heard).toEqual(['alert', 'alert']);
  const of = (query: Parameters<StateView['alerts']>[0]): string[] => view.alerts(query).map((alert) => alert.node);
  expect(of({ limit: 9 })).toEqual(['b', 'a']);
  expect(of({ limit: 9, afterSeq: 0 })).toEqual(['a', 'b']);
  expect(of({ limit: 9, minSeverity: 'critical' })).toEqual(['a']);
  expect(of({ limit: 9, node: 'b' })).toEqual(['b']);
  expect(of({ limit: 1 })).toEqual(['b']);
});

test('events whose body has expired are left out, and all others are told', async () => {
  const [first] = collector.state.batchesFrom(0, 0);
  rmSync(join(home, bodyPath(first?.body ?? '')));
  expect(await view.eventsAt([{ logIndex: 0, line: 0 }])).toEqual([undefined]);
  expect(await view.eventsAt([{ logIndex: 1, line: 1 }])).toMatchObject([{ logIndex: 1, line: 1, node: 'node-1' }]);
  expect((await view.lineage('node-1', 'bash', T + 4)).length).toBeGreaterThan(0);
});
