/**
 * What `actions-privilege.c` does, and what must then have been said: the same on every kernel, this machine's or another's.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CountersFrame, Frame, FrameKind } from '../../agent/sources/frame.ts';
import { NOBODY } from './deeds.ts';
import { ENDED_BY_THE_KERNEL } from './thirty-two.ts';
import { balanced, framesOf, type Seen } from './watched.ts';

export const PRIVILEGE_DEEDS = [
  'access',
  'access-inside',
  'signals',
  'memory-anonymous',
  'memory-protected',
  'memory-stack',
  'memory-heap',
  'memory-file',
  'memory-behind',
  'memory-shared',
  'memory-implied',
  'memory-compat',
  'memory-compat-struct',
  'memory-ordinary',
  'images',
  'namespaces',
  'keys',
  'bpf',
  'kernel-refused',
  'kernel',
  'performance',
  'rings',
  'script',
  'families',
  'race',
] as const;
/** Those of a user who may not. */
export const REFUSED_DEEDS = ['access-refused', 'signals-refused', 'namespaces-refused'] as const;
export type Deed = (typeof PRIVILEGE_DEEDS)[number] | (typeof REFUSED_DEEDS)[number];

/** One deed, done by a process of its own in a directory of its own. */
export interface DeedDone {
  readonly pid: number;
  readonly at: string;
  readonly output: string;
  /** Pids that the deed prints by name. */
  readonly said: Readonly<Record<string, number>>;
}

export interface PrivilegeScene {
  readonly frames: readonly Frame[];
  readonly counters: CountersFrame;
  readonly did: (deed: Deed) => DeedDone;
  readonly actions: string;
  readonly hasKexec: boolean;
  readonly has32Bit: boolean;
}

/** The tests of a scene that exists when they run. */
export function privilegeIsSaid(scene: () => PrivilegeScene): void {
  const did = (deed: Deed): DeedDone => scene().did(deed);
  const of = (kind: FrameKind, pid?: number): Seen[] => framesOf(scene().frames, kind, pid);
  const told = (kind: FrameKind, deed: Deed): Seen[] => of(kind, did(deed).pid);
  const startOf = (pid: number | undefined): unknown => of('fork', pid)[0]?.['startNs'];

  test('everything adds up, nothing is lost', () => {
    balanced(scene().counters, scene().frames);
    expect(Object.values(scene().counters.classes).every((one) => one.lost === 0)).toBe(true);
  });

  test('memory and descriptors of other processes, pidfds of other users’', () => {
    const { said } = did('access');
    const own = { targetPid: said['own'], targetStartNs: startOf(said['own']), targetUid: 0 };
    const other = { targetPid: said['other'], targetStartNs: startOf(said['other']), targetUid: NOBODY };
    expect(told('access', 'access')).toMatchObject([
      { access: 'read', ...own },
      { access: 'write', ...other },
      { access: 'descriptor', ...own },
      { access: 'handle', ...other },
    ]);
    expect(told('access', 'access-refused')).toMatchObject([
      { access: 'handle', targetPid: 1, errno: 0, targetUid: 0 },
      { access: 'read', targetPid: 1, errno: 1, uid: NOBODY },
      { access: 'descriptor', targetPid: 1, errno: 1 },
    ]);
  });

  test('a number is what the caller’s pid namespace means by it', () => {
    const inside = did('access-inside').said['inside'];
    const children = of('fork').filter((frame) => frame['parentPid'] === inside);
    const [first, last] = [children[0], children.at(-1)];
    expect(children).toHaveLength(202);
    expect(of('access', inside)).toMatchObject([
      { access: 'read', targetPid: first?.['pid'], targetStartNs: first?.['startNs'] },
      { access: 'read', targetPid: last?.['pid'], targetStartNs: last?.['startNs'] },
    ]);
  });

  test('signals to other users’ processes, and those that were refused', () => {
    const { said } = did('signals');
    const target = { targetPid: said['other'], targetStartNs: startOf(said['other']), targetUid: NOBODY };
    const signals = told('signal', 'signals');
    expect(signals).toMatchObject([10, 10, 10, 10, 9].map((signal) => ({ signal, ...target, errno: 0 })));
    expect(signals).toHaveLength(5);
    expect(told('signal', 'signals-refused')).toMatchObject([{ signal: 15, targetPid: 1, targetUid: 0, errno: 1 }]);
  });

  test('memory made executable, however it is asked for', () => {
    const memory = (deed: Deed): unknown[] =>
      told('memory', deed).map((frame) => [frame['memory'], frame['writable'], frame['path'], frame['bytes']]);
    expect(memory('memory-anonymous')).toEqual([
      ['anonymous', true, '', 4096],
      ['anonymous', false, '', 4096],
    ]);
    expect(memory('memory-protected')).toEqual([['anonymous', false, '', 4096]]);
    expect(memory('memory-stack')).toEqual([['stack', true, '', 4096]]);
    expect(memory('memory-heap')).toEqual([['heap', false, '', 4096]]);
    const { at } = did('memory-file');
    expect(memory('memory-file')).toEqual([
      ['file', false, join(at, 'patched'), 4096],
      ['file', true, join(at, 'loose'), 4096],
    ]);
    expect(memory('memory-behind')).toEqual([['anonymous', false, '', 8192]]);
    expect(memory('memory-shared')).toMatchObject([['file', true, expect.stringMatching(/^\/SYSV/), 4096]]);
    expect(memory('memory-implied')).toEqual([['anonymous', false, '', 4096]]);
    expect(memory('memory-ordinary')).toEqual([]);
    expect(told('image', 'memory-ordinary')).toEqual([]);
  });

  test.for(['memory-compat', 'memory-compat-struct'] as const)('as a 32-bit program asks for it: %s', (deed) => {
    if (scene().has32Bit)
      expect(told('memory', deed)).toMatchObject([{ memory: 'anonymous', writable: false, path: '', bytes: 4096 }]);
    else expect(told('exit', deed)).toMatchObject(ENDED_BY_THE_KERNEL);
  });

  test('files mapped to be run from where libraries do not lie', () => {
    const { at } = did('images');
    const images = told('image', 'images');
    expect(images.map((frame) => frame['path'])).toEqual([
      join(at, 'hook.so'),
      join(at, 'hook.so'),
      join(at, 'later.so'),
      join(at, 'deleted'),
      '/memfd:payload',
    ]);
    expect(images.map((frame) => frame['file'])).toMatchObject([1, 1, 1, 0, 0].map((links) => ({ links, uid: 0 })));
    expect(told('memory', 'images')).toEqual([]);
  });

  test('namespaces: unshared, joined, born into, refused', () => {
    const { said } = did('namespaces');
    expect(told('namespace', 'namespaces')).toMatchObject([
      { cause: 'unshare', types: 0x4020000, errno: 0 },
      { cause: 'setns', types: 0x4000000 },
    ]);
    const [unshared] = told('namespace', 'namespaces');
    const before = told('exec', 'namespaces')[0]?.['namespaces'];
    expect(unshared?.['namespaces']).not.toEqual(before);
    expect(before).toMatchObject({ net: Reflect.get(Object(unshared?.['namespaces']), 'net') });
    expect(of('namespace', said['born'])).toMatchObject([{ cause: 'clone', types: 0x60000000 }]);
    expect(of('namespace', said['user'])).toMatchObject([{ cause: 'clone', types: 0x10000000 }]);
    expect(told('namespace', 'namespaces-refused')).toMatchObject([
      { cause: 'unshare', types: 0x20000, errno: 1 },
      { cause: 'setns', types: 0x4000000, errno: 1 },
    ]);
  });

  test('keys: what was asked, of which type, and nothing else', () => {
    expect(told('key', 'keys').map((frame) => [frame['call'], frame['keyType']])).toEqual([
      [1, ''],
      [1000, 'user'],
      [1001, 'user'],
      [11, ''],
      [3, ''],
    ]);
    expect(JSON.stringify(told('key', 'keys'))).not.toMatch(/description|payload/);
  });

  test('BPF: maps, pins, links, by what the kernel holds', () => {
    const { at } = did('bpf');
    const pinned = join(at, 'fs/pinned');
    expect(
      told('bpf-object', 'bpf').map((frame) => [frame['command'], frame['name'], frame['objectType'], frame['path']]),
    ).toEqual([
      [0, 'planted_map', 2, ''],
      [6, '', 0, pinned],
      [7, '', 0, pinned],
      [17, 'planted_probe', 1, ''],
      [14, 'planted_map', 2, ''],
    ]);
    expect(told('bpf-load', 'bpf')).toMatchObject([{ name: 'planted_probe', programType: 17 }]);
  });

  test('another kernel and modules, refused', () => {
    expect(told('kexec', 'kernel-refused')).toMatchObject([
      { fromFile: false, path: '', errno: 1 },
      { fromFile: true, path: join(did('kernel-refused').at, 'vmlinuz'), errno: 1 },
    ]);
    expect(told('module-unload', 'kernel-refused')).toMatchObject([{ name: 'hushwatch_none', errno: 1 }]);
  });

  // A kernel that is built without them answers ENOSYS: nothing happened. One that has them takes an empty kexec away.
  test('another kernel and modules, on a kernel that has neither', () => {
    expect(told('kexec', 'kernel')).toMatchObject(scene().hasKexec ? [{ fromFile: false, errno: 0 }] : []);
    expect(told('module-unload', 'kernel')).toEqual([]);
  });

  test('performance events: whose, where', () => {
    const target = did('performance').said['watched'];
    expect(told('perf', 'performance')).toMatchObject([
      { eventType: 1, cpu: undefined, targetPid: target, targetStartNs: startOf(target), targetUid: 0 },
      { eventType: 1, cpu: 0, targetPid: 0 },
    ]);
  });

  test('rings are no way around', () => {
    const { at, said } = did('rings');
    const rings = told('io-uring', 'rings');
    expect(rings.slice(0, 2).map((frame) => [frame['operation'], frame['flags']])).toEqual([
      [undefined, 0],
      [undefined, 2],
    ]);
    expect(rings.slice(2).map((frame) => [frame['operation'], frame['path']])).toEqual([
      [18, join(at, 'made')],
      [35, join(at, 'made')],
      [37, join(at, 'below')],
      [38, join(at, 'below/link')],
      [36, join(at, 'moved')],
      [18, join(at, 'below/inner')],
      [16, ''],
      [18, '/etc/hostname'],
      [39, join(at, 'below')],
      [39, ''],
      [16, ''],
      [13, ''],
      [16, ''],
    ]);
    expect(rings.map((frame) => frame['target']).filter(Boolean)).toEqual([join(at, 'moved'), join(at, 'below/hard')]);
    // A hard link to a directory: nobody may.
    expect(rings.map((frame) => frame['errno']).filter(Boolean)).toEqual([1]);
    const here = { family: 'ipv4', transport: 'tcp', peerAddress: '127.0.0.1', origin: 'kernel' };
    expect(told('connect', 'rings')).toMatchObject([
      { errno: 0, socket: { ...here, peerPort: said['open'] } },
      { errno: 111, socket: { ...here, peerPort: said['closed'] } },
    ]);
    expect(told('accept', 'rings')).toMatchObject([{ errno: 0, socket: { ...here, localPort: said['open'] } }]);
  });

  test('a script is named beside its interpreter', () => {
    const { said, at } = did('script');
    expect(of('exec', said['script'])).toMatchObject([
      {
        script: './run',
        executable: scene().actions,
        workingDirectory: at,
        args: ['/proc/self/exe', 'nothing', './run', 'x'],
      },
    ]);
    expect(told('exec', 'script')).toMatchObject([{ script: '' }]);
  });

  test('programs started by a thread, by vfork, by a child whose parent is gone', () => {
    const { pid, said } = did('families');
    const exec = (by: number | undefined): Seen | undefined => of('exec', by)[0];
    const startNs = startOf(said['thread']);
    expect(exec(said['thread'])).toMatchObject({ args: ['by-thread', 'nothing', '.'], startNs, parentPid: pid });
    expect(of('exit', said['thread'])).toMatchObject([{ startNs, code: 0, signal: 0 }]);
    expect(exec(said['vfork'])).toMatchObject({ args: ['by-vfork', 'nothing', '.'], parentPid: pid });
    const last = of('fork').find((frame) => frame['parentPid'] === said['middle']);
    const [orphan] = of('exec', Number(last?.['pid']));
    expect(orphan).toMatchObject({ args: ['by-two-forks', 'nothing', '.'], startNs: last?.['startNs'] });
    expect(orphan?.['parentPid']).not.toBe(said['middle']);
  });

  test('path and arguments are those that the program got, whatever threads do to them meanwhile', () => {
    const told = did('race')
      .output.split('\n')
      .filter(Boolean)
      .map((line) => line.split(' '));
    expect(told.length).toBe(100);
    expect(new Set(told.map(([, , path]) => path)).size).toBe(2);
    for (const [pid, argument, path] of told) {
      expect(of('exec', Number(pid))).toMatchObject([{ executable: path, args: ['raced', 'tell', argument] }]);
    }
  });
}
