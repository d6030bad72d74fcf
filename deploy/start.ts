/**
 * `npm start`: the whole product on this machine, as separate processes with separate rights.
 *
 *     sensor --frames--> agent --spool--> shipper --TLS--> collector, dashboard
 *
 * As root each process has its own user and only its own capabilities; sensor and agent live in an empty network
 * namespace. The users are numbers without names, so that nothing is left in /etc/passwd. Everything happens in a
 * mount namespace of its own in which the checkout and the data directory stand at fixed, reachable places: a
 * checkout below a private home directory works too.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  lstatSync,
  readdirSync,
  renameSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { fetchProofs, writeHome, type Home, type HomeOptions } from './home.ts';
import { Supervised } from './supervise.ts';

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));
const STAGE = '/run/hushwatch';

/** Numbers of the users of DESIGN 3, from the range that systemd leaves to nobody (64,700 to 64,703). */
export const USERS = { sensor: 64_700, agent: 64_701, shipper: 64_702, collector: 64_703 } as const;
type Part = keyof typeof USERS;

/** The group that may read the whole journal; nobody where there is no such group. */
function journalGroup(): readonly number[] {
  const found = existsSync('/etc/group')
    ? /^systemd-journal:[^:]*:(\d+):/m.exec(readFileSync('/etc/group', 'utf8'))
    : null;
  return found === null ? [] : [Number(found[1])];
}

/**
 * Groups beyond their own: the sensor may reach the agent's socket; agent and shipper share spool and receipts; the agent
 * reads the journal.
 */
const GROUPS: Readonly<Record<Part, readonly number[]>> = {
  sensor: [USERS.agent],
  agent: [USERS.shipper, ...journalGroup()],
  shipper: [USERS.agent],
  collector: [],
};

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

type KernelSource = HomeOptions['source'];

/** The best source that can be had here, and why it is not the best of all, in a few words. */
function chooseSource(isRoot: boolean, sensor: string): { readonly source: KernelSource; readonly why?: string } {
  const asked = process.env['HUSHWATCH_SOURCE'];
  const weaker = connectorSpeaks() ? 'proc-connector' : 'proc';
  if (!isRoot) return { source: 'proc', why: 'not root' };
  if (!existsSync(sensor)) return { source: 'proc', why: 'the sensor is not built (clang, bpftool, libbpf-dev)' };
  if (asked === 'proc') return { source: 'proc', why: 'HUSHWATCH_SOURCE=proc asks for it' };
  if (asked === 'proc-connector') return { source: weaker, why: 'HUSHWATCH_SOURCE=proc-connector asks for it' };
  if (!existsSync('/sys/kernel/btf/vmlinux'))
    return { source: weaker, why: 'this kernel has no BTF (/sys/kernel/btf/vmlinux)' };
  return { source: 'ebpf' };
}

function connectorSpeaks(): boolean {
  const file = '/proc/net/connector';
  return existsSync(file) && readFileSync(file, 'latin1').includes('cn_proc');
}

/** What each source needs while it is opened; the sensor gives up all of it, but for looking into /proc of others. */
const SENSOR_RIGHTS: Readonly<Record<KernelSource, string>> = {
  ebpf: '-all,+bpf,+perfmon',
  'proc-connector': '-all,+net_admin,+sys_admin,+sys_ptrace',
  proc: '-all',
};

/** The command that runs `argv` as that part's user, with exactly its rights; as it stands when we are not root. */
function confined(part: Part, source: KernelSource, isRoot: boolean, argv: readonly string[]): readonly string[] {
  if (!isRoot) return argv;
  const kept = part === 'sensor' ? SENSOR_RIGHTS[source] : '-all';
  const user = String(USERS[part]);
  const groups = GROUPS[part].length > 0 ? [`--groups=${GROUPS[part].join(',')}`] : ['--clear-groups'];
  // The proc connector speaks in the first network namespace only; the sensor leaves that by itself.
  const isCutOff = part === 'agent' || (part === 'sensor' && source !== 'proc-connector');
  const network = isCutOff ? ['unshare', '--net', '--'] : [];
  return [
    // What is in an agent's memory is for no disk: no core, not even through a pipe, which only the limit 1 keeps from one.
    ...['prlimit', '--core=1', '--'],
    ...network,
    'setpriv',
    `--reuid=${user}`,
    `--regid=${user}`,
    ...groups,
    `--inh-caps=${kept}`,
    `--ambient-caps=${kept}`,
    `--bounding-set=${kept}`,
    '--no-new-privs',
    '--pdeathsig=TERM',
    '--',
    ...argv,
  ];
}

function own(path: string, part: Part): void {
  const user = USERS[part];
  chownSync(path, user, user);
  if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) own(join(path, name), part);
}

/** Where Node keeps our sources stripped and compiled: a third of the memory, and a quicker start. Each part's is its own. */
function cacheOf(root: string, part: Part, isRoot: boolean): { NODE_COMPILE_CACHE: string; MALLOC_ARENA_MAX: string } {
  const directory = join(root, 'cache', part);
  mkdirSync(directory, { recursive: true });
  chmodSync(join(root, 'cache'), 0o711);
  if (isRoot) own(directory, part);
  // One allocation arena: threads that compress and sync would each keep one of their own.
  return { NODE_COMPILE_CACHE: directory, MALLOC_ARENA_MAX: '1' };
}

async function freePort(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const probe = createServer();
    probe.once('error', () => settle(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => settle(true)));
  });
}

/** Number of entries in the log, by its signed checkpoint; 0 before there is one. */
function logSize(home: Home): number {
  const file = join(home.root, 'collector/log/checkpoint');
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[1] ?? 0) : 0;
}

/** Batches that no receipt has come for. With a receipt they only wait for the agent to look. */
function pending(home: Home): number {
  const proven = new Set(readdirSync(home.receipts).map((name) => name.replace('.tlog-proof', '.batch')));
  return readdirSync(home.spool).filter((name) => name.endsWith('.batch') && !proven.has(name)).length;
}

/** Which sensor the last signed statement heard of: the number it drew when it loaded its programs. */
function sensorOf(home: Home): string | undefined {
  const file = join(home.spool, 'head');
  return existsSync(file) ? /"instance":"(\d+)"/.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
}

async function until(what: () => boolean, timeoutMs: number): Promise<boolean> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(50)) if (what()) return true;
  return what();
}

/** Runs ourselves again in a mount namespace in which checkout and data stand at reachable places. */
async function restage(args: readonly string[], home: string): Promise<number> {
  mkdirSync(STAGE, { recursive: true });
  mkdirSync(home, { recursive: true });
  const script = `set -e
mount -t tmpfs -o mode=755 hushwatch ${STAGE}
mkdir ${STAGE}/app ${STAGE}/home
mount --bind "$1" ${STAGE}/app
mount --bind "$2" ${STAGE}/home
shift 2
cd ${STAGE}/app
exec "$@"`;
  const node = join(STAGE, 'app/node_modules/node/bin/node');
  const again = [node, join(STAGE, 'app/hushwatch.ts'), 'start', ...args];
  const child = spawn(
    'unshare',
    ['--mount', '--propagation', 'private', '--', 'sh', '-c', script, 'sh', CHECKOUT, home, ...again],
    { stdio: 'inherit', env: { ...process.env, HUSHWATCH_STAGED: home } },
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGTERM'));
  return new Promise((settle) => {
    child.once('error', (error) => {
      process.stderr.write(`hushwatch start: cannot make a mount namespace: ${error.message}\n`);
      settle(1);
    });
    child.once('close', (code) => settle(code ?? 1));
  });
}

const USAGE = `usage: npm start      (or: npx hushwatch start)

environment
  HUSHWATCH_HOME     data directory; default .hushwatch in the checkout
  HUSHWATCH_PORT     port of the dashboard; the one above it takes batches; default 8440
  HUSHWATCH_SOURCE   proc-connector or proc: a weaker source, even where BPF is to be had
  HUSHWATCH_SENSOR_ARGS   more arguments for the sensor, as hushwatch-sensor --help lists them
`;

export async function main(args: string[]): Promise<number> {
  if (args.length > 0) {
    process.stderr.write(USAGE);
    return 2;
  }
  const staged = process.env['HUSHWATCH_STAGED'];
  const root =
    staged === undefined ? resolve(process.env['HUSHWATCH_HOME'] ?? join(CHECKOUT, '.hushwatch')) : join(STAGE, 'home');
  const port = Number(process.env['HUSHWATCH_PORT'] ?? 8440);
  if (!Number.isInteger(port) || port < 1 || port > 65_534) {
    process.stderr.write(
      `hushwatch start: HUSHWATCH_PORT is no port: ${String(process.env['HUSHWATCH_PORT'])}\nhint: a number from 1 to 65534\n`,
    );
    return 3;
  }
  const isRoot = process.getuid?.() === 0;
  if (isRoot && staged === undefined) return restage(args, root);
  return run(root, staged ?? root, port, isRoot);
}

async function run(root: string, shownRoot: string, port: number, isRoot: boolean): Promise<number> {
  process.umask(0o027);
  for (const taken of [port, port + 1]) {
    if (await freePort(taken)) continue;
    process.stderr.write(
      `hushwatch start: port ${taken} is in use\nhint: HUSHWATCH_PORT=N npm start, or stop what is there\n`,
    );
    return 1;
  }

  const sensorFile = join(CHECKOUT, 'agent/sensor/build/hushwatch-sensor');
  const { source, why } = chooseSource(isRoot, sensorFile);
  if (why !== undefined) say(`kernel events are not to be had: ${why}; running the weaker source ${source}`);

  const stopAsked = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopAsked.resolve());

  const home = await writeHome({ root, checkout: CHECKOUT, port, source });
  say(home.fresh ? `keys: made, in ${shownRoot}` : `keys: found, in ${shownRoot}; the chain goes on`);
  if (isRoot) {
    // Each part may pass through to what is its own.
    chmodSync(root, 0o711);
    own(join(root, 'agent'), 'agent');
    for (const [path, part] of [
      ['agent/receipts', 'shipper'],
      ['shipper', 'shipper'],
      ['collector', 'collector'],
    ] as const)
      own(join(root, path), part);
  }

  const sizeBefore = logSize(home);
  const sensorBefore = sensorOf(home);
  // Whoever may send a signal shall not have a debugger opened that shows what is in memory.
  const node = [process.execPath, '--disable-sigusr1'];
  const hushwatch = join(CHECKOUT, 'hushwatch.ts');
  const parts: Supervised[] = [];
  const start = (part: Part, argv: readonly string[]): Supervised => {
    const [command = '', ...rest] = confined(part, source, isRoot, argv);
    const made = new Supervised(
      {
        name: part,
        command,
        args: rest,
        cwd: CHECKOUT,
        logFile: join(root, 'log', `${part}.log`),
        environment: cacheOf(root, part, isRoot),
      },
      say,
    );
    parts.push(made);
    return made;
  };

  // A process that strips and compiles its sources keeps the compiler in memory for good: one that ends does it first.
  const prepare = (part: Part, argv: readonly string[]): void => {
    const environment = cacheOf(root, part, isRoot);
    if (readdirSync(environment.NODE_COMPILE_CACHE).length > 0) return;
    const [command = '', ...rest] = confined(part, source, isRoot, argv);
    const checked = spawnSync(command, rest, {
      cwd: CHECKOUT,
      env: { ...process.env, ...environment },
      encoding: 'utf8',
    });
    if (checked.status !== 0) say(`${part}: ${checked.stderr.trim()}`);
  };

  say('collector: starting');
  const collector = start('collector', [
    ...node,
    '--max-semi-space-size=4',
    hushwatch,
    'collector',
    'run',
    '--config',
    home.collectorConfig,
  ]);
  if (!(await until(() => existsSync(join(root, 'collector/log/checkpoint')), 20_000)))
    say('collector: not up after 20 s; see its log');
  if (!(await until(() => fetchProofs(home), 20_000))) say('the rules are not approved; see the log of the collector');
  if (isRoot) own(join(root, 'agent/approvals'), 'agent');
  say('agent: starting');
  const agentProgram = [
    ...node,
    '--single-threaded-gc',
    '--expose-gc',
    '--max-semi-space-size=8',
    '--max-old-space-size=96',
    hushwatch,
    'agent',
  ];
  prepare('agent', [...agentProgram, 'check', '--config', home.agentConfig]);
  const agent = start('agent', [...agentProgram, 'run', '--config', home.agentConfig]);
  await until(() => existsSync(home.socket), 10_000);
  say('shipper: starting');
  const shipperProgram = [...node, '--expose-gc', '--max-semi-space-size=1', hushwatch, 'shipper'];
  prepare('shipper', [...shipperProgram, 'check', '--config', home.shipperConfig]);
  const shipper = start('shipper', [...shipperProgram, 'run', '--config', home.shipperConfig]);
  let sensor: Supervised | undefined;
  if (source !== 'proc') {
    say(source === 'ebpf' ? 'sensor: loading its programs into the kernel' : 'sensor: asking the proc connector');
    // What we ourselves do to carry and keep events is not news; the agent is known to the sensor by its socket.
    const ours = [shipper, collector].flatMap(({ pid }) => (pid === undefined ? [] : ['--exclude-pid', String(pid)]));
    sensor = start('sensor', [
      sensorFile,
      '--socket',
      home.socket,
      ...(source === 'proc-connector' ? ['--proc-connector'] : []),
      ...ours,
      ...(process.env['HUSHWATCH_SENSOR_ARGS']?.split(' ') ?? []),
    ]);
  }
  writePids(root, { collector, agent, shipper, sensor });

  say('waiting for the first batch to be logged');
  const isUp = (): boolean => logSize(home) > sizeBefore && (sensor === undefined || sensorOf(home) !== sensorBefore);
  const logged = until(isUp, 30_000);
  const ready = await Promise.race([logged, stopAsked.promise.then(() => undefined)]);
  if (ready === false) say(`no batch was logged within 30 s; see ${join(shownRoot, 'log')}`);
  if (ready === true) {
    say(`log in: http://127.0.0.1:${port}/?token=${home.token}`);
    say(`ready: dashboard http://127.0.0.1:${port}`);
  }
  const watching = setInterval(() => writePids(root, { collector, agent, shipper, sensor }), 200);
  await stopAsked.promise;
  clearInterval(watching);

  say('stopping: what is seen so far is signed and shipped first');
  await sensor?.stop();
  await agent.stop();
  if (!(await until(() => pending(home) === 0, 5_000)))
    say(`${pending(home)} batches wait in the spool for the next start`);
  await shipper.stop();
  await collector.stop();
  rmSync(join(root, 'pids.json'), { force: true });
  say('stopped');
  return ready === false ? 1 : 0;
}

/** For people and tests that want to look at, or end, one of the processes. */
function writePids(root: string, parts: Readonly<Record<string, Supervised | undefined>>): void {
  const pids = Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part?.pid ?? null]));
  const text = `${JSON.stringify({ ...pids, supervisor: process.pid })}\n`;
  const file = join(root, 'pids.json');
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  writeFileSync(`${file}.tmp`, text, { mode: 0o644 });
  renameSync(`${file}.tmp`, file);
}
