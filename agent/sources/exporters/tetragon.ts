/**
 * Tetragon's export file (`--export-filename`): one object a line, of which one key names the kind.
 *
 * Arguments come as one text, joined by spaces; those that hold a space stand in quotes, and nothing is escaped. They are
 * split again where there is one way to read them, and otherwise not read: a cut in the wrong place would show a part of
 * a secret as a word of its own. A probe at the entry of a call tells that it was made; whether it was refused shows only
 * where the policy asks for its result. What was there before Tetragon started (`procFS`) did not start now.
 */
import type { Attributes, RawEvent } from '../../event.ts';
import type { Fields } from './json.ts';
import { containerOf, errorOf, signalOf, socketOf, type Mapper, type Told, type Users } from './told.ts';

/** In the order of their bits. */
const CAPABILITIES = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ');

const NAMESPACES = new Map([
  [0x0002_0000, 'mnt'],
  [0x0200_0000, 'cgroup'],
  [0x0400_0000, 'uts'],
  [0x0800_0000, 'ipc'],
  [0x1000_0000, 'user'],
  [0x2000_0000, 'pid'],
  [0x4000_0000, 'net'],
]);
const MAY_WRITE = 2;
const MAX_THROTTLED = 1_024;

export function tetragonMapper(users: Users): Mapper {
  const throttled = new Map<string, number>();
  return (line) => {
    if (line.has('rate_limit_info')) {
      const dropped = line.in('rate_limit_info').count('number_of_dropped_process_events');
      return dropped === undefined ? 'unreadable' : { lostOfAnyKind: dropped };
    }
    const time = line.time('time');
    if (time === undefined) return 'unreadable';
    if (line.has('process_throttle')) return throttle(line.in('process_throttle'), time, throttled);
    const found = KINDS.find(([kind]) => line.has(kind));
    if (found === undefined) return 'unmapped';
    const [kind, map] = found;
    const event = map(line.in(kind), time, (id) => (id === undefined ? undefined : users.of(id)));
    return event === undefined ? 'unmapped' : { event };
  };
}

/** While a control group is throttled Tetragon drops what it cannot count; told when that ends. */
function throttle(told: Fields, time: number, since: Map<string, number>): Told | 'unreadable' {
  const group = told.text('cgroup') ?? '';
  const type = told.text('type');
  if (type === 'THROTTLE_START') {
    if (since.size < MAX_THROTTLED) since.set(group, time);
    return { blind: 0 };
  }
  if (type !== 'THROTTLE_STOP') return 'unreadable';
  const began = since.get(group) ?? time;
  since.delete(group);
  return { blind: Math.max(0, time - began) / 1e6 };
}

type NameOf = (id: number | undefined) => string | undefined;
type MapKind = (body: Fields, time: number, nameOf: NameOf) => RawEvent | undefined;

const KINDS: readonly (readonly [string, MapKind])[] = [
  ['process_exec', executed],
  ['process_exit', exited],
  ['process_connect', connected('network.connect')],
  ['process_accept', connected('network.accept')],
  ['process_listen', listens],
  ['process_kprobe', probed],
  ['process_lsm', probed],
];

function actorOf(process: Fields, nameOf: NameOf): Attributes {
  const user = userOf(process);
  return {
    'process.entity.id': entityOf(process.text('exec_id')),
    'process.pid': process.count('pid'),
    'process.executable.path': programOf(process),
    'process.user.id': user,
    'process.user.name': nameOf(user),
  };
}

/** The kernel's own threads have none. */
function programOf(process: Fields): string | undefined {
  const binary = process.text('binary');
  return binary === '<kernel>' ? undefined : binary;
}

const userOf = (process: Fields): number | undefined =>
  process.in('process_credentials').id('euid') ?? process.id('uid');

/** An exec id is node:start:pid in base 64; the node's name stays here. */
function entityOf(execId: string | undefined): string | undefined {
  const [, start, pid] = /^[^:]*:(\d{1,20}):(\d{1,10})$/.exec(Buffer.from(execId ?? '', 'base64').toString()) ?? [];
  return start === undefined || pid === undefined ? undefined : `${pid}-${start}`;
}

function executed(body: Fields, time: number, nameOf: NameOf): RawEvent | undefined {
  const process = body.in('process');
  const parent = body.in('parent');
  const credentials = process.in('process_credentials');
  const spaces = process.in('ns');
  if ((process.text('flags') ?? '').split(' ').includes('procFS')) return undefined;
  return {
    name: 'process.exec',
    time,
    attributes: {
      ...actorOf(process, nameOf),
      'process.parent.entity.id': entityOf(process.text('parent_exec_id')),
      'process.parent_pid': parent.count('pid'),
      'process.parent.executable.path': programOf(parent),
      'process.command_args': argumentsOf(process),
      'process.parent.command_args': argumentsOf(parent),
      'process.working_directory': process.text('cwd'),
      'process.real_user.id': credentials.id('uid'),
      'process.saved_user.id': credentials.id('suid'),
      'process.group.id': credentials.id('egid'),
      'process.audit.user.id': process.id('auid'),
      'process.capabilities.effective': capabilitiesOf(process.in('cap').texts('effective')),
      'container.id': containerOf(process.text('docker')),
      'process.namespace.mnt': spaces.in('mnt').count('inum'),
      'process.namespace.pid': spaces.in('pid').count('inum'),
      'process.namespace.net': spaces.in('net').count('inum'),
      'process.namespace.user': spaces.in('user').count('inum'),
    },
  };
}

/** The program first, which Tetragon leaves out. */
function argumentsOf(process: Fields): readonly string[] | undefined {
  const program = programOf(process);
  const rest = process.text('arguments');
  if (program === undefined) return undefined;
  if (rest === undefined) return [program];
  const words = wordsOf(rest);
  return words === undefined ? undefined : [program, ...words];
}

/** Undefined where the text can be read in two ways: a quote that is not one of those around a word with a space. */
export function wordsOf(text: string): readonly string[] | undefined {
  const words: string[] = [];
  for (let at = 0; at <= text.length;) {
    const isQuoted = text[at] === '"';
    const close = text.indexOf(isQuoted ? '"' : ' ', isQuoted ? at + 1 : at);
    if (isQuoted && close < 0) return undefined;
    const word = text.slice(isQuoted ? at + 1 : at, close < 0 ? text.length : close);
    const next = isQuoted ? close + 1 : at + word.length;
    if (word.includes('"') || isQuoted !== word.includes(' ') || (next < text.length && text[next] !== ' '))
      return undefined;
    words.push(word);
    at = next + 1;
  }
  return words;
}

function capabilitiesOf(names: readonly string[] | undefined): string | undefined {
  if (names === undefined) return undefined;
  let set = 0n;
  for (const name of names) {
    const bit = CAPABILITIES.indexOf(name.replace(/^CAP_/, ''));
    if (bit < 0) return undefined;
    set |= 1n << BigInt(bit);
  }
  return set.toString(16).padStart(16, '0');
}

function exited(body: Fields, time: number, nameOf: NameOf): RawEvent {
  const process = body.in('process');
  const began = process.time('start_time');
  return {
    name: 'process.exit',
    time,
    attributes: {
      ...actorOf(process, nameOf),
      'process.exit.code': body.count('status') ?? 0,
      'process.exit.signal': body.has('signal') ? signalOf(body.text('signal')) : 0,
      'process.lifetime': began === undefined ? undefined : Math.max(0, time - began) / 1e6,
    },
  };
}

function connected(name: 'network.connect' | 'network.accept'): MapKind {
  return (body, time, nameOf) => ({
    name,
    time,
    attributes: {
      ...actorOf(body.in('process'), nameOf),
      ...socketOf({
        transport: transportOf(body.text('protocol')),
        peer: body.address(name === 'network.connect' ? 'destination_ip' : 'source_ip'),
        peerPort: body.count(name === 'network.connect' ? 'destination_port' : 'source_port'),
        local: body.address(name === 'network.connect' ? 'source_ip' : 'destination_ip'),
        localPort: body.count(name === 'network.connect' ? 'source_port' : 'destination_port'),
      }),
    },
  });
}

function listens(body: Fields, time: number, nameOf: NameOf): RawEvent {
  const socket = {
    transport: transportOf(body.text('protocol')),
    local: body.address('ip'),
    localPort: body.count('port'),
  };
  return { name: 'network.listen', time, attributes: { ...actorOf(body.in('process'), nameOf), ...socketOf(socket) } };
}

/** Not the keys of an object, which has `constructor` too. */
const TRANSPORTS: ReadonlyMap<string, string> = new Map([
  ['TCP', 'tcp'],
  ['UDP', 'udp'],
  ['IPPROTO_TCP', 'tcp'],
  ['IPPROTO_UDP', 'udp'],
]);
const transportOf = (protocol = ''): string | undefined => TRANSPORTS.get(protocol);

function probed(body: Fields, time: number, nameOf: NameOf): RawEvent | undefined {
  const called = (body.text('function_name') ?? '').replace(/^__(?:x64|arm64)_(?=sys_)/, '');
  const told = PROBES.get(called)?.(body.each('args'));
  if (told === undefined) return undefined;
  const error = errorOf(body.in('return').int('int_arg'));
  const attributes = { ...actorOf(body.in('process'), nameOf), 'error.type': error, ...told.attributes };
  if (told.name !== 'process.credentials.change') return { name: told.name, time, attributes };
  // Ids are those afterwards; of a call's entry nobody knows them yet.
  const after = told.attributes['process.user.id'];
  const user = typeof after === 'number' ? after : undefined;
  return {
    name: told.name,
    time,
    attributes: { ...attributes, 'process.user.id': user, 'process.user.name': nameOf(user) },
  };
}

type Probe = (args: readonly Fields[]) => Pick<RawEvent, 'name' | 'attributes'> | undefined;

/** Of hooks that tell the same fact twice (an execution, a module's file) the first is read. */
const PROBES = new Map<string, Probe>([
  ['security_file_permission', touched('asked')],
  ['file_permission', touched('asked')],
  ['security_file_open', touched()],
  ['file_open', touched()],
  ['fd_install', touched()],
  ['sys_write', touched('write')],
  ['sys_read', touched('read')],
  ['do_init_module', module('kernel.module.load')],
  ['free_module', module('kernel.module.unload')],
  ['commit_creds', credentials],
  ['sys_setuid', () => ({ name: 'process.credentials.change', attributes: {} })],
  ['sys_setgid', () => ({ name: 'process.credentials.change', attributes: {} })],
  ['sys_setns', entered],
  ['tcp_connect', tcpConnect],
]);

/** Each use of an open file is told as if it were opened for it; what was `asked` is the hook's second argument. */
function touched(access?: 'read' | 'write' | 'asked'): Probe {
  return (args) => {
    const path = args.map((arg) => arg.in('file_arg').text('path')).find((one) => one !== undefined);
    if (path === undefined) return undefined;
    const mask = access === 'asked' ? args[1]?.int('int_arg') : undefined;
    const asked = mask === undefined ? undefined : (mask & MAY_WRITE) === 0 ? 'read' : 'write';
    const attributes = {
      'file.path': path,
      'file.path.origin': 'kernel',
      'file.open.access': access === 'asked' ? asked : access,
    };
    return { name: 'file.open', attributes };
  };
}

function module(name: 'kernel.module.load' | 'kernel.module.unload'): Probe {
  return (args) => ({ name, attributes: { 'kernel.module.name': args[0]?.in('module_arg').text('name') } });
}

function credentials(args: readonly Fields[]): ReturnType<Probe> {
  const after = args[0]?.in('process_credentials_arg');
  return {
    name: 'process.credentials.change',
    attributes: {
      'process.user.id': after?.id('euid'),
      'process.real_user.id': after?.id('uid'),
      'process.saved_user.id': after?.id('suid'),
      'process.group.id': after?.id('egid'),
      'process.capabilities.effective': capabilitiesOf(after?.in('caps').texts('effective')),
    },
  };
}

/** Which kind was asked for; none where the caller takes whatever the descriptor is. */
function entered(args: readonly Fields[]): ReturnType<Probe> {
  const asked = args[1]?.count('int_arg') ?? 0;
  const types = [...NAMESPACES].filter(([bit]) => Math.floor(asked / bit) % 2 === 1).map(([, type]) => type);
  return {
    name: 'process.namespace.change',
    attributes: { 'process.namespace.cause': 'setns', 'process.namespace.types': types.length > 0 ? types : undefined },
  };
}

function tcpConnect(args: readonly Fields[]): ReturnType<Probe> {
  const socket = args[0]?.in('sock_arg');
  if (socket === undefined) return undefined;
  const [peer, local] = [socket.address('daddr'), socket.address('saddr')];
  const [peerPort, localPort] = [socket.count('dport'), socket.count('sport')];
  return { name: 'network.connect', attributes: socketOf({ transport: 'tcp', peer, peerPort, local, localPort }) };
}
