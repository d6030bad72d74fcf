/**
 * Debian machines with systemd in containers, that keep what is written to them over reboots and power cuts, and a cable between
 * two of them. All of it lies in a directory below /tmp and is gone with the test.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { childOf, rootDirectory } from './container.ts';

const BOOT_MS = 90_000;

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class MachineRoom implements AsyncDisposable {
  readonly #home = mkdtempSync('/tmp/hushwatch-machines-');
  readonly #machines: Machine[] = [];

  /** `shared` is a directory that all machines see as /shared. */
  get shared(): string {
    return join(this.#home, 'shared');
  }

  async boot(...names: readonly string[]): Promise<readonly Machine[]> {
    mkdirSync(this.shared, { recursive: true });
    const made = names.map((name) => new Machine(join(this.#home, name), name, this.shared));
    this.#machines.push(...made);
    await Promise.all(made.map((machine) => machine.start()));
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#machines.map((machine) => machine.cutPower()));
    for (const machine of this.#machines) machine.unmount();
    rmSync(this.#home, { recursive: true });
  }
}

export class Machine {
  readonly name: string;
  readonly #root: string;
  readonly #shared: string;
  #child: ChildProcess | undefined;
  #leader = 0;

  constructor(directory: string, name: string, shared: string) {
    this.name = name;
    this.#root = join(directory, 'root');
    this.#shared = shared;
    for (const part of ['root', 'upper', 'work']) mkdirSync(join(directory, part), { recursive: true });
    const layers = `lowerdir=${rootDirectory('nspawn-root.sh')},upperdir=${join(directory, 'upper')},workdir=${join(directory, 'work')}`;
    must('mount', ['-t', 'tmpfs', '-o', 'size=2g', 'machine', directory]);
    for (const part of ['root', 'upper', 'work']) mkdirSync(join(directory, part), { recursive: true });
    must('mount', ['-t', 'overlay', 'machine', '-o', layers, this.#root]);
  }

  /** Up when systemd has started everything. */
  async start(): Promise<void> {
    const isolated = ['--boot', '--register=no', '--keep-unit', '--private-network', `--machine=${this.name}`];
    // A real machine's root has these; the sensor needs two of them.
    const rights = ['--capability=all', '--system-call-filter=bpf perf_event_open'];
    const args = ['--quiet', `--directory=${this.#root}`, `--bind=${this.#shared}:/shared`, ...isolated, ...rights];
    const child = spawn('systemd-nspawn', args, {
      stdio: 'ignore',
      detached: true,
      env: { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' },
    });
    this.#child = child;
    for (const end = Date.now() + BOOT_MS; Date.now() < end; await sleep(200)) {
      this.#leader = childOf(child.pid ?? 0);
      if (this.#leader > 0 && /running|degraded/.test(this.try('systemctl is-system-running').stdout)) return;
    }
    throw new Error(`${this.name} did not come up`);
  }

  /** Runs a shell script inside, as root; it must succeed. */
  run(script: string): string {
    const { status, stdout, stderr } = this.try(script);
    if (status !== 0) throw new Error(`on ${this.name}: status ${String(status)}\n${script}\n${stdout}${stderr}`);
    return stdout;
  }

  try(script: string): Ran {
    const into = ['--target', String(this.#leader), '--mount', '--net', '--pid', '--uts', '--ipc', '--cgroup'];
    const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LC_ALL: 'C.UTF-8' };
    return spawnSync('nsenter', [...into, '--', 'sh', '-s'], {
      input: script,
      encoding: 'utf8',
      timeout: 180_000,
      env: environment,
    });
  }

  async until(script: string, what: string, timeoutMs = 60_000): Promise<void> {
    for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(250))
      if (this.try(script).status === 0) return;
    throw new Error(
      `on ${this.name}: waited ${timeoutMs / 1000} s for ${what}\n${this.try('journalctl -u "hushwatch*" -n 30 -o cat').stdout}`,
    );
  }

  /** A network cable; each end gets the address. */
  connect(other: Machine, [ours, theirs]: readonly [string, string]): void {
    const ends = [
      { machine: this, end: `${this.name}0`, address: ours },
      { machine: other, end: `${other.name}0`, address: theirs },
    ];
    must('ip', ['link', 'add', `${this.name}0`, 'type', 'veth', 'peer', 'name', `${other.name}0`]);
    for (const { machine, end, address } of ends) {
      must('ip', ['link', 'set', end, 'netns', String(machine.#leader)]);
      machine.run(`ip link set ${end} up; ip link set lo up; ip addr add ${address} dev ${end}`);
    }
  }

  /** Everything at once, as when the plug is pulled. */
  async cutPower(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    if (this.#leader > 0) process.kill(this.#leader, 'SIGKILL');
    else child.kill('SIGKILL');
    await gone;
  }

  unmount(): void {
    for (const directory of [this.#root, join(this.#root, '..')]) must('umount', ['-l', directory]);
  }
}

function must(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}
