/**
 * The vocabulary: every event, every attribute, its JSON type and its sensitivity.
 *
 * The one source of types, documentation and validation. Names follow the
 * OpenTelemetry semantic conventions (1.45); where those have none, the name is
 * made in their style. Attributes are flat and dotted: one rule, one attribute.
 */
import { createHash } from 'node:crypto';

/** What an attribute tells about whom. `system` alone may be kept without a named reason. */
export const SENSITIVITIES = [
  'system',
  'operator-identity',
  'end-user',
  'canister-data',
  'network-identity',
  'secret',
  'timing',
] as const;
export type Sensitivity = (typeof SENSITIVITIES)[number];

/**
 * Kinds of event that are counted together, in the order in which they are shed
 * when something must be: the first goes first.
 */
export const CLASSES = [
  'file',
  'network',
  'host',
  'process',
  'session',
  'integrity',
  'kernel',
  'privilege',
  'self',
] as const;
export type EventClass = (typeof CLASSES)[number];

export type ValueType = 'string' | 'int' | 'double' | 'boolean' | 'string[]';

export interface AttributeDefinition {
  readonly type: ValueType;
  readonly sensitivity: Sensitivity;
  readonly brief: string;
  /** A value that could be real; documentation and generators use it. */
  readonly example: string | number | boolean | readonly string[];
}

const define = <const T extends Record<string, AttributeDefinition>>(table: T): T => table;
const a = (
  type: ValueType,
  sensitivity: Sensitivity,
  brief: string,
  example: AttributeDefinition['example'],
): AttributeDefinition => ({ type, sensitivity, brief, example });

export const ATTRIBUTES = define({
  // The process that acted.
  'process.entity.id': a(
    'string',
    'system',
    'One process, from fork to exit: pid and start time. Survives pid reuse.',
    '4711-88123456789',
  ),
  'process.pid': a('int', 'system', 'Process id (thread group) in the initial pid namespace.', 4711),
  'process.parent.entity.id': a('string', 'system', 'Entity id of the parent.', '4700-88000000000'),
  'process.parent_pid': a('int', 'system', 'Process id of the parent.', 4700),
  'process.executable.path': a('string', 'end-user', 'Executable, as the kernel resolved it.', '/usr/bin/curl'),
  'process.parent.executable.path': a('string', 'end-user', 'Executable of the parent.', '/usr/bin/bash'),
  'process.ancestors': a(
    'string[]',
    'end-user',
    'Executables from who made it upwards, as they were then, at most eight.',
    ['/usr/bin/bash', '/usr/sbin/sshd'],
  ),
  'process.ancestors.complete': a(
    'boolean',
    'system',
    'None of the ancestors is missing; else one or more of them were never told to us.',
    true,
  ),
  'process.executable.inode': a('int', 'system', 'Inode number of the executable.', 131077),
  'process.executable.device': a('string', 'system', 'Device of the executable, major:minor.', '254:0'),
  'process.executable.deleted': a('boolean', 'system', 'The executable had no name left when it was started.', false),
  'process.executable.memfd': a('boolean', 'system', 'The executable is an anonymous memory file.', false),
  'process.executable.setuid': a('boolean', 'system', 'The executable carries a setuid or setgid bit.', false),
  'process.executable.owner.id': a('int', 'system', 'User id that owns the executable.', 0),
  'process.command_args': a('string[]', 'secret', 'Arguments, the program name first.', [
    'curl',
    '-o',
    '/tmp/x',
    'https://example.org/x',
  ]),
  'process.parent.command_args': a('string[]', 'secret', 'Arguments of the parent.', ['bash']),
  'process.args_count': a('int', 'system', 'How many arguments there were, those beyond the limit included.', 4),
  'process.working_directory': a('string', 'end-user', 'Working directory.', '/home/alex'),
  'process.user.id': a('int', 'operator-identity', 'Effective user id.', 1000),
  'process.user.name': a('string', 'operator-identity', 'Name of the effective user.', 'alex'),
  'process.real_user.id': a('int', 'operator-identity', 'Real user id.', 1000),
  'process.saved_user.id': a('int', 'operator-identity', 'Saved user id.', 1000),
  'process.group.id': a('int', 'operator-identity', 'Effective group id.', 1000),
  'process.capabilities.effective': a('string', 'system', 'Effective capability set, hexadecimal.', '000001ffffffffff'),
  'process.linux.cgroup': a('string', 'end-user', 'Control group path.', '/system.slice/ssh.service'),
  'systemd.unit': a('string', 'system', 'Unit of the control group.', 'ssh.service'),
  'container.id': a('string', 'system', 'Container of the control group.', 'a3bf90e006b2'),
  'process.namespace.mnt': a('int', 'system', 'Mount namespace.', 4026531841),
  'process.namespace.pid': a('int', 'system', 'Pid namespace.', 4026531836),
  'process.namespace.net': a('int', 'system', 'Network namespace.', 4026531840),
  'process.namespace.user': a('int', 'system', 'User namespace.', 4026531837),
  'process.audit.user.id': a('int', 'operator-identity', 'User who logged in (loginuid), whoever acts now.', 1000),
  'process.audit.session.id': a('int', 'operator-identity', 'Audit session of that log-in.', 3),
  'process.exit.code': a('int', 'system', 'Exit code.', 0),
  'process.exit.signal': a('int', 'system', 'Signal that ended the process, 0 for none.', 0),
  'process.lifetime': a('double', 'timing', 'Seconds from fork to exit.', 0.42),
  'process.target.entity.id': a('string', 'system', 'Entity id of the process acted upon.', '4712-88223456789'),
  'process.target.pid': a('int', 'system', 'Process id acted upon.', 4712),
  'process.target.executable.path': a('string', 'end-user', 'Executable of the process acted upon.', '/usr/sbin/sshd'),
  'process.trace.request': a('string', 'system', 'What was asked of ptrace.', 'attach'),

  'process.target.user.id': a('int', 'operator-identity', 'Real user id of the process acted upon.', 1000),
  'process.access.type': a(
    'string',
    'system',
    '`read` or `write` memory, `descriptor` taken, `handle` (a pidfd) opened.',
    'write',
  ),
  'process.signal.name': a('string', 'system', 'Signal that was sent.', 'SIGKILL'),
  'process.memory.kind': a(
    'string',
    'system',
    'What became executable: `anonymous`, `file`, `stack`, `heap`, or `unknown` where another thread held the mappings.',
    'anonymous',
  ),
  'process.memory.size': a('int', 'system', 'Bytes that were asked for, rounded up to a power of two.', 4096),
  'process.memory.writable': a('boolean', 'system', 'It may be written while it may be executed.', true),
  'process.image.deleted': a('boolean', 'system', 'The file had no name left when it was mapped.', false),
  'process.image.memfd': a('boolean', 'system', 'The file is an anonymous memory file.', false),
  'process.namespace.cause': a('string', 'system', '`setns`, `unshare` or `clone`.', 'unshare'),
  'process.namespace.types': a('string[]', 'system', 'Kinds of namespaces that are others than before.', [
    'mnt',
    'net',
  ]),
  'process.key.operation': a('string', 'system', 'What was asked of the kernel’s keys.', 'read'),
  'process.key.type': a(
    'string',
    'system',
    'Type of key that a caller named; `other` for one that no kernel knows.',
    'user',
  ),
  'process.script.path': a(
    'string',
    'end-user',
    'Script that was started; the executable is what its first line names.',
    '/usr/bin/ldd',
  ),

  // Files.
  'file.path': a('string', 'end-user', 'Path of the object, mounts crossed, links resolved.', '/etc/ssh/sshd_config'),
  'file.target.path': a(
    'string',
    'end-user',
    'Second path: the new name of a rename, the name made by a link.',
    '/tmp/x',
  ),
  'file.path.origin': a(
    'string',
    'system',
    '`kernel`: walked from the object. `argument`: as the caller passed it, made absolute. `remembered`: as it was opened.',
    'kernel',
  ),
  'file.open.access': a('string', 'system', '`read` or `write`.', 'write'),
  'file.open.created': a('boolean', 'system', 'The open made the file.', true),
  'file.open.truncated': a('boolean', 'system', 'The open emptied the file.', false),
  'file.inode': a('int', 'system', 'Inode number.', 262221),
  'file.device': a('string', 'system', 'Device, major:minor.', '254:0'),
  'file.mode': a('string', 'system', 'Permission bits, octal.', '0644'),
  'file.owner.id': a('int', 'operator-identity', 'Owning user id.', 0),
  'file.owner.name': a('string', 'operator-identity', 'Owning user.', 'root'),
  'file.group.id': a('int', 'operator-identity', 'Owning group id.', 0),
  'file.link.type': a('string', 'system', '`hard` or `symbolic`.', 'symbolic'),
  'file.type': a('string', 'system', '`regular`, `directory`, `block_device`, `character_device`, …', 'regular'),
  'file.bytes_written': a('int', 'timing', 'Bytes written through the descriptor, merged events included.', 4096),
  'file.attribute.name': a('string', 'end-user', 'Extended attribute, its namespace included.', 'security.capability'),
  'file.attribute.action': a('string', 'system', '`set` or `remove`.', 'set'),
  'file.name': a('string', 'end-user', 'Name without directory, for objects that have no path.', 'payload'),

  // Content of files that were written and then run.
  'file.inspect.result': a(
    'string',
    'system',
    '`ok`; or `unreadable`, `changed` (since it ran, or another object by now), `too-large`.',
    'ok',
  ),
  'file.size': a('int', 'system', 'Size, bytes.', 48_128),
  'file.content.type': a(
    'string',
    'system',
    'What the first bytes say: elf, script, archive, pe, macho, wasm, text, data, empty.',
    'elf',
  ),
  'file.entropy': a('double', 'system', 'Bits a byte of the first mebibyte, 0 to 8; packed content is near 8.', 6.2),
  'file.hash.sha256': a(
    'string',
    'system',
    'SHA-256 of machine code.',
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  ),
  'file.script.hash.sha256': a(
    'string',
    'end-user',
    'SHA-256 of anything else that ran. Who guesses a short script, and the password in it, can check the guess.',
    '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae',
  ),
  'file.hashes': a('string[]', 'secret', 'Digests as rules write them: SHA256=…, and MD5=… where a rule asks for it.', [
    'SHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  ]),

  // What files mean: accounts, services, scheduled tasks.
  'file.path.verified': a(
    'boolean',
    'system',
    'The agent saw that the node’s own file of this path changed; false where it may not look: it may be a container’s.',
    true,
  ),
  'user.id': a('int', 'operator-identity', 'User id of the account that the event is about.', 1001),
  'user.name': a(
    'string',
    'operator-identity',
    'Account that the event is about; of log-ons only names that exist.',
    'robin',
  ),
  'user.changes': a('string[]', 'system', 'What changed of the account: password, id, group, comment, home, shell.', [
    'shell',
  ]),
  'user.group.id': a('int', 'operator-identity', 'Group id of the group that the event is about.', 1001),
  'user.group.name': a('string', 'operator-identity', 'Group that the event is about.', 'sudo'),
  'user.group.changes': a('string[]', 'system', 'What changed of the group: password, id, members.', ['members']),
  'user.group.members.added': a('string[]', 'operator-identity', 'Accounts that became members.', ['robin']),
  'user.group.members.removed': a('string[]', 'operator-identity', 'Accounts that are no longer members.', ['robin']),
  'service.name': a('string', 'end-user', 'Service, as its unit or script is called.', 'backup.service'),
  'service.changes': a(
    'string[]',
    'system',
    'What changed of the service: definition, drop-in, enabled, disabled, permissions.',
    ['definition', 'enabled'],
  ),
  'task.name': a('string', 'end-user', 'Scheduled task: its file, its timer.', 'backup.timer'),
  'task.scheduler': a('string', 'system', '`cron`, `anacron`, `at` or `systemd`.', 'cron'),
  'task.changes': a('string[]', 'system', 'What changed of the task, as `service.changes`.', ['definition']),
  // File systems.
  'system.device': a('string', 'end-user', 'What was mounted: a device, a directory, a share.', '/dev/vda1'),
  'system.filesystem.mountpoint': a('string', 'end-user', 'Directory that a file system covers.', '/mnt'),
  'system.filesystem.type': a('string', 'system', 'Type of the file system.', 'ext4'),
  'system.filesystem.options': a('string[]', 'system', '`ro`, `nosuid`, `nodev`, `noexec`, `bind`, `remount`, …', [
    'ro',
  ]),

  // Network.
  'network.transport': a('string', 'system', '`tcp`, `udp` or `unix`.', 'tcp'),
  'network.type': a('string', 'system', '`ipv4` or `ipv6`.', 'ipv4'),
  'network.peer.address': a('string', 'network-identity', 'Address of the other side.', '203.0.113.7'),
  'network.peer.port': a('int', 'system', 'Port of the other side.', 443),
  'network.local.address': a('string', 'network-identity', 'Own address.', '192.0.2.10'),
  'network.local.port': a('int', 'system', 'Own port.', 48122),
  'network.unix.path': a(
    'string',
    'end-user',
    'Path of a Unix socket; abstract names begin with @.',
    '/run/dbus/system_bus_socket',
  ),
  'network.peer.origin': a(
    'string',
    'system',
    '`argument`: the peer is what a refused caller, or one that sent to a path, said; else the kernel’s word.',
    'argument',
  ),
  'network.socket.family': a(
    'string',
    'system',
    'Of sockets that are neither of the Internet nor Unix: `vsock`, `packet`, `netlink`, `alg`, `other`.',
    'packet',
  ),
  'network.socket.type': a('string', 'system', '`stream`, `dgram`, `raw`, `seqpacket`, …', 'raw'),
  'network.socket.protocol': a(
    'int',
    'system',
    'Protocol within the family: of IP its number, of packet sockets an Ethernet type.',
    1,
  ),
  'network.vsock.peer.cid': a('int', 'system', 'Context id of the other virtual machine, 2 for the host.', 2),
  'network.vsock.local.cid': a('int', 'system', 'Own context id.', 3),
  'network.flow.direction': a('string', 'system', '`outbound`: we connected; `inbound`: we accepted.', 'outbound'),
  'network.flow.sent.size': a('int', 'end-user', 'Bytes of payload sent, repetitions not counted.', 1280),
  'network.flow.received.size': a('int', 'end-user', 'Bytes of payload received.', 48_122),
  'network.flow.duration': a('double', 'timing', 'Seconds from connect or accept to the end.', 1.25),

  // Name servers.
  'dns.question.name': a('string', 'end-user', 'Name that was asked for, in lower case.', 'www.example.org'),
  'dns.question.type': a('string', 'system', 'Type of record that was asked for.', 'AAAA'),
  'dns.response.code': a('string', 'system', 'What the name server said: NOERROR, NXDOMAIN, …', 'NOERROR'),
  'dns.answers': a('string[]', 'network-identity', 'Addresses that it gave.', ['203.0.113.7']),
  'dns.malformed': a('boolean', 'system', 'Sent to or from port 53, and not a DNS message.', true),

  // Kernel.
  'kernel.module.name': a('string', 'system', 'Kernel module.', 'veth'),
  'kernel.bpf.program.name': a('string', 'system', 'BPF program, as its loader named it.', 'on_exit'),
  'kernel.bpf.program.type': a('int', 'system', 'BPF program type, as in linux/bpf.h.', 17),
  'kernel.bpf.operation': a('string', 'system', 'What was asked of bpf(2).', 'map-create'),
  'kernel.bpf.object.name': a(
    'string',
    'system',
    'Map or program, as its loader named it; of a link its program.',
    'events',
  ),
  'kernel.bpf.object.type': a('int', 'system', 'Type of the map, program or link, as in linux/bpf.h.', 27),
  'kernel.kexec.source': a('string', 'system', 'The kernel to start came from `memory` or a `file`.', 'file'),
  'kernel.io_uring.flags': a(
    'int',
    'system',
    'Set-up flags of the ring, as in linux/io_uring.h; 2 lets a kernel thread submit.',
    2,
  ),
  'kernel.io_uring.operation': a('string', 'system', 'What was submitted through a ring.', 'openat'),
  'kernel.perf_event.type': a(
    'string',
    'system',
    'Kind of performance event; a number for a device of this kernel.',
    'software',
  ),
  'kernel.perf_event.cpu': a('int', 'system', 'The only processor that it watches.', 0),

  // Log-ons, changes of user, denials: told by the journal.
  'user.effective.name': a('string', 'operator-identity', 'As whom: the user changed to by sudo or su.', 'root'),
  'user.switch.program': a('string', 'system', '`sudo` or `su`.', 'sudo'),
  'user.switch.command_args': a('string[]', 'secret', 'Command given to sudo, split at spaces.', [
    '/usr/bin/systemctl',
    'restart',
    'ssh',
  ]),
  'source.address': a('string', 'network-identity', 'Address that a log-on came from.', '203.0.113.7'),
  'source.port': a('int', 'system', 'Port that a log-on came from.', 48122),
  'session.id': a('string', 'operator-identity', 'Log-in session, as logind numbers it.', '4'),
  'session.service': a('string', 'system', 'Who let the user in: sshd, login or a display manager.', 'sshd'),
  'session.authentication.method': a('string', 'system', 'How the user proved who they are.', 'publickey'),
  'session.key.type': a('string', 'system', 'Kind of the public key.', 'ED25519'),
  'session.key.fingerprint': a(
    'string',
    'operator-identity',
    'Fingerprint of the public key.',
    'SHA256:AAAAC3NzaC1lZDI1NTE5AAAAIExampleOnlyNotReal',
  ),
  'process.tty.name': a('string', 'system', 'Terminal, without /dev/.', 'pts/1'),
  'security.module': a('string', 'system', 'Who denied: `selinux` or `apparmor`.', 'selinux'),
  'security.source.context': a(
    'string',
    'system',
    'Security context, or profile, of the process.',
    'system_u:system_r:httpd_t:s0',
  ),
  'security.target.context': a('string', 'system', 'Security context of the object.', 'system_u:object_r:shadow_t:s0'),
  'security.target.class': a('string', 'system', 'Class of the object, or the operation.', 'file'),
  'security.permissions': a('string[]', 'system', 'What was denied.', ['read', 'open']),
  'security.permissive': a('boolean', 'system', 'Only told, not prevented.', false),
  'security.seccomp.action': a('string', 'system', 'What the filter did to the caller.', 'kill-process'),
  'security.seccomp.syscall': a('int', 'system', 'Number of the system call.', 165),
  'security.seccomp.architecture': a('string', 'system', 'Whose numbers these are.', 'amd64'),

  // The machine.
  'host.arch': a('string', 'system', 'Processor architecture.', 'amd64'),
  'host.cpu.model.name': a('string', 'system', 'Processor model.', 'Example CPU 3000'),
  'host.cpu.count': a('int', 'system', 'Logical processors.', 8),
  'host.memory.size': a('int', 'system', 'Memory, bytes.', 25769803776),
  'os.name': a('string', 'system', 'Distribution.', 'Debian GNU/Linux'),
  'os.version': a('string', 'system', 'Version of the distribution.', '12'),
  'os.kernel.release': a('string', 'system', 'Kernel release.', '6.1.0-26-amd64'),
  'host.name': a('string', 'operator-identity', 'Host name.', 'db-1'),
  'host.interfaces': a('string[]', 'network-identity', 'Network interfaces.', ['eth0']),
  'system.cpu.utilization': a('double', 'timing', 'Share of processor time in use, 0 to 1.', 0.25),
  'system.memory.utilization': a('double', 'timing', 'Share of memory in use, 0 to 1.', 0.5),
  'system.cpu.load_average.1m': a('double', 'timing', 'Load average over one minute.', 0.5),
  'system.filesystem.utilization': a('double', 'system', 'Share of the root file system in use, 0 to 1.', 0.4),
  'system.uptime': a('int', 'timing', 'Seconds since boot.', 86400),

  // Everything.
  'error.type': a('string', 'system', 'Error name of an operation that was refused or failed.', 'EACCES'),
  'event.repeats': a('int', 'timing', 'Identical operations merged into this event, itself not counted.', 3),
  'detection.rules': a('string[]', 'system', 'Approved detection rules that matched on the node, before redaction.', [
    '5c3f2a10-0000-4000-8000-000000000001',
  ]),

  // Hushwatch itself.
  'hushwatch.component': a('string', 'system', 'Process of Hushwatch that the event is about.', 'sensor'),
  'hushwatch.version': a('string', 'system', 'Version of that process.', '0.1.0'),
  'hushwatch.crash.scope': a(
    'string',
    'system',
    'What ended without a goodbye: the `process` alone, or the `machine` with it.',
    'process',
  ),
  'hushwatch.rules.kind': a('string', 'system', '`ruleset` or `rulepack`.', 'ruleset'),
  'hushwatch.rules.digest': a(
    'string',
    'system',
    'SHA-256 of the rules in force now.',
    '1b3a8262e45acdbb13edab77ab6125e7b7332a26819d5d45dd0b9c301dee5a2d',
  ),
  'hushwatch.rules.previous': a(
    'string',
    'system',
    'SHA-256 of those that the last statement named.',
    '4c0aed6b607267e56c0e0d80284403eb5c04da3a28737888e83bd579d986fe09',
  ),
  'hushwatch.source': a(
    'string',
    'system',
    'Source of events: `ebpf`, the weaker `proc-connector` or `proc`, or `journal`.',
    'ebpf',
  ),
  'hushwatch.blind.duration': a(
    'double',
    'system',
    'Seconds during which this source could see nothing, at most.',
    1.5,
  ),
  'hushwatch.source.state': a('string', 'system', '`reading`, `absent`, `unreadable` or `stopped`.', 'reading'),
  'hushwatch.entries.lost': a(
    'int',
    'system',
    'Entries, of whatever kind, that were gone before this source read them, at most.',
    12,
  ),
  'hushwatch.entries.refused': a('int', 'system', 'Entries whose sender was not who the entry said.', 1),
  'hushwatch.entries.unreadable': a('int', 'system', 'Entries that were too long or malformed.', 1),
});

export type AttributeName = keyof typeof ATTRIBUTES;

export interface EventDefinition {
  readonly class: EventClass;
  readonly brief: string;
  readonly attributes: readonly AttributeName[];
}

/** Who acted; on every event that a process caused. */
const ACTOR = [
  'process.entity.id',
  'process.pid',
  'process.executable.path',
  'process.user.id',
  'process.user.name',
  'process.audit.session.id',
  'error.type',
  'event.repeats',
  'detection.rules',
] as const satisfies readonly AttributeName[];

const TARGET = [
  'process.target.entity.id',
  'process.target.pid',
  'process.target.executable.path',
  'process.target.user.id',
] as const;
const MAPPING = ['process.memory.size', 'process.memory.writable', 'file.path', 'file.path.origin'] as const;
const OBJECT = ['file.inode', 'file.device', 'file.mode', 'file.owner.id', 'file.owner.name', 'file.group.id'] as const;
const ACCOUNT = ['user.id', 'user.name'] as const;
const GROUP = ['user.group.id', 'user.group.name', 'user.group.members.added', 'user.group.members.removed'] as const;
const SERVICE = ['service.name', 'service.changes', 'file.path', 'file.path.verified'] as const;
const TASK = ['task.name', 'task.scheduler', 'task.changes', 'user.name', 'file.path', 'file.path.verified'] as const;
const SIDES = [
  'network.transport',
  'network.type',
  'network.peer.address',
  'network.peer.port',
  'network.local.address',
  'network.local.port',
] as const;
const SOCKET = [
  ...SIDES,
  'network.unix.path',
  'network.socket.family',
  'network.vsock.peer.cid',
  'network.vsock.local.cid',
] as const;
/** Who logs on, and how. The process is the one that let them in. */
const LOGON = [
  'process.entity.id',
  'process.pid',
  'process.executable.path',
  'process.audit.session.id',
  'process.tty.name',
  'user.name',
  'source.address',
  'source.port',
  'session.service',
  'session.authentication.method',
  'session.key.type',
  'session.key.fingerprint',
  'error.type',
  'detection.rules',
] as const satisfies readonly AttributeName[];

const events = <const T extends Record<string, EventDefinition>>(table: T): T => table;
const e = (cls: EventClass, brief: string, ...attributes: readonly AttributeName[]): EventDefinition => ({
  class: cls,
  brief,
  attributes,
});

export const EVENTS = events({
  'process.fork': e('process', 'A process was made.', ...ACTOR, 'process.parent.entity.id', 'process.parent_pid'),
  'process.exec': e(
    'process',
    'A process started a program, or was refused (error.type).',
    ...ACTOR,
    'process.parent.entity.id',
    'process.parent_pid',
    'process.parent.executable.path',
    'process.ancestors',
    'process.ancestors.complete',
    'process.executable.inode',
    'process.executable.device',
    'process.executable.deleted',
    'process.executable.memfd',
    'process.executable.setuid',
    'process.executable.owner.id',
    'process.script.path',
    'process.command_args',
    'process.parent.command_args',
    'process.args_count',
    'process.working_directory',
    'process.real_user.id',
    'process.saved_user.id',
    'process.group.id',
    'process.capabilities.effective',
    'process.linux.cgroup',
    'systemd.unit',
    'container.id',
    'process.namespace.mnt',
    'process.namespace.pid',
    'process.namespace.net',
    'process.namespace.user',
    'process.audit.user.id',
  ),
  'process.exit': e(
    'process',
    'A process ended.',
    ...ACTOR,
    'process.exit.code',
    'process.exit.signal',
    'process.lifetime',
  ),
  'process.image.load': e(
    'process',
    'A file that lies where libraries usually do not was mapped to be executed.',
    ...ACTOR,
    ...MAPPING,
    ...OBJECT,
    'process.image.deleted',
    'process.image.memfd',
  ),
  'process.access': e(
    'privilege',
    'A process reached into another one: its memory, its descriptors, or a handle on another user’s process.',
    ...ACTOR,
    'process.access.type',
    ...TARGET,
  ),
  'process.signal': e(
    'privilege',
    'A signal was sent to a process of another user, or to Hushwatch; or was refused.',
    ...ACTOR,
    'process.signal.name',
    ...TARGET,
  ),
  'process.memory.executable': e(
    'privilege',
    'Memory became executable that is not an unchanged file.',
    ...ACTOR,
    'process.memory.kind',
    ...MAPPING,
    ...OBJECT,
  ),
  'process.namespace.change': e(
    'privilege',
    'A process entered or made namespaces; ids are those afterwards, of pid those of its children.',
    ...ACTOR,
    'process.namespace.cause',
    'process.namespace.types',
    'process.namespace.mnt',
    'process.namespace.pid',
    'process.namespace.net',
    'process.namespace.user',
  ),
  'process.key.use': e(
    'privilege',
    'The kernel’s keys were asked for or changed.',
    ...ACTOR,
    'process.key.operation',
    'process.key.type',
  ),
  'process.trace': e(
    'privilege',
    'A process took hold of another by ptrace.',
    ...ACTOR,
    'process.trace.request',
    'process.target.entity.id',
    'process.target.pid',
    'process.target.executable.path',
  ),
  'process.credentials.change': e(
    'privilege',
    'A set*id call succeeded or was refused; ids are those afterwards.',
    ...ACTOR,
    'process.real_user.id',
    'process.saved_user.id',
    'process.group.id',
    'process.capabilities.effective',
  ),
  'process.capabilities.change': e('privilege', 'A capset call.', ...ACTOR, 'process.capabilities.effective'),

  'file.open': e(
    'file',
    'A file was opened for writing or made, or a watched file was opened for reading.',
    ...ACTOR,
    'file.path',
    'file.path.origin',
    'file.open.access',
    'file.open.created',
    'file.open.truncated',
    'file.type',
    ...OBJECT,
  ),
  'file.delete': e('file', 'A name was removed.', ...ACTOR, 'file.path', 'file.path.origin'),
  'file.rename': e('file', 'A name was changed.', ...ACTOR, 'file.path', 'file.target.path', 'file.path.origin'),
  'file.link': e(
    'file',
    'A link was made.',
    ...ACTOR,
    'file.path',
    'file.target.path',
    'file.path.origin',
    'file.link.type',
  ),
  'file.mode.change': e('file', 'Permissions were changed.', ...ACTOR, 'file.path', 'file.path.origin', ...OBJECT),
  'file.owner.change': e('file', 'Ownership was changed.', ...ACTOR, 'file.path', 'file.path.origin', ...OBJECT),
  'file.create': e(
    'file',
    'A directory, device, pipe or socket was made (mkdir, mknod). A file that an open makes is a file.open.',
    ...ACTOR,
    'file.path',
    'file.path.origin',
    'file.type',
    'file.mode',
  ),
  'file.modify': e(
    'file',
    'A process wrote a file, and closed it.',
    ...ACTOR,
    'file.path',
    'file.path.origin',
    'file.bytes_written',
    'file.type',
    ...OBJECT,
  ),
  'file.truncate': e('file', 'A file was cut or lengthened.', ...ACTOR, 'file.path', 'file.path.origin', ...OBJECT),
  'file.attribute.change': e(
    'file',
    'An extended attribute was set or removed; its value is never read.',
    ...ACTOR,
    'file.path',
    'file.path.origin',
    'file.attribute.name',
    'file.attribute.action',
    ...OBJECT,
  ),
  'file.memory.create': e('file', 'An anonymous memory file was made (memfd_create).', ...ACTOR, 'file.name'),

  // As many as programs that are new here: shed with the executions that they explain.
  'file.inspect': e(
    'process',
    'A file that was written while we looked, or has no name, was run: what it is.',
    ...ACTOR,
    'file.path',
    'file.inspect.result',
    'file.size',
    'file.content.type',
    'file.entropy',
    'file.hash.sha256',
    'file.script.hash.sha256',
    'file.hashes',
  ),

  // Persistence is rare and matters: these are shed after files and processes.
  'user.account.create': e('integrity', 'An account was made.', ...ACTOR, ...ACCOUNT),
  'user.account.change': e('integrity', 'An account was changed.', ...ACTOR, ...ACCOUNT, 'user.changes'),
  'user.account.delete': e('integrity', 'An account was removed.', ...ACTOR, ...ACCOUNT),
  'user.group.create': e('integrity', 'A group was made.', ...ACTOR, ...GROUP),
  'user.group.change': e('integrity', 'A group was changed.', ...ACTOR, ...GROUP, 'user.group.changes'),
  'user.group.delete': e('integrity', 'A group was removed.', ...ACTOR, ...GROUP),
  'user.credential.change': e(
    'integrity',
    'The keys with which one may log in to an account were changed.',
    ...ACTOR,
    ...ACCOUNT,
    'file.path',
    'file.path.verified',
  ),
  'service.create': e('integrity', 'A service was made.', ...ACTOR, ...SERVICE),
  'service.change': e('integrity', 'A service was changed, enabled or disabled.', ...ACTOR, ...SERVICE),
  'service.delete': e('integrity', 'A service was removed.', ...ACTOR, ...SERVICE),
  'task.schedule.create': e('integrity', 'A task was scheduled.', ...ACTOR, ...TASK),
  'task.schedule.change': e('integrity', 'A scheduled task was changed.', ...ACTOR, ...TASK),
  'task.schedule.delete': e(
    'integrity',
    'A scheduled task was removed, or has run once and for all.',
    ...ACTOR,
    ...TASK,
  ),
  'system.filesystem.mount': e(
    'kernel',
    'A file system or directory was mounted, moved, or mounted otherwise (remount).',
    ...ACTOR,
    'system.device',
    'system.filesystem.mountpoint',
    'file.path.origin',
    'system.filesystem.type',
    'system.filesystem.options',
  ),
  'system.filesystem.unmount': e(
    'kernel',
    'A file system was unmounted.',
    ...ACTOR,
    'system.filesystem.mountpoint',
    'file.path.origin',
  ),
  'system.filesystem.root.change': e(
    'kernel',
    'The root directory was exchanged (pivot_root): file.path is the new one, the old one went to the mount point.',
    ...ACTOR,
    'file.path',
    'system.filesystem.mountpoint',
    'file.path.origin',
  ),

  'network.connect': e(
    'network',
    'A socket was connected, or could not be (error.type).',
    ...ACTOR,
    ...SOCKET,
    'network.peer.origin',
  ),
  'network.accept': e('network', 'A connection was accepted.', ...ACTOR, ...SOCKET),
  'network.listen': e('network', 'A socket listens.', ...ACTOR, ...SOCKET),
  'network.bind': e(
    'network',
    'A socket that does not listen got an address of its own, or was refused one.',
    ...ACTOR,
    ...SOCKET,
    'network.socket.type',
  ),
  'network.send': e('network', 'The first datagram of a socket to a peer.', ...ACTOR, ...SOCKET, 'network.peer.origin'),
  'network.socket.create': e(
    'network',
    'A socket was made, or refused, that sees or says what others cannot: raw, packet, vsock, crypto, audit.',
    ...ACTOR,
    'network.type',
    'network.socket.family',
    'network.socket.type',
    'network.socket.protocol',
  ),
  'network.flow.end': e(
    'network',
    'A TCP connection ended.',
    ...ACTOR,
    ...SIDES,
    'network.flow.direction',
    'network.flow.sent.size',
    'network.flow.received.size',
    'network.flow.duration',
  ),
  'dns.query': e(
    'network',
    'A name server was asked.',
    ...ACTOR,
    ...SIDES,
    'dns.question.name',
    'dns.question.type',
    'dns.malformed',
  ),
  'dns.answer': e(
    'network',
    'A name server answered; the process is the one that had asked.',
    ...ACTOR,
    ...SIDES,
    'dns.question.name',
    'dns.question.type',
    'dns.response.code',
    'dns.answers',
    'dns.malformed',
  ),

  'kernel.module.load': e('kernel', 'A kernel module was loaded.', ...ACTOR, 'kernel.module.name'),
  'kernel.bpf.load': e(
    'kernel',
    'A BPF program was loaded.',
    ...ACTOR,
    'kernel.bpf.program.name',
    'kernel.bpf.program.type',
  ),
  'kernel.module.unload': e(
    'kernel',
    'A kernel module was removed, or that was refused.',
    ...ACTOR,
    'kernel.module.name',
  ),
  'kernel.bpf.object': e(
    'kernel',
    'A BPF map or link was made, a program attached, an object pinned or taken by its id.',
    ...ACTOR,
    'kernel.bpf.operation',
    'kernel.bpf.object.name',
    'kernel.bpf.object.type',
    'file.path',
    'file.path.origin',
  ),
  'kernel.kexec': e(
    'kernel',
    'Another kernel was made ready to be started.',
    ...ACTOR,
    'kernel.kexec.source',
    'file.path',
    'file.path.origin',
    ...OBJECT,
  ),
  'kernel.io_uring.create': e('kernel', 'A ring was made.', ...ACTOR, 'kernel.io_uring.flags'),
  'kernel.io_uring.operation': e(
    'kernel',
    'An operation on names or sockets was submitted through a ring; whether it succeeds is not told.',
    ...ACTOR,
    'kernel.io_uring.operation',
    'file.path',
    'file.path.origin',
  ),
  'kernel.perf_event.open': e(
    'kernel',
    'A performance event was opened.',
    ...ACTOR,
    'kernel.perf_event.type',
    'kernel.perf_event.cpu',
    ...TARGET,
  ),

  'session.start': e('session', 'A user logged on.', ...LOGON, 'session.id'),
  'session.end': e('session', 'A user logged off: the last process of the session is gone.', ...LOGON, 'session.id'),
  'session.failure': e('session', 'A log-on was refused, or given up.', ...LOGON),
  'user.switch': e(
    'session',
    'A user ran a command as another, or was refused (error.type).',
    ...ACTOR,
    'process.audit.user.id',
    'process.tty.name',
    'process.working_directory',
    'user.effective.name',
    'user.switch.program',
    'user.switch.command_args',
  ),
  'security.avc.denied': e(
    'kernel',
    'A security module denied an access, or would have.',
    ...ACTOR,
    'file.path',
    'file.name',
    'security.module',
    'security.source.context',
    'security.target.context',
    'security.target.class',
    'security.permissions',
    'security.permissive',
  ),
  'security.seccomp.denied': e(
    'kernel',
    'A process made a system call that its filter forbids.',
    ...ACTOR,
    'process.audit.user.id',
    'process.exit.signal',
    'security.seccomp.action',
    'security.seccomp.syscall',
    'security.seccomp.architecture',
  ),

  'host.inventory': e(
    'host',
    'What the machine is.',
    'host.arch',
    'host.cpu.model.name',
    'host.cpu.count',
    'host.memory.size',
    'host.name',
    'host.interfaces',
    'os.name',
    'os.version',
    'os.kernel.release',
    'detection.rules',
  ),
  'host.load': e(
    'host',
    'How busy the machine is.',
    'system.cpu.utilization',
    'system.memory.utilization',
    'system.cpu.load_average.1m',
    'system.filesystem.utilization',
    'system.uptime',
    'detection.rules',
  ),

  'hushwatch.start': e(
    'self',
    'A process of Hushwatch started.',
    'hushwatch.component',
    'hushwatch.version',
    'hushwatch.source',
    'hushwatch.blind.duration',
    'detection.rules',
  ),
  'hushwatch.crash': e(
    'self',
    'A process of Hushwatch had ended without saying so: told at the next start.',
    'hushwatch.component',
    'hushwatch.crash.scope',
    'detection.rules',
  ),
  'hushwatch.ruleset.change': e(
    'self',
    'The rules in force are others than those that the last statement named.',
    'hushwatch.rules.kind',
    'hushwatch.rules.digest',
    'hushwatch.rules.previous',
    'detection.rules',
  ),
  'hushwatch.stop': e(
    'self',
    'A process of Hushwatch stopped.',
    'hushwatch.component',
    'hushwatch.version',
    'hushwatch.source',
    'detection.rules',
  ),
  'hushwatch.source.report': e(
    'self',
    'A source says what became of it, and what it could not tell since its last report.',
    'hushwatch.source',
    'hushwatch.source.state',
    'hushwatch.blind.duration',
    'hushwatch.entries.lost',
    'hushwatch.entries.refused',
    'hushwatch.entries.unreadable',
    'detection.rules',
  ),
});

export type EventName = keyof typeof EVENTS;

export type Value = string | number | boolean | readonly string[];

/** Keys that stand in every released line beside the attributes: the event's name and its time, µs since 1970, UTC. */
export const ENVELOPE = ['event', 'time'] as const;

export const isEventName = (name: string): name is EventName => Object.hasOwn(EVENTS, name);
export const isAttributeName = (name: string): name is AttributeName => Object.hasOwn(ATTRIBUTES, name);

/** SHA-256, hex, of the vocabulary as JSON; a statement names the vocabulary its events speak. */
export function vocabularyDigest(): string {
  return createHash('sha256').update(JSON.stringify({ CLASSES, ATTRIBUTES, EVENTS })).digest('hex');
}
