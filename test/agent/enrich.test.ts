/** Every kind of frame: which event it becomes, and that it carries nothing that the vocabulary does not list for it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EVENTS, type AttributeName, type EventName, type Value } from '#protocol/vocabulary.ts';
import { Enricher } from '../../agent/enrich.ts';
import type { RawEvent } from '../../agent/event.ts';
import { ProcessTable } from '../../agent/process-table.ts';
import { CLASS_OF_FRAME, type ObservedFrame, type Socket } from '../../agent/sources/frame.ts';
import { UserNames } from '../../agent/users.ts';
import { actor, checkVocabulary, credentials, execFrame, inode, openFrame, stillClock } from './sample.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hushwatch-enrich-'));
  writeFileSync(join(directory, 'passwd'), 'root:x:0:0::/root:/bin/sh\nalex:x:1000:1000::/home/alex:/bin/sh\nbroken\n');
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Knows one process, /bin/bash as pid 4711, child of sshd, in audit session 3. */
function enrich(...frames: readonly ObservedFrame[]): RawEvent {
  const processes = new ProcessTable(directory);
  const enricher = new Enricher(processes, new UserNames(join(directory, 'passwd')), stillClock);
  const sshd = processes.find(4700, 88_000_000_000);
  [sshd.executable, sshd.chain] = ['/usr/sbin/sshd', []];
  sshd.keepArgs(['sshd', '-D'], 100);
  const bash = processes.fork(4711, 88_123_456_789, 4700, 88_000_000_000);
  [bash.executable, bash.auditSession] = ['/usr/bin/bash', 3];
  bash.keepArgs(['bash'], 100);
  let event: RawEvent | undefined;
  for (const frame of frames) {
    event = enricher.enrich(frame);
    checkVocabulary(event);
  }
  return event ?? expect.fail('no frame');
}

const socket: Socket = {
  family: 'ipv4',
  transport: 'tcp',
  type: 'stream',
  protocol: 6,
  origin: 'kernel',
  peerAddress: '203.0.113.7',
  peerPort: 443,
  localAddress: '192.0.2.10',
  localPort: 48_122,
  peerCid: undefined,
  localCid: undefined,
  unixPath: '',
};
const unix: Socket = { ...socket, family: 'unix', transport: 'unix', unixPath: '@hidden' };
const vsock: Socket = {
  ...socket,
  family: 'vsock',
  transport: 'other',
  peerAddress: '',
  localAddress: '',
  peerPort: 1024,
  peerCid: 2,
};
const nameServer: Socket = { ...socket, transport: 'udp', type: 'dgram', protocol: 17, peerPort: 53 };
const PATHS = { path: '/tmp/a', target: '/tmp/b', origin: 'argument' as const };
const SSHD = { targetPid: 4700, targetStartNs: 88_000_000_000, targetUid: 0 };
const NOBODY = { targetPid: 0, targetStartNs: 0, targetUid: undefined };
const ON_SSHD = {
  'process.target.entity.id': '4700-88000000000',
  'process.target.pid': 4700,
  'process.target.executable.path': '/usr/sbin/sshd',
  'process.target.user.id': 0,
};
const FILE_MADE = { path: '/tmp/a', origin: 'kernel' as const };

const ACTOR = {
  'process.entity.id': '4711-88123456789',
  'process.pid': 4711,
  'process.executable.path': '/usr/bin/bash',
  'process.user.id': 1000,
  'process.user.name': 'alex',
  'process.audit.session.id': 3,
};

interface Row {
  readonly name: string;
  readonly frame: ObservedFrame;
  readonly event: EventName;
  /** Beside the actor's; `undefined` says that it must not be there. */
  readonly attributes: { readonly [name in AttributeName]?: Value | undefined };
}

const rows: readonly Row[] = [
  {
    name: 'fork',
    frame: { kind: 'fork', parentPid: 4711, parentStartNs: 88_123_456_789, ...actor(4800, 89_000_000_000) },
    event: 'process.fork',
    attributes: {
      'process.entity.id': '4800-89000000000',
      'process.pid': 4800,
      'process.parent.entity.id': '4711-88123456789',
      'process.parent_pid': 4711,
    },
  },
  {
    name: 'exec',
    frame: execFrame({}),
    event: 'process.exec',
    attributes: {
      'process.executable.path': '/usr/bin/curl',
      'process.parent.entity.id': '4700-88000000000',
      'process.parent_pid': 4700,
      'process.parent.executable.path': '/usr/sbin/sshd',
      'process.parent.command_args': ['sshd', '-D'],
      'process.ancestors': ['/usr/sbin/sshd'],
      'process.ancestors.complete': true,
      'process.executable.inode': 131_077,
      'process.executable.device': '254:0',
      'process.executable.deleted': false,
      'process.executable.memfd': false,
      'process.executable.setuid': false,
      'process.executable.owner.id': 0,
      'process.command_args': ['curl', 'https://example.org/'],
      'process.args_count': 2,
      'process.working_directory': '/home/alex',
      'process.real_user.id': 1000,
      'process.saved_user.id': 0,
      'process.group.id': 1000,
      'process.capabilities.effective': '000001ffffffffff',
      'process.linux.cgroup': '/system.slice/ssh.service',
      'systemd.unit': 'ssh.service',
      'container.id': undefined,
      'process.namespace.mnt': 1,
      'process.namespace.pid': 2,
      'process.namespace.net': 3,
      'process.namespace.user': 4,
      'process.audit.user.id': 1000,
      'error.type': undefined,
      'event.repeats': undefined,
    },
  },
  {
    name: 'exec of a memory file, setuid, in a container, by nobody who logged in',
    frame: execFrame({
      executable: '/memfd:x (deleted)',
      file: inode({ links: 0, mode: 0o104755 }),
      cgroup: `/system.slice/docker-${'ab12'.repeat(16)}.scope`,
      credentials: { ...credentials, loginUid: 4_294_967_295, auditSession: 4_294_967_295 },
    }),
    event: 'process.exec',
    attributes: {
      'process.executable.path': '/memfd:x (deleted)',
      'process.executable.deleted': true,
      'process.executable.memfd': true,
      'process.executable.setuid': true,
      'container.id': 'ab12ab12ab12',
      'process.audit.user.id': undefined,
      'process.audit.session.id': undefined,
    },
  },
  {
    name: 'exec refused',
    frame: {
      kind: 'exec-refused',
      executable: '/root/x',
      origin: 'name',
      ...actor(undefined, undefined, { errno: 13 }),
    },
    event: 'process.exec',
    attributes: {
      'process.executable.path': '/root/x',
      'process.parent.executable.path': '/usr/bin/bash',
      'error.type': 'EACCES',
    },
  },
  {
    name: 'exit',
    frame: { kind: 'exit', code: 3, signal: 9, ...actor() },
    event: 'process.exit',
    attributes: {
      'process.exit.code': 3,
      'process.exit.signal': 9,
      'process.lifetime': (90_000_000_000 - 88_123_456_789) / 1e9,
    },
  },
  {
    name: 'credentials',
    frame: { kind: 'credentials', credentials, ...actor() },
    event: 'process.credentials.change',
    attributes: {
      'process.real_user.id': 1000,
      'process.saved_user.id': 0,
      'process.group.id': 1000,
      'process.capabilities.effective': '000001ffffffffff',
    },
  },
  {
    name: 'capabilities',
    frame: { kind: 'capabilities', credentials: { ...credentials, effectiveCapabilities: 0n }, ...actor() },
    event: 'process.capabilities.change',
    attributes: { 'process.capabilities.effective': '0000000000000000', 'process.group.id': undefined },
  },
  {
    name: 'trace',
    frame: { kind: 'trace', request: 16, targetPid: 4700, targetStartNs: 88_000_000_000, ...actor() },
    event: 'process.trace',
    attributes: {
      'process.trace.request': 'attach',
      'process.target.entity.id': '4700-88000000000',
      'process.target.pid': 4700,
      'process.target.executable.path': '/usr/sbin/sshd',
    },
  },
  {
    name: 'trace of a number that is nobody, with a request without a name',
    frame: { kind: 'trace', request: 77, targetPid: 1, targetStartNs: 0, ...actor(undefined, undefined, { errno: 3 }) },
    event: 'process.trace',
    attributes: {
      'process.trace.request': '77',
      'process.target.entity.id': undefined,
      'process.target.pid': 1,
      'error.type': 'ESRCH',
    },
  },
  {
    name: 'open',
    frame: openFrame({ write: true, created: true, repeats: 2 }),
    event: 'file.open',
    attributes: {
      'file.path': '/etc/passwd',
      'file.path.origin': 'kernel',
      'file.open.access': 'write',
      'file.open.created': true,
      'file.open.truncated': false,
      'file.inode': 131_077,
      'file.device': '254:0',
      'file.mode': '0644',
      'file.owner.id': 0,
      'file.owner.name': 'root',
      'file.group.id': 0,
      'event.repeats': 2,
    },
  },
  {
    name: 'open refused',
    frame: openFrame({ file: undefined, origin: 'argument', errno: 13 }),
    event: 'file.open',
    attributes: {
      'file.open.access': 'read',
      'file.path.origin': 'argument',
      'file.inode': undefined,
      'file.owner.name': undefined,
      'error.type': 'EACCES',
    },
  },
  {
    name: 'delete',
    frame: { kind: 'delete', ...FILE_MADE, ...actor() },
    event: 'file.delete',
    attributes: { 'file.path': '/tmp/a', 'file.path.origin': 'kernel' },
  },
  {
    name: 'rename',
    frame: { kind: 'rename', ...PATHS, ...actor() },
    event: 'file.rename',
    attributes: { 'file.path': '/tmp/a', 'file.target.path': '/tmp/b', 'file.path.origin': 'argument' },
  },
  {
    name: 'link',
    frame: { kind: 'link', ...PATHS, ...actor() },
    event: 'file.link',
    attributes: { 'file.target.path': '/tmp/b', 'file.link.type': 'hard' },
  },
  {
    name: 'symlink',
    frame: { kind: 'symlink', ...PATHS, ...actor() },
    event: 'file.link',
    attributes: { 'file.link.type': 'symbolic' },
  },
  {
    name: 'chmod',
    frame: { kind: 'chmod', ...FILE_MADE, mode: 0o104755, owner: 0, file: inode({ mode: 0o104755 }), ...actor() },
    event: 'file.mode.change',
    attributes: { 'file.mode': '4755', 'file.owner.name': 'root', 'file.inode': 131_077 },
  },
  {
    name: 'chmod refused',
    frame: {
      kind: 'chmod',
      ...FILE_MADE,
      mode: 0o777,
      owner: undefined,
      file: undefined,
      ...actor(undefined, undefined, { errno: 1 }),
    },
    event: 'file.mode.change',
    attributes: { 'file.mode': '0777', 'file.owner.id': undefined, 'file.inode': undefined, 'error.type': 'EPERM' },
  },
  {
    name: 'chown',
    frame: { kind: 'chown', ...FILE_MADE, mode: 0o644, owner: 1000, file: inode({ uid: 1000 }), ...actor() },
    event: 'file.owner.change',
    attributes: { 'file.owner.id': 1000, 'file.owner.name': 'alex', 'file.mode': '0644' },
  },
  {
    name: 'a device is opened',
    frame: openFrame({ file: inode({ mode: 0o60660 }) }),
    event: 'file.open',
    attributes: { 'file.type': 'block_device', 'file.mode': '0660' },
  },
  {
    name: 'create',
    frame: { kind: 'create', ...FILE_MADE, mode: 0o40755, ...actor() },
    event: 'file.create',
    attributes: { 'file.path': '/tmp/a', 'file.type': 'directory', 'file.mode': '0755' },
  },
  {
    name: 'modify',
    frame: { kind: 'modify', ...FILE_MADE, bytes: 4096, file: inode({}), ...actor() },
    event: 'file.modify',
    attributes: {
      'file.path': '/tmp/a',
      'file.path.origin': 'kernel',
      'file.bytes_written': 4096,
      'file.type': 'regular',
      'file.inode': 131_077,
    },
  },
  {
    name: 'modify of what nobody remembers',
    frame: { kind: 'modify', ...FILE_MADE, path: '', bytes: 1, file: inode({}), ...actor() },
    event: 'file.modify',
    attributes: { 'file.path': undefined, 'file.path.origin': undefined, 'file.bytes_written': 1 },
  },
  {
    name: 'truncate',
    frame: { kind: 'truncate', ...FILE_MADE, file: inode({}), ...actor() },
    event: 'file.truncate',
    attributes: { 'file.path': '/tmp/a', 'file.path.origin': 'kernel', 'file.device': '254:0' },
  },
  {
    name: 'xattr',
    frame: {
      kind: 'xattr',
      ...FILE_MADE,
      name: 'security.capability',
      removed: true,
      file: undefined,
      ...actor(undefined, undefined, { errno: 1 }),
    },
    event: 'file.attribute.change',
    attributes: {
      'file.path': '/tmp/a',
      'file.attribute.name': 'security.capability',
      'file.attribute.action': 'remove',
      'file.inode': undefined,
      'error.type': 'EPERM',
    },
  },
  {
    name: 'mount',
    frame: {
      kind: 'mount',
      source: '/dev/vda1',
      target: '/mnt',
      origin: 'kernel',
      type: 'ext4',
      options: 0x100b,
      ...actor(),
    },
    event: 'system.filesystem.mount',
    attributes: {
      'system.device': '/dev/vda1',
      'system.filesystem.mountpoint': '/mnt',
      'file.path.origin': 'kernel',
      'system.filesystem.type': 'ext4',
      'system.filesystem.options': ['ro', 'nosuid', 'noexec', 'bind'],
    },
  },
  {
    name: 'unmount',
    frame: { kind: 'unmount', source: '', target: '/mnt', origin: 'argument', type: '', options: 0, ...actor() },
    event: 'system.filesystem.unmount',
    attributes: { 'system.filesystem.mountpoint': '/mnt', 'file.path.origin': 'argument' },
  },
  {
    name: 'pivot-root',
    frame: { kind: 'pivot-root', source: '/new', target: '/old', origin: 'argument', type: '', options: 0, ...actor() },
    event: 'system.filesystem.root.change',
    attributes: { 'file.path': '/new', 'system.filesystem.mountpoint': '/old' },
  },
  {
    name: 'memfd',
    frame: { kind: 'memfd', name: 'payload', ...actor() },
    event: 'file.memory.create',
    attributes: { 'file.name': 'payload' },
  },
  {
    name: 'connect',
    frame: { kind: 'connect', socket, ...actor(undefined, undefined, { errno: 12_345 }) },
    event: 'network.connect',
    attributes: {
      'network.transport': 'tcp',
      'network.type': 'ipv4',
      'network.peer.address': '203.0.113.7',
      'network.peer.port': 443,
      'network.local.address': '192.0.2.10',
      'network.local.port': 48_122,
      'network.unix.path': undefined,
      'error.type': 'E12345',
    },
  },
  {
    name: 'accept',
    frame: { kind: 'accept', socket: unix, ...actor() },
    event: 'network.accept',
    attributes: {
      'network.transport': 'unix',
      'network.type': undefined,
      'network.peer.address': undefined,
      'network.peer.port': undefined,
      'network.local.address': undefined,
      'network.local.port': undefined,
      'network.unix.path': '@hidden',
    },
  },
  {
    name: 'listen',
    frame: { kind: 'listen', socket: { ...socket, peerAddress: '', peerPort: 0 }, ...actor() },
    event: 'network.listen',
    attributes: { 'network.peer.address': undefined, 'network.peer.port': undefined, 'network.local.port': 48_122 },
  },
  {
    name: 'refused connect',
    frame: { kind: 'connect', socket: { ...vsock, origin: 'argument' }, ...actor() },
    event: 'network.connect',
    attributes: {
      'network.transport': undefined,
      'network.socket.family': 'vsock',
      'network.vsock.peer.cid': 2,
      'network.vsock.local.cid': undefined,
      'network.peer.address': undefined,
      'network.peer.port': 1024,
      'network.peer.origin': 'argument',
    },
  },
  {
    name: 'bind',
    frame: { kind: 'bind', socket: { ...socket, type: 'dgram', peerAddress: '', peerPort: 0 }, ...actor() },
    event: 'network.bind',
    attributes: { 'network.socket.type': 'dgram', 'network.local.port': 48_122, 'network.peer.port': undefined },
  },
  {
    name: 'send',
    frame: { kind: 'send', socket: { ...unix, origin: 'argument' }, ...actor() },
    event: 'network.send',
    attributes: { 'network.unix.path': '@hidden', 'network.peer.origin': 'argument' },
  },
  {
    name: 'socket',
    frame: { kind: 'socket', socket: { ...unix, family: 'packet', type: 'raw', protocol: 3 }, ...actor() },
    event: 'network.socket.create',
    attributes: {
      'network.type': undefined,
      'network.socket.family': 'packet',
      'network.socket.type': 'raw',
      'network.socket.protocol': 3,
    },
  },
  {
    name: 'flow',
    frame: { kind: 'flow', socket, accepted: false, sent: 12, received: 34, lastedNs: 1_500_000_000, ...actor() },
    event: 'network.flow.end',
    attributes: {
      'network.peer.address': '203.0.113.7',
      'network.flow.direction': 'outbound',
      'network.flow.sent.size': 12,
      'network.flow.received.size': 34,
      'network.flow.duration': 1.5,
    },
  },
  {
    name: 'question',
    frame: { kind: 'dns-query', socket: nameServer, question: { name: 'example.org', type: 'A' }, ...actor() },
    event: 'dns.query',
    attributes: {
      'network.transport': 'udp',
      'network.peer.port': 53,
      'dns.question.name': 'example.org',
      'dns.question.type': 'A',
      'dns.malformed': undefined,
    },
  },
  {
    name: 'answer',
    frame: {
      kind: 'dns-answer',
      socket: nameServer,
      question: { name: 'example.org', type: 'A' },
      code: 'NOERROR',
      addresses: ['203.0.113.7'],
      ...actor(),
    },
    event: 'dns.answer',
    attributes: { 'dns.response.code': 'NOERROR', 'dns.answers': ['203.0.113.7'] },
  },
  {
    name: 'no DNS',
    frame: { kind: 'dns-answer', socket: nameServer, question: undefined, code: undefined, addresses: [], ...actor() },
    event: 'dns.answer',
    attributes: { 'dns.malformed': true, 'dns.question.name': undefined, 'dns.answers': undefined },
  },
  {
    name: 'module',
    frame: { kind: 'module-load', name: 'veth', ...actor() },
    event: 'kernel.module.load',
    attributes: { 'kernel.module.name': 'veth' },
  },
  {
    name: 'bpf',
    frame: { kind: 'bpf-load', name: 'on_exit', programType: 17, ...actor() },
    event: 'kernel.bpf.load',
    attributes: { 'kernel.bpf.program.name': 'on_exit', 'kernel.bpf.program.type': 17 },
  },
  {
    name: 'script: relative to where it was started',
    frame: execFrame({ script: '../x/./run.sh' }),
    event: 'process.exec',
    attributes: { 'process.executable.path': '/usr/bin/curl', 'process.script.path': '/home/x/run.sh' },
  },
  {
    name: 'access',
    frame: { kind: 'access', access: 'write', ...SSHD, ...actor() },
    event: 'process.access',
    attributes: { 'process.access.type': 'write', ...ON_SSHD },
  },
  {
    name: 'signal',
    frame: { kind: 'signal', signal: 9, ...SSHD, ...actor() },
    event: 'process.signal',
    attributes: { 'process.signal.name': 'SIGKILL', ...ON_SSHD },
  },
  {
    name: 'signal to nobody in particular, refused, with a number of its own',
    frame: { kind: 'signal', signal: 40, ...NOBODY, ...actor(4711, 88_123_456_789, { errno: 1 }) },
    event: 'process.signal',
    attributes: { 'process.signal.name': 'SIG40', 'process.target.pid': undefined, 'error.type': 'EPERM' },
  },
  {
    name: 'memory',
    frame: { kind: 'memory', memory: 'stack', path: '', file: undefined, bytes: 5000, writable: true, ...actor() },
    event: 'process.memory.executable',
    attributes: {
      'process.memory.kind': 'stack',
      'process.memory.size': 8192,
      'process.memory.writable': true,
      'file.path': undefined,
      'file.path.origin': undefined,
    },
  },
  {
    name: 'image',
    frame: { kind: 'image', path: '/tmp/x.so', file: inode(), bytes: 4096, writable: false, ...actor() },
    event: 'process.image.load',
    attributes: {
      'file.path': '/tmp/x.so',
      'file.owner.name': 'root',
      'process.image.deleted': false,
      'process.image.memfd': false,
    },
  },
  {
    name: 'image that is only memory',
    frame: {
      kind: 'image',
      path: '/memfd:x',
      file: inode({ links: 0 }),
      bytes: 4096,
      writable: false,
      ...actor(),
    },
    event: 'process.image.load',
    attributes: { 'process.image.deleted': true, 'process.image.memfd': true },
  },
  {
    name: 'namespaces',
    frame: {
      kind: 'namespace',
      namespaces: { mnt: 1, pid: 2, net: 3, user: 4 },
      types: 0x10020000,
      cause: 'unshare',
      ...actor(),
    },
    event: 'process.namespace.change',
    attributes: {
      'process.namespace.cause': 'unshare',
      'process.namespace.types': ['mnt', 'user'],
      'process.namespace.pid': 2,
    },
  },
  {
    name: 'key',
    frame: { kind: 'key', call: 1000, keyType: 'logon', ...actor() },
    event: 'process.key.use',
    attributes: { 'process.key.operation': 'add', 'process.key.type': 'logon' },
  },
  {
    name: 'key of a type that nobody knows',
    frame: { kind: 'key', call: 11, keyType: 'hunter2', ...actor() },
    event: 'process.key.use',
    attributes: { 'process.key.operation': 'read', 'process.key.type': 'other' },
  },
  {
    name: 'module gone',
    frame: { kind: 'module-unload', name: 'veth', ...actor() },
    event: 'kernel.module.unload',
    attributes: { 'kernel.module.name': 'veth' },
  },
  {
    name: 'bpf pin',
    frame: { kind: 'bpf-object', command: 6, name: '', objectType: 0, path: '/sys/fs/bpf/x', ...actor() },
    event: 'kernel.bpf.object',
    attributes: { 'kernel.bpf.operation': 'pin', 'file.path': '/sys/fs/bpf/x', 'file.path.origin': 'argument' },
  },
  {
    name: 'kexec',
    frame: { kind: 'kexec', fromFile: true, path: '/boot/vmlinuz', file: inode(), ...actor() },
    event: 'kernel.kexec',
    attributes: { 'kernel.kexec.source': 'file', 'file.path': '/boot/vmlinuz', 'file.path.origin': 'kernel' },
  },
  {
    name: 'ring',
    frame: { kind: 'io-uring', operation: undefined, flags: 2, path: '', target: '', ...actor() },
    event: 'kernel.io_uring.create',
    attributes: { 'kernel.io_uring.flags': 2 },
  },
  {
    name: 'operation of a ring',
    frame: { kind: 'io-uring', operation: 35, flags: 0, path: '/etc/x', target: '/etc/y', ...actor() },
    event: 'kernel.io_uring.operation',
    attributes: {
      'kernel.io_uring.operation': 'renameat',
      'file.path': '/etc/x',
      'file.target.path': '/etc/y',
      'file.path.origin': 'argument',
    },
  },
  {
    name: 'perf',
    frame: { kind: 'perf', eventType: 1, cpu: undefined, ...SSHD, ...actor() },
    event: 'kernel.perf_event.open',
    attributes: { 'kernel.perf_event.type': 'software', 'kernel.perf_event.cpu': undefined, ...ON_SSHD },
  },
];

for (const { name, frame, event, attributes } of rows) {
  test(name, () => {
    const made = enrich(frame);
    expect(made.name).toBe(event);
    expect(made.time).toBe(1_700_000_090_000_000);
    for (const [attribute, value] of Object.entries({ ...ACTOR, ...attributes }))
      expect({ [attribute]: Reflect.get(made.attributes, attribute) }).toEqual({ [attribute]: value });
    // The sensor counts the frame in the class in which we count the event.
    expect(EVENTS[made.name].class).toBe(CLASS_OF_FRAME[frame.kind]);
  });
}

test('every kind of frame has its row', () => {
  expect(new Set(rows.map(({ frame }) => frame.kind))).toEqual(new Set(Object.keys(CLASS_OF_FRAME)));
});

test('a file that was gone when it was closed has the name that it was opened by', () => {
  const written = enrich(openFrame({ write: true, path: '/tmp/gone' }), {
    kind: 'modify',
    path: '',
    origin: 'kernel',
    bytes: 5,
    file: inode({}),
    ...actor(),
  });
  expect(written.attributes).toMatchObject({ 'file.path': '/tmp/gone', 'file.path.origin': 'remembered' });
});

test('a child that runs another program has its parent above it, and its own name from then on', () => {
  const child = actor(4800, 89_000_000_000);
  const event = enrich(
    { kind: 'fork', parentPid: 4711, parentStartNs: 88_123_456_789, ...child },
    execFrame({ ...child, parentPid: 4711, parentStartNs: 88_123_456_789, executable: '/usr/bin/ls', args: ['ls'] }),
    openFrame({ ...child }),
  );
  expect(event.attributes['process.executable.path']).toBe('/usr/bin/ls');
});

test('a parent that became another program is named as what it is now, arguments too', () => {
  const child = actor(4800, 89_000_000_000);
  const event = enrich(
    { kind: 'fork', parentPid: 4711, parentStartNs: 88_123_456_789, ...child },
    execFrame({ executable: '/usr/bin/python3', args: ['python3', 'x.py'] }),
    execFrame({ ...child, parentPid: 4711, parentStartNs: 88_123_456_789 }),
  );
  expect(event.attributes).toMatchObject({
    'process.parent.executable.path': '/usr/bin/python3',
    'process.parent.command_args': ['python3', 'x.py'],
  });
});

test('a user whom nobody knows has no name', () => {
  expect(enrich(openFrame({ uid: 777 })).attributes['process.user.name']).toBeUndefined();
});
