/** Collector, shipper and agent as processes of their own, without a sensor: the agent can be started with another configuration each time. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { fetchProofs, writeHome, type Home, type HomeOptions } from '../../deploy/home.ts';
import { CHECKOUT, until } from './stack.ts';

/** A process and what it said. */
class Running {
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  said = '';

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [join(CHECKOUT, 'hushwatch.ts'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (chunk: Buffer): void => {
      this.said += chunk.toString();
    };
    this.#child.stdout?.on('data', keep);
    this.#child.stderr?.on('data', keep);
    this.#gone = new Promise((settle) => this.#child.once('close', () => settle()));
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  hangUp(): void {
    this.#child.kill('SIGHUP');
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#gone;
  }
}

export class OneLine implements AsyncDisposable {
  readonly home: Home;
  readonly #running = new Set<Running>();
  readonly #named = new Map<string, Running>();
  /** Of every process that ended. */
  said = '';

  private constructor(home: Home) {
    this.home = home;
  }

  static async start(port: number, options: Partial<HomeOptions> = {}): Promise<OneLine> {
    const root = mkdtempSync(join(tmpdir(), 'hushwatch-line-'));
    const line = new OneLine(await writeHome({ root, checkout: CHECKOUT, port, source: 'proc', ...options }));
    line.#start(['collector', 'run', '--config', line.home.collectorConfig]);
    await until(() => fetchProofs(line.home), 60_000, 'the proofs of approvals');
    line.#start(['shipper', 'run', '--config', line.home.shipperConfig]);
    return line;
  }

  at(...path: readonly string[]): string {
    return join(this.home.root, ...path);
  }

  /** Asks a process that runs to read its configuration again. */
  hangUp(name: 'agent' | 'shipper' | 'collector'): void {
    this.#named.get(name)?.hangUp();
  }

  #start(args: readonly string[]): Running {
    const running = new Running(args);
    this.#running.add(running);
    this.#named.set(args[0] ?? '', running);
    return running;
  }

  /** Runs the agent, with these keys of its configuration changed, as long as `during` takes; what it said. */
  async withAgent(changes: Readonly<Record<string, unknown>>, during: () => Promise<void>): Promise<string> {
    const config: Record<string, unknown> = parse(readFileSync(this.home.agentConfig, 'utf8'));
    const file = this.at('agent/changed.yaml');
    writeFileSync(file, stringify({ ...config, journal: 'off', batch_age_ms: 50, ...changes }));
    const agent = this.#start(['agent', 'run', '--config', file]);
    try {
      await until(() => agent.said.includes('spool open') || agent.exitCode !== null, 60_000, 'an agent');
      await during();
    } finally {
      await this.#stop(agent);
    }
    return agent.said;
  }

  async #stop(running: Running): Promise<void> {
    this.#running.delete(running);
    await running.stop();
    this.said += running.said;
  }

  /** Where chain and sources go on from; empty before the first statement. */
  head(): string {
    const file = this.at('agent/spool/head');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** The last statement that was signed, a line a key. */
  statement(): ReadonlyMap<string, string> {
    return new Map(
      this.head()
        .split('\n')
        .map((line) => [line.split(' ', 1)[0] ?? '', line.slice(line.indexOf(' ') + 1)]),
    );
  }

  /** Waits until a receipt was given for every batch. */
  async shipped(): Promise<void> {
    const proofs = (): ReadonlySet<string> => new Set(readdirSync(this.home.receipts));
    const waiting = (): readonly string[] =>
      readdirSync(this.home.spool).filter(
        (name) => name.endsWith('.batch') && !proofs().has(name.replace('.batch', '.tlog-proof')),
      );
    await until(() => waiting().length === 0, 60_000, 'receipts');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running) await this.#stop(running);
    rmSync(this.home.root, { recursive: true, force: true });
  }

  /** Ends everything, and keeps what is on disk. */
  async stop(): Promise<void> {
    for (const running of [...this.#running]) await this.#stop(running);
  }
}
