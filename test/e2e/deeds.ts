/**
 * What `actions.c` does, and what must then have been said: the same on every kernel, this machine's or another's.
 */
import { expect, test } from 'vitest';
import type { CountersFrame, Frame, FrameKind } from '../../agent/sources/frame.ts';
import { ENDED_BY_THE_KERNEL } from './thirty-two.ts';
import { balanced, framesOf, type Seen } from './watched.ts';

export const NOBODY = 65_534;

export interface Done {
  readonly pid: number;
  /** Numbers that the deeds print by name: pids, ports. */
  readonly said: Readonly<Record<string, number>>;
}

/** Lines of a name and a number. */
export function numbersSaid(text: string): Done['said'] {
  const lines = text.split('\n').filter(Boolean);
  return Object.fromEntries(lines.map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]));
}

/** One run of everything, and what is true where it ran. */
export interface Scene {
  readonly frames: readonly Frame[];
  readonly counters: CountersFrame;
  readonly did: Done;
  readonly refused: Done;
  readonly thirtyTwo: Done;
  readonly has32Bit: boolean;
  readonly at: string;
  readonly at32: string;
  readonly actions: string;
  readonly facts: {
    readonly namespaces: Readonly<Record<'mnt' | 'pid' | 'net' | 'user', number>>;
    readonly cgroup: string;
    /** Inode of /etc/shadow. */
    readonly shadow: number;
  };
}

const paths = (frames: readonly Seen[], key = 'path'): unknown[] => frames.map((frame) => frame[key]);

/** The tests of a scene that exists when they run. */
export function deedsAreSaid(scene: () => Scene): void {
  const said = (name: string): number => scene().did.said[name] ?? -1;
  const of = (kind: FrameKind, pid?: number): Seen[] => framesOf(scene().frames, kind, pid);

  test('hello, counters, and in the end everything adds up', () => {
    expect(
      scene()
        .frames.slice(0, 2)
        .map((frame) => frame.kind),
    ).toEqual(['hello', 'counters']);
    balanced(scene().counters, scene().frames);
    expect(Object.values(scene().counters.classes).every((one) => one.lost === 0)).toBe(true);
  });

  test('opens: written, made, emptied, and read only where watched', () => {
    const opens = of('open', scene().did.pid).map(({ path, origin, write, created, truncated }) => ({
      path,
      origin,
      write,
      created,
      truncated,
    }));
    const kernel = { origin: 'kernel', write: true, created: false, truncated: false };
    expect(opens).toEqual([
      { ...kernel, path: `${scene().at}/made`, created: true },
      { ...kernel, path: `${scene().at}/made`, truncated: true },
      { ...kernel, path: `${scene().at}/sub/beneath`, created: true },
      { ...kernel, path: '/etc/shadow', write: false },
    ]);
    expect(of('open', scene().did.pid)[3]?.['file']).toMatchObject({ inode: scene().facts.shadow, uid: 0 });
  });

  test('names: removed, renamed, linked, made absolute', () => {
    expect(paths(of('delete', scene().did.pid))).toEqual([
      `${scene().at}/renamed`,
      `${scene().at}/sub/symbolic`,
      `${scene().at}/sub`,
      `${scene().at}/above`,
    ]);
    expect(of('rename', scene().did.pid).map((frame) => [frame['path'], frame['target']])).toEqual([
      [`${scene().at}/linked`, `${scene().at}/renamed`],
      [`${scene().at}/sub/beneath`, `${scene().at}/above`],
    ]);
    expect(of('link', scene().did.pid).map((frame) => [frame['path'], frame['target']])).toEqual([
      [`${scene().at}/made`, `${scene().at}/linked`],
    ]);
    expect(of('symlink', scene().did.pid).map((frame) => [frame['path'], frame['target']])).toEqual([
      [`${scene().at}/made`, `${scene().at}/symbolic`],
      [`${scene().at}/made`, `${scene().at}/sub/symbolic`],
    ]);
  });

  test('modes and owners', () => {
    expect(
      of('chmod', scene().did.pid).map((frame) => [frame['path'], frame['origin'], Number(frame['mode']) & 0o7777]),
    ).toEqual([
      [`${scene().at}/made`, 'kernel', 0o640],
      [`${scene().at}/made`, 'name', 0o600],
      [`${scene().at}/sub/beneath`, 'name', 0o700],
    ]);
    expect(of('chown', scene().did.pid).map((frame) => [frame['path'], frame['origin'], frame['owner']])).toEqual([
      [`${scene().at}/made`, 'kernel', 1],
      [`${scene().at}/made`, 'name', 0],
    ]);
  });

  test('sockets: IPv4, IPv6, Unix by path and by abstract name', () => {
    const four = { family: 'ipv4', transport: 'tcp', peerAddress: '127.0.0.1', localAddress: '127.0.0.1' };
    const six = { family: 'ipv6', transport: 'tcp', peerAddress: '::1', localAddress: '::1' };
    const path = { family: 'unix', transport: 'unix', unixPath: `${scene().at}/a.sock` };
    const abstract = { family: 'unix', unixPath: '@hushwatch-abstract' };
    const sockets = (kind: FrameKind): unknown[] => of(kind, scene().did.pid).map((frame) => frame['socket']);
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
    const [heap] = of('exec', said('heap'));
    expect(heap).toMatchObject({
      executable: scene().actions,
      args: ['actions', 'nothing', 'from the heap', ''],
      argsCount: 4,
      argsTruncated: false,
      workingDirectory: scene().at,
      parentPid: scene().did.pid,
      credentials: { realUid: 0, effectiveUid: 0, savedUid: 0 },
    });
    expect(heap?.['namespaces']).toEqual(scene().facts.namespaces);
    expect(heap?.['cgroup']).toBe(scene().facts.cgroup);
    const [many] = of('exec', said('many'));
    expect(many).toMatchObject({ argsCount: 1000, argsTruncated: true });
    expect(many?.['args']).toHaveLength(250);
    expect(of('fork', said('heap'))).toMatchObject([{ parentPid: scene().did.pid }]);
    expect(of('exit', said('killed'))).toMatchObject([{ code: 0, signal: 9 }]);
    expect(of('fork', said('threads'))).toHaveLength(1);
    expect(of('exit', said('threads'))).toMatchObject([{ code: 7, signal: 0 }]);
    expect(of('exec', scene().did.pid)).toMatchObject([{ args: [scene().actions, 'all', scene().at] }]);
    expect(of('exit', scene().did.pid)).toMatchObject([{ code: 0, signal: 0 }]);
    const [fork] = of('fork', said('heap'));
    expect(fork).toMatchObject({
      startNs: heap?.['startNs'],
      parentStartNs: of('exec', scene().did.pid)[0]?.['startNs'],
    });
  });

  test('a program that is only memory', () => {
    expect(of('memfd', scene().did.pid)).toMatchObject([{ name: 'payload' }]);
    expect(of('exec', said('memfd'))).toMatchObject([
      { executable: '/memfd:payload', file: { links: 0 }, args: ['kworker', 'nothing'] },
    ]);
  });

  test('privilege: traced, dropped, BPF', () => {
    expect(of('trace', scene().did.pid)).toMatchObject([
      { request: 16, targetPid: said('traced') },
      { request: 5, targetPid: said('traced') },
    ]);
    expect(of('trace', scene().did.pid)[0]?.['targetStartNs']).toBe(of('fork', said('traced'))[0]?.['startNs']);
    expect(of('credentials', said('dropped'))).toMatchObject([
      { credentials: { effectiveGid: NOBODY, effectiveUid: 0 } },
      { credentials: { realUid: NOBODY, effectiveUid: NOBODY, savedUid: 0 } },
      { credentials: { realUid: NOBODY, effectiveUid: NOBODY, savedUid: 0 } },
    ]);
    expect(of('capabilities', said('capset'))).toMatchObject([{ credentials: { effectiveCapabilities: 0n } }]);
    expect(of('bpf-load', scene().did.pid)).toMatchObject([{ name: 'planted', programType: 1 }]);
  });

  test('what was refused is said, with its error', () => {
    const refused = (kind: FrameKind): Seen[] => of(kind, scene().refused.pid);
    expect(refused('open')).toMatchObject([
      { path: '/etc/shadow', errno: 13, write: false, origin: 'argument', uid: NOBODY },
      { path: '/etc/passwd', errno: 13, write: true, truncated: true },
    ]);
    expect(refused('delete')).toMatchObject([{ path: '/etc/passwd', errno: 13 }]);
    expect(refused('rename')).toMatchObject([{ path: '/etc/passwd', target: '/etc/other', errno: 13 }]);
    expect(refused('chmod')).toMatchObject([{ path: '/etc/passwd', mode: 0o777, errno: 1 }]);
    expect(refused('chown')).toMatchObject([{ path: '/etc/passwd', owner: NOBODY, errno: 1 }]);
    expect(refused('link')).toMatchObject([{ path: '/etc/shadow', target: '/tmp/hushwatch-link', errno: 1 }]);
    expect(refused('symlink')).toMatchObject([{ path: '/etc/shadow', target: '/etc/hushwatch-link', errno: 13 }]);
    expect(refused('credentials').at(-1)).toMatchObject({ errno: 1, credentials: { effectiveUid: NOBODY } });
    expect(refused('exec-refused')).toMatchObject([{ executable: '/etc/passwd', origin: 'name', errno: 13 }]);
    expect(refused('trace')).toMatchObject([{ request: 16, targetPid: 1, errno: 1 }]);
  });

  test('the 32-bit way is no way around', () => {
    if (!scene().has32Bit) {
      expect(of('exit', scene().thirtyTwo.pid)).toMatchObject(ENDED_BY_THE_KERNEL);
      return;
    }
    expect(of('open', scene().thirtyTwo.pid)).toMatchObject([
      { path: `${scene().at32}/thirty-two`, created: true, origin: 'kernel' },
    ]);
    expect(of('delete', scene().thirtyTwo.pid)).toMatchObject([{ path: `${scene().at32}/thirty-two` }]);
    expect(of('listen', scene().thirtyTwo.pid)).toMatchObject([{ socket: { transport: 'tcp' } }]);
    expect(scene().counters.unread).toBe(0);
  });
}
