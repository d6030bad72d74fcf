/**
 * The real sensor and networks: datagrams, names, flows, sockets of every kind; what was changed under a running call is told
 * as it happened. `actions-net.c` does the deeds, each in a network namespace of its own.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CountersFrame, Frame, FrameKind, Socket } from '../../agent/sources/frame.ts';
import { CHECKOUT, isRoot, WHY_SKIPPED } from './stack.ts';
import { ENDED_BY_THE_KERNEL, HAS_32_BIT, wentWrong } from './thirty-two.ts';
import { balanced, buildSensor, Watched, type Seen } from './watched.ts';

const NOBODY = 65_534;
const RACES = 300;

let work = '';
let actions = '';

beforeAll(() => {
  if (!isRoot) return;
  buildSensor();
  work = mkdtempSync(join(tmpdir(), 'hushwatch-net-'));
  chmodSync(work, 0o755);
  actions = join(work, 'actions-net');
  execFileSync('clang', ['-O1', '-pthread', '-o', actions, join(CHECKOUT, 'test/e2e/actions-net.c')]);
});
afterAll(() => {
  if (work !== '') rmSync(work, { recursive: true });
});

const socketOf = (frame: Frame): readonly Socket[] => ('socket' in frame ? [frame.socket] : []);

interface Done {
  readonly pid: number;
  readonly said: ReadonlyMap<string, number>;
}

function act(args: readonly string[], uid = 0): Done {
  const run = spawnSync(actions, args, { uid, gid: uid, encoding: 'utf8', cwd: work });
  if (wentWrong(run, args[0])) throw new Error(`actions-net ${args.join(' ')}: ${String(run.status)} ${run.stderr}`);
  const lines = run.stdout.split('\n').filter(Boolean);
  return { pid: run.pid, said: new Map(lines.map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])])) };
}

for (const reads of [[], ['--old-kernel']]) {
  describe.skipIf(!isRoot)(`networks ${reads.join('')}${WHY_SKIPPED}`, () => {
    let seen: Watched;
    let counters: CountersFrame;
    let did: Done;
    let packed: Done;
    let raced: Done;
    let waited: Done;
    let refused: Done;
    let at = '';
    const said = (name: string): number => did.said.get(name) ?? -1;
    const sockets = (kind: FrameKind, pid = did.pid): unknown[] => seen.of(kind, pid).map((frame) => frame['socket']);

    beforeAll(async () => {
      at = join(work, `d${reads.length}`);
      mkdirSync(at);
      seen = await new Watched(['--merge-ms', '0', ...reads]).ready();
      did = act(['all', at]);
      packed = act(['thirty-two', at]);
      raced = act(['race', String(RACES)]);
      waited = act(['neighbour']);
      refused = act(['refused'], NOBODY);
      counters = await seen.stop();
    });
    afterAll(() => seen[Symbol.asyncDispose]());

    test('everything adds up', () => {
      balanced(counters, seen.frames);
      expect(counters.classes.network?.lost).toBe(0);
      expect(counters.unread).toBe(0);
    });

    test('datagrams: the first to each peer of each socket, however it was sent', () => {
      const udp = { transport: 'udp', type: 'dgram', origin: 'kernel' };
      const four = { ...udp, family: 'ipv4', localAddress: '127.0.0.1' };
      const first = { ...four, peerAddress: '127.0.0.1', peerPort: said('udp') };
      const own = seen
        .of('send', did.pid)
        .flatMap(socketOf)
        .filter((socket) => socket.family !== 'unix');
      expect(own.slice(0, 5)).toMatchObject([
        first,
        { ...four, peerAddress: '127.0.0.2', peerPort: 7002 },
        first,
        { ...udp, family: 'ipv6', peerAddress: '::1', localAddress: '::1', peerPort: 7003 },
        { ...four, peerAddress: '127.0.0.1', peerPort: 7004 },
      ]);
    });

    test('datagrams to Unix sockets: once to each path', () => {
      const unix = { family: 'unix', transport: 'unix', type: 'dgram', origin: 'argument' };
      const paths = seen
        .of('send', did.pid)
        .flatMap(socketOf)
        .filter((socket) => socket.family === 'unix');
      expect(paths).toMatchObject([
        { ...unix, unixPath: 'd.sock' },
        { ...unix, unixPath: '@hushwatch-datagram' },
      ]);
    });

    test('names: questions of the process, answers for it, and what is neither', () => {
      const server = { transport: 'udp', peerPort: 53 };
      expect(seen.of('dns-query', did.pid)).toMatchObject([
        {
          question: { name: 'www.hushwatch.example', type: 'A' },
          socket: { ...server, family: 'ipv4', peerAddress: '127.0.0.1' },
        },
        {
          question: { name: 'six.hushwatch.example', type: 'AAAA' },
          socket: { ...server, family: 'ipv6', peerAddress: '::1' },
        },
        { question: undefined },
        { question: { name: 'printer.hushwatch.local', type: 'PTR' }, socket: { peerPort: 5353 } },
        { question: { name: 'scanner.hushwatch.local', type: 'A' }, socket: { peerPort: 5353 } },
        { question: { name: 'host', type: 'AAAA' }, socket: { peerPort: 5355 } },
      ]);
      const answers = seen.of('dns-answer', did.pid);
      expect(answers).toMatchObject([
        { question: { name: 'www.hushwatch.example' }, code: 'NOERROR', addresses: ['203.0.113.7'] },
        { question: { name: 'six.hushwatch.example' }, code: 'NOERROR', addresses: ['203.0.113.7'] },
      ]);
      const ports = (frames: readonly Seen[]): unknown[] =>
        frames
          .slice(0, 2)
          .flatMap(socketOf)
          .map((socket) => socket.localPort);
      expect(ports(answers)).toEqual(ports(seen.of('dns-query', did.pid)));
    });

    test('unusual sockets are told when they are made, everybody’s are not', () => {
      expect(sockets('socket')).toMatchObject([
        { family: 'ipv4', type: 'raw', protocol: 1 },
        { family: 'packet', type: 'raw', protocol: 3 },
        { family: 'netlink', type: 'raw', protocol: 9 },
        { family: 'vsock', type: 'stream' },
        { family: 'vsock', type: 'stream' },
      ]);
    });

    test('bound for good: datagrams, packets, virtual machines; no stream', () => {
      const dgram = { type: 'dgram', origin: 'kernel' };
      expect(sockets('bind')).toMatchObject([
        { ...dgram, family: 'ipv4', localAddress: '127.0.0.1', localPort: said('udp') },
        { ...dgram, family: 'unix', unixPath: `${at}/d.sock` },
        { ...dgram, family: 'unix', unixPath: '@hushwatch-datagram' },
        { ...dgram, family: 'ipv4', localPort: 53 },
        { ...dgram, family: 'ipv6', localAddress: '::1', localPort: 53 },
        { family: 'packet', type: 'raw' },
        { family: 'vsock', localPort: 70_000, localCid: undefined },
      ]);
      expect(sockets('listen')).toMatchObject([{ family: 'vsock', localPort: 70_000 }, { family: 'ipv4' }]);
    });

    test('another machine by number, where there is one to ask', () => {
      const asked = { family: 'vsock', peerCid: 2, peerPort: 70_001, origin: 'kernel' };
      const isTold = [104, 110, 111].includes(said('host'));
      const told = seen.of('connect', did.pid).filter((frame) => socketOf(frame)[0]?.family === 'vsock');
      expect(told).toMatchObject(isTold ? [{ errno: said('host'), socket: asked }] : []);
    });

    test('connections: bytes and time, of both sides; one that nobody took', () => {
      const client = { family: 'ipv4', transport: 'tcp', peerPort: said('tcp'), localPort: said('client') };
      const server = { family: 'ipv4', transport: 'tcp', peerPort: said('client'), localPort: said('tcp') };
      const flows = seen.of('flow', did.pid);
      const of = (accepted: boolean): Seen | undefined => flows.find((frame) => frame['accepted'] === accepted);
      expect(flows).toHaveLength(2);
      expect(of(false)).toMatchObject({ socket: client, sent: 100_000 });
      expect(of(true)).toMatchObject({ socket: server, sent: 500 });
      // The end itself may be counted as a byte.
      expect([0, 1]).toContain(Number(of(false)?.['received']) - 500);
      expect([0, 1]).toContain(Number(of(true)?.['received']) - 100_000);
      expect(Number(of(false)?.['lastedNs'])).toBeGreaterThan(100_000_000);
      expect(Number(of(false)?.['lastedNs'])).toBeLessThan(20_000_000_000);
      const connects = seen.of('connect', did.pid).filter((frame) => frame['errno'] === 111);
      expect(connects).toMatchObject([{ socket: { peerAddress: '127.0.0.1', peerPort: 9, origin: 'kernel' } }]);
    });

    test('the 32-bit way, packed', () => {
      if (!HAS_32_BIT) {
        expect(seen.of('exit', packed.pid)).toMatchObject(ENDED_BY_THE_KERNEL);
        return;
      }
      expect(sockets('socket', packed.pid)).toMatchObject([{ family: 'ipv4', type: 'raw', protocol: 1 }]);
      expect(sockets('bind', packed.pid)).toMatchObject([
        { type: 'dgram', family: 'ipv4', localPort: 7033, origin: 'kernel' },
        { type: 'dgram', family: 'unix', unixPath: `${at}/d32.sock`, origin: 'kernel' },
      ]);
      expect(sockets('connect', packed.pid)).toContainEqual(
        expect.objectContaining({ peerPort: 7032, localPort: 7033 }),
      );
      expect(sockets('send', packed.pid)).toMatchObject([{ family: 'unix', unixPath: 'd32.sock', origin: 'argument' }]);
    });

    /** What the deeds say happened, by their own port, and what was told. */
    const RACING = { connect: 'connect', send: 'send', refused: 'connect' } as const;
    for (const [name, kind] of Object.entries(RACING)) {
      test(`addresses that change under the call: ${name}`, () => {
        const happened = [...raced.said]
          .filter(([what]) => what.startsWith(`${name}-`))
          .map(([what, port]) => [Number(what.split('-')[1]), port]);
        const told = seen
          .of(kind, raced.pid)
          .filter((frame) => (frame['errno'] === 111) === (name === 'refused'))
          .flatMap(socketOf)
          .filter((socket) => name !== 'connect' || socket.transport === 'udp')
          .map(({ localPort, peerPort, origin }) => ({ localPort, peerPort, origin }));
        expect(happened.length).toBeGreaterThan(RACES / 2);
        expect(new Set(happened.map(([, port]) => port)).size).toBe(2);
        for (const [localPort, peerPort] of happened) {
          expect(told).toContainEqual({ localPort, peerPort, origin: 'kernel' });
        }
      });
    }

    test('addresses that change under the call: bind', () => {
      const happened = [...raced.said].filter(([what]) => what.startsWith('bind-')).map(([, where]) => where);
      const told = seen
        .of('bind', raced.pid)
        .flatMap(socketOf)
        .filter((socket) => /^127\.0\.0\.[23]$/.test(socket.localAddress));
      expect(told.map((s) => Number(s.localAddress.slice(-1)) * 65_536 + s.localPort)).toEqual(happened);
      expect(new Set(happened).size).toBeGreaterThan(1);
      expect(new Set(told.map(({ origin }) => origin))).toEqual(new Set(['kernel']));
    });

    test('who sent what waited for its neighbour', () => {
      expect(sockets('send', waited.pid)).toMatchObject([
        { peerAddress: '192.0.2.2', peerPort: 7200, localAddress: '192.0.2.1', origin: 'kernel' },
      ]);
    });

    test('what was refused is said as it was asked for', () => {
      expect(seen.of('socket', refused.pid)).toMatchObject([
        { errno: 1, socket: { family: 'packet', type: 'raw', protocol: 3 } },
        { errno: 1, socket: { family: 'ipv4', type: 'raw', protocol: 1 } },
      ]);
      expect(seen.of('bind', refused.pid)).toMatchObject([
        { errno: 13, socket: { localAddress: '127.0.0.1', localPort: 80, origin: 'argument' } },
      ]);
      expect(seen.of('send', refused.pid)).toMatchObject([
        { errno: 13, socket: { peerAddress: '255.255.255.255', peerPort: 7300, origin: 'argument' } },
      ]);
    });
  });
}
