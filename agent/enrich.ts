/**
 * Frame to raw event: who acted, under what name, in which unit, with which ancestors.
 *
 * Literals keep one shape for each kind of event: this runs for everything the machine does.
 */
import { constants } from 'node:os';
import type { Attributes, RawEvent } from './event.ts';
import type { Clock } from './clock.ts';
import { groupOf } from './cgroup.ts';
import type { ProcessRecord, ProcessTable } from './process-table.ts';
import type { Credentials, Inode, ObservedFrame, Socket } from './sources/frame.ts';
import type { UserNames } from './users.ts';

const NOBODY = 4_294_967_295;
const SETUID_OR_SETGID = 0o6000;

const ERROR_NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** Requests of ptrace(2) by number; others by their number. */
const TRACE_REQUESTS = new Map([
  [0, 'traceme'],
  [4, 'poketext'],
  [5, 'pokedata'],
  [6, 'pokeuser'],
  [13, 'setregs'],
  [15, 'setfpregs'],
  [16, 'attach'],
  [0x4205, 'setregset'],
  [0x4206, 'seize'],
]);

type ExecFrame = Extract<ObservedFrame, { kind: 'exec' }>;

export class Enricher {
  readonly #processes: ProcessTable;
  readonly #users: UserNames;
  readonly #clock: Clock;

  constructor(processes: ProcessTable, users: UserNames, clock: Clock) {
    this.#processes = processes;
    this.#users = users;
    this.#clock = clock;
  }

  enrich(frame: ObservedFrame): RawEvent {
    switch (frame.kind) {
      case 'fork': {
        const child = this.#processes.fork(frame.pid, frame.startNs, frame.parentPid, frame.parentStartNs);
        return this.#event('process.fork', frame, {
          ...this.#actor(frame, child),
          'process.parent.entity.id': child.parentEntity,
          'process.parent_pid': frame.parentPid,
        });
      }
      case 'exec':
        return this.#event('process.exec', frame, this.#exec(frame, this.#processes.find(frame.pid, frame.startNs)));
      case 'exec-refused': {
        const process = this.#processes.find(frame.pid, frame.startNs);
        return this.#event('process.exec', frame, {
          ...this.#actor(frame, process),
          // The program that was refused, not the one that asked for it.
          'process.executable.path': frame.executable,
          'process.parent.executable.path': process.executable,
        });
      }
      case 'exit': {
        const process = this.#processes.find(frame.pid, frame.startNs);
        this.#processes.exit(process, frame.atNs);
        return this.#event('process.exit', frame, {
          ...this.#actor(frame, process),
          'process.exit.code': frame.code,
          'process.exit.signal': frame.signal,
          'process.lifetime': Math.max(0, frame.atNs - frame.startNs) / 1e9,
        });
      }
      case 'credentials':
        return this.#event('process.credentials.change', frame, {
          ...this.#actor(frame),
          'process.real_user.id': frame.credentials.realUid,
          'process.saved_user.id': frame.credentials.savedUid,
          'process.group.id': frame.credentials.effectiveGid,
          'process.capabilities.effective': capabilities(frame.credentials),
        });
      case 'capabilities':
        return this.#event('process.capabilities.change', frame, {
          ...this.#actor(frame),
          'process.capabilities.effective': capabilities(frame.credentials),
        });
      case 'trace': {
        const target =
          frame.targetStartNs === 0
            ? this.#processes.peek(frame.targetPid)
            : this.#processes.find(frame.targetPid, frame.targetStartNs);
        return this.#event('process.trace', frame, {
          ...this.#actor(frame),
          'process.trace.request': TRACE_REQUESTS.get(frame.request) ?? String(frame.request),
          'process.target.entity.id': target?.entity,
          'process.target.pid': frame.targetPid,
          'process.target.executable.path': target?.executable,
        });
      }
      case 'open': {
        const process = this.#processes.find(frame.pid, frame.startNs);
        const file = frame.file;
        return {
          name: 'file.open',
          time: this.#clock.utc(frame.atNs),
          attributes: {
            'process.entity.id': process.entity,
            'process.pid': frame.pid,
            'process.executable.path': process.executable,
            'process.user.id': frame.uid,
            'process.user.name': this.#users.of(frame.uid),
            'process.audit.session.id': process.auditSession,
            'error.type': errorName(frame.errno),
            'event.repeats': repeats(frame.repeats),
            'file.path': frame.path,
            'file.path.origin': frame.origin,
            'file.open.access': frame.write ? 'write' : 'read',
            'file.open.created': frame.created,
            'file.open.truncated': frame.truncated,
            'file.inode': file?.inode,
            'file.device': file === undefined ? undefined : device(file),
            'file.mode': file === undefined ? undefined : mode(file.mode),
            'file.owner.id': file?.uid,
            'file.owner.name': file === undefined ? undefined : this.#users.of(file.uid),
            'file.group.id': file?.gid,
          },
        };
      }
      case 'delete':
        return this.#event('file.delete', frame, {
          ...this.#actor(frame),
          'file.path': frame.path,
          'file.path.origin': frame.origin,
        });
      case 'rename':
        return this.#event('file.rename', frame, {
          ...this.#actor(frame),
          'file.path': frame.path,
          'file.target.path': frame.target,
          'file.path.origin': frame.origin,
        });
      case 'link':
      case 'symlink':
        return this.#event('file.link', frame, {
          ...this.#actor(frame),
          'file.path': frame.path,
          'file.target.path': frame.target,
          'file.path.origin': frame.origin,
          'file.link.type': frame.kind === 'link' ? 'hard' : 'symbolic',
        });
      case 'chmod':
      case 'chown':
        return this.#event(frame.kind === 'chmod' ? 'file.mode.change' : 'file.owner.change', frame, {
          ...this.#actor(frame),
          'file.path': frame.path,
          'file.path.origin': frame.origin,
          ...this.#object(frame.file),
          ...(frame.mode === undefined ? {} : { 'file.mode': mode(frame.mode) }),
          ...(frame.owner === undefined
            ? {}
            : { 'file.owner.id': frame.owner, 'file.owner.name': this.#users.of(frame.owner) }),
        });
      case 'memfd':
        return this.#event('file.memory.create', frame, { ...this.#actor(frame), 'file.name': frame.name });
      case 'connect':
      case 'accept':
      case 'listen':
        return this.#event(`network.${frame.kind}`, frame, { ...this.#actor(frame), ...socket(frame.socket) });
      case 'module-load':
        return this.#event('kernel.module.load', frame, { ...this.#actor(frame), 'kernel.module.name': frame.name });
      case 'bpf-load':
        return this.#event('kernel.bpf.load', frame, {
          ...this.#actor(frame),
          'kernel.bpf.program.name': frame.name,
          'kernel.bpf.program.type': frame.programType,
        });
    }
  }

  #event(name: RawEvent['name'], frame: ObservedFrame, attributes: Attributes): RawEvent {
    return { name, time: this.#clock.utc(frame.atNs), attributes };
  }

  #actor(frame: ObservedFrame, process: ProcessRecord = this.#processes.find(frame.pid, frame.startNs)): Attributes {
    return {
      'process.entity.id': process.entity,
      'process.pid': frame.pid,
      'process.executable.path': process.executable,
      'process.user.id': frame.uid,
      'process.user.name': this.#users.of(frame.uid),
      'process.audit.session.id': process.auditSession,
      'error.type': errorName(frame.errno),
      'event.repeats': repeats(frame.repeats),
    };
  }

  #exec(frame: ExecFrame, process: ProcessRecord): Attributes {
    const { credentials, file, namespaces } = frame;
    const parent = this.#processes.find(frame.parentPid, frame.parentStartNs);
    const deleted = file.links === 0;
    process.executable = frame.executable;
    process.args = frame.args;
    process.auditSession = known(credentials.auditSession);
    // The parent may have become another program since it forked.
    process.parentExecutable = parent.executable ?? process.parentExecutable;
    process.parentArgs = parent.args ?? process.parentArgs;
    const group = groupOf(frame.cgroup);
    return {
      ...this.#actor(frame, process),
      'process.parent.entity.id': parent.entity,
      'process.parent_pid': frame.parentPid,
      'process.parent.executable.path': process.parentExecutable,
      'process.ancestors': process.ancestors,
      'process.executable.inode': file.inode,
      'process.executable.device': device(file),
      'process.executable.deleted': deleted,
      'process.executable.memfd': deleted && /^(?:\/)?memfd:/.test(frame.executable),
      'process.executable.setuid': (file.mode & SETUID_OR_SETGID) !== 0,
      'process.executable.owner.id': file.uid,
      'process.command_args': frame.args,
      'process.parent.command_args': process.parentArgs,
      'process.args_count': frame.argsCount,
      'process.working_directory': frame.workingDirectory,
      'process.real_user.id': credentials.realUid,
      'process.saved_user.id': credentials.savedUid,
      'process.group.id': credentials.effectiveGid,
      'process.capabilities.effective': capabilities(credentials),
      'process.linux.cgroup': frame.cgroup,
      'systemd.unit': group.unit,
      'container.id': group.container,
      'process.namespace.mnt': namespaces.mnt,
      'process.namespace.pid': namespaces.pid,
      'process.namespace.net': namespaces.net,
      'process.namespace.user': namespaces.user,
      'process.audit.user.id': known(credentials.loginUid),
    };
  }

  #object(file: Inode | undefined): Attributes {
    if (file === undefined) return {};
    return {
      'file.inode': file.inode,
      'file.device': device(file),
      'file.mode': mode(file.mode),
      'file.owner.id': file.uid,
      'file.owner.name': this.#users.of(file.uid),
      'file.group.id': file.gid,
    };
  }
}

function socket(s: Socket): Attributes {
  const isUnix = s.family === 'unix';
  return {
    'network.transport': s.transport === 'other' ? undefined : s.transport,
    'network.type': s.family === 'ipv4' || s.family === 'ipv6' ? s.family : undefined,
    'network.peer.address': isUnix || s.peerAddress === '' ? undefined : s.peerAddress,
    'network.peer.port': isUnix || s.peerPort === 0 ? undefined : s.peerPort,
    'network.local.address': isUnix || s.localAddress === '' ? undefined : s.localAddress,
    'network.local.port': isUnix || s.localPort === 0 ? undefined : s.localPort,
    'network.unix.path': isUnix && s.unixPath !== '' ? s.unixPath : undefined,
  };
}

const errorName = (errno: number): string | undefined =>
  errno === 0 ? undefined : (ERROR_NAMES.get(errno) ?? `E${errno}`);
const repeats = (n: number): number | undefined => (n === 0 ? undefined : n);
const known = (id: number): number | undefined => (id === NOBODY ? undefined : id);
const mode = (bits: number): string => (bits & 0o7777).toString(8).padStart(4, '0');
const device = (file: Inode): string => `${file.major}:${file.minor}`;
const capabilities = (credentials: Credentials): string =>
  credentials.effectiveCapabilities.toString(16).padStart(16, '0');
