/** Another release of Hushwatch: this checkout with some lines changed, and its processes, run as their units run them. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './stack.ts';

/** Text to find and what to put in its place, by file; every text must be there. */
export type Changes = Readonly<Record<string, readonly (readonly [string, string])[]>>;

const NOT_COPIED = ['node_modules', 'test', 'docs'];

/** A checkout at `directory` with the changes of all. */
export function makeRelease(directory: string, ...all: readonly Changes[]): string {
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(CHECKOUT).filter((each) => !each.startsWith('.') && !NOT_COPIED.includes(each)))
    cpSync(join(CHECKOUT, name), join(directory, name), { recursive: true });
  symlinkSync(join(CHECKOUT, 'node_modules'), join(directory, 'node_modules'));
  for (const [name, changes] of all.flatMap((one) => Object.entries(one))) {
    const file = join(directory, name);
    const text = changes.reduce(
      (before, [from, to]) => {
        if (!before.includes(from)) throw new Error(`${name} does not say ${from}`);
        return before.replaceAll(from, to);
      },
      readFileSync(file, 'utf8'),
    );
    writeFileSync(file, text);
  }
  return directory;
}

export const PARTS = ['collector', 'agent', 'shipper'] as const;
export type Part = (typeof PARTS)[number];

/** One machine's processes, each of whichever release it was started from last. */
export class Installation implements AsyncDisposable {
  readonly home: string;
  readonly #port: number;
  readonly #running = new Map<Part, ChildProcess>();

  constructor(home: string, port: number) {
    this.home = home;
    this.#port = port;
  }

  /** Configuration and approved rules as that release has them. What is there of others stays, keys and evidence. */
  install(release: string): void {
    this.#evaluate(
      release,
      `home.writeHome({ root: ${JSON.stringify(this.home)}, checkout: ${JSON.stringify(release)}, port: ${this.#port}, source: 'proc' })`,
    );
    // Something is signed often, however quiet the machine is.
    appendFileSync(join(this.home, 'agent/agent.yaml'), 'heartbeat_ms: 1000\n');
  }

  /** The collector's proofs of the approvals, carried to the node; true when there is one for each. */
  fetchProofs(release: string): boolean {
    return this.#evaluate(release, `home.fetchProofs({ root: ${JSON.stringify(this.home)} })`).includes('true');
  }

  /** In that release, whose vocabulary is another. */
  #evaluate(release: string, call: string): string {
    const script = `import('./deploy/home.ts').then(async (home) => console.log(await ${call}))`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: release, encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return stdout;
  }

  start(release: string, ...parts: readonly Part[]): void {
    for (const part of parts) {
      const config = join(this.home, part, `${part}.yaml`);
      const child = spawn(process.execPath, [join(release, 'hushwatch.ts'), part, 'run', '--config', config], {
        stdio: ['ignore', 'ignore', openSync(join(this.home, 'log', `${part}.log`), 'a')],
      });
      this.#running.set(part, child);
    }
  }

  async stop(...parts: readonly Part[]): Promise<void> {
    const children = parts.map((part) => this.#running.get(part));
    for (const part of parts) this.#running.delete(part);
    await Promise.all(children.map(ended));
  }

  cli(release: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
    const env = { ...process.env, HUSHWATCH_HOME: this.home };
    const run = spawnSync(process.execPath, [join(release, 'hushwatch.ts'), ...args], { encoding: 'utf8', env });
    return { status: run.status, stdout: run.stdout, stderr: run.stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(...PARTS);
  }
}

async function ended(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((settle) => child.once('exit', settle));
  child.kill('SIGTERM');
  await gone;
}
