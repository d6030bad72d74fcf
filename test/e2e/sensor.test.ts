/**
 * The real sensor on the real kernel: what is done is what is said, and every event that was seen is accounted for.
 * `actions.c` does the deeds. Needs root, BTF and clang.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Frame } from '../../agent/sources/frame.ts';
import { FrameDecoder } from '../../agent/sources/frames.ts';
import { deedsAreSaid, NOBODY, numbersSaid, type Done, type Scene } from './deeds.ts';
import { CHECKOUT, isRoot, until, WHY_SKIPPED } from './stack.ts';
import { HAS_32_BIT, wentWrong } from './thirty-two.ts';
import { balanced, buildSensor, SENSOR, Watched, type Seen } from './watched.ts';

let work = '';
let actions = '';

beforeAll(() => {
  if (!isRoot) return;
  buildSensor();
  work = mkdtempSync(join(tmpdir(), 'hushwatch-sensor-'));
  chmodSync(work, 0o755);
  actions = join(work, 'actions');
  execFileSync('clang', ['-O1', '-pthread', '-o', actions, join(CHECKOUT, 'test/e2e/actions.c')]);
});
afterAll(() => {
  if (work !== '') rmSync(work, { recursive: true });
});

let directories = 0;
function directory(): string {
  const path = join(work, `d${++directories}`);
  mkdirSync(path, { mode: 0o777 });
  chmodSync(path, 0o777);
  return path;
}

function act(args: readonly string[], uid = 0, environment: NodeJS.ProcessEnv = {}): Done {
  const run = spawnSync(actions, args, { uid, gid: uid, encoding: 'utf8', cwd: work, env: environment });
  if (wentWrong(run, args[0])) throw new Error(`actions ${args.join(' ')}: ${String(run.status)} ${run.stderr}`);
  return { pid: run.pid, said: numbersSaid(run.stdout) };
}

function factsHere(): Scene['facts'] {
  const namespace = (name: string): number => Number(/\d+/.exec(readlinkSync(`/proc/self/ns/${name}`))?.[0]);
  return {
    namespaces: { mnt: namespace('mnt'), pid: namespace('pid'), net: namespace('net'), user: namespace('user') },
    cgroup: /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '',
    shadow: statSync('/etc/shadow').ino,
  };
}

const paths = (frames: readonly Seen[], key = 'path'): unknown[] => frames.map((frame) => frame[key]);

for (const reads of [[], ['--old-kernel']]) {
  describe.skipIf(!isRoot)(`what is done is what is said ${reads.join('')}${WHY_SKIPPED}`, () => {
    let seen: Watched;
    let scene: Scene | undefined;

    beforeAll(async () => {
      const at = directory();
      const at32 = directory();
      seen = await new Watched(['--merge-ms', '0', ...reads]).ready();
      const did = act(['all', at]);
      const refused = act(['denied'], NOBODY, { SOCKET: '/run/hushwatch-test-nowhere' });
      const thirtyTwo = act(['compat', at32]);
      const counters = await seen.stop();
      scene = {
        frames: seen.frames,
        counters,
        did,
        refused,
        thirtyTwo,
        has32Bit: HAS_32_BIT,
        at,
        at32,
        actions,
        facts: factsHere(),
      };
    });
    afterAll(() => seen[Symbol.asyncDispose]());

    deedsAreSaid(() => {
      if (scene === undefined) throw new Error('nothing was done');
      return scene;
    });
  });
}

describe.skipIf(!isRoot)(`economy${WHY_SKIPPED}`, () => {
  test('identical operations become one event, and the next says how many', async () => {
    await using seen = await new Watched(['--merge-ms', '1500']).ready();
    const at = directory();
    const script = `for i in $(seq 500); do : > ${at}/same; done; sleep 1.6; : > ${at}/same`;
    const { pid } = spawnSync('bash', ['-c', script]);
    const counters = await seen.stop();
    const opens = seen.of('open', pid).filter((frame) => frame['path'] === `${at}/same`);
    // On a machine that is slow enough a window ends on the way; then there are a few more events, of the same sum.
    expect(opens.length).toBeLessThan(10);
    expect(opens.slice(0, 2)).toMatchObject([
      { created: true, repeats: 0 },
      { created: false, repeats: 0 },
    ]);
    expect(Math.max(...opens.map((frame) => Number(frame['repeats'])))).toBeGreaterThan(0);
    expect(opens.reduce((sum, frame) => sum + 1 + Number(frame['repeats']), 0)).toBe(501);
    expect(counters.classes.file?.merged).toBeGreaterThan(490);
    balanced(counters, seen.frames);
  });

  test('they do among thousands of others', async () => {
    const FILES = 8_000;
    const turn = `for i in $(seq ${FILES}); do : > ${directory()}/$i; done`;
    spawnSync('bash', ['-c', turn]);
    await using seen = await new Watched(['--merge-ms', '60000']).ready();
    const { pid } = spawnSync('bash', ['-c', `${turn}; ${turn}`]);
    const counters = await seen.stop();
    balanced(counters, seen.frames);
    const opens = seen.of('open', pid).length;
    expect(opens).toBeGreaterThanOrEqual(FILES);
    expect(opens).toBeLessThan(1.05 * FILES);
  });

  test('who floods is sampled; who does not is heard', async () => {
    await using seen = await new Watched(['--rate', '100', '--burst', '200']).ready();
    const began = performance.now();
    const flood = act(['opens', directory(), '20000', '20000']);
    const seconds = (performance.now() - began) / 1_000;
    const other = act(['opens', directory(), '50', '50']);
    const counters = await seen.stop();
    expect(seen.of('open', flood.pid).length).toBeGreaterThanOrEqual(200);
    // Its bucket, and what that gets anew while it floods.
    expect(seen.of('open', flood.pid).length).toBeLessThan(300 + 100 * seconds);
    expect(seen.of('open', other.pid)).toHaveLength(50);
    expect(counters.classes.file?.sampled).toBeGreaterThan(19_000 - 100 * seconds);
    balanced(counters, seen.frames);
  });

  test('a ring that overflows loses the bulk, keeps the rare, and owns up to every event', async () => {
    const path = join(directory(), 'agent.sock');
    const frames: Frame[] = [];
    const decoder = new FrameDecoder();
    let deaf: Socket | undefined;
    const server = createServer((socket) => {
      deaf = socket.pause();
      socket.on('data', (chunk: Buffer) => frames.push(...decoder.push(chunk)));
      socket.pause();
    }).listen(path);
    const child = spawn(SENSOR, [
      '--socket',
      path,
      '--ring-bytes',
      '2097152',
      '--rate',
      '10000000',
      '--burst',
      '10000000',
    ]);
    await until(() => deaf !== undefined, 20_000, 'the sensor');
    const flood = act(['opens', directory(), '60000', '30000']);
    const rare = act(['opens', directory(), '0', '1']);
    deaf?.resume();
    await sleep(500);
    const gone = once(child, 'close');
    child.kill('SIGTERM');
    expect((await gone)[0]).toBe(0);
    await sleep(200);
    server.close();
    const counters = frames.at(-1);
    if (counters?.kind !== 'counters') throw new Error('the sensor did not end with its counters');
    expect(counters.classes.file?.lost).toBeGreaterThan(10_000);
    balanced(counters, frames);
    expect(frames.some((frame) => frame.kind === 'exec' && frame.pid === rare.pid)).toBe(true);
    expect(frames.some((frame) => frame.kind === 'exec' && frame.pid === flood.pid)).toBe(true);
  });

  test('an agent that goes and comes back misses no frame that it had not begun to receive', async () => {
    const path = join(directory(), 'agent.sock');
    const heard: Frame[][] = [];
    let drop = (): void => {};
    const server = createServer((socket) => {
      const frames: Frame[] = [];
      const decoder = new FrameDecoder();
      heard.push(frames);
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => frames.push(...decoder.push(chunk)));
      drop = () => socket.destroy();
    }).listen(path);
    const child = spawn(SENSOR, ['--socket', path]);
    await until(() => (heard[0]?.length ?? 0) > 1, 20_000, 'the sensor');
    const before = act(['opens', directory(), '1000', '1000']);
    await sleep(300);
    drop();
    const between = act(['opens', directory(), '1000', '1000']);
    await until(() => (heard[1]?.length ?? 0) > 1, 20_000, 'the sensor again');
    const after = act(['opens', directory(), '1000', '1000']);
    const gone = once(child, 'close');
    child.kill('SIGTERM');
    await gone;
    await sleep(200);
    server.close();
    const instances = heard.map((frames) => (frames[0]?.kind === 'hello' ? frames[0].instance : undefined));
    expect(new Set(instances).size).toBe(1);
    expect(heard[1]?.[1]?.kind).toBe('counters');
    const opens = (pid: number): number =>
      heard.flat().filter((frame) => frame.kind === 'open' && frame.pid === pid).length;
    expect([before, between, after].map(({ pid }) => opens(pid))).toEqual([1000, 1000, 1000]);
    const last = heard[1]?.at(-1);
    if (last?.kind !== 'counters') throw new Error('the sensor did not end with its counters');
    balanced(last, heard.flat());
  });

  test('what is excluded is not seen, but for what it starts', async () => {
    const at = directory();
    const shell = spawn('bash', ['-c', `read x; : > ${at}/quiet; /bin/true; :`], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const pid = shell.pid ?? 0;
    await using seen = await new Watched(['--exclude-pid', String(pid)]).ready();
    shell.stdin.end('\n');
    await once(shell, 'close');
    await seen.stop();
    expect(seen.of('open', pid)).toEqual([]);
    expect(seen.of('fork').some((frame) => frame['parentPid'] === pid)).toBe(true);
    expect(seen.of('open', process.pid)).toEqual([]);
  });

  test('only the classes that are asked for, only the paths that are watched', async () => {
    const at = directory();
    copyFileSync('/etc/hostname', join(at, 'secret'));
    await using seen = await new Watched(['--class', 'file', '--watch', `${at}/secret`, '--watch', '*/keys']).ready();
    mkdirSync(join(at, 'keys'));
    copyFileSync('/etc/hostname', join(at, 'keys', 'one'));
    const { pid } = spawnSync('bash', [
      '-c',
      `read x < ${at}/secret; read x < ${at}/keys/one; read x < /etc/shadow; read x < ${actions}`,
    ]);
    const counters = await seen.stop();
    expect(paths(seen.of('open', pid)).filter((path) => path !== '/dev/tty')).toEqual([
      `${at}/secret`,
      `${at}/keys/one`,
    ]);
    expect(counters.classes.process?.seen).toBe(0);
  });
});

describe.skipIf(!isRoot)(`rights${WHY_SKIPPED}`, () => {
  test('as root it keeps no capability', async () => {
    await using seen = await new Watched([]).ready();
    const status = readFileSync(`/proc/${seen.child.pid}/status`, 'utf8');
    expect(status).toMatch(/^CapEff:\s0{16}$/m);
    expect(status).toMatch(/^CapPrm:\s0{16}$/m);
    expect(status).toMatch(/^CapBnd:\s0{16}$/m);
    expect(status).toMatch(/^CapAmb:\s0{16}$/m);
    expect(status).toMatch(/^NoNewPrivs:\s1$/m);
    await seen.stop();
  });

  const as = (capabilities: string): string[] => [
    'setpriv',
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    '--clear-groups',
    `--inh-caps=${capabilities}`,
    `--ambient-caps=${capabilities}`,
    `--bounding-set=${capabilities}`,
    SENSOR,
  ];

  test('two capabilities are enough, without root', async () => {
    await using seen = await new Watched([], as('-all,+bpf,+perfmon')).ready();
    const did = act(['opens', directory(), '3', '3']);
    balanced(await seen.stop(), seen.frames);
    expect(seen.of('open', did.pid)).toHaveLength(3);
  });

  test('with one of them it says what is missing', () => {
    const [program = '', ...args] = as('-all,+bpf');
    const run = spawnSync(program, [...args, '--check'], { encoding: 'utf8' });
    expect(run.stderr).toBe(
      'hushwatch-sensor: needs the capabilities CAP_BPF and CAP_PERFMON\n' +
        'hint: start it as root, or give it both (systemd: AmbientCapabilities=CAP_BPF CAP_PERFMON)\n',
    );
    expect(run.status).toBe(3);
  });

  test('it can be asked what works here', () => {
    const run = spawnSync(SENSOR, ['--check'], { encoding: 'utf8' });
    expect(run.stdout).toMatch(/^program\ton_exec\tsched_process_exec\tloads$/m);
    expect(run.status).toBe(0);
  });

  const WRONG: readonly (readonly string[])[] = [
    [],
    ['--socket'],
    ['--check', '--ring-bytes', '5000'],
    ['--check', '--rate', '0'],
    ['--check', '--watch', 'x'],
    ['--check', '--class', 'files'],
    ['--check', 'x'],
  ];
  for (const options of WRONG) {
    test(`refused: ${options.join(' ')}`, () => {
      expect(spawnSync(SENSOR, options).status).toBe(2);
    });
  }
});
