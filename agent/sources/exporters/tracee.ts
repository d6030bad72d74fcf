/**
 * Tracee's events (`--output json`), in both of its forms: the older one with `eventName` and `args`, and that of its API
 * with `name`, `workload` and `data`.
 *
 * Environment (`envp`, `env`), packets, names asked of name servers and findings of its own rules are not read. `execve`
 * tells what was asked, `sched_process_exec` what came of it: where both are traced, an execution is told twice.
 * The user id is the real one; Tracee tells no other.
 */
import type { EventName } from '#protocol/vocabulary.ts';
import type { Attributes } from '../../event.ts';
import type { Fields } from './json.ts';
import { containerOf, deviceOf, errorOf, openedBy, socketOf, type Mapper, type Users } from './told.ts';

const LOST = /^Lost (\d{1,12}) (?:events|signals)$/i;

export function traceeMapper(users: Users): Mapper {
  return (line) => {
    // A line of its log, if that goes to the same file.
    const lost = LOST.exec(line.text('msg') ?? line.text('M') ?? '');
    if (lost !== null) return { lostOfAnyKind: Number(lost[1]) };
    const seen = line.has('eventName') ? older(line) : newer(line);
    if (seen === undefined) return 'unreadable';
    const told = EVENTS.get(seen.name)?.(seen);
    if (told === undefined) return 'unmapped';
    const name = seen.user === undefined ? undefined : users.of(seen.user);
    const actor: Attributes = {
      'process.entity.id': entityOf(seen.pid, seen.entity),
      'process.pid': seen.pid,
      'process.executable.path': seen.executable,
      'process.user.id': seen.user,
      'process.user.name': name,
      'error.type': seen.error,
    };
    return { event: { name: told[0], time: seen.time, attributes: { ...actor, ...told[1] } } };
  };
}

/** One event, whichever form it came in. */
interface Seen {
  readonly name: string;
  readonly time: number;
  readonly pid: number | undefined;
  readonly parentPid: number | undefined;
  readonly entity: string | undefined;
  readonly parentEntity: string | undefined;
  readonly executable: string | undefined;
  readonly user: number | undefined;
  readonly container: string | undefined;
  readonly error: string | undefined;
  readonly given: Given;
}

function older(line: Fields): Seen | undefined {
  const name = line.text('eventName');
  const time = line.nanoseconds('timestamp');
  if (name === undefined || time === undefined) return undefined;
  return {
    name,
    time,
    pid: line.count('hostProcessId'),
    parentPid: line.count('hostParentProcessId'),
    entity: line.digits('processEntityId'),
    parentEntity: line.digits('parentEntityId'),
    executable: line.in('executable').text('path'),
    user: line.id('userId'),
    container: line.text('containerId') ?? line.in('container').text('id'),
    error: errorOf(line.int('returnValue')),
    given: new Given(line.each('args')),
  };
}

function newer(line: Fields): Seen | undefined {
  const name = line.text('name');
  const time = timeOf(line);
  if (name === undefined || time === undefined) return undefined;
  const workload = line.in('workload');
  const process = workload.in('process');
  const [parent] = process.each('ancestors');
  const given = new Given(line.each('data'));
  return {
    name,
    time,
    pid: wrapped(process, 'host_pid'),
    parentPid: parent === undefined ? undefined : wrapped(parent, 'host_pid'),
    entity: process.digits('unique_id'),
    parentEntity: parent?.digits('unique_id'),
    executable: process.in('executable').text('path'),
    user: process.in('real_user').in('id').has('value')
      ? process.in('real_user').in('id').id('value')
      : process.in('real_user').id('id'),
    container: workload.in('container').text('id'),
    error: errorOf(given.int('returnValue')),
    given,
  };
}

/** A text, or seconds and nanoseconds of which either may be left out for zero. */
function timeOf(line: Fields): number | undefined {
  const parts = line.in('timestamp');
  const seconds = parts.count('seconds');
  return seconds === undefined
    ? line.time('timestamp')
    : seconds * 1e6 + Math.floor((parts.count('nanos') ?? 0) / 1_000);
}

/** A number, or one in a box of its own. */
const wrapped = (fields: Fields, name: string): number | undefined =>
  fields.in(name).has('value') ? fields.in(name).count('value') : fields.count(name);

const entityOf = (pid: number | undefined, entity: string | undefined): string | undefined =>
  pid === undefined || entity === undefined ? undefined : `${pid}-${entity}`;

const NUMBERS = ['value', 'int32', 'int64', 'u_int32', 'u_int64'] as const;

/** What an event was given, by name; in the newer form the key of a value says its type. */
class Given {
  readonly #items: readonly Fields[];

  constructor(items: readonly Fields[]) {
    this.#items = items;
  }

  #find(name: string): Fields | undefined {
    return this.#items.find((item) => item.has('name') && item.text('name') === name);
  }

  text(name: string): string | undefined {
    const item = this.#find(name);
    return item?.has('str') === true ? item.text('str') : item?.has('value') === true ? item.text('value') : undefined;
  }

  texts(name: string): readonly string[] | undefined {
    const item = this.#find(name);
    return item?.has('str_array') === true ? item.in('str_array').texts('value') : item?.texts('value');
  }

  int(name: string): number | undefined {
    const item = this.#find(name);
    const key = NUMBERS.find((one) => item?.has(one));
    return key === undefined ? undefined : item?.int(key);
  }

  /** Flags come as names or as a number. */
  flags(name: string): string | undefined {
    const item = this.#find(name);
    if (item === undefined) return undefined;
    const key = NUMBERS.find((one) => item.has(one));
    return item.has('str') ? item.text('str') : key === undefined ? undefined : item.flags(key);
  }

  in(name: string): Fields | undefined {
    const item = this.#find(name);
    return item?.has('sockaddr') === true ? item.in('sockaddr') : item?.in('value');
  }
}

type MapEvent = (seen: Seen) => readonly [EventName, Attributes];

const EVENTS = new Map<string, MapEvent>([
  ...each(['sched_process_exec', 'execve', 'execveat'], executed),
  ...each(['sched_process_exit'], exited),
  ...each(['sched_process_fork'], forked),
  ...each(['open', 'openat', 'openat2', 'creat'], (seen) => opened(seen, 'argument')),
  ...each(['security_file_open'], (seen) => opened(seen, 'kernel')),
  ...each(['unlink', 'unlinkat', 'rmdir'], (seen) => ['file.delete', named(seen, 'pathname', 'argument')]),
  ...each(['security_inode_unlink'], (seen) => ['file.delete', named(seen, 'pathname', 'kernel')]),
  ...each(['security_inode_rename'], (seen) => [
    'file.rename',
    { ...named(seen, 'old_path', 'kernel'), 'file.target.path': seen.given.text('new_path') },
  ]),
  ...each(['connect'], (seen) => ['network.connect', { ...addressed(seen, 'addr', 'peer') }]),
  ...each(['security_socket_connect'], (seen) => ['network.connect', addressed(seen, 'remote_addr', 'peer')]),
  ...each(['security_socket_accept'], (seen) => ['network.accept', addressed(seen, 'local_addr', 'local')]),
  ...each(['security_socket_listen'], (seen) => ['network.listen', addressed(seen, 'local_addr', 'local')]),
  ...each(['ptrace'], () => ['process.trace', {}]),
  ...each(['setns', 'unshare'], ({ name }) => ['process.namespace.change', { 'process.namespace.cause': name }]),
  ...each(['init_module', 'finit_module'], () => ['kernel.module.load', {}]),
  ...each(['module_load'], ({ given }) => ['kernel.module.load', { 'kernel.module.name': given.text('name') }]),
  ...each(['module_free'], ({ given }) => ['kernel.module.unload', { 'kernel.module.name': given.text('name') }]),
]);

function each(names: readonly string[], map: MapEvent): readonly (readonly [string, MapEvent])[] {
  return names.map((name) => [name, map]);
}

function executed(seen: Seen): readonly [EventName, Attributes] {
  const { given } = seen;
  const inode = given.int('inode');
  return [
    'process.exec',
    {
      'process.executable.path': given.text('pathname') ?? seen.executable,
      'process.executable.inode': inode,
      'process.executable.device': deviceOf(given.int('dev')),
      'process.command_args': given.texts('argv'),
      'process.parent.entity.id': entityOf(seen.parentPid, seen.parentEntity),
      'process.parent_pid': seen.parentPid,
      'process.real_user.id': seen.user,
      'container.id': containerOf(seen.container),
    },
  ];
}

function exited({ given }: Seen): readonly [EventName, Attributes] {
  return [
    'process.exit',
    {
      'process.exit.code': given.int('exit_code'),
      'process.exit.signal': given.int('signal_code'),
      // What a process that ends returns is no error of a call.
      'error.type': undefined,
    },
  ];
}

/** Told by the parent; the event is the child's. */
function forked({ given, pid, entity }: Seen): readonly [EventName, Attributes] {
  return [
    'process.fork',
    {
      'process.entity.id': undefined,
      'process.pid': given.int('child_pid'),
      'process.parent_pid': pid,
      'process.parent.entity.id': entityOf(pid, entity),
      'error.type': undefined,
    },
  ];
}

function opened(seen: Seen, origin: 'kernel' | 'argument'): readonly [EventName, Attributes] {
  const { given } = seen;
  return [
    'file.open',
    {
      ...named(seen, 'pathname', origin),
      ...openedBy(given.flags('flags')),
      'file.inode': given.int('inode'),
      'file.device': deviceOf(given.int('dev')),
    },
  ];
}

function named({ given }: Seen, name: string, origin: 'kernel' | 'argument'): Attributes {
  const path = given.text(name);
  return { 'file.path': path, 'file.path.origin': path === undefined ? undefined : origin };
}

function addressed({ given }: Seen, name: string, end: 'peer' | 'local'): Attributes {
  const at = given.in(name);
  if (at === undefined) return {};
  const path = at.text('sun_path');
  if (path !== undefined) return { 'network.transport': 'unix', 'network.unix.path': path };
  const address = at.has('sin6_addr') ? at.address('sin6_addr') : at.address('sin_addr');
  const port = at.has('sin6_port') ? at.count('sin6_port') : at.count('sin_port');
  return socketOf(end === 'peer' ? { peer: address, peerPort: port } : { local: address, localPort: port });
}
