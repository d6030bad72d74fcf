/** Privilege: credentials changed, other processes touched, memory made executable, namespaces entered, keys used. */
import { constants } from 'node:os';
import type { RawEvent } from '../event.ts';
import type { PrivilegeFrame } from '../sources/frame.ts';
import { actorOf, capabilities, eventOf, knownId, mappingOf, targetOf, type Known } from './told.ts';

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
export const nameOfRequest = (number: number): string => TRACE_REQUESTS.get(number) ?? String(number);

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** CLONE_NEW* bits. */
const NAMESPACE_TYPES: readonly (readonly [bit: number, name: string])[] = [
  [0x80, 'time'],
  [0x20000, 'mnt'],
  [0x2000000, 'cgroup'],
  [0x4000000, 'uts'],
  [0x8000000, 'ipc'],
  [0x10000000, 'user'],
  [0x20000000, 'pid'],
  [0x40000000, 'net'],
];

/** Commands of keyctl(2) by number, and the calls beside it. */
const KEY_OPERATIONS = new Map([
  ...[
    'get-keyring-id',
    'join-session-keyring',
    'update',
    'revoke',
    'chown',
    'set-permissions',
    'describe',
    'clear',
    'link',
    'unlink',
    'search',
    'read',
    'instantiate',
    'negate',
    'set-request-keyring',
    'set-timeout',
    'assume-authority',
    'get-security',
    'session-to-parent',
    'reject',
    'instantiate-vector',
    'invalidate',
    'get-persistent',
    'compute-shared-secret',
    'query',
    'encrypt',
    'decrypt',
    'sign',
    'verify',
    'restrict-keyring',
    'move',
    'capabilities',
    'watch',
  ].entries(),
  [1000, 'add'],
  [1001, 'request'],
] as const);

/** Types that kernels register. A caller may say anything: all else is told as `other`. */
const KEY_TYPES = new Set(
  'keyring user logon big_key encrypted trusted asymmetric blacklist dns_resolver id_resolver id_legacy rxrpc ceph cifs.spnego cifs.idmap .request_key_auth'.split(
    ' ',
  ),
);
const keyType = (said: string): string | undefined => (said === '' ? undefined : KEY_TYPES.has(said) ? said : 'other');

export function privilegeEvent(frame: PrivilegeFrame, known: Known): RawEvent {
  switch (frame.kind) {
    case 'credentials':
      return eventOf(known, 'process.credentials.change', frame, {
        ...actorOf(known, frame),
        'process.real_user.id': knownId(frame.credentials.realUid),
        'process.saved_user.id': knownId(frame.credentials.savedUid),
        'process.group.id': knownId(frame.credentials.effectiveGid),
        'process.capabilities.effective': capabilities(frame.credentials),
      });
    case 'capabilities':
      return eventOf(known, 'process.capabilities.change', frame, {
        ...actorOf(known, frame),
        'process.capabilities.effective': capabilities(frame.credentials),
      });
    case 'trace': {
      const target =
        frame.targetStartNs === 0
          ? known.processes.peek(frame.targetPid)
          : known.processes.find(frame.targetPid, frame.targetStartNs);
      return eventOf(known, 'process.trace', frame, {
        ...actorOf(known, frame),
        'process.trace.request': nameOfRequest(frame.request),
        'process.target.entity.id': target?.entity,
        'process.target.pid': frame.targetPid,
        'process.target.executable.path': target?.executable,
      });
    }
    case 'access':
      return eventOf(known, 'process.access', frame, {
        ...actorOf(known, frame),
        'process.access.type': frame.access,
        ...targetOf(known, frame),
      });
    case 'signal':
      return eventOf(known, 'process.signal', frame, {
        ...actorOf(known, frame),
        'process.signal.name': SIGNAL_NAMES.get(frame.signal) ?? `SIG${frame.signal}`,
        ...targetOf(known, frame),
      });
    case 'memory':
      return eventOf(known, 'process.memory.executable', frame, {
        ...actorOf(known, frame),
        'process.memory.kind': frame.memory,
        ...mappingOf(known, frame),
      });
    case 'namespace':
      return eventOf(known, 'process.namespace.change', frame, {
        ...actorOf(known, frame),
        'process.namespace.cause': frame.cause,
        'process.namespace.types': NAMESPACE_TYPES.filter(([bit]) => (frame.types & bit) !== 0).map(([, name]) => name),
        'process.namespace.mnt': frame.namespaces.mnt,
        'process.namespace.pid': frame.namespaces.pid,
        'process.namespace.net': frame.namespaces.net,
        'process.namespace.user': frame.namespaces.user,
      });
    case 'key':
      return eventOf(known, 'process.key.use', frame, {
        ...actorOf(known, frame),
        'process.key.operation': KEY_OPERATIONS.get(frame.call) ?? String(frame.call),
        'process.key.type': keyType(frame.keyType),
      });
  }
}
