/**
 * The real sensor on the real kernel: what is done is what is said, and every event that was seen is accounted for.
 * `actions.c` does the deeds. Needs root, BTF and clang.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CountersFrame, Frame, FrameKind } from '../../agent/sources/frame.ts';
import { FrameDecoder } from '../../agent/sources/frames.ts';
import { CHECKOUT, isRoot, until, WHY_SKIPPED } from './stack.ts';
import { balanced, buildSensor, SENSOR, Watched, type Seen } from './watched.ts';

const NOBODY = 65_534;

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

interface Done {
  readonly pid: number;
  /** Numbers that the deeds print by name: pids, ports. */
  readonly said: Readonly<Record<string, number>>;
}

function act(args: readonly string[], uid = 0, environment: NodeJS.ProcessEnv = {}): Done {
  const run = spawnSync(actions, args, { uid, gid: uid, encoding: 'utf8', cwd: work, env: environment });
  if (run.status !== 0) throw new Error(`actions ${args.join(' ')}: ${String(run.status)} ${run.stderr}`);
  const said = run.stdout
    .split('\n')
    .filter(Boolean)
    .map((line): [string, number] => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]);
  return { pid: run.pid, said: Object.fromEntries(said) };
}

const paths = (frames: readonly Seen[], key = 'path'): unknown[] => frames.map((frame) => frame[key]);

for (const reads of [[], ['--old-kernel']]) {
  describe.skipIf(!isRoot)(`what is done is what is said ${reads.join('')}${WHY_SKIPPED}`, () => {
    let seen: Watched;
    let counters: CountersFrame;
    let did: Done;
    let refused: Done;
    let thirtyTwo: Done;
    let at = '';
    let at32 = '';
    const said = (name: string): number => did.said[name] ?? -1;

    beforeAll(async () => {
      at = directory();
      at32 = directory();
      seen = await new Watched(['--merge-ms', '0', ...reads]).ready();
      did = act(['all', at]);
      refused = act(['denied'], NOBODY, { SOCKET: '/run/hushwatch-test-nowhere' });
      thirtyTwo = act(['compat', at32]);
      counters = await seen.stop();
    });
    afterAll(() => seen[Symbol.asyncDispose]());

    test('hello, counters, and in the end everything adds up', () => {
      expect(seen.frames.slice(0, 2).map((frame) => frame.kind)).toEqual(['hello', 'counters']);
      balanced(counters, seen.frames);
      expect(Object.values(counters.classes).every((one) => one.lost === 0)).toBe(true);
    });

    test('opens: written, made, emptied, and read only where watched', () => {
      const opens = seen
        .of('open', did.pid)
        .map(({ path, origin, write, created, truncated }) => ({ path, origin, write, created, truncated }));
      const kernel = { origin: 'kernel', write: true, created: false, truncated: false };
      expect(opens).toEqual([
        { ...kernel, path: `${at}/made`, created: true },
        { ...kernel, path: `${at}/made`, truncated: true },
        { ...kernel, path: `${at}/sub/beneath`, created: true },
        { ...kernel, path: '/etc/shadow', write: false },
      ]);
      const inode = Number(execFileSync('stat', ['-c', '%i', '/etc/shadow'], { encoding: 'utf8' }));
      expect(seen.of('open', did.pid)[3]?.['file']).toMatchObject({ inode, uid: 0 });
    });

    test('names: removed, renamed, linked, made absolute', () => {
      expect(paths(seen.of('delete', did.pid))).toEqual([
        `${at}/renamed`,
        `${at}/sub/symbolic`,
        `${at}/sub`,
        `${at}/above`,
      ]);
      expect(seen.of('rename', did.pid).map((frame) => [frame['path'], frame['target']])).toEqual([
        [`${at}/linked`, `${at}/renamed`],
        [`${at}/sub/beneath`, `${at}/above`],
      ]);
      expect(seen.of('link', did.pid).map((frame) => [frame['path'], frame['target']])).toEqual([
        [`${at}/made`, `${at}/linked`],
      ]);
      expect(seen.of('symlink', did.pid).map((frame) => [frame['path'], frame['target']])).toEqual([
        [`${at}/made`, `${at}/symbolic`],
        [`${at}/made`, `${at}/sub/symbolic`],
      ]);
    });

    test('modes and owners', () => {
      expect(
        seen.of('chmod', did.pid).map((frame) => [frame['path'], frame['origin'], Number(frame['mode']) & 0o7777]),
      ).toEqual([
        [`${at}/made`, 'kernel', 0o640],
        [`${at}/made`, 'argument', 0o600],
        [`${at}/sub/beneath`, 'argument', 0o700],
      ]);
      expect(seen.of('chown', did.pid).map((frame) => [frame['path'], frame['origin'], frame['owner']])).toEqual([
        [`${at}/made`, 'kernel', 1],
        [`${at}/made`, 'argument', 0],
      ]);
    });

    test('sockets: IPv4, IPv6, Unix by path and by abstract name', () => {
      const four = { family: 'ipv4', transport: 'tcp', peerAddress: '127.0.0.1', localAddress: '127.0.0.1' };
      const six = { family: 'ipv6', transport: 'tcp', peerAddress: '::1', localAddress: '::1' };
      const path = { family: 'unix', transport: 'unix', unixPath: `${at}/a.sock` };
      const abstract = { family: 'unix', unixPath: '@hushwatch-abstract' };
      const sockets = (kind: FrameKind): unknown[] => seen.of(kind, did.pid).map((frame) => frame['socket']);
      expect(sockets('listen')).toMatchObject([
        { ...four, peerAddress: '', localPort: said('tcp4'), peerPort: 0 },
        { ...six, peerAddress: '', localPort: said('tcp6') },
        path,
        abstract,
      ]);
      expect(sockets('connect')).toMatchObject([
        { ...four, peerPort: said('tcp4') },
        { ...six, peerPort: said('tcp6') },
        { ...four, transport: 'udp', peerPort: 53 },
        path,
        abstract,
      ]);
      expect(sockets('accept')).toMatchObject([
        { ...four, localPort: said('tcp4') },
        { ...six, localPort: said('tcp6') },
        path,
      ]);
    });

    test('processes: arguments from the heap, too many, killed, threads', () => {
      const [heap] = seen.of('exec', said('heap'));
      expect(heap).toMatchObject({
        executable: actions,
        args: ['actions', 'nothing', 'from the heap', ''],
        argsCount: 4,
        argsTruncated: false,
        workingDirectory: at,
        parentPid: did.pid,
        credentials: { realUid: 0, effectiveUid: 0, savedUid: 0 },
      });
      const namespace = (name: string): number =>
        Number(/\d+/.exec(execFileSync('readlink', [`/proc/self/ns/${name}`], { encoding: 'utf8' }))?.[0]);
      expect(heap?.['namespaces']).toEqual({
        mnt: namespace('mnt'),
        pid: namespace('pid'),
        net: namespace('net'),
        user: namespace('user'),
      });
      expect(heap?.['cgroup']).toBe(/^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1]);
      const [many] = seen.of('exec', said('many'));
      expect(many).toMatchObject({ argsCount: 1000, argsTruncated: true });
      expect(many?.['args']).toHaveLength(250);
      expect(seen.of('fork', said('heap'))).toMatchObject([{ parentPid: did.pid }]);
      expect(seen.of('exit', said('killed'))).toMatchObject([{ code: 0, signal: 9 }]);
      expect(seen.of('fork', said('threads'))).toHaveLength(1);
      expect(seen.of('exit', said('threads'))).toMatchObject([{ code: 7, signal: 0 }]);
      expect(seen.of('exec', did.pid)).toMatchObject([{ args: [actions, 'all', at] }]);
      expect(seen.of('exit', did.pid)).toMatchObject([{ code: 0, signal: 0 }]);
      const [fork] = seen.of('fork', said('heap'));
      expect(fork).toMatchObject({
        startNs: heap?.['startNs'],
        parentStartNs: seen.of('exec', did.pid)[0]?.['startNs'],
      });
    });

    test('a program that is only memory', () => {
      expect(seen.of('memfd', did.pid)).toMatchObject([{ name: 'payload' }]);
      expect(seen.of('exec', said('memfd'))).toMatchObject([
        { executable: '/memfd:payload', file: { links: 0 }, args: ['kworker', 'nothing'] },
      ]);
    });

    test('privilege: traced, dropped, BPF', () => {
      expect(seen.of('trace', did.pid)).toMatchObject([
        { request: 16, targetPid: said('traced') },
        { request: 5, targetPid: said('traced') },
      ]);
      expect(seen.of('trace', did.pid)[0]?.['targetStartNs']).toBe(seen.of('fork', said('traced'))[0]?.['startNs']);
      expect(seen.of('credentials', said('dropped'))).toMatchObject([
        { credentials: { effectiveGid: NOBODY, effectiveUid: 0 } },
        { credentials: { realUid: NOBODY, effectiveUid: NOBODY, savedUid: 0 } },
        { credentials: { realUid: NOBODY, effectiveUid: NOBODY, savedUid: 0 } },
      ]);
      expect(seen.of('capabilities', said('capset'))).toMatchObject([{ credentials: { effectiveCapabilities: 0n } }]);
      expect(seen.of('bpf-load', did.pid)).toMatchObject([{ name: 'planted', programType: 1 }]);
    });

    test('what was refused is said, with its error', () => {
      const of = (kind: FrameKind): Seen[] => seen.of(kind, refused.pid);
      expect(of('open')).toMatchObject([
        { path: '/etc/shadow', errno: 13, write: false, origin: 'argument', uid: NOBODY },
        { path: '/etc/passwd', errno: 13, write: true, truncated: true },
      ]);
      expect(of('delete')).toMatchObject([{ path: '/etc/passwd', errno: 13 }]);
      expect(of('rename')).toMatchObject([{ path: '/etc/passwd', target: '/etc/other', errno: 13 }]);
      expect(of('chmod')).toMatchObject([{ path: '/etc/passwd', mode: 0o777, errno: 1 }]);
      expect(of('chown')).toMatchObject([{ path: '/etc/passwd', owner: NOBODY, errno: 1 }]);
      expect(of('link')).toMatchObject([{ path: '/etc/shadow', target: '/tmp/hushwatch-link', errno: 1 }]);
      expect(of('symlink')).toMatchObject([{ path: '/etc/shadow', target: '/etc/hushwatch-link', errno: 13 }]);
      expect(of('credentials').at(-1)).toMatchObject({ errno: 1, credentials: { effectiveUid: NOBODY } });
      expect(of('exec-refused')).toMatchObject([{ executable: '/etc/passwd', errno: 13 }]);
      expect(of('trace')).toMatchObject([{ request: 16, targetPid: 1, errno: 1 }]);
    });

    test('the 32-bit way is no way around', () => {
      expect(seen.of('open', thirtyTwo.pid)).toMatchObject([
        { path: `${at32}/thirty-two`, created: true, origin: 'kernel' },
      ]);
      expect(seen.of('delete', thirtyTwo.pid)).toMatchObject([{ path: `${at32}/thirty-two` }]);
      expect(counters.unread).toBe(1);
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
    expect(Number(opens.at(-1)?.['repeats'])).toBeGreaterThan(0);
    expect(opens.reduce((sum, frame) => sum + 1 + Number(frame['repeats']), 0)).toBe(501);
    expect(counters.classes.file?.merged).toBeGreaterThan(490);
    balanced(counters, seen.frames);
  });

  test('who floods is sampled; who does not is heard', async () => {
    await using seen = await new Watched(['--rate', '100', '--burst', '200']).ready();
    const flood = act(['opens', directory(), '20000', '20000']);
    const other = act(['opens', directory(), '50', '50']);
    const counters = await seen.stop();
    expect(seen.of('open', flood.pid).length).toBeGreaterThanOrEqual(200);
    expect(seen.of('open', flood.pid).length).toBeLessThan(2_000);
    expect(seen.of('open', other.pid)).toHaveLength(50);
    expect(counters.classes.file?.sampled).toBeGreaterThan(18_000);
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
      'hushwatch-sensor: needs the capabilities CAP_BPF and CAP_PERFMON; start it as root or give it both\n',
    );
    expect(run.status).toBe(3);
  });

  test('it can be asked what works here', () => {
    const run = spawnSync(SENSOR, ['--check'], { encoding: 'utf8' });
    expect(run.stdout).toMatch(/^on_exec +loads$/m);
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
