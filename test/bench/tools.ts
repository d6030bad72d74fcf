/** The tools that are measured beside each other: nothing, ours, auditd, auditd with laurel. Each starts for real and says which processes it runs. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));

export interface RunningTool {
  /** Process ids by name. */
  readonly pids: Readonly<Record<string, number>>;
  /** Waits until what was seen has been dealt with. */
  settle(): Promise<void>;
  /** What the tool itself says it lost, dropped or sampled, for events of the load. */
  lost(): string;
  stop(): Promise<void>;
}

export interface Tool {
  readonly name: string;
  readonly missing: string | undefined;
  start(directory: string, loadDirectory: string): Promise<RunningTool>;
}

/** What the comparison needs of Debian, installed when missing, its services not started. */
export function install(packages: readonly string[], say: (line: string) => void): void {
  const missing = packages.filter(
    (name) =>
      !/ installed$/.test(spawnSync('dpkg-query', ['-W', '-f', '${Status}', name], { encoding: 'utf8' }).stdout),
  );
  if (missing.length === 0 || process.getuid?.() !== 0) return;
  say(`bench: installing ${missing.join(', ')}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  spawnSync('apt-get', ['update', '-qq'], { stdio: 'ignore', env: environment });
  spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: environment,
  });
}

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

export const nothing: Tool = {
  name: 'none',
  missing: undefined,
  start: async () => ({ pids: {}, settle: async () => {}, lost: () => '-', stop: async () => {} }),
};

interface Pids {
  readonly [name: string]: number | null;
}

function nodeStatement(home: string): string {
  const file = join(home, 'agent/spool/head');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** The whole line: sensor, agent, shipper and collector, started as `npm start` does. */
export function hushwatch(environment: Readonly<Record<string, string>> = {}, name = 'hushwatch'): Tool {
  return {
    name,
    missing: process.getuid?.() === 0 ? undefined : 'not root',
    start: async (directory) => {
      const home = join(directory, 'home');
      const child = spawn(process.execPath, [join(CHECKOUT, 'hushwatch.ts'), 'start'], {
        env: { ...process.env, HUSHWATCH_HOME: home, HUSHWATCH_PORT: '18440', ...environment },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await readyLine(child);
      const pids: Pids = JSON.parse(readFileSync(join(home, 'pids.json'), 'utf8'));
      const measured = Object.entries(pids).filter(([part, pid]) => pid !== null && part !== 'supervisor');
      return {
        pids: Object.fromEntries(measured.map(([part, pid]) => [part, pid ?? 0])),
        settle: () => sleep(2_000),
        lost: () =>
          nodeStatement(home)
            .split('\n')
            .filter((line) => /^(sampled|lost) /.test(line))
            .join('; '),
        stop: async () => {
          child.kill('SIGTERM');
          await new Promise((settle) => child.once('close', settle));
        },
      };
    },
  };
}

function readyLine(child: ChildProcess): Promise<void> {
  return new Promise((settle, fail) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\nready: ')) settle();
    });
    child.once('close', () => fail(new Error(`hushwatch start ended: ${text}`)));
  });
}

const CONFIGURATION = `local_events = yes
write_logs = yes
log_format = RAW
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = 64
num_logs = 5
max_log_file_action = ROTATE
priority_boost = 4
name_format = NONE
space_left = 75
space_left_action = IGNORE
admin_space_left = 50
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
q_depth = 20000
overflow_action = IGNORE
max_restarts = 10
end_of_event_timeout = 2
`;

const auditctl = (...args: string[]): string => {
  const run = spawnSync('auditctl', args, { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`auditctl ${args.join(' ')}: ${run.stderr}`);
  return run.stdout;
};

function kauditd(): number {
  const pid = readdirSync('/proc').find(
    (entry) =>
      /^\d+$/.test(entry) &&
      existsSync(`/proc/${entry}/comm`) &&
      readFileSync(`/proc/${entry}/comm`, 'utf8') === 'kauditd\n',
  );
  return Number(pid ?? 0);
}

/** Debian's auditd in the foreground with rules for the load alone: opens for writing below its directory, execs, connects. */
export function auditd(withLaurel: boolean): Tool {
  const needed = withLaurel ? ['auditd', 'auditctl', 'laurel'] : ['auditd', 'auditctl'];
  const absent = needed.filter((program) => !has(program));
  return {
    name: withLaurel ? 'auditd+laurel' : 'auditd',
    missing: absent.length > 0 ? `not installed: ${absent.join(', ')}` : undefined,
    start: async (directory, loadDirectory) => {
      const configuration = join(directory, 'audit');
      const plugins = join(configuration, 'plugins.d');
      mkdirSync(plugins, { recursive: true, mode: 0o750 });
      const log = join(configuration, 'audit.log');
      const write = withLaurel ? CONFIGURATION.replace('write_logs = yes', 'write_logs = no') : CONFIGURATION;
      writeFileSync(join(configuration, 'auditd.conf'), `${write}log_file = ${log}\nplugin_dir = ${plugins}\n`, {
        mode: 0o640,
      });
      if (withLaurel) {
        const laurelLog = join(configuration, 'laurel');
        mkdirSync(laurelLog);
        chmodSync(directory, 0o755);
        chmodSync(configuration, 0o755);
        spawnSync('chown', ['_laurel', laurelLog]);
        const config = join(configuration, 'laurel.toml');
        writeFileSync(
          config,
          `directory = "${laurelLog}"\nuser = "_laurel"\n[auditlog]\nfile = "audit.log"\nsize = 500000000\n`,
          { mode: 0o644 },
        );
        writeFileSync(
          join(plugins, 'laurel.conf'),
          `active = yes\ndirection = out\ntype = always\nformat = string\npath = /usr/sbin/laurel\nargs = --config ${config}\n`,
          { mode: 0o640 },
        );
      }
      const child = spawn('auditd', ['-n', '-c', configuration], { stdio: ['ignore', 'ignore', 'inherit'] });
      await sleep(1_000);
      auditctl('-D');
      auditctl('-b', '65536');
      auditctl('-e', '1');
      auditctl(
        '-a',
        'always,exit',
        '-F',
        'arch=b64',
        '-S',
        'open,openat,creat',
        '-F',
        `dir=${loadDirectory}`,
        '-F',
        'perm=w',
        '-k',
        'load',
      );
      auditctl('-a', 'always,exit', '-F', 'arch=b64', '-S', 'execve', '-k', 'load');
      auditctl('-a', 'always,exit', '-F', 'arch=b64', '-S', 'connect', '-k', 'load');
      const pids: Record<string, number> = { auditd: child.pid ?? 0, kauditd: kauditd() };
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
      if (children !== '') pids['laurel'] = Number(children.split(' ')[0]);
      if (withLaurel && children === '') throw new Error('auditd did not start laurel');
      return {
        pids,
        settle: async () => {
          for (let i = 0; i < 100 && !/^backlog 0$/m.test(auditctl('-s')); i++) await sleep(100);
          await sleep(1_000);
        },
        lost: () => /^lost \d+$/m.exec(auditctl('-s'))?.[0] ?? '?',
        stop: async () => {
          auditctl('-D');
          auditctl('-e', '0');
          child.kill('SIGTERM');
          await new Promise((settle) => child.once('close', settle));
        },
      };
    },
  };
}
