/** A Debian machine of its own (systemd, journald, sshd, sudo) in a container that forgets everything but its journal. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export class Container implements AsyncDisposable {
  /** Of the machine outside; journalctl reads it with `--directory`. */
  readonly journal: string;
  /** Milliseconds since 1970; the first program ran after this. */
  readonly startedAt = Date.now();
  readonly #child: ChildProcess;
  #leader = 0;

  private constructor(journal: string, root: string) {
    this.journal = journal;
    mkdirSync(journal, { recursive: true });
    chmodSync(journal, 0o755);
    const isolated = ['--boot', '--register=no', '--keep-unit', '--private-network', '--volatile=overlay'];
    const args = ['--quiet', `--directory=${root}`, `--bind=${journal}:/var/log/journal`, ...isolated];
    // In its own process group: what interrupts the test does not reach the machine before the test has.
    this.#child = spawn('systemd-nspawn', args, { stdio: ['ignore', 'ignore', 'ignore'], detached: true });
  }

  /** Up when sshd listens. The script beside this file prints where its root is. */
  static async start(journal: string, script = 'nspawn-root.sh'): Promise<Container> {
    const container = new Container(journal, rootDirectory(script));
    for (const end = Date.now() + 60_000; Date.now() < end; await sleep(200)) {
      container.#leader = childOf(container.#child.pid ?? 0);
      if (container.#leader > 0 && container.#ask('ss -ltn 2>/dev/null').includes(':22 ')) return container;
    }
    await container[Symbol.asyncDispose]();
    throw new Error('the container did not come up within a minute');
  }

  /** Runs a shell script inside, as root. */
  run(script: string): string {
    const result = this.#enter(script);
    if (result.status !== 0)
      throw new Error(`in the container: status ${String(result.status)}\n${result.stdout}${result.stderr}`);
    return result.stdout;
  }

  #ask(script: string): string {
    return this.#enter(script).stdout;
  }

  /** Of systemd-nspawn, outside. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Its first process, as seen from outside. */
  get leader(): number {
    return this.#leader;
  }

  /** The command before a command that runs it inside, as root. */
  get enter(): readonly string[] {
    return ['nsenter', '--target', String(this.#leader), '--mount', '--net', '--pid', '--uts', '--ipc', '--'];
  }

  #enter(script: string): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
    const [command = '', ...into] = this.enter;
    return spawnSync(command, [...into, 'sh', '-s'], { input: script, encoding: 'utf8', timeout: 120_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    // Everything that the container holds ends with its first process.
    if (this.#leader > 0) process.kill(this.#leader, 'SIGKILL');
    else this.#child.kill('SIGKILL');
    await gone;
  }
}

export function rootDirectory(script: string): string {
  const made = spawnSync('sh', [fileURLToPath(new URL(script, import.meta.url))], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`${script}: ${made.stderr}`);
  return made.stdout.trim();
}

/** systemd-nspawn has one child; 0 before it has. */
export function childOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ')[0]);
  } catch {
    return 0; // Not started yet.
  }
}
