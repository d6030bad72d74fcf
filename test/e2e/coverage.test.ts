/**
 * How much of what a host can observe is observed: every row of the public EDR-Telemetry comparison for Linux and of our own
 * list, done a hundred times under random names by several processes at once, through the whole product, asked for in the
 * collector's tables. All of it is there, or the page says why not; and of those processes nothing is told that they did not do.
 *
 * The page, docs/coverage.md, is made here.
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isEventName } from '#protocol/vocabulary.ts';
import { DEEDS, ROWS, type CoverageRow, type Deed, type Tally } from './coverage-rows.ts';
import { CHECKOUT, isRoot, Stack, until, WHY_SKIPPED, type Row } from './stack.ts';

const WORKERS = 4;
const ROUNDS = 25;
const AT_ONCE = 6;
const ACCOUNTS = WORKERS * ROUNDS;

/** One process that did one kind of deed. */
interface Doing {
  readonly deed: string;
  readonly pid: number;
  readonly gap: string | undefined;
}

let work = '';
let program = '';

/** A program of ours, run to its end. */
async function run(command: string, args: readonly string[]): Promise<{ pid: number; said: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise((settle) => child.once('close', settle));
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${String(code)}`);
  return { pid: child.pid ?? 0, said };
}

async function doDeed(deed: string): Promise<Doing> {
  const directory = mkdtempSync(join(work, `${deed}-`));
  chmodSync(directory, 0o777);
  const { pid, said } = await run(program, [deed, String(ROUNDS), directory]);
  return { deed, pid, gap: /^gap (.*)$/m.exec(said)?.[1] };
}

/** Accounts lock a file of their own: one after the other. */
async function doAccounts(): Promise<void> {
  const names = Array.from({ length: ACCOUNTS }, () => `cov${Math.random().toString(36).slice(2, 12)}`);
  for (const name of names) await run('useradd', ['--no-create-home', '--no-user-group', '--no-log-init', name]);
  for (const name of names) await run('usermod', ['--comment', 'coverage', name]);
  for (const name of names) await run('userdel', [name]);
}

/** All of it, in random order, several at a time. */
async function doAll(): Promise<readonly Doing[]> {
  const waiting = Object.keys(DEEDS)
    .flatMap((deed) => Array.from({ length: WORKERS }, () => deed))
    .map((deed): readonly [number, string] => [Math.random(), deed])
    .toSorted(([a], [b]) => a - b)
    .map(([, deed]) => deed);
  const done: Doing[] = [];
  const worker = async (): Promise<void> => {
    for (let deed; (deed = waiting.pop()) !== undefined;) done.push(await doDeed(deed));
  };
  await Promise.all([...Array.from({ length: AT_ONCE }, worker), doAccounts()]);
  return done;
}

const inList = (values: readonly (string | number)[]): string => values.map((value) => `'${value}'`).join(',');

/** What a process and all that came of it told, by event. */
class Told {
  readonly #events = new Map<string, Row[]>();
  readonly #children = new Map<string, Row[]>();

  constructor(stack: Stack, pids: readonly number[]) {
    for (const fork of stack.events(`event = 'process.fork'`))
      add(this.#children, fork['process.parent.entity.id'], fork);
    const roots = stack.events(`event = 'process.exec' AND "process.pid" IN (${inList(pids)})`);
    const all = roots.flatMap((row) => this.#treeOf(String(row['process.entity.id'])));
    for (let at = 0; at < all.length; at += 500) {
      const where = `"process.entity.id" IN (${inList(all.slice(at, at + 500))})`;
      for (const row of stack.events(where)) add(this.#events, row['process.entity.id'], row);
    }
  }

  #treeOf(entity: string): string[] {
    const children = this.#children.get(entity) ?? [];
    return [entity, ...children.flatMap((fork) => this.#treeOf(String(fork['process.entity.id'])))];
  }

  by(pid: number): Row[] {
    const own = [...this.#events.values()].flat().find((row) => row['process.pid'] === pid);
    return this.#treeOf(String(own?.['process.entity.id'])).flatMap((entity) => this.#events.get(entity) ?? []);
  }
}

function add(map: Map<string, Row[]>, key: unknown, row: Row): void {
  const rows = map.get(String(key));
  if (rows === undefined) map.set(String(key), [row]);
  else rows.push(row);
}

function tallyOf(rows: readonly Row[]): Tally {
  const tally: Record<string, number> = {};
  for (const { event } of rows) tally[String(event)] = (tally[String(event)] ?? 0) + 1;
  return tally;
}

/** What such a process must have told: itself, what it did once, and each deed. */
function expectedOf({ each, once = {} }: Deed): Tally {
  const tally: Record<string, number> = { 'process.fork': 1, 'process.exec': 1, 'process.exit': 1 };
  for (const [event, n] of Object.entries(once)) tally[event] = (tally[event] ?? 0) + n;
  for (const [event, n] of Object.entries(each)) tally[event] = (tally[event] ?? 0) + n * ROUNDS;
  return tally;
}

const isLike = (row: Row, like: NonNullable<CoverageRow['like']>): boolean =>
  Object.entries(like).every(([key, value]) => {
    const is = row[key];
    return value instanceof RegExp ? typeof is === 'string' && value.test(is) : is === value;
  });

describe.skipIf(!isRoot)(`coverage${WHY_SKIPPED}`, () => {
  let stack: Stack;
  let done: readonly Doing[] = [];
  let told: Told;

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'hushwatch-coverage-'));
    chmodSync(work, 0o755);
    program = join(work, 'coverage');
    execFileSync('clang', ['-O1', '-static', '-o', program, join(CHECKOUT, 'test/e2e/coverage.c')]);
    stack = await new Stack(18_494, { HUSHWATCH_SENSOR_ARGS: '--merge-ms 0' }).start();
    done = await doAll();
    // What a killed agent had not told yet is lost, and counted; that is another test.
    await stack.settled();
    const agent = stack.pids()['agent'];
    if (typeof agent === 'number') process.kill(agent, 'SIGKILL');
    await until(() => ![agent, null].includes(stack.pids()['agent'] ?? null), 20_000, 'the agent to be back');
    await stack.settled();
    await stack.stop();
    told = new Told(
      stack,
      done.map(({ pid }) => pid),
    );
  });
  afterAll(async () => {
    await stack[Symbol.asyncDispose]();
    rmSync(work, { recursive: true, force: true });
  });

  test('every event that is asked for is one', () => {
    const names = [
      ...Object.values(DEEDS)
        .flatMap(({ each, once }) => [each, once ?? {}])
        .flatMap(Object.keys),
      ...ROWS.flatMap(({ event }) => event ?? []),
    ];
    expect(names.filter((name) => !isEventName(name))).toEqual([]);
  });

  for (const [name, deed] of Object.entries(DEEDS)) {
    test(`${name}: what was done is told, and nothing else`, () => {
      const processes = done.filter((doing) => doing.deed === name && doing.gap === undefined);
      for (const { pid } of processes) expect(tallyOf(told.by(pid))).toEqual(expectedOf(deed));
    });
  }

  test('the page of shares', async () => {
    const shareOf = ({ deed, event, like = {}, everywhere }: CoverageRow): string => {
      if (event === undefined) return '—';
      if (everywhere !== undefined) {
        const seen = stack.events(`event = '${event}'`).filter((row) => isLike(row, like)).length;
        return seen >= everywhere ? '100 %' : `${seen} of ${everywhere}`;
      }
      const processes = done.filter((doing) => doing.deed === deed && doing.gap === undefined);
      const seen = processes
        .flatMap(({ pid }) => told.by(pid))
        .filter((row) => row['event'] === event && isLike(row, like));
      const times = (DEEDS[deed ?? '']?.each[event] ?? 1) * ROUNDS * processes.length;
      // Of itself each process tells one start and one end more.
      return seen.length >= times && times > 0 ? '100 %' : `${Math.floor((seen.length / times) * 100)} %`;
    };
    const lines = ROWS.map(
      (row) =>
        `| ${row.row} | ${row.event === undefined ? '—' : `\`${row.event}\``} | ${shareOf(row)} | ${row.note ?? ''} |`,
    );
    await expect(page(lines)).toMatchFileSnapshot(join(CHECKOUT, 'docs/coverage.md'));
    expect(lines.filter((line) => !/ 100 % | — \| .{20,}/.test(line))).toEqual([]);
  });
});

const page = (lines: readonly string[]): string => `# Coverage

What of a host's activity is seen. The first part are the rows of the public EDR-Telemetry comparison for Linux, the second is what we ask of ourselves beyond it.
Each row was done ${WORKERS * ROUNDS} times under random names, by ${WORKERS} processes of ${ROUNDS}, ${AT_ONCE} processes at once, with the product as \`npm start\` runs it but for merging, and looked up in the collector's tables; of the same processes nothing else was told. Made by \`test/e2e/coverage.test.ts\`, which fails when it is no longer so.

| row | event | seen | |
|---|---|---|---|
${lines.join('\n')}
`;
