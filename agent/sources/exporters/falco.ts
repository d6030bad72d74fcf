/**
 * Falco's alerts (`json_output`, `file_output`): an alert of a rule on a system call is the event that the rule saw.
 *
 * What kind it was says `evt.type`; where a rule's output does not print that, the name of a rule that ships with Falco and
 * rests on one kind does. `output` is a rendered sentence and `proc.cmdline` a command line whose words cannot be told
 * apart: neither is read, so Falco's executions carry no arguments. `proc.exe` and `proc.name` are the caller's words.
 */
import type { EventClass, EventName } from '#protocol/vocabulary.ts';
import type { Attributes } from '../../event.ts';
import { addressOf, type Fields } from './json.ts';
import { containerOf, errorOf, openedBy, socketOf, type Mapper, type Told, type Users } from './told.ts';

/** Rules of Falco's own, each on one kind of call, whose outputs did not name it. */
const CALL_OF_RULE = new Map([
  ['Terminal shell in container', 'execve'],
  ['Run shell untrusted', 'execve'],
  ['Write below binary dir', 'creat'],
  ['Read sensitive file untrusted', 'open'],
  ['Contact K8S API Server From Container', 'connect'],
]);

/** Counters of dropped calls; of the two for each call, at entry and exit, the exit, of which every call has one. */
const DROPS: readonly (readonly [string, EventClass])[] = [
  ['n_drops_buffer_clone_fork_exit', 'process'],
  ['n_drops_buffer_execve_exit', 'process'],
  ['n_drops_buffer_open_exit', 'file'],
  ['n_drops_buffer_dir_file_exit', 'file'],
  ['n_drops_buffer_connect_exit', 'network'],
];

export function falcoMapper(users: Users): Mapper {
  let queueDrops: number | undefined;
  return (line) => {
    const rule = line.text('rule');
    const fields = line.in('output_fields');
    if (rule === 'Falco internal: syscall event drop') return dropped(fields);
    if (rule === 'Falco internal: metrics snapshot') {
      // One counter has no value of before beside it: what was there when we came is not news.
      const now = fields.count('falco.outputs_queue_num_drops') ?? 0;
      const more = Math.max(0, now - (queueDrops ?? now));
      queueDrops = now;
      return snapshot(fields, more);
    }
    const time = line.time('time');
    if (rule === undefined || time === undefined) return 'unreadable';
    const source = line.text('source') ?? 'syscall';
    const call = source === 'syscall' ? (fields.text('evt.type') ?? CALL_OF_RULE.get(rule)) : undefined;
    const told = CALLS.get(call ?? '')?.(fields, call ?? '');
    if (told === undefined) return 'unmapped';
    const error = errorOf(fields.int('evt.rawres'));
    return {
      event: { name: told[0], time, attributes: { ...actorOf(fields, users), 'error.type': error, ...told[1] } },
    };
  };
}

function dropped(fields: Fields): Told | 'unreadable' {
  const all = fields.count('n_drops');
  if (all === undefined) return 'unreadable';
  const lost: Partial<Record<EventClass, number>> = {};
  for (const [name, cls] of DROPS) lost[cls] = (lost[cls] ?? 0) + (fields.count(name) ?? 0);
  const known = Object.values(lost).reduce((sum, n) => sum + n, 0);
  return { lost, lostOfAnyKind: Math.max(0, all - known) };
}

/** Every so often, where that is switched on; counters since Falco started, and what they were the time before. */
function snapshot(fields: Fields, more: number): Told {
  const drops = Math.max(0, (fields.count('scap.n_drops') ?? 0) - (fields.count('scap.n_drops_prev') ?? 0));
  return { lostOfAnyKind: drops + more };
}

function actorOf(fields: Fields, users: Users): Attributes {
  const user = fields.id('user.uid');
  return {
    'process.pid': fields.count('proc.pid'),
    'process.executable.path': known(fields.text('proc.exepath')),
    'process.user.id': user,
    'process.user.name': known(fields.text('user.name')) ?? (user === undefined ? undefined : users.of(user)),
  };
}

/** Falco's word for what it does not know. */
const known = (text: string | undefined): string | undefined => (text === '<NA>' ? undefined : text);

type MapCall = (fields: Fields, call: string) => readonly [EventName, Attributes];

const TRANSPORTS: ReadonlyMap<string, string> = new Map([
  ['tcp', 'tcp'],
  ['udp', 'udp'],
]);

const CALLS = new Map<string, MapCall>([
  ...each(['execve', 'execveat'], executed),
  ...each(['open', 'openat', 'openat2', 'creat', 'open_by_handle_at'], opened),
  ...each(['unlink', 'unlinkat', 'rmdir'], (fields) => ['file.delete', pathsOf(fields, 'fs.path.name')]),
  ...each(['rename', 'renameat', 'renameat2'], (fields) => ['file.rename', pathsOf(fields, 'fs.path.source')]),
  ...each(['link', 'linkat'], (fields) => ['file.link', linked(fields, 'hard')]),
  ...each(['symlink', 'symlinkat'], (fields) => ['file.link', linked(fields, 'symbolic')]),
  ...each(['mkdir', 'mkdirat'], (fields) => [
    'file.create',
    { ...pathsOf(fields, 'fs.path.name'), 'file.type': 'directory' },
  ]),
  ...each(['chmod', 'fchmod', 'fchmodat'], (fields) => ['file.mode.change', pathsOf(fields, 'fs.path.name')]),
  ...each(['connect'], (fields) => ['network.connect', connectedTo(fields, 's')]),
  ...each(['accept', 'accept4'], (fields) => ['network.accept', connectedTo(fields, 'c')]),
  ...each(['listen'], (fields) => ['network.listen', connectedTo(fields, 'c')]),
  ...each(['ptrace'], () => ['process.trace', {}]),
  ...each(['setuid', 'setgid', 'setresuid', 'setresgid'], () => ['process.credentials.change', {}]),
  ...each(['setns', 'unshare'], (_, call) => ['process.namespace.change', { 'process.namespace.cause': call }]),
  ...each(['init_module', 'finit_module'], () => ['kernel.module.load', {}]),
]);

function each(calls: readonly string[], map: MapCall): readonly (readonly [string, MapCall])[] {
  return calls.map((call) => [call, map]);
}

function executed(fields: Fields): readonly [EventName, Attributes] {
  return [
    'process.exec',
    {
      'process.parent_pid': fields.count('proc.ppid'),
      'process.parent.executable.path': known(fields.text('proc.pexepath')),
      'process.working_directory': known(fields.text('proc.cwd')),
      'process.audit.user.id': fields.id('user.loginuid'),
      'process.group.id': fields.id('group.gid'),
      'container.id': containerOf(fields.text('container.id')),
    },
  ];
}

function opened(fields: Fields, call: string): readonly [EventName, Attributes] {
  const flags = openedBy(fields.text('evt.arg.flags'));
  const writes = fields.flag('evt.is_open_write') ?? (call === 'creat' ? true : undefined);
  const path = known(fields.text('fd.name'));
  return [
    'file.open',
    {
      // The text of the flags is Falco's own: names that begin with O_.
      'file.open.access': writes === true ? 'write' : fields.flag('evt.is_open_read') === true ? 'read' : undefined,
      ...(fields.text('evt.arg.flags')?.startsWith('O_') === true ? flags : {}),
      'file.path': path,
      'file.path.origin': path === undefined ? undefined : 'argument',
    },
  ];
}

/** One path; of a rename also the new name. */
function pathsOf(fields: Fields, name: 'fs.path.name' | 'fs.path.source'): Attributes {
  const path = known(fields.text(name)) ?? known(fields.text('fd.name'));
  const target = name === 'fs.path.source' ? known(fields.text('fs.path.target')) : undefined;
  return {
    'file.path': path,
    'file.path.origin': path === undefined ? undefined : 'argument',
    'file.target.path': target,
  };
}

function linked(fields: Fields, type: 'hard' | 'symbolic'): Attributes {
  const target = known(fields.text('fs.path.source'));
  const path = known(fields.text('fs.path.target'));
  return {
    'file.path': path,
    'file.target.path': target,
    'file.path.origin': path === undefined ? undefined : 'argument',
    'file.link.type': type,
  };
}

/** Falco speaks of client and server; the peer of who connects is the server (`s`). */
function connectedTo(fields: Fields, peer: 's' | 'c'): Attributes {
  const local = peer === 's' ? 'c' : 's';
  const [client, server] = endsOf(fields.text('fd.name'));
  const named = { s: server, c: client };
  return socketOf({
    transport: TRANSPORTS.get(fields.text('fd.l4proto') ?? ''),
    peer: fields.address(`fd.${peer}ip`) ?? named[peer]?.address,
    peerPort: fields.count(`fd.${peer}port`) ?? named[peer]?.port,
    local: fields.address(`fd.${local}ip`) ?? named[local]?.address,
    localPort: fields.count(`fd.${local}port`) ?? named[local]?.port,
  });
}

interface End {
  readonly address: string;
  readonly port: number;
}

/** `192.0.2.1:40000->203.0.113.7:443`, or one end alone. */
function endsOf(name: string | undefined): readonly (End | undefined)[] {
  return (name ?? '').split('->', 2).map((text) => {
    const [, host = '', port = ''] = /^(.{2,45}):(\d{1,5})$/.exec(text) ?? [];
    const address = addressOf(host);
    return address === undefined ? undefined : { address, port: Number(port) };
  });
}
