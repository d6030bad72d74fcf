/**
 * What the sensor says, decoded: the second contract of Hushwatch (sensor to agent), which stays inside `agent/`.
 * The bytes are laid out in `agent/sensor/frame.h`; `frames.ts` decodes them into these.
 *
 * Times are nanoseconds since boot (CLOCK_BOOTTIME) as numbers: beyond 104 days of uptime they round to 2 ns.
 */
import type { EventClass } from '#protocol/vocabulary.ts';

/** On every frame that a process caused. `startNs` with `pid` names one process for ever. */
export interface Actor {
  readonly atNs: number;
  readonly pid: number;
  readonly tid: number;
  readonly startNs: number;
  readonly uid: number;
  readonly gid: number;
  /** 0, or the errno of a refused operation, positive. */
  readonly errno: number;
  /** Identical operations merged into this one since it was last reported. */
  readonly repeats: number;
}

export interface Credentials {
  readonly realUid: number;
  readonly effectiveUid: number;
  readonly savedUid: number;
  readonly effectiveGid: number;
  readonly effectiveCapabilities: bigint;
  /** 4294967295 where nobody logged in. */
  readonly loginUid: number;
  readonly auditSession: number;
}

/** The inode that the kernel acted on. */
export interface Inode {
  readonly inode: number;
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
}

export type SocketFamily = 'ipv4' | 'ipv6' | 'unix' | 'vsock' | 'packet' | 'netlink' | 'alg' | 'other';
export type SocketType = 'stream' | 'dgram' | 'raw' | 'rdm' | 'seqpacket' | 'dccp' | 'packet' | 'other';

export interface Socket {
  readonly family: SocketFamily;
  readonly transport: 'tcp' | 'udp' | 'unix' | 'other';
  readonly type: SocketType;
  /** Within the family: of IP its protocol number, of packet sockets an Ethernet type. */
  readonly protocol: number;
  /** Of the peer (of a bind: of the own address): what the kernel used, or only what the caller asked for. */
  readonly origin: PathOrigin;
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Of vsock: virtual machines by number. */
  readonly peerCid: number | undefined;
  readonly localCid: number | undefined;
  /** Abstract names begin with @; empty for a pair without a name. */
  readonly unixPath: string;
}

/** `remembered`: from an open that the agent saw; no frame says that of itself. */
export type PathOrigin = 'kernel' | 'name' | 'argument' | 'remembered';

/** Whom an operation was about. `startNs` 0: the number alone is known, and the process was not found by it. */
export interface Target {
  readonly targetPid: number;
  readonly targetStartNs: number;
  /** Real user id; undefined where unknown. */
  readonly targetUid: number | undefined;
}

/** Something mapped to be executed. */
export interface Mapping {
  readonly path: string;
  readonly file: Inode | undefined;
  readonly bytes: number;
  readonly writable: boolean;
}

export const MEMORY_KINDS = ['unknown', 'anonymous', 'file', 'stack', 'heap'] as const;
export type MemoryKind = (typeof MEMORY_KINDS)[number];

export const ACCESS_TYPES = ['read', 'write', 'descriptor', 'handle'] as const;
export type AccessType = (typeof ACCESS_TYPES)[number];

export const NAMESPACE_CAUSES = ['setns', 'unshare', 'clone'] as const;
export type NamespaceCause = (typeof NAMESPACE_CAUSES)[number];

export interface Namespaces {
  readonly mnt: number;
  readonly pid: number;
  readonly net: number;
  readonly user: number;
}

/**
 * A program, as its process runs it. From the proc connector some of it may be missing: then strings are empty and numbers
 * are all ones, as they are where the kernel has none.
 */
export interface Program {
  readonly file: Inode | undefined;
  readonly parentPid: number;
  readonly parentStartNs: number;
  readonly executable: string;
  readonly args: readonly string[];
  readonly argsCount: number;
  readonly argsTruncated: boolean;
  readonly workingDirectory: string;
  readonly cgroup: string;
  readonly namespaces: Namespaces;
  readonly credentials: Credentials;
  /** What was asked for, where that is a script, as the kernel was given it, possibly relative; no description knows it. */
  readonly script: string;
  /** SELinux: the kernel's number of its domain; 0 where there is none, or it is not known. */
  readonly domain: number;
}

export type ExecFrame = { readonly kind: 'exec' } & Program & Actor;

/**
 * A process that lives when the agent connects, or after losses: no event, and counted nowhere. A thread of the kernel
 * runs no program: no executable, no file.
 */
export type DescribedFrame = { readonly kind: 'process' } & Program & Actor;

export type ProcessFrame =
  | ({ readonly kind: 'fork'; readonly parentPid: number; readonly parentStartNs: number } & Actor)
  | ExecFrame
  /** An exec that was refused: only what was asked for is known. */
  | ({ readonly kind: 'exec-refused'; readonly executable: string; readonly origin: PathOrigin } & Actor)
  | ({ readonly kind: 'exit'; readonly code: number; readonly signal: number } & Actor)
  | ({ readonly kind: 'image' } & Mapping & Actor);

export type PrivilegeFrame =
  | ({ readonly kind: 'credentials'; readonly credentials: Credentials } & Actor)
  | ({ readonly kind: 'capabilities'; readonly credentials: Credentials } & Actor)
  | ({
      readonly kind: 'trace';
      readonly request: number;
      readonly targetPid: number;
      readonly targetStartNs: number;
    } & Actor)
  | ({ readonly kind: 'access'; readonly access: AccessType } & Target & Actor)
  | ({ readonly kind: 'signal'; readonly signal: number } & Target & Actor)
  | ({ readonly kind: 'memory'; readonly memory: MemoryKind } & Mapping & Actor)
  | ({
      readonly kind: 'namespace';
      readonly namespaces: Namespaces;
      /** CLONE_NEW* bits. */
      readonly types: number;
      readonly cause: NamespaceCause;
    } & Actor)
  /** `call`: of keyctl(2), or 1000 for add_key, 1001 for request_key. */
  | ({ readonly kind: 'key'; readonly call: number; readonly keyType: string } & Actor);

export type FileFrame =
  | ({
      readonly kind: 'open';
      readonly path: string;
      readonly origin: PathOrigin;
      readonly write: boolean;
      readonly created: boolean;
      readonly truncated: boolean;
      readonly file: Inode | undefined;
    } & Actor)
  | ({ readonly kind: 'delete'; readonly path: string; readonly origin: PathOrigin } & Actor)
  | ({
      readonly kind: 'rename' | 'link' | 'symlink';
      readonly path: string;
      readonly target: string;
      readonly origin: PathOrigin;
    } & Actor)
  | ({
      readonly kind: 'chmod' | 'chown';
      readonly path: string;
      readonly origin: PathOrigin;
      /** After the change where the object is known, else the mode or owner asked for. */
      readonly mode: number | undefined;
      readonly owner: number | undefined;
      readonly file: Inode | undefined;
    } & Actor)
  | ({ readonly kind: 'memfd'; readonly name: string } & Actor)
  /** Made and not opened: mkdir, mknod. `mode` holds the type. */
  | ({ readonly kind: 'create'; readonly path: string; readonly origin: PathOrigin; readonly mode: number } & Actor)
  /** Written, and closed. No path where the kernel's object was gone by then. */
  | ({
      readonly kind: 'modify';
      readonly path: string;
      readonly origin: PathOrigin;
      readonly bytes: number;
      readonly file: Inode;
    } & Actor)
  | ({
      readonly kind: 'truncate';
      readonly path: string;
      readonly origin: PathOrigin;
      readonly file: Inode | undefined;
    } & Actor)
  | ({
      readonly kind: 'xattr';
      readonly path: string;
      readonly origin: PathOrigin;
      /** Of the attribute, its namespace included. */
      readonly name: string;
      readonly removed: boolean;
      readonly file: Inode | undefined;
    } & Actor);

export type MountFrame = {
  readonly kind: 'mount' | 'unmount' | 'pivot-root';
  /** What is mounted, or the new root. */
  readonly source: string;
  readonly target: string;
  readonly origin: PathOrigin;
  /** Type of the file system, empty where it is not known. */
  readonly type: string;
  /** Flags as mount(2) has them. */
  readonly options: number;
} & Actor;

/** Undefined where the message was none. */
export interface Question {
  readonly name: string;
  readonly type: string;
}

export type NetworkFrame = (
  | { readonly kind: 'connect' | 'accept' | 'listen' | 'bind' | 'send' | 'socket' }
  | {
      readonly kind: 'flow';
      readonly accepted: boolean;
      readonly sent: number;
      readonly received: number;
      readonly lastedNs: number;
    }
  | { readonly kind: 'dns-query'; readonly question: Question | undefined }
  | {
      readonly kind: 'dns-answer';
      readonly question: Question | undefined;
      readonly code: string | undefined;
      readonly addresses: readonly string[];
    }
) & { readonly socket: Socket } & Actor;

export type KernelFrame =
  | ({ readonly kind: 'module-load'; readonly name: string } & Actor)
  | ({ readonly kind: 'bpf-load'; readonly name: string; readonly programType: number } & Actor)
  | ({ readonly kind: 'module-unload'; readonly name: string } & Actor)
  | ({
      readonly kind: 'bpf-object';
      readonly command: number;
      readonly objectType: number;
      readonly name: string;
      readonly path: string;
    } & Actor)
  | ({
      readonly kind: 'kexec';
      readonly fromFile: boolean;
      readonly path: string;
      readonly file: Inode | undefined;
    } & Actor)
  /** `operation` undefined: a ring was made. */
  | ({
      readonly kind: 'io-uring';
      readonly operation: number | undefined;
      readonly flags: number;
      readonly path: string;
      /** Of a rename or link the new name, else empty. */
      readonly target: string;
    } & Actor)
  /** `targetPid` 0: nobody in particular; `cpu` undefined: all of them. */
  | ({ readonly kind: 'perf'; readonly eventType: number; readonly cpu: number | undefined } & Target & Actor);

/**
 * Cumulative since the sensor loaded its programs. `seen = emitted + merged + sampled + lost`, for every class;
 * `emitted` are the frames that stand before in the stream of this instance, so the sum holds in every frame.
 */
export interface ClassCounters {
  readonly seen: number;
  readonly emitted: number;
  readonly merged: number;
  readonly sampled: number;
  readonly lost: number;
}

/** First on every connection, then once a second, after the frames that it counts. */
export interface CountersFrame {
  readonly kind: 'counters';
  readonly atNs: number;
  readonly classes: Readonly<Partial<Record<EventClass, ClassCounters>>>;
  /** 32-bit `socketcall`s whose arguments could not be read any more: a blind spot, counted. */
  readonly unread?: number;
  /** A goodbye: the sensor ends as it was asked to. */
  readonly isLast?: boolean;
}

/** First frame of all: who the sensor is. `instance` is new each time its programs are loaded. */
export interface HelloFrame {
  readonly kind: 'hello';
  readonly atNs: number;
  readonly instance: bigint;
  readonly sensorVersion: string;
}

export type ObservedFrame = ProcessFrame | PrivilegeFrame | FileFrame | MountFrame | NetworkFrame | KernelFrame;
export type Frame = ObservedFrame | DescribedFrame | CountersFrame | HelloFrame;
export type FrameKind = Frame['kind'];

/** The class in which the sensor counts each kind of observed frame. */
export const CLASS_OF_FRAME: Readonly<Record<ObservedFrame['kind'], EventClass>> = {
  fork: 'process',
  exec: 'process',
  'exec-refused': 'process',
  exit: 'process',
  image: 'process',

  credentials: 'privilege',
  capabilities: 'privilege',
  trace: 'privilege',
  access: 'privilege',
  signal: 'privilege',
  memory: 'privilege',
  namespace: 'privilege',
  key: 'privilege',

  open: 'file',
  delete: 'file',
  rename: 'file',
  link: 'file',
  symlink: 'file',
  chmod: 'file',
  chown: 'file',
  memfd: 'file',
  create: 'file',
  modify: 'file',
  truncate: 'file',
  xattr: 'file',

  mount: 'kernel',
  unmount: 'kernel',
  'pivot-root': 'kernel',

  connect: 'network',
  accept: 'network',
  listen: 'network',
  bind: 'network',
  send: 'network',
  socket: 'network',
  flow: 'network',
  'dns-query': 'network',
  'dns-answer': 'network',

  'module-load': 'kernel',
  'bpf-load': 'kernel',
  'module-unload': 'kernel',
  'bpf-object': 'kernel',
  kexec: 'kernel',
  'io-uring': 'kernel',
  perf: 'kernel',
};
