/**
 * A node and its collector as real processes under the supervisor of `npm start`, on disks of their own, for tests that break
 * what they stand on. Events come from a file of another exporter, a line an event, so how many there were is known exactly;
 * where they ended, the evidence and the signed counters must say, to the last one.
 */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { expect } from 'vitest';
import { parse, stringify } from 'yaml';
import { openAgent } from '../../../agent/agent.ts';
import type { RawEvent } from '../../../agent/event.ts';
import { record } from '../../../agent/pipeline.ts';
import { fetchProofs, writeHome, type Home } from '../../../deploy/home.ts';
import { Supervised } from '../../../deploy/supervise.ts';
import { readConfig, readLeniently } from '../../../config/schema.ts';
import type { Verdict } from '../../../service/verdict.ts';
import { KEYS } from '../../../agent/config.ts';
import { judge, statusOf } from '../../../agent/status.ts';
import { CHECKOUT, counts, until } from '../stack.ts';

export type Part = 'collector' | 'shipper' | 'agent';
export const PARTS: readonly Part[] = ['collector', 'shipper', 'agent'];

/** How a process is started, other than by itself. */
export interface Start {
  /** Goes before the command, and must become it by exec. */
  readonly prefix?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface Account {
  readonly produced: number;
  readonly delivered: number;
  /** Released, as the node signed it, and not in the evidence. */
  readonly missing: number;
  /** By place, as the last statement has it. */
  readonly lost: Readonly<Record<string, number>>;
}

const QUICK = { journal: 'off', batch_age_ms: 20, heartbeat_ms: 1_000, spool_bytes: 1 << 20 };

export class Site implements AsyncDisposable {
  readonly home: Home;
  readonly #mounts: readonly string[];
  readonly #agent: Readonly<Record<string, unknown>>;
  readonly #running = new Map<Part, Supervised>();
  /** What the supervisor said: a line for each end that nobody asked for. */
  readonly ends: string[] = [];
  #produced = 0;

  private constructor(home: Home, mounts: readonly string[], agent: Start['config']) {
    this.home = home;
    this.#mounts = mounts;
    this.#agent = { ...QUICK, ...agent };
  }

  /** `mount` gives directories below the home a file system of their own: of the node, `agent` holds all. */
  static async build(
    port: number,
    mount: Readonly<Record<string, (at: string) => void>> = {},
    agent: Start['config'] = {},
  ): Promise<Site> {
    const root = mkdtempSync(join(tmpdir(), 'hushwatch-faults-'));
    const mounts = Object.entries(mount).map(([name, make]) => {
      mkdirSync(join(root, name));
      make(join(root, name));
      return join(root, name);
    });
    const site = new Site(await writeHome({ root, checkout: CHECKOUT, port, source: 'proc' }), mounts, agent);
    writeFileSync(site.at('exporter.json'), '');
    site.start('collector');
    await until(() => fetchProofs(site.home), 60_000, 'the proofs of approvals');
    site.start('shipper');
    site.start('agent');
    await until(() => site.statement().size > 0, 60_000, 'the first statement');
    // What was installed is on the disk; faults begin with what runs.
    for (const at of mounts) must('sync', '-f', at);
    return site;
  }

  at(...path: readonly string[]): string {
    return join(this.home.root, ...path);
  }

  start(part: Part, { prefix = [], environment = {}, config = {} }: Start = {}): void {
    const file = this.#configOf(part, config);
    const ours = [process.execPath, join(CHECKOUT, 'hushwatch.ts'), part, 'run', '--config', file];
    const args = [...prefix, ...ours];
    const command = args.shift() ?? '';
    const program = {
      name: part,
      command,
      args,
      cwd: CHECKOUT,
      logFile: this.logOf(part),
      environment: { ...this.#cache, ...environment },
    };
    this.#running.set(part, new Supervised(program, (line) => this.ends.push(line)));
  }

  #configOf(part: Part, changes: Readonly<Record<string, unknown>>): string {
    if (part === 'collector') return this.home.collectorConfig;
    const file = part === 'agent' ? this.home.agentConfig : this.home.shipperConfig;
    const own = part === 'agent' ? { source: 'tetragon', exporter_file: this.at('exporter.json'), ...this.#agent } : {};
    const config = absolute(parse(readFileSync(file, 'utf8')), dirname(file));
    const changed = this.at(`${part}.changed.yaml`);
    writeFileSync(changed, stringify({ ...config, ...own, ...changes }), { mode: 0o640 });
    return changed;
  }

  async stop(part: Part): Promise<void> {
    await this.#running.get(part)?.stop();
    this.#running.delete(part);
  }

  async restart(part: Part, start: Start = {}): Promise<void> {
    await this.stop(part);
    this.start(part, start);
  }

  /** Compiled once. */
  get #cache(): Readonly<Record<string, string>> {
    return { NODE_COMPILE_CACHE: this.at('cache') };
  }

  /** Undefined between two lives. */
  pid(part: Part): number | undefined {
    return this.#running.get(part)?.pid;
  }

  logOf(part: Part): string {
    return this.at('log', `${part}.log`);
  }

  said(part: Part): string {
    return existsSync(this.logOf(part)) ? readFileSync(this.logOf(part), 'utf8') : '';
  }

  /** Everything at once, as when the plug is pulled; nobody starts it again. */
  async cutPower(): Promise<void> {
    const gone = [...this.#running.values()];
    this.#running.clear();
    for (const { pid } of gone) if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await Promise.all(gone.map((one) => one.stop()));
  }

  /** So many programs were run. */
  produce(n: number, time = new Date()): void {
    const lines = Array.from({ length: n }, () => {
      const pid = ++this.#produced;
      const process = { exec_id: `x${pid}`, pid, uid: 0, cwd: '/', binary: '/usr/bin/true', flags: 'execve' };
      return `${JSON.stringify({ process_exec: { process }, time: time.toISOString() })}\n`;
    });
    appendFileSync(this.at('exporter.json'), lines.join(''));
  }

  /**
   * So many batches of one event each, by the agent's own line but without waiting for an exporter, while no agent runs: what a
   * spool looks like after a long absence of the collector.
   */
  async fillSpool(batches: number): Promise<void> {
    await this.stop('agent');
    const { line, herald, limits } = await openAgent(readConfig(this.at('agent.changed.yaml'), KEYS));
    const events = Array.from({ length: batches }, (): readonly RawEvent[] => {
      const attributes = { 'process.pid': ++this.#produced, 'process.executable.path': '/usr/bin/true' };
      return [{ name: 'process.exec', time: Date.now() * 1_000, attributes }];
    });
    const throwing = (problem: Error | undefined): void => {
      if (problem !== undefined) throw problem;
    };
    await record(each(events), line, herald, { ...limits, events: 1 }, throwing);
  }

  get produced(): number {
    return this.#produced;
  }

  statement(): ReadonlyMap<string, string> {
    const file = this.at('agent/spool/head');
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    const lines = text.split('\n').filter((line) => line.includes(' '));
    return new Map(lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]));
  }

  /** Of our events, how many the last statement has seen. */
  get seen(): number {
    return counts(this.statement().get('seen')).get('process') ?? 0;
  }

  /** Batches without a receipt. */
  get waiting(): number {
    const proven = new Set(readdirSync(this.home.receipts));
    const isUnproven = (name: string): boolean => !proven.has(name.replace('.batch', '.tlog-proof'));
    return readdirSync(this.home.spool).filter((name) => name.endsWith('.batch') && isUnproven(name)).length;
  }

  /** All that was produced stands in statements. */
  async signed(timeoutMs = 60_000): Promise<void> {
    const all = this.#produced;
    await until(() => this.seen >= all, timeoutMs, `${all} events to be signed`);
  }

  /** And what is signed has receipts. */
  async settled(timeoutMs = 60_000): Promise<void> {
    await this.signed(timeoutMs);
    await until(() => this.waiting === 0, timeoutMs, 'receipts for all batches');
  }

  /** Where everything that was produced ended. */
  account(): Account {
    const rows = this.cli(
      'events',
      '--since',
      '9000d',
      '--where',
      "event = 'process.exec'",
      '--limit',
      '100000',
      '--json',
    ).stdout;
    const pids = rows.split('\n').flatMap((line) => /"process\.pid":(\d+)/.exec(line)?.[1] ?? []);
    if (new Set(pids).size !== pids.length) throw new Error('an event was delivered twice');
    const signed = [...counts(this.statement().get('lost'))].filter(([name]) => name.endsWith('.process'));
    const lost = Object.fromEntries(signed.map(([name, n]) => [name.replace('.process', ''), n]));
    const released = counts(this.statement().get('released')).get('process') ?? 0;
    return { produced: this.#produced, delivered: pids.length, missing: released - pids.length, lost };
  }

  /** What an operator is told by `hushwatch status`. */
  status(): readonly Verdict[] {
    const file = this.at('agent.changed.yaml');
    return judge(statusOf(file, readLeniently(file, KEYS)));
  }

  cli(...args: readonly string[]): { readonly status: number | null; readonly stdout: string } {
    const env = { ...process.env, ...this.#cache, HUSHWATCH_HOME: this.home.root };
    const options = { cwd: CHECKOUT, env, encoding: 'utf8', maxBuffer: 1 << 28 } as const;
    return spawnSync(process.execPath, [join(CHECKOUT, 'hushwatch.ts'), ...args], options);
  }

  verify(): { readonly status: number | null; readonly stdout: string } {
    return this.cli('verify', this.at('collector'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of [...PARTS].toReversed()) await this.stop(part);
    for (const mount of this.#mounts) spawnSync('umount', ['-l', mount]);
    rmSync(this.home.root, { recursive: true, force: true });
  }
}

/** More happens, and of all that ever did nothing is lost, nothing is there twice, and everything is proven. */
export async function nothingLost(site: Site): Promise<void> {
  site.produce(50);
  await site.settled();
  const { produced, delivered, missing, lost } = site.account();
  expect({ delivered, missing, lost }).toEqual({ delivered: produced, missing: 0, lost: {} });
  expect(site.verify()).toMatchObject({ status: 0 });
}

const PATHS =
  /^(?:spool|receipts|socket|identity|pseudonym_key|ruleset|rule_pack|approvals|reviewers|tls_key|tls_cert)$/;

/** What a configuration names stands beside its file; ours is written elsewhere, where the disk works. */
function absolute(config: Readonly<Record<string, unknown>>, directory: string): Record<string, unknown> {
  const pairs = Object.entries(config).map(([key, value]) => [
    key,
    PATHS.test(key) && typeof value === 'string' ? resolve(directory, value) : value,
  ]);
  return Object.fromEntries(pairs);
}

async function* each<T>(all: readonly T[]): AsyncGenerator<T> {
  yield* all;
}

export function must(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  return stdout;
}
