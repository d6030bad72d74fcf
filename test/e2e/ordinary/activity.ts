/**
 * What a small server and its developers do all day, done by a script: packages, builds, log-ins, a web server, a
 * database, cron, editors, git. A whole Debian machine in a container does the server's part (`inside/`), this machine
 * the developers' (`outside/`).
 *
 * It all happens in one control group, so that whoever reads the evidence can tell it from everything else here, and one
 * deed at a time with rests between, so that it costs a tenth of a processor.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Container } from '../container.ts';
import { Group, type Mark } from '../origins.ts';
import { CHECKOUT } from '../stack.ts';

interface Deed {
  readonly name: string;
  readonly everySeconds: number;
}

/** Scripts of these names; none is due twice before the others had their turn. */
const DEEDS: readonly Deed[] = [
  { name: 'inside/web', everySeconds: 30 },
  { name: 'inside/login', everySeconds: 60 },
  { name: 'inside/database', everySeconds: 60 },
  { name: 'outside/git', everySeconds: 120 },
  { name: 'outside/build', everySeconds: 120 },
  { name: 'inside/build', everySeconds: 150 },
  { name: 'inside/edit', everySeconds: 180 },
  { name: 'inside/packages', everySeconds: 240 },
  { name: 'inside/look', everySeconds: 300 },
  { name: 'outside/python', everySeconds: 300 },
  { name: 'inside/rotate', everySeconds: 600 },
  { name: 'outside/node', everySeconds: 900 },
  { name: 'outside/update', everySeconds: 1200 },
];
/** The container is switched off and on again; what was installed in it is forgotten. */
const BOOT_EVERY_SECONDS = 1800;
const REST_MS = 4_000;
const DEED_MS = 300_000;

/** What the report needs to tell this activity from all else. */
export interface Told {
  readonly startedAt: number;
  readonly endedAt: number;
  /** Processes of ours that ran `true`, one after each boot: their control group, as it was released then, is the activity's. */
  readonly marks: readonly Mark[];
  readonly done: Readonly<Record<string, { readonly times: number; readonly failed: number }>>;
}

export class Activity {
  readonly #tell: (told: Told) => void;
  readonly #startedAt = Date.now();
  readonly #done: Record<string, { times: number; failed: number }> = {};
  readonly #due = new Map<string, number>();
  readonly #marks: Mark[] = [];

  /** `tell` is given what was done after every deed. */
  constructor(tell: (told: Told) => void) {
    this.#tell = tell;
  }

  async run(hours: number, signal: AbortSignal): Promise<void> {
    const end = this.#startedAt + hours * 3_600_000;
    using _group = new Group('hushwatch-ordinary').enter();
    while (Date.now() < end && !signal.aborted) {
      await this.#oneBoot(Math.min(end, Date.now() + BOOT_EVERY_SECONDS * 1000), signal);
    }
  }

  async #oneBoot(end: number, signal: AbortSignal): Promise<void> {
    // A group's pseudonym changes with the keys; the activity must be known after that too.
    const at = Date.now();
    this.#marks.push({ name: 'ordinary', pid: (await this.#spawn('true', [], tmpdir(), '')).pid, at });
    const journal = mkdtempSync(join(tmpdir(), 'hushwatch-ordinary-'));
    try {
      await using container = await Container.start(journal, 'ordinary/root.sh');
      await this.#do('inside/first', container);
      while (Date.now() < end && !signal.aborted) {
        const deed = this.#next();
        if (deed !== undefined) await this.#do(deed.name, container);
        await sleep(REST_MS, undefined, { signal }).catch(() => {});
      }
    } finally {
      rmSync(journal, { recursive: true, force: true });
    }
  }

  /** The one that waits the longest of those that are due. */
  #next(): Deed | undefined {
    const now = Date.now();
    const late = ({ name }: Deed): number => now - (this.#due.get(name) ?? 0);
    const deed = DEEDS.filter((each) => late(each) >= 0).toSorted((a, b) => late(b) - late(a))[0];
    if (deed !== undefined) this.#due.set(deed.name, now + deed.everySeconds * 1000);
    return deed;
  }

  async #do(name: string, container: Container): Promise<void> {
    const script = readFileSync(fileURLToPath(new URL(`${name}.sh`, import.meta.url)), 'utf8');
    const work = mkdtempSync(join(tmpdir(), 'work-'));
    const [command = '', ...args] = name.startsWith('inside/')
      ? [...container.enter, 'bash', '-s']
      : ['bash', '-s', '--', CHECKOUT];
    const { status, stderr } = await this.#spawn(command, args, work, script);
    rmSync(work, { recursive: true, force: true });
    const count = (this.#done[name] ??= { times: 0, failed: 0 });
    count.times++;
    if (status !== 0) {
      count.failed++;
      process.stderr.write(`${name}: status ${String(status)}: ${stderr.trim().split('\n').slice(-2).join(' / ')}\n`);
    }
    this.#tell({ startedAt: this.#startedAt, endedAt: Date.now(), marks: this.#marks, done: this.#done });
  }

  async #spawn(
    command: string,
    args: readonly string[],
    cwd: string,
    input: string,
  ): Promise<{ readonly pid: number; readonly status: number | null; readonly stderr: string }> {
    const child = spawn(command, args, { cwd, stdio: ['pipe', 'ignore', 'pipe'], timeout: DEED_MS });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-4_000)));
    child.stdin.on('error', () => {}).end(input);
    await once(child, 'close');
    return { pid: child.pid ?? 0, status: child.exitCode, stderr };
  }
}
