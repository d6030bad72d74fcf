/**
 * What programs that people run get slower by, with each tool: a key-value server, a compile, a fork-exec loop. Rounds are
 * interleaved, so that what else the machine does falls on all alike; told are medians of ratios to no tool at all in the same
 * round, since machines that are shared change from one to the next: of the rate or the time, in which a tool that runs beside
 * it shows too, and of the program's own processor time.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { emptyHooks } from './hooks.ts';
import { cpuSeconds } from './processes.ts';
import { auditd, hushwatch, nothing, type Tool } from './tools.ts';

export interface ApplicationRow {
  readonly work: string;
  readonly tool: string;
  /** Of each round: requests a second, or seconds. */
  readonly values: readonly number[];
  readonly median: number;
  /** Slower than without a tool in the same round by this share, the median; negative is faster. */
  readonly slower: number;
  /** More processor time of the program itself, by this share. */
  readonly dearer: number;
}

interface Measured {
  readonly value: number;
  /** Processor seconds of the program itself. */
  readonly cpu: number;
}

interface Work {
  readonly name: string;
  /** Packages of Debian that it needs. */
  readonly packages: readonly string[];
  /** More is better: requests a second. Else seconds. */
  readonly rate: boolean;
  run(directory: string, load: string): Promise<Measured>;
}

const REDIS_PORT = '16379';
const SOURCES = 32;

function run(command: string, ...args: string[]): string {
  const done = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (done.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${done.stderr}`);
  return done.stdout;
}

async function redis(directory: string): Promise<Measured> {
  const server = spawn(
    'redis-server',
    ['--port', REDIS_PORT, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory],
    { stdio: 'ignore' },
  );
  const gone = new Promise((settle) => server.once('close', settle));
  try {
    for (let i = 0; spawnSync('redis-cli', ['-p', REDIS_PORT, 'ping']).status !== 0; i++) {
      if (i > 100) throw new Error('redis-server does not answer');
      await sleep(50);
    }
    const csv = run('redis-benchmark', '-p', REDIS_PORT, '-t', 'set,get', '-n', '150000', '-c', '50', '--csv');
    const rates = [...csv.matchAll(/^"(?:SET|GET)","([\d.]+)"/gm)].map((match) => Number(match[1]));
    if (rates.length !== 2) throw new Error(`redis-benchmark said: ${csv}`);
    // As many of one as of the other: the harmonic mean.
    return { value: 2 / rates.reduce((sum, rate) => sum + 1 / rate, 0), cpu: cpuSeconds(server.pid ?? 0) };
  } finally {
    server.kill('SIGTERM');
    await gone;
  }
}

/** A C file of about a thousand lines, always the same. */
function source(file: number): string {
  const functions = Array.from({ length: 90 }, (_, i) => {
    const [a, b] = [(file * 31 + i * 17) % 97, (file * 13 + i * 7) % 89];
    return `static int f${i}(const int *table, int n)
{
	int sum = ${a};
	for (int i = 0; i < n; i++) {
		if (table[i] % ${b + 2} == ${i % 2})
			sum += table[i] * ${a + 1};
		else
			sum ^= table[(i + ${b}) % n] << ${i % 5};
	}
	return sum;
}`;
  });
  const calls = functions.map((_, i) => `f${i}(table, n)`).join(' + ');
  return `#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n${functions.join('\n')}\nint all${file}(const int *table, int n) { return ${calls}; }\n`;
}

async function compile(directory: string, load: string): Promise<Measured> {
  const at = mkdtempSync(join(directory, 'compile-'));
  const objects = Array.from({ length: SOURCES }, (_, i) => `f${i}.o`);
  for (let i = 0; i < SOURCES; i++) writeFileSync(join(at, `f${i}.c`), source(i));
  writeFileSync(join(at, 'Makefile'), `all.a: ${objects.join(' ')}\n\tar rcs $@ $^\n%.o: %.c\n\tcc -O1 -c -o $@ $<\n`);
  const measured = timed(load, 'run', 'make', '-s', '-j2', '-C', at);
  rmSync(at, { recursive: true });
  return measured;
}

/** Of a load that prints what it took. */
function timed(load: string, ...args: string[]): Measured {
  const { wall, cpu }: { wall: number; cpu: number } = JSON.parse(run(load, ...args));
  return { value: wall, cpu };
}

async function forkExec(_: string, load: string): Promise<Measured> {
  return timed(load, 'spawn', '5000');
}

export const WORKS: readonly Work[] = [
  { name: 'redis', packages: ['redis-server', 'redis-tools'], rate: true, run: redis },
  { name: 'compile', packages: ['gcc', 'make'], rate: false, run: compile },
  { name: 'spawn', packages: [], rate: false, run: forkExec },
];

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

export async function benchApplications(
  load: string,
  works: readonly Work[],
  rounds: number,
  say: (line: string) => void,
): Promise<readonly ApplicationRow[]> {
  const tools = [nothing, emptyHooks, hushwatch(), auditd(false), auditd(true)].filter(({ name, missing }) => {
    if (missing !== undefined) say(`bench: ${name} left out: ${missing}`);
    return missing === undefined;
  });
  const measured = new Map<string, Measured[]>();
  for (let round = 0; round < rounds; round++) {
    // Each tool is first, second and so on in turn.
    for (let i = 0; i < tools.length; i++) {
      const tool = tools[(round + i) % tools.length] ?? nothing;
      for (const [work, one] of await withTool(tool, works, load)) {
        const key = `${work} ${tool.name}`;
        measured.set(key, [...(measured.get(key) ?? []), one]);
        say(`  round ${round + 1}: ${key}: ${one.value.toFixed(2)}, ${one.cpu.toFixed(2)} s of processor`);
      }
    }
  }
  return works.flatMap((work) => rowsOf(work, tools, measured));
}

async function withTool(tool: Tool, works: readonly Work[], load: string): Promise<Map<string, Measured>> {
  const directory = mkdtempSync(join(tmpdir(), 'hushwatch-bench-'));
  const loadDirectory = join(directory, 'load');
  mkdirSync(loadDirectory);
  const running = await tool.start(directory, loadDirectory);
  const values = new Map<string, Measured>();
  try {
    for (const work of works) {
      values.set(work.name, await work.run(loadDirectory, load));
      await running.settle();
    }
  } finally {
    await running.stop();
    rmSync(directory, { recursive: true, force: true });
  }
  return values;
}

function rowsOf(
  work: Work,
  tools: readonly Tool[],
  measured: ReadonlyMap<string, readonly Measured[]>,
): readonly ApplicationRow[] {
  const of = (tool: string): readonly Measured[] => measured.get(`${work.name} ${tool}`) ?? [];
  const base = of(nothing.name);
  return tools.map(({ name }) => {
    const own = of(name);
    const ratios = (what: keyof Measured): readonly number[] =>
      own.map((one, round) => one[what] / (base[round]?.[what] ?? NaN));
    const changed = median(ratios('value'));
    return {
      work: work.name,
      tool: name,
      values: own.map(({ value }) => value),
      median: median(own.map(({ value }) => value)),
      slower: work.rate ? 1 - changed : changed - 1,
      dearer: median(ratios('cpu')) - 1,
    };
  });
}
