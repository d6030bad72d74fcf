/**
 * Canaries through the whole running system: secrets and personal data of every kind, done for real in every place where
 * the sensor looks, under real sensor, agent, shipper and collector. Then everything that any of them wrote, said, shows or
 * was started with is searched, in every encoding. Recall by kind is printed; one miss fails.
 */
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tokenizeShell } from '../../redaction-rules/shell.ts';
import { Chance, KINDS, POSITIONS, type Canary } from '../redaction-rules/canaries.ts';
import { CanarySearch } from './canary.ts';
import { CHECKOUT, isRoot, Stack, WHY_SKIPPED } from './stack.ts';

const COMMANDS = new URL('../../../shared/data/commands/', import.meta.url);
const commands = ['malicious.cm', 'nl2bash.cm']
  .flatMap((name) => readFileSync(new URL(name, COMMANDS), 'utf8').split('\n'))
  .flatMap((line) => {
    const words = tokenizeShell(line)?.map((token) => token.text) ?? [];
    return words.length > 0 && words.length < 20 && !words.some((word) => word.includes('\0')) ? [words] : [];
  });

/** Long enough that no pseudonym and no number looks like one by chance. */
class Long extends Chance {
  override word(): string {
    return super.word() + super.word();
  }

  override digits(length: number): string {
    return super.digits(length < 7 ? length : 2 * length);
  }
}

interface Deed {
  readonly do: string;
  readonly text: string;
  readonly args?: readonly string[];
}

/** A byte a character. */
const bytesOf = (text: string): string => Buffer.from(text).toString('latin1');
const nameOf = (text: string): string => bytesOf(text).replaceAll('/', '%').replaceAll('\n', '~').slice(0, 180);
const labelOf = (text: string): string => text.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 100);

/** As it may stand in an argument or a path, beside as it is. */
const ENCODED: Readonly<Record<string, (text: string) => string>> = {
  base64: (text) => Buffer.from(text).toString('base64'),
  'base64 for URLs': (text) => Buffer.from(`:${text}`).toString('base64url'),
  hex: (text) => Buffer.from(text).toString('hex'),
  percent: (text) => encodeURIComponent(text),
  'every letter in percent': (text) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16)}`).join(''),
  quoted: (text) => `"${text}"`,
  escaped: (text) => text.replaceAll(/[^]/g, (letter) => `\\${letter}`),
  'in JSON': (text) => JSON.stringify({ [text]: [text] }),
  'in XML': (text) => `<a b="${text}">${text}</a>`,
};

interface Planted {
  readonly deeds: readonly Deed[];
  /** By canary: what of it must stand nowhere. */
  readonly telling: Readonly<Record<string, readonly string[]>>;
}

const SHORTEST = 8;

/** Of the places in a command line each kind takes every third; all places together have every kind, in the tests of the rules. */
const EVERY = 3;

function plant(kind: string, nth: number, make: (chance: Chance) => Canary): Planted {
  const chance = new Long(`${kind}, for real`);
  const telling: Record<string, readonly string[]> = {};
  const fresh = (place: string): string => {
    const canary = make(chance);
    const parts = canary.telling.filter((part) => part.length >= SHORTEST);
    telling[`${kind}: ${place}`] = parts.length > 0 ? parts : [canary.text];
    return canary.text;
  };
  const spliced = (put: readonly string[]): Deed => {
    const words = chance.pick(commands);
    const at = 1 + chance.below(words.length);
    return { do: 'exec', text: '', args: [...words.slice(0, at), ...put, ...words.slice(at)].map(bytesOf) };
  };
  const places = Object.entries(POSITIONS)
    .filter((_, i) => (i + nth) % EVERY === 0)
    .map(([place, put]) => spliced(put(fresh(place))));
  const encoded = Object.entries(ENCODED).flatMap(([how, encode]) => {
    const text = encode(fresh(how));
    return [spliced([text]), ...(how.startsWith('base64') ? [{ do: 'file', text: nameOf(text) }] : [])];
  });
  const broken = bytesOf(fresh('between bytes that are no UTF-8'));
  const long = bytesOf(fresh('at the end of a long argument'));
  const halves = fresh('split over two arguments');
  return {
    telling,
    deeds: [
      ...places,
      ...encoded,
      { do: 'exec', text: '', args: ['curl', `\xff${broken}\xfe`, `--key=\xc3${broken}`, `/tmp/\xff/${broken}`] },
      { do: 'file', text: `\xff${nameOf(broken)}\xfe` },
      { do: 'exec', text: '', args: ['x', 'a'.repeat(5_000) + long, long + 'a'.repeat(5_000)] },
      { do: 'exec', text: '', args: [halves.slice(0, 5), halves.slice(5)].map(bytesOf) },
      { do: 'env', text: bytesOf(fresh('the environment')) },
      ...['cwd', 'program', 'file', 'unix', 'thread', 'script'].map((what) => ({
        do: what,
        text: nameOf(fresh(what)),
      })),
      { do: 'memory', text: nameOf(fresh('memory')) },
      { do: 'dns', text: labelOf(fresh('a name that is asked for')) },
    ],
  };
}

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

async function runDeeds(work: string, deeds: readonly Deed[]): Promise<unknown> {
  const child = spawn('python3', [join(CHECKOUT, 'test/e2e/canary-deeds.py'), work], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.end(JSON.stringify(deeds));
  const status = await new Promise((settle) => child.once('close', settle));
  if (status !== 0) throw new Error(`the deeds ended with ${String(status)}: ${stderr.slice(-2_000)}`);
  return JSON.parse(stdout);
}

const PAGES = [
  '/',
  '/nodes',
  '/left',
  '/events',
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
  const paths = [...PAGES, ...alerts.map(({ id }) => `/alerts/${id}`)];
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
    console.info(report(planted, search.found));
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

/** Which events a deed makes, at least once each time. */
const SEEN_BY: Readonly<Record<string, string>> = {
  'file.rename': 'file',
  'file.delete': 'file',
  'file.link': 'file',
  'file.mode.change': 'file',
  'file.memory.create': 'memory',
  'dns.query': 'dns',
};

/** How many canaries of each kind were kept back, of how many; those that were not first. */
function report(planted: readonly (Planted & { readonly kind: string })[], found: readonly string[]): string {
  const rows = planted.map(({ kind, telling }) => {
    const names = Object.keys(telling);
    const missed = names.filter((name) => found.some((where) => where.startsWith(`${name} in `))).length;
    return { kind, tried: names.length, recall: 1 - missed / names.length };
  });
  const leaky = rows.filter(({ recall }) => recall < 1).toSorted((a, b) => a.recall - b.recall);
  const tried = rows.reduce((sum, row) => sum + row.tried, 0);
  return [
    `the running system: ${tried} canaries of ${rows.length} kinds, recall by kind:`,
    ...leaky.map((row) => `${(row.recall * 100).toFixed(2).padStart(7)} % of ${row.tried}: ${row.kind}`),
    ` 100.00 %: each of ${rows.length - leaky.length} kinds`,
  ].join('\n');
}
