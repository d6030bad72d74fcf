/** A search: counts, times, pages that neither overlap nor leave out, and a saved search that `detect test` takes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { explore, type Exploration } from '../../../collector/explorer/explore.ts';
import { bucketOf, search, type Found, type Search } from '../../../collector/explorer/search.ts';
import { main as detect } from '../../../collector/detectors/main.ts';
import { accept } from '../../../collector/pipeline.ts';
import { line, openCollector, SampleNode, type OpenCollector } from '../sample.ts';

const T = 1_790_000_000_000_000;
const MINUTE = 60e6;
let home: string;
let collector: OpenCollector;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-search-'));
  mkdirSync(join(home, 'rulesets'));
  const nodes = [new SampleNode('node-1'), new SampleNode('node-2')];
  collector = await openCollector(home, nodes);
  for (let i = 0; i < 30; i++) {
    const path = i % 3 === 0 ? '/dev/shm/tool' : '/usr/bin/cat';
    const exec = line('process.exec', T + i * MINUTE, { 'process.executable.path': path });
    const open = line('file.open', T + i * MINUTE + 1, { 'file.path': `/etc/${i}` });
    const node = nodes[i % 2];
    if (node !== undefined) await accept(collector, node.next([exec, open]));
  }
}, 60_000);
afterAll(async () => {
  await collector[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

const asked = (query: string, more: Partial<Search> = {}): Promise<Found> =>
  search(home, {
    ...{ query, sinceUs: T, untilUs: T + 40 * MINUTE, node: undefined, page: 0, pageSize: 7 },
    ...more,
  });

test('everything: counted by time and kind, newest first', async () => {
  const found = await asked('');
  expect([found.total, found.bucketUs]).toEqual([60, 30e6]);
  expect(found.kinds).toEqual([
    { event: 'file.open', events: 30 },
    { event: 'process.exec', events: 30 },
  ]);
  expect(found.buckets.reduce((sum, { events }) => sum + events, 0)).toBe(60);
  expect(found.events.map(({ record }) => record.time)[0]).toBe(T + 29 * MINUTE + 1);
});

test('pages put together are the whole, each event where it lies', async () => {
  const query = 'process.executable.path startswith /dev/shm/ or file.path endswith 9';
  const pages = await Promise.all([0, 1, 2].map((page) => asked(query, { page, pageSize: 5 })));
  const whole = await asked(query, { pageSize: 100 });
  expect(whole.total).toBe(13);
  expect(pages.flatMap(({ events }) => events)).toEqual(whole.events);
  for (const { logIndex, line: at, record } of whole.events) {
    const batch = collector.state.batch(logIndex);
    const lines = batch && (await collector.evidence.lines(batch.body));
    expect(JSON.parse(lines?.[at ?? -1] ?? '{}')).toEqual(record);
  }
  expect((await asked(query, { page: 9 })).events).toEqual([]);
});

test('of one node, of a part of the time', async () => {
  expect((await asked('event = process.exec', { node: 'node-2' })).total).toBe(15);
  expect((await asked('node = node-1 and class = file')).total).toBe(15);
  expect((await asked('', { sinceUs: T + 20 * MINUTE, untilUs: T + 22 * MINUTE + 1 })).total).toBe(6);
  expect((await asked('', { sinceUs: 1, untilUs: 2 })).total).toBe(0);
});

const REFUSED: readonly (readonly [Partial<Search>, RegExp])[] = [
  [{ sinceUs: T, untilUs: T }, /ends before it begins/],
  [{ pageSize: 0 }, /events a page/],
  [{ page: 1_000_000 }, /leafed through/],
];
for (const [more, words] of REFUSED)
  test(`refused: ${String(words)}`, async () => await expect(asked('', more)).rejects.toThrow(words));

test('buckets are few, whatever the time', () => {
  for (const seconds of [1, 60, 3_600, 86_400, 30 * 86_400, 400 * 86_400])
    expect((seconds * 1e6) / bucketOf(0, seconds * 1e6)).toBeLessThanOrEqual(96);
});

const EXPLORED: Exploration = {
  ...{ query: '', sinceUs: T, untilUs: T + 40 * MINUTE, node: undefined, page: 0, limit: 3 },
  ...{ histogram: false, json: false, save: undefined },
};

test('for a terminal: lines as always, and bars', async () => {
  const lines = await explore(home, { ...EXPLORED, query: 'event = file.open' });
  expect(lines).toHaveLength(3);
  expect(JSON.parse(lines[2] ?? '{}')).toMatchObject({ node: 'node-2', event: 'file.open', 'file.path': '/etc/29' });
  const [bars = ''] = await explore(home, { ...EXPLORED, histogram: true });
  expect(bars).toMatch(/^60 events; a line is 30 s\n[^]*Z #{50} 2\n[^]* 30 file\.open/);
});

test('a saved search is a rule that its own examples test', async () => {
  const query = 'event = process.exec and process.executable.path startswith /dev/shm/';
  const save = { title: 'From shared memory', level: 'high', author: 'me' };
  const [text = ''] = await explore(home, { ...EXPLORED, query, save, json: true });
  const { name, rule, examples, runs }: { name: string; rule: string; examples: string; runs: unknown } =
    JSON.parse(text);
  expect(runs).toEqual([{ title: 'From shared memory', runs: 'node', why: 'reads process.executable.path' }]);
  const pack = join(home, 'saved');
  mkdirSync(join(pack, 'tests'), { recursive: true });
  writeFileSync(join(pack, `${name}.yml`), rule);
  writeFileSync(join(pack, 'tests', `${name}.yaml`), examples);
  let said = '';
  const say = (words: string): void => void (said += words);
  expect(await detect(['test', pack], { out: say, err: say })).toBe(0);
  expect(said).toBe('1 rules, 0 failures, 0 rules without examples\n');
  expect((await explore(home, { ...EXPLORED, query, save }))[0]).toContain('# runs on the node');
});
