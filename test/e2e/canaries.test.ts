/**
 * Canaries through the whole running system: secrets and personal data of every kind, done for real in every place where
 * the sensor looks, under real sensor, agent, shipper and collector. Then everything that any of them wrote, said, shows or
 * was started with is searched, in every encoding. Recall by kind is printed; one miss fails.
 */
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KINDS } from '../redaction-rules/canaries.ts';
import { CanarySearch } from './canary.ts';
import { plant, report, runDeeds, SEEN_BY, type Planted } from './plant.ts';
import { isRoot, Stack, WHY_SKIPPED } from './stack.ts';

/** Of every process below that one: what it was started with. */
function startedWith(root: number): Buffer {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It ended meanwhile.
    }
  }
  const isOurs = (pid: number): boolean => pid === root || (pid > 1 && isOurs(parents.get(pid) ?? 0));
  const ours = [...parents.keys()].filter(isOurs);
  return Buffer.concat(
    ours.flatMap((pid) =>
      ['cmdline', 'environ', 'comm'].flatMap((file) => {
        const path = `/proc/${pid}/${file}`;
        return existsSync(path) ? readFileSync(path) : [];
      }),
    ),
  );
}

const PAGES = [
  '/',
  '/nodes',
  '/left',
  '/events',
  '/?status=any&all=true',
  '/record',
  '/api/v1/stories',
  '/api/v1/alerts',
  '/api/v1/nodes',
  '/api/v1/events',
  '/api/v1/activity',
  '/metrics',
];

async function pagesOf(stack: Stack): Promise<readonly Buffer[]> {
  const base = `http://127.0.0.1:${stack.port}`;
  const token = /token=(\S+)/.exec(stack.output)?.[1] ?? '';
  const login = await fetch(`${base}/?token=${token}`, { redirect: 'manual' });
  const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
  const alerts = stack.alerts().slice(0, 10);
  const paths = [
    ...PAGES,
    ...alerts.flatMap(({ id, story }) => [`/alerts/${id}`, `/alerts/${id}/suggestion`, `/stories/${String(story)}`]),
  ];
  return await Promise.all(
    paths.map(async (path) => Buffer.from(await (await fetch(base + path, { headers: { cookie } })).arrayBuffer())),
  );
}

describe.skipIf(!isRoot)(`canaries of every kind${WHY_SKIPPED}`, () => {
  const planted = Object.entries(KINDS).map(([kind, make], i) => ({ kind, ...plant(kind, i, make) }));
  const deeds = planted.flatMap((one) => one.deeds);
  const telling = Object.assign({}, ...planted.map((one) => one.telling)) as Planted['telling']; // oxlint-disable-line no-unsafe-type-assertion -- what was put in
  const search = new CanarySearch(telling);
  const work = mkdtempSync(join(tmpdir(), 'hushwatch-canaries-'));
  let stack: Stack;
  let done: unknown;

  beforeAll(async () => {
    copyFileSync('/bin/true', join(work, '.true'));
    chmodSync(work, 0o755);
    stack = await new Stack(18_470, {
      HUSHWATCH_SENSOR_ARGS: '--rate 10000000 --burst 10000000 --merge-ms 0 --ring-bytes 16777216',
    }).start();
    done = await runDeeds(work, deeds);
    await stack.settled();
  });
  afterAll(async () => {
    await stack[Symbol.asyncDispose]();
    rmSync(work, { recursive: true, force: true });
  });

  test('all of it was done, and the sensor saw it', () => {
    const counts = new Map<string, number>();
    for (const deed of deeds) counts.set(deed.do, (counts.get(deed.do) ?? 0) + 1);
    expect(done).toEqual(Object.fromEntries([...counts].map(([what, n]) => [what, [n, 0]])));
    const seen = Map.groupBy(stack.events(), (row) => String(row['event']));
    const execs = seen.get('process.exec')?.filter((row) => String(row['process.executable.path']).endsWith('/true'));
    expect(execs?.length).toBeGreaterThanOrEqual((counts.get('exec') ?? 0) + (counts.get('env') ?? 0));
    for (const [event, what] of Object.entries(SEEN_BY))
      expect(seen.get(event)?.length ?? 0, event).toBeGreaterThanOrEqual(counts.get(what) ?? Infinity);
    expect(stack.statement().get('lost')).toBe('-');
  });

  test('they are found nowhere', async () => {
    for (const [i, page] of (await pagesOf(stack)).entries()) search.look(`page ${PAGES[i] ?? 'of an alert'}`, page);
    search.look('what processes were started with', startedWith(process.pid));
    for (const args of [
      ['events', '--since', '1h', '--limit', '100000'],
      ['alerts'],
      ['verify', `${stack.home}/collector`],
    ])
      search.look(args[0] ?? '', Buffer.from(stack.cli(...args, '--json').stdout));
    // So that what is in memory at the end is on disk too.
    await stack.stop();
    search.lookInto(stack.home);
    search.look('output of start', Buffer.from(stack.output));
    console.info(report('the running system', planted, search.found));
    expect(search.bytes).toBeGreaterThan(10_000_000);
    expect(search.packed).toBeGreaterThan(10);
    expect(search.found).toEqual([]);
  });

  test('the search would notice', () => {
    const [name, [text = ''] = []] = Object.entries(telling)[1_000] ?? [];
    const mine = new CanarySearch(telling);
    mine.look('a place', Buffer.from(`x${text}y`));
    expect(mine.found).toEqual([`${name} in a place`]);
  });
});
