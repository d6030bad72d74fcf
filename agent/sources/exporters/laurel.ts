/**
 * laurel's log: one object for each audit event, with a key for each type of record in it.
 *
 * The call says what it was: by name where laurel translates (`SYSCALL.SYSCALL`), else by the number of the two architectures
 * that we run on. Bytes that are no text stand there as %xx, and are put back. `PROCTITLE` (the command line again, cut) and
 * `ARGV_STR` are not read, nor are `ENV` and what user-space programs send (`USER_…`: the journal tells log-ons).
 * Neither laurel nor auditd writes into this file what they lost; their own logs say that.
 */
import { isAbsolute, join } from 'node:path';
import type { EventName } from '#protocol/vocabulary.ts';
import { nameOfRequest } from '../../enrich/privilege.ts';
import { nameOfRingOperation } from '../../enrich/kernel.ts';
import type { Attributes } from '../../event.ts';
import type { Fields } from './json.ts';
import { callOf } from './calls.ts';
import { sockaddrOf } from './sockaddr.ts';
import { errorOf, openedBy, type Mapper, type Users } from './told.ts';

const ID = /^(\d{1,11})\.(\d{3}):\d{1,20}$/;

export function laurelMapper(users: Users): Mapper {
  return (line) => {
    const [, seconds, milliseconds] = ID.exec(line.text('ID') ?? '') ?? [];
    if (seconds === undefined || milliseconds === undefined) return 'unreadable';
    const time = Number(seconds) * 1e6 + Number(milliseconds) * 1e3;
    const found = told(line);
    if (found === undefined) return 'unmapped';
    const [name, actor, attributes] = found;
    const user = actor.id('euid');
    const session = actor.id('ses');
    const common: Attributes = {
      'process.pid': actor.count('pid'),
      'process.executable.path': text(actor, 'exe'),
      'process.user.id': user,
      'process.user.name': actor.text('EUID') ?? (user === undefined ? undefined : users.of(user)),
      'process.audit.session.id': session,
      'error.type': errorOf(actor.int('exit')),
    };
    return { event: { name, time, attributes: { ...common, ...attributes } } };
  };
}

function told(line: Fields): readonly [EventName, Fields, Attributes] | undefined {
  const [denied] = line.each('AVC').filter((one) => one.text('apparmor') === 'DENIED');
  const call = line.in('SYSCALL');
  if (denied !== undefined) return ['security.avc.denied', line.has('SYSCALL') ? call : denied, refused(denied)];
  const [ring] = line.each('URINGOP');
  if (ring !== undefined) return ['kernel.io_uring.operation', ring, submitted(ring)];
  const name = callOf(call);
  const mapped = CALLS.get(name ?? '')?.(line, name ?? '');
  return mapped === undefined ? undefined : [mapped[0], call, mapped[1]];
}

function refused(denied: Fields): Attributes {
  return {
    'file.path': text(denied, 'name'),
    'security.module': 'apparmor',
    'security.source.context': text(denied, 'profile'),
    'security.target.class': denied.text('operation'),
    'security.permissions': denied.text('denied_mask')?.split(''),
    'security.permissive': false,
  };
}

function submitted(ring: Fields): Attributes {
  const operation = ring.count('uring_op');
  return {
    'kernel.io_uring.operation': operation === undefined ? undefined : nameOfRingOperation(operation),
    // The kernel tells the result here, which is not that of the operation.
    'error.type': undefined,
  };
}

type MapCall = (line: Fields, call: string) => readonly [EventName, Attributes];

const CALLS = new Map<string, MapCall>([
  ...each(['execve', 'execveat'], executed),
  ...each(['open', 'openat', 'openat2', 'creat'], opened),
  ...each(['unlink', 'unlinkat', 'rmdir'], (line) => ['file.delete', named(line, 'DELETE')]),
  ...each(['rename', 'renameat', 'renameat2'], (line) => ['file.rename', named(line, 'DELETE', 'CREATE')]),
  ...each(['link', 'linkat'], (line) => [
    'file.link',
    { ...named(line, 'NORMAL', 'CREATE'), 'file.link.type': 'hard' },
  ]),
  ...each(['mkdir', 'mkdirat'], (line) => ['file.create', { ...named(line, 'CREATE'), 'file.type': 'directory' }]),
  ...each(['chmod', 'fchmod', 'fchmodat'], (line) => ['file.mode.change', named(line, 'NORMAL')]),
  ...each(['chown', 'fchown', 'lchown', 'fchownat'], (line) => ['file.owner.change', named(line, 'NORMAL')]),
  ...each(['truncate', 'ftruncate'], (line) => ['file.truncate', named(line, 'NORMAL')]),
  ...each(['connect'], (line) => ['network.connect', addressed(line)]),
  ...each(['accept', 'accept4'], (line) => ['network.accept', addressed(line)]),
  ...each(['listen'], () => ['network.listen', {}]),
  ...each(['ptrace'], traced),
  ...each(['setuid', 'setgid', 'setreuid', 'setregid', 'setresuid', 'setresgid'], changedUser),
  ...each(['setns', 'unshare'], (_, call) => ['process.namespace.change', { 'process.namespace.cause': call }]),
  ...each(['init_module', 'finit_module'], (line) => ['kernel.module.load', moduleOf(line)]),
  ...each(['delete_module'], (line) => ['kernel.module.unload', moduleOf(line)]),
]);

function each(calls: readonly string[], map: MapCall): readonly (readonly [string, MapCall])[] {
  return calls.map((call) => [call, map]);
}

function executed(line: Fields): readonly [EventName, Attributes] {
  const call = line.in('SYSCALL');
  const execve = line.in('EXECVE');
  const [image] = line.each('PATH');
  const parent = line.in('PARENT_INFO');
  return [
    'process.exec',
    {
      'process.parent_pid': call.count('ppid'),
      'process.parent.executable.path': text(parent, 'exe'),
      'process.parent.command_args': parent.texts('ARGV')?.map(unescaped),
      'process.executable.inode': image?.count('inode'),
      'process.executable.device': image === undefined ? undefined : deviceOf(image),
      'process.executable.owner.id': image?.id('ouid'),
      'process.command_args': execve.texts('ARGV')?.map(unescaped),
      'process.args_count': execve.count('argc'),
      'process.working_directory': text(line.in('CWD'), 'cwd'),
      'process.real_user.id': call.id('uid'),
      'process.saved_user.id': call.id('suid'),
      'process.group.id': call.id('egid'),
      'process.audit.user.id': call.id('auid'),
    },
  ];
}

function opened(line: Fields, call: string): readonly [EventName, Attributes] {
  const made = pathOf(line, 'CREATE');
  // openat2 has its flags in memory, where audit does not look.
  const given = line.in('SYSCALL').texts('ARGV')?.[{ open: 1, openat: 2 }[call] ?? -1];
  const flags =
    call === 'creat' ? String(0o1101) : /^0x[0-9a-f]{1,7}$/.test(given ?? '') ? String(Number(given)) : undefined;
  return [
    'file.open',
    {
      ...openedBy(flags),
      ...named(line, made === undefined ? 'NORMAL' : 'CREATE'),
      ...objectOf(made ?? pathOf(line, 'NORMAL')),
      'file.open.created': made !== undefined,
    },
  ];
}

function traced(line: Fields): readonly [EventName, Attributes] {
  const [target] = line.each('OBJ_PID');
  const request = line.in('SYSCALL').texts('ARGV')?.[0] ?? '';
  return [
    'process.trace',
    {
      'process.trace.request': /^0x[0-9a-f]{1,8}$/.test(request) ? nameOfRequest(Number(request)) : undefined,
      'process.target.pid': target?.count('opid'),
    },
  ];
}

function changedUser(line: Fields): readonly [EventName, Attributes] {
  const call = line.in('SYSCALL');
  return [
    'process.credentials.change',
    {
      'process.real_user.id': call.id('uid'),
      'process.saved_user.id': call.id('suid'),
      'process.group.id': call.id('egid'),
    },
  ];
}

function moduleOf(line: Fields): Attributes {
  const [module] = line.each('KERN_MODULE');
  return { 'kernel.module.name': module === undefined ? undefined : text(module, 'name') };
}

function addressed(line: Fields): Attributes {
  const [address] = line.each('SOCKADDR');
  const bytes = address?.text('saddr');
  return bytes === undefined ? {} : sockaddrOf(bytesOf(bytes));
}

const pathOf = (line: Fields, type: string): Fields | undefined =>
  line.each('PATH').find((path) => path.text('nametype') === type);

/** The path of that type, made absolute as far as audit says, and a second one. */
function named(line: Fields, type: string, targetType?: string): Attributes {
  const directory = text(line.in('CWD'), 'cwd') ?? '';
  const absolute = (found: Fields | undefined): string | undefined => {
    const name = found === undefined ? undefined : text(found, 'name');
    return name === undefined || isAbsolute(name) ? name : join(directory, name);
  };
  const path = absolute(pathOf(line, type));
  return {
    'file.path': path,
    'file.path.origin': path === undefined ? undefined : 'argument',
    ...(targetType === undefined ? {} : { 'file.target.path': absolute(pathOf(line, targetType)) }),
  };
}

function objectOf(path: Fields | undefined): Attributes {
  if (path === undefined) return {};
  const bits = /^0o([0-7]{1,7})$/.exec(path.text('mode') ?? '')?.[1];
  return {
    'file.inode': path.count('inode'),
    'file.device': deviceOf(path),
    'file.mode': bits === undefined ? undefined : bits.slice(-4).padStart(4, '0'),
    'file.owner.id': path.id('ouid'),
    'file.owner.name': path.text('OUID'),
    'file.group.id': path.id('ogid'),
  };
}

/** Two hexadecimal numbers. */
function deviceOf(path: Fields): string | undefined {
  const [, major = '', minor = ''] = /^([0-9a-f]{2,3}):([0-9a-f]{2,5})$/.exec(path.text('dev') ?? '') ?? [];
  return major === '' ? undefined : `${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}`;
}

function text(fields: Fields, name: string): string | undefined {
  const value = fields.text(name);
  return value === undefined ? undefined : unescaped(value);
}

const unescaped = (value: string): string => (value.includes('%') ? bytesOf(value).toString('utf8') : value);

/** laurel writes a byte that is no text, and the percent sign, as %xx. */
function bytesOf(value: string): Buffer {
  return Buffer.concat(
    value
      .split(/(%[0-9a-fA-F]{2})/)
      .map((part, i) => (i % 2 === 1 ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part))),
  );
}
