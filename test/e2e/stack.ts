/** The whole product, started as a person starts it, for tests that ask what comes out at the other end. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
export const isRoot = process.getuid?.() === 0;

/** What a root test says where there is no root; CI has it. */
export const WHY_SKIPPED = isRoot ? '' : ' (SKIPPED: needs root, BTF and clang)';

export type Row = Readonly<Record<string, unknown>>;

export interface AlertLine extends Row {
  readonly id: string;
  readonly rule?: string;
  readonly title: string;
  readonly severity: string;
  readonly reason: string;
}

export class Stack implements AsyncDisposable {
  readonly home: string;
  readonly port: number;
  readonly #environment: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  output = '';

  constructor(
    port: number,
    environment: NodeJS.ProcessEnv = {},
    home: string = mkdtempSync(join(tmpdir(), 'hushwatch-e2e-')),
  ) {
    this.home = home;
    this.port = port;
    this.#environment = { ...process.env, ...environment, HUSHWATCH_HOME: home, HUSHWATCH_PORT: String(port) };
  }

  async start(): Promise<this> {
    const child = spawn(process.execPath, [join(CHECKOUT, 'hushwatch.ts'), 'start'], {
      cwd: CHECKOUT,
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const from = this.output.length;
    const keep = (chunk: Buffer): void => {
      this.output += chunk.toString();
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    const ended = new Promise<never>((_, fail) =>
      child.once('close', (code) => fail(new Error(`start ended with ${String(code)}:\n${this.output}`))),
    );
    ended.catch(() => {});
    await Promise.race([ended, until(() => this.output.slice(from).includes('\nready: '), 60_000, 'the ready line')]);
    return this;
  }

  pids(): Readonly<Record<string, number | null>> {
    const pids: Record<string, number | null> = JSON.parse(readFileSync(join(this.home, 'pids.json'), 'utf8'));
    return pids;
  }

  cli(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    const run = spawnSync(process.execPath, [join(CHECKOUT, 'hushwatch.ts'), ...args], {
      cwd: CHECKOUT,
      env: this.#environment,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    return { status: run.status, stdout: run.stdout, stderr: run.stderr };
  }

  #lines(...args: string[]): Row[] {
    const { status, stdout, stderr } = this.cli(...args);
    if (status !== 0) throw new Error(`hushwatch ${args.join(' ')} ended with ${String(status)}: ${stderr}`);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  events(where = 'true', since = '1h'): Row[] {
    return this.#lines('events', '--since', since, '--where', where, '--limit', '1000000', '--json');
  }

  alerts(): AlertLine[] {
    // oxlint-disable-next-line no-unsafe-type-assertion -- the shape of `hushwatch alerts --json`, which these tests check
    return this.#lines('alerts', '--json').map((row) => row as AlertLine);
  }

  verify(): { status: number | null; stdout: string; stderr: string } {
    return this.cli('verify', join(this.home, 'collector'));
  }

  /** The last signed statement of the node, as `key value` lines. */
  statement(): ReadonlyMap<string, string> {
    const text = readFileSync(join(this.home, 'agent/spool/head'), 'utf8');
    return new Map(
      text
        .split('\n')
        .filter((line) => line.includes(' '))
        .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
    );
  }

  /** Which sensor the last signed statement heard of: the number it drew when it loaded its programs. */
  sensor(): string | undefined {
    return /"instance":"(\d+)"/.exec(readFileSync(join(this.home, 'agent/spool/head'), 'utf8'))?.[1];
  }

  /** Waits until nothing is on its way: the spool is empty and stays so for a batch interval. */
  async settled(): Promise<void> {
    const spool = join(this.home, 'agent/spool');
    const empty = (): boolean => !existsSync(spool) || !readdirSync(spool).some((name) => name.endsWith('.batch'));
    await sleep(1_500);
    await until(empty, 120_000, 'an empty spool');
    await sleep(500);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise((settle) => child.once('close', settle));
    child.kill('SIGTERM');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    if (process.env['HUSHWATCH_KEEP'] === undefined) rmSync(this.home, { recursive: true, force: true });
  }
}

export async function until(what: () => boolean, timeoutMs: number, name: string): Promise<void> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(50)) if (what()) return;
  if (!what()) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${name}`);
}

/** `file=3,process=1` as numbers. */
export function counts(text: string | undefined): Map<string, number> {
  if (text === undefined || text === '-') return new Map();
  return new Map(text.split(',').map((pair) => [pair.split('=')[0] ?? '', Number(pair.split('=')[1])]));
}

/** Classes in whose ledger seen is not what became of it; empty when conservation holds. */
export function unaccounted(statement: ReadonlyMap<string, string>): string[] {
  const lost = counts(statement.get('lost'));
  return [...counts(statement.get('seen'))].flatMap(([name, seen]) => {
    const ends = ['released', 'merged', 'sampled', 'withheld'].map((key) => counts(statement.get(key)).get(name) ?? 0);
    const losses = ['ring', 'queue', 'spool', 'oversize'].map((place) => lost.get(`${place}.${name}`) ?? 0);
    const sum = [...ends, ...losses].reduce((a, b) => a + b, 0);
    return sum === seen ? [] : [`${name}: ${seen} seen, ${sum} accounted for`];
  });
}
