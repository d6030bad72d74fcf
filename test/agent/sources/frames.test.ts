/** The decoder of frames: golden bytes of the C side, every flipped bit, every cut, and whatever else may arrive. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FRAME_MAX, FRAME_VERSION, FrameDecoder } from '../../../agent/sources/frames.ts';
import { FrameError } from '../../../agent/sources/frames/reader.ts';
import type { Frame } from '../../../agent/sources/frame.ts';

const golden = readFileSync(new URL('frames.bin', import.meta.url));
const decode = (bytes: Uint8Array): readonly Frame[] => new FrameDecoder().push(bytes);

/** golden.c numbers its parts; the actor and the head of one frame follow from where its numbers begin. */
const actor = (n: number, at = n - 10): object => ({
  atNs: 1_000_000_000_001 + at,
  pid: n + 2,
  tid: n + 3,
  startNs: 900_000_000_001 + n,
  uid: n + 4,
  gid: n + 5,
  errno: 13,
  repeats: n + 6,
});
const object = (n: number): object => ({
  inode: 5_000_000_001 + n,
  major: 254,
  minor: 3,
  mode: 0o104755,
  uid: n + 2,
  gid: n + 3,
  links: n + 4,
});
const credentials = (n: number): object => ({
  realUid: n + 1,
  effectiveUid: n + 2,
  savedUid: n + 3,
  effectiveGid: n + 4,
  effectiveCapabilities: 0x1ffffffffffn,
  loginUid: n + 5,
  auditSession: 4_294_967_295,
});
const counters = (seen: number): object => ({ seen, emitted: seen - 6, merged: 3, sampled: 2, lost: 1 });

const STREAM = {
  type: 'stream',
  protocol: 0,
  origin: 'kernel',
  peerAddress: '',
  localAddress: '',
  peerPort: 443,
  localPort: 48_122,
  peerCid: undefined,
  localCid: undefined,
  unixPath: '',
};
const NAME_SERVER = {
  ...STREAM,
  family: 'ipv4',
  transport: 'udp',
  type: 'dgram',
  protocol: 17,
  peerAddress: '192.0.2.53',
  localAddress: '192.0.2.10',
  peerPort: 53,
};
const QUESTION = { name: 'www.example.org', type: 'A' };

/** golden.c, sockets(). */
const SOCKETS: readonly object[] = [
  {
    kind: 'bind',
    socket: { ...STREAM, family: 'vsock', transport: 'other', peerPort: 1024, localPort: 70_000, peerCid: 2 },
    ...actor(20_020),
  },
  { kind: 'send', socket: NAME_SERVER, ...actor(20_040) },
  {
    kind: 'send',
    socket: {
      ...STREAM,
      family: 'unix',
      transport: 'unix',
      type: 'seqpacket',
      origin: 'argument',
      unixPath: '@hidden',
    },
    ...actor(20_060),
  },
  {
    kind: 'flow',
    socket: {
      ...STREAM,
      family: 'ipv4',
      transport: 'tcp',
      protocol: 6,
      peerAddress: '203.0.113.7',
      localAddress: '192.0.2.10',
    },
    accepted: true,
    sent: 1280,
    received: 5_000_000_000,
    lastedNs: 1_250_000_000,
    ...actor(20_080),
  },
  {
    kind: 'socket',
    socket: { ...STREAM, family: 'packet', transport: 'other', type: 'raw', protocol: 3 },
    ...actor(20_100),
  },
  { kind: 'dns-query', question: QUESTION, socket: NAME_SERVER, ...actor(20_120) },
  {
    kind: 'dns-answer',
    question: QUESTION,
    code: 'NOERROR',
    addresses: ['203.0.113.7', '2001:db8::1'],
    socket: NAME_SERVER,
    ...actor(20_140),
  },
  {
    kind: 'dns-answer',
    question: undefined,
    code: undefined,
    addresses: [],
    socket: NAME_SERVER,
    ...actor(20_160),
  },
];

const OBSERVED: readonly object[] = [
  { kind: 'hello', atNs: 1_000_000_000_011, instance: 0x0123456789abcdefn, sensorVersion: '0.1.0' },
  {
    kind: 'counters',
    atNs: 1_000_000_000_021,
    classes: {
      file: counters(10),
      network: counters(1010),
      process: counters(2010),
      kernel: counters(3010),
      privilege: counters(4010),
    },
    unread: 7,
    isLast: false,
  },
  { kind: 'fork', parentPid: 71, parentStartNs: 800_000_000_001, ...actor(40) },
  {
    kind: 'exec',
    parentPid: 72,
    parentStartNs: 800_000_000_002,
    executable: '/usr/bin/café',
    file: object(80),
    args: ['café', '-p', ''],
    argsCount: 3,
    argsTruncated: true,
    workingDirectory: '/home/\u{fffd}x',
    cgroup: '/system.slice/cron.service',
    namespaces: { mnt: 41, pid: 42, net: 43, user: 44 },
    credentials: credentials(70),
    script: './run.sh',
    domain: 412,
    ...actor(60),
  },
  { kind: 'exec-refused', executable: '/srv/run', origin: 'name', ...actor(240) },
  { kind: 'exit', code: 3, signal: 9, ...actor(100) },
  { kind: 'credentials', credentials: credentials(130), ...actor(120) },
  { kind: 'capabilities', credentials: credentials(160), ...actor(150) },
  { kind: 'trace', request: 16, targetPid: 73, targetStartNs: 800_000_000_003, ...actor(180) },
  {
    kind: 'open',
    path: '/etc/ssh/sshd_config',
    origin: 'kernel',
    write: true,
    created: true,
    truncated: true,
    file: object(270),
    ...actor(260),
  },
  {
    kind: 'open',
    path: '/etc/shadow',
    origin: 'argument',
    write: false,
    created: false,
    truncated: false,
    file: undefined,
    ...actor(290),
  },
  { kind: 'delete', path: '/tmp/a', origin: 'name', ...actor(310) },
  { kind: 'rename', path: '/tmp/a', target: '/srv/c', origin: 'argument', ...actor(330) },
  { kind: 'link', path: '/tmp/a', target: '/b', origin: 'argument', ...actor(350) },
  { kind: 'symlink', path: '/etc/text', target: '/etc/cron.d/x', origin: 'name', ...actor(370) },
  {
    kind: 'chmod',
    path: '/tmp/x',
    origin: 'argument',
    mode: 0o640,
    owner: undefined,
    file: undefined,
    ...actor(390),
  },
  {
    kind: 'chown',
    path: '/tmp/x',
    origin: 'kernel',
    mode: 0o104755,
    owner: 422,
    file: object(420),
    ...actor(410),
  },
  { kind: 'memfd', name: 'payload', ...actor(440) },
  {
    kind: 'connect',
    socket: {
      ...STREAM,
      family: 'ipv4',
      transport: 'tcp',
      protocol: 6,
      peerAddress: '203.0.113.7',
      localAddress: '192.0.2.10',
    },
    ...actor(470),
  },
  {
    kind: 'accept',
    socket: {
      ...STREAM,
      family: 'ipv6',
      transport: 'tcp',
      protocol: 6,
      peerAddress: '2001:db8::1:0:0:1',
      localAddress: '::ffff:c000:20a',
    },
    ...actor(490),
  },
  {
    kind: 'listen',
    socket: {
      ...STREAM,
      family: 'unix',
      transport: 'unix',
      type: 'seqpacket',
      unixPath: '/run/dbus/system_bus_socket',
    },
    ...actor(510),
  },
  { kind: 'module-load', name: 'veth', ...actor(200) },
  { kind: 'bpf-load', name: 'on_exit', programType: 26, ...actor(220) },
];

/** Of files: numbered from 10,000. */
const FILES: readonly object[] = [
  {
    kind: 'modify',
    path: '/etc/ssh/sshd_config',
    origin: 'kernel',
    bytes: 6_000_000_000,
    file: object(10_030),
    ...actor(10_020),
  },
  { kind: 'modify', path: '', origin: 'kernel', bytes: 1, file: object(10_060), ...actor(10_050) },
  { kind: 'truncate', path: '/tmp/x', origin: 'kernel', file: object(10_090), ...actor(10_080) },
  {
    kind: 'xattr',
    path: '/usr/bin/ping',
    origin: 'argument',
    name: 'security.capability',
    removed: false,
    file: undefined,
    ...actor(10_110),
  },
  { kind: 'create', path: '/dev/sda', origin: 'name', mode: 0o640, ...actor(10_130) },
  {
    kind: 'mount',
    source: 'tmpfs',
    target: '/mnt',
    origin: 'kernel',
    type: 'tmpfs',
    options: 3,
    ...actor(10_150),
  },
  { kind: 'unmount', source: '', target: '/mnt', origin: 'name', type: '', options: 0, ...actor(10_170) },
  {
    kind: 'pivot-root',
    source: '/new',
    target: '/new/old',
    origin: 'argument',
    type: '',
    options: 0,
    ...actor(10_190),
  },
];

const target = { targetPid: 74, targetStartNs: 800_000_000_004 };

const EXPECTED_PRIVILEGE: readonly object[] = [
  { kind: 'access', access: 'write', ...target, targetUid: 1000, ...actor(30_020) },
  { kind: 'signal', signal: 9, ...target, targetUid: undefined, ...actor(30_040) },
  { kind: 'memory', memory: 'stack', path: '', file: undefined, bytes: 8192, writable: true, ...actor(30_060) },
  {
    kind: 'image',
    path: '/tmp/hook.so',
    file: object(30_090),
    bytes: 4096,
    writable: false,
    ...actor(30_080),
  },
  {
    kind: 'namespace',
    namespaces: { mnt: 51, pid: 52, net: 53, user: 54 },
    types: 0x10020000,
    cause: 'unshare',
    ...actor(30_110),
  },
  { kind: 'key', call: 1000, keyType: 'logon', ...actor(30_130) },
];

const EXPECTED_KERNEL: readonly object[] = [
  { kind: 'module-unload', name: 'veth', ...actor(40_020) },
  {
    kind: 'bpf-object',
    command: 6,
    objectType: 27,
    name: 'events',
    path: '/sys/fs/bpf/pinned',
    ...actor(40_040),
  },
  { kind: 'kexec', fromFile: false, path: '/boot/vmlinuz', file: object(40_070), ...actor(40_060) },
  { kind: 'io-uring', operation: undefined, flags: 2, path: '', target: '', ...actor(40_090) },
  { kind: 'io-uring', operation: 18, flags: 0, path: '/etc/x', target: '', ...actor(40_110) },
  { kind: 'io-uring', operation: 35, flags: 0, path: '/srv/a', target: '/b', ...actor(40_130) },
  { kind: 'perf', ...target, targetUid: 0, eventType: 1, cpu: undefined, ...actor(40_150) },
];

/** Descriptions of processes: what is no event. */
const DESCRIBED: readonly object[] = [
  {
    kind: 'process',
    parentPid: 74,
    parentStartNs: 800_000_000_004,
    executable: '/usr/sbin/sshd',
    file: object(50_040),
    args: ['sshd', '-D'],
    argsCount: 0,
    argsTruncated: false,
    workingDirectory: '/',
    cgroup: '/system.slice/ssh.service',
    script: '',
    domain: 0,
    namespaces: { mnt: 51, pid: 52, net: 53, user: 54 },
    credentials: credentials(50_030),
    ...actor(50_020),
  },
  {
    kind: 'process',
    parentPid: 0,
    parentStartNs: 0,
    executable: '',
    file: undefined,
    args: [],
    argsCount: 0,
    argsTruncated: false,
    workingDirectory: '',
    cgroup: '',
    script: '',
    domain: 0,
    namespaces: { mnt: 51, pid: 52, net: 53, user: 54 },
    credentials: credentials(50_070),
    ...actor(50_060),
  },
];

/** In the order in which golden.c writes its families. */
const EXPECTED_ALL = [...OBSERVED, ...FILES, ...SOCKETS, ...EXPECTED_PRIVILEGE, ...EXPECTED_KERNEL, ...DESCRIBED];

/** Decoded frames, or the code with which they were refused; anything else that is thrown is a bug and goes on. */
function outcome(bytes: Uint8Array): readonly Frame[] | string {
  try {
    return decode(bytes);
  } catch (error) {
    if (error instanceof FrameError) return error.code;
    throw error;
  }
}

/** The bytes of the golden frame of one kind. */
function goldenFrame(kind: number): Buffer {
  for (let at = 0; at < golden.length; at += golden.readUInt32LE(at)) {
    if (golden.readUInt16LE(at + 6) === kind) return Buffer.from(golden.subarray(at, at + golden.readUInt32LE(at)));
  }
  throw new Error(`no golden frame of kind ${kind}`);
}

function changed(kind: number, change: (frame: Buffer) => void): Buffer {
  const frame = goldenFrame(kind);
  change(frame);
  return frame;
}

describe('golden frames', () => {
  const frames = decode(golden);
  test('one of every kind', () => {
    expect(frames.map((frame) => frame.kind)).toEqual(EXPECTED_ALL.map((frame) => ('kind' in frame ? frame.kind : '')));
  });
  for (const [index, expected] of EXPECTED_ALL.entries()) {
    test(`${index} ${String(frames[index]?.kind)}`, () => expect(frames[index]).toEqual(expected));
  }

  test('byte by byte they are the same', () => {
    const decoder = new FrameDecoder();
    const pieces = [...golden].flatMap((byte) => decoder.push(Uint8Array.of(byte)));
    expect(pieces).toEqual(frames);
  });

  test('every flipped bit leaves frames, or is refused', () => {
    const codes = new Set<string>();
    for (let bit = 0; bit < golden.length * 8; bit++) {
      const bytes = Buffer.from(golden);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const found = outcome(bytes);
      if (typeof found === 'string') codes.add(found);
      else expect(found.length, `bit ${bit}`).toBeLessThanOrEqual(frames.length);
    }
    expect([...codes].toSorted()).toEqual(['bad-field', 'bad-kind', 'bad-size', 'bad-version', 'truncated']);
  });

  test('every truncation yields only whole frames', () => {
    for (let end = 0; end < golden.length; end++) {
      const found = decode(golden.subarray(0, end));
      expect(found.length).toBeLessThan(frames.length);
      expect(found).toEqual(frames.slice(0, found.length));
    }
  });
});

const REFUSED: readonly { readonly name: string; readonly bytes: Buffer; readonly code: string }[] = [
  { name: 'a size of nothing', bytes: Buffer.alloc(4), code: 'bad-size' },
  { name: 'a size beyond the greatest', bytes: changed(3, (f) => f.writeUInt32LE(FRAME_MAX + 1, 0)), code: 'bad-size' },
  { name: 'another version', bytes: changed(3, (f) => f.writeUInt16LE(99, 4)), code: 'bad-version' },
  { name: 'kind 0', bytes: changed(3, (f) => f.writeUInt16LE(0, 6)), code: 'bad-kind' },
  { name: 'an unknown kind', bytes: changed(3, (f) => f.writeUInt16LE(999, 6)), code: 'bad-kind' },
  { name: 'a filler that says something', bytes: changed(3, (f) => f.writeUInt32LE(1, 68)), code: 'bad-field' },
  { name: 'an unknown flag', bytes: changed(10, (f) => f.writeUInt32LE(1 << 20, 88)), code: 'bad-field' },
  { name: 'an access of no kind', bytes: changed(34, (f) => f.writeUInt32LE(4, 72)), code: 'bad-field' },
  { name: 'a signal with more', bytes: changed(35, (f) => f.writeUInt32LE(1, 76)), code: 'bad-field' },
  { name: 'memory of no kind', bytes: changed(36, (f) => f.writeUInt32LE(5, 96)), code: 'bad-field' },
  { name: 'memory with a flag', bytes: changed(36, (f) => f.writeUInt32LE(64, 100)), code: 'bad-field' },
  { name: 'an image that is no file', bytes: changed(37, (f) => f.writeUInt32LE(1, 96)), code: 'bad-field' },
  { name: 'a cause that is none', bytes: changed(38, (f) => f.writeUInt32LE(3, 76)), code: 'bad-field' },
  { name: 'a string beyond its frame', bytes: changed(10, (f) => f.writeUInt16LE(60_000, 96)), code: 'truncated' },
  { name: 'a string that ends too early', bytes: changed(21, (f) => f.writeUInt16LE(3, 64)), code: 'bad-size' },
];
for (const row of REFUSED) test(`refused: ${row.name}`, () => expect(outcome(row.bytes)).toBe(row.code));

test('an impossible size is refused before its frame is awaited', () => {
  expect(outcome(Buffer.from([0xff, 0xff, 0xff, 0xff]))).toBe('bad-size');
});

test('an error never repeats what the bytes hold', () => {
  const frame = changed(10, (f) => f.writeUInt16LE(60_000, 96));
  expect(() => decode(frame)).toThrow(/^(?!.*sshd).*$/);
});

test('IPv4 through an IPv6 socket is IPv4; a wildcard is no peer', () => {
  const mapped = changed(19, (f) => Buffer.from('00000000000000000000ffffcb007107', 'hex').copy(f, 56));
  expect(decode(mapped)[0]).toMatchObject({
    socket: { family: 'ipv4', peerAddress: '203.0.113.7', localAddress: '192.0.2.10' },
  });
  const wildcard = changed(19, (f) => f.fill(0, 56, 88));
  expect(decode(wildcard)[0]).toMatchObject({ socket: { family: 'ipv6', peerAddress: '', localAddress: '::' } });
});

test('any bytes, cut anywhere, are frames or a FrameError', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 8 }), (chunks) => {
      const decoder = new FrameDecoder();
      try {
        for (const chunk of chunks) decoder.push(chunk);
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError);
      }
    }),
  );
});

test('every kind of frame, cut short at the end of what came, is a FrameError', () => {
  for (let kind = 0; kind < 64; kind++) {
    for (let size = 32; size < 168; size += 2) {
      const bytes = Buffer.alloc(size);
      bytes.writeUInt32LE(size, 0);
      bytes.writeUInt16LE(FRAME_VERSION, 4);
      bytes.writeUInt16LE(kind, 6);
      try {
        new FrameDecoder().push(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError);
      }
    }
  }
});

test('golden frames with any few bytes changed, cut anywhere: never anything but frames or a FrameError', () => {
  const change = fc.tuple(fc.nat(golden.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 6 }), fc.nat(golden.length), (changes, cut) => {
      const bytes = Buffer.from(golden);
      for (const [at, byte] of changes) bytes[at] = byte;
      const whole = outcome(bytes);
      const decoder = new FrameDecoder();
      try {
        const pieces = [...decoder.push(bytes.subarray(0, cut)), ...decoder.push(bytes.subarray(cut))];
        expect(pieces).toEqual(whole);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        expect(error.code).toBe(whole);
      }
    }),
    { numRuns: 500 },
  );
});
