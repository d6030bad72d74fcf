/**
 * Frames as bytes: the decoder of what the sensor says. The layout is `agent/sensor/frame.h`; both sides are held to
 * the same golden bytes.
 *
 * Strict: a wrong size, version, kind, flag, filler or string length is a FrameError, after which the connection is
 * of no use. Bounded: it never holds more than one incomplete frame. Bytes that are not UTF-8 become U+FFFD.
 */
import { posix } from 'node:path';
import type { EventClass } from '#protocol/vocabulary.ts';
import type { Actor, ClassCounters, Credentials, Frame, Inode, PathOrigin, Socket } from './frame.ts';

export const FRAME_VERSION = 1;
/** No frame is longer. */
export const FRAME_MAX = 16_384;

export type FrameErrorCode = 'bad-size' | 'bad-version' | 'bad-kind' | 'bad-field' | 'truncated';

/** The bytes are not frames. It says where, never what they hold. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
  readonly code: FrameErrorCode;

  constructor(code: FrameErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

const HEAD = 24;
const ACTOR_END = 56;
const ARGUMENT = 1;
const OBJECT = 2;
const WRITE = 4;
const CREATED = 8;
const TRUNCATED = 16;
const ARGS_CUT = 32;
const CLASSES = ['file', 'network', 'process', 'kernel', 'privilege'] as const satisfies readonly EventClass[];
const NONE = 4_294_967_295;

/** One frame among others in a piece of memory: its fixed part by offset, its strings one after the other. */
class Reader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  start = 0;
  #end = 0;
  #next = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  enter(start: number, size: number): void {
    this.start = start;
    this.#end = start + size;
  }

  u8(offset: number): number {
    return this.#view.getUint8(this.start + offset);
  }

  u16(offset: number): number {
    return this.#view.getUint16(this.start + offset, true);
  }

  u32(offset: number): number {
    return this.#view.getUint32(this.start + offset, true);
  }

  u64(offset: number): number {
    return this.u32(offset) + this.u32(offset + 4) * 4_294_967_296;
  }

  big(offset: number): bigint {
    return this.#view.getBigUint64(this.start + offset, true);
  }

  /** The fixed part ends here; what follows are strings. */
  strings(fixed: number): void {
    this.#next = this.start + fixed;
    if (this.#next > this.#end) throw new FrameError('truncated', 'a frame ends inside its fixed part');
  }

  string(): string {
    const at = this.#next + 2;
    if (at > this.#end) throw new FrameError('truncated', 'a frame ends where a string should begin');
    const end = at + this.#view.getUint16(this.#next, true);
    if (end > this.#end) throw new FrameError('truncated', 'a string reaches beyond its frame');
    this.#next = end;
    return end === at ? '' : this.#bytes.toString('utf8', at, end);
  }

  /** Nothing may follow. */
  done(): void {
    if (this.#next !== this.#end) throw new FrameError('bad-size', 'a frame is longer than what it holds');
  }

  zero(offset: number): void {
    if (this.u32(offset) !== 0) throw new FrameError('bad-field', 'a filler is not zero');
  }
}

const actorOf = (r: Reader): Actor => ({
  atNs: r.u64(8),
  pid: r.u32(32),
  tid: r.u32(36),
  startNs: r.u64(24),
  uid: r.u32(40),
  gid: r.u32(44),
  errno: r.u32(48),
  repeats: r.u32(52),
});

function inodeOf(r: Reader, offset: number): Inode {
  const device = r.u32(offset + 8);
  r.zero(offset + 28);
  return {
    inode: r.u64(offset),
    major: device >>> 20,
    minor: device & 0xfffff,
    mode: r.u32(offset + 12),
    uid: r.u32(offset + 16),
    gid: r.u32(offset + 20),
    links: r.u32(offset + 24),
  };
}

const credentialsOf = (r: Reader, offset: number): Credentials => ({
  realUid: r.u32(offset),
  effectiveUid: r.u32(offset + 4),
  savedUid: r.u32(offset + 8),
  effectiveGid: r.u32(offset + 12),
  effectiveCapabilities: r.big(offset + 24),
  loginUid: r.u32(offset + 16),
  auditSession: r.u32(offset + 20),
});

/**
 * As a caller's path reads once it is absolute: `.`, `..` and repeated slashes taken out by letter. It stays relative
 * where nobody knows to what.
 */
function absolute(directory: string, name: string): string {
  if (name === '') return directory;
  if (directory === '' && !name.startsWith('/')) return name;
  const whole = name.startsWith('/') ? name : directory === '/' ? `/${name}` : `${directory}/${name}`;
  if (!whole.includes('//') && !whole.includes('/.') && !whole.endsWith('/')) return whole;
  const normal = posix.normalize(whole);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

interface FilePart {
  readonly path: string;
  readonly target: string;
  readonly origin: PathOrigin;
  readonly file: Inode | undefined;
  readonly flags: number;
  readonly value: number;
}

const FILE_FLAGS = ARGUMENT | OBJECT | WRITE | CREATED | TRUNCATED;

function filePart(r: Reader): FilePart {
  r.strings(96);
  const flags = r.u32(88);
  if ((flags & ~FILE_FLAGS) !== 0) throw new FrameError('bad-field', 'a flag that has no meaning');
  const directory = r.string();
  const name = r.string();
  const path = absolute(directory, name);
  const targetDirectory = r.string();
  const target = absolute(targetDirectory, r.string());
  r.done();
  return {
    path,
    target,
    origin: (flags & ARGUMENT) === 0 || (name === '' && directory !== '') ? 'kernel' : 'argument',
    file: (flags & OBJECT) === 0 ? undefined : inodeOf(r, ACTOR_END),
    flags,
    value: r.u32(92),
  };
}

function helloFrame(r: Reader): Frame {
  r.strings(32);
  const sensorVersion = r.string();
  r.done();
  return { kind: 'hello', atNs: r.u64(8), instance: r.big(24), sensorVersion };
}

function countersFrame(r: Reader): Frame {
  r.strings(32 + 40 * CLASSES.length);
  r.done();
  const classes: Partial<Record<EventClass, ClassCounters>> = {};
  CLASSES.forEach((name, index) => {
    const at = 32 + 40 * index;
    classes[name] = {
      seen: r.u64(at),
      emitted: r.u64(at + 8),
      merged: r.u64(at + 16),
      sampled: r.u64(at + 24),
      lost: r.u64(at + 32),
    };
  });
  return { kind: 'counters', atNs: r.u64(8), classes, unread: r.u64(24) };
}

function forkFrame(r: Reader): Frame {
  r.strings(72);
  r.done();
  r.zero(68);
  return { kind: 'fork', parentPid: r.u32(64), parentStartNs: r.u64(56), ...actorOf(r) };
}

function execFrame(r: Reader): Frame {
  r.strings(160);
  const executable = r.string();
  const workingDirectory = r.string();
  const cgroup = r.string();
  const args = r.string();
  r.done();
  r.zero(156);
  const flags = r.u32(152);
  if ((flags & ~ARGS_CUT) !== OBJECT) throw new FrameError('bad-field', 'a flag that has no meaning');
  return {
    kind: 'exec',
    parentPid: r.u32(64),
    parentStartNs: r.u64(56),
    executable,
    file: inodeOf(r, 120),
    args: args === '' ? [] : (args.endsWith('\0') ? args.slice(0, -1) : args).split('\0'),
    argsCount: r.u32(68),
    argsTruncated: (flags & ARGS_CUT) !== 0,
    workingDirectory,
    cgroup,
    namespaces: { mnt: r.u32(72), pid: r.u32(76), net: r.u32(80), user: r.u32(84) },
    credentials: credentialsOf(r, 88),
    ...actorOf(r),
  };
}

function execRefusedFrame(r: Reader): Frame {
  return { kind: 'exec-refused', executable: filePart(r).path, ...actorOf(r) };
}

function exitFrame(r: Reader): Frame {
  r.strings(64);
  r.done();
  return { kind: 'exit', code: r.u32(56), signal: r.u32(60), ...actorOf(r) };
}

const changeFrame =
  (kind: 'credentials' | 'capabilities') =>
  (r: Reader): Frame => {
    r.strings(88);
    r.done();
    return { kind, credentials: credentialsOf(r, 56), ...actorOf(r) };
  };

function traceFrame(r: Reader): Frame {
  r.strings(72);
  r.done();
  return { kind: 'trace', request: r.u32(68), targetPid: r.u32(64), targetStartNs: r.u64(56), ...actorOf(r) };
}

/** By far the most frequent: written out, so that it is one object and nothing else. */
function openFrame(r: Reader): Frame {
  const part = filePart(r);
  return {
    kind: 'open',
    path: part.path,
    origin: part.origin,
    write: (part.flags & WRITE) !== 0,
    created: (part.flags & CREATED) !== 0,
    truncated: (part.flags & TRUNCATED) !== 0,
    file: part.file,
    atNs: r.u64(8),
    pid: r.u32(32),
    tid: r.u32(36),
    startNs: r.u64(24),
    uid: r.u32(40),
    gid: r.u32(44),
    errno: r.u32(48),
    repeats: r.u32(52),
  };
}

function deleteFrame(r: Reader): Frame {
  const { path, origin } = filePart(r);
  return { kind: 'delete', path, origin, ...actorOf(r) };
}

const twoPathsFrame =
  (kind: 'rename' | 'link') =>
  (r: Reader): Frame => {
    const { path, target, origin } = filePart(r);
    return { kind, path, target, origin, ...actorOf(r) };
  };

/** What a symbolic link says is relative to where the link lies. */
function symlinkFrame(r: Reader): Frame {
  const { path, target } = filePart(r);
  const text = path.startsWith('/') ? path : absolute(posix.dirname(target), path);
  return { kind: 'symlink', path: text, target, origin: 'argument', ...actorOf(r) };
}

function chmodFrame(r: Reader): Frame {
  const { path, origin, file, value } = filePart(r);
  const mode = file === undefined ? value & 0o7777 : file.mode;
  return { kind: 'chmod', path, origin, mode, owner: file?.uid, file, ...actorOf(r) };
}

function chownFrame(r: Reader): Frame {
  const { path, origin, file, value } = filePart(r);
  const owner = file === undefined ? (value === NONE ? undefined : value) : file.uid;
  return { kind: 'chown', path, origin, mode: file?.mode, owner, file, ...actorOf(r) };
}

function memfdFrame(r: Reader): Frame {
  return { kind: 'memfd', name: filePart(r).path.replace(/^memfd:/, ''), ...actorOf(r) };
}

type Words = readonly number[];

const wordsOf = (r: Reader, offset: number): Words =>
  Array.from({ length: 8 }, (_, i) => (r.u8(offset + 2 * i) << 8) | r.u8(offset + 2 * i + 1));
const isZero = (words: Words): boolean => words.every((word) => word === 0);
const isMapped = (words: Words): boolean => words[5] === 0xffff && isZero(words.slice(0, 5));
const dotted = (r: Reader, offset: number): string =>
  `${r.u8(offset)}.${r.u8(offset + 1)}.${r.u8(offset + 2)}.${r.u8(offset + 3)}`;

/** RFC 5952: lower case, the longest run of zero words as `::`. */
function colons(words: Words): string {
  let best = 0;
  let bestAt = -1;
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && words[at + length] === 0) length++;
    if (length > best && length > 1) [best, bestAt] = [length, at];
  }
  const text = (part: Words): string => part.map((word) => word.toString(16)).join(':');
  return bestAt < 0 ? text(words) : `${text(words.slice(0, bestAt))}::${text(words.slice(bestAt + best))}`;
}

/** IPv4 spoken through an IPv6 socket is IPv4. */
function internet6(r: Reader): Pick<Socket, 'family' | 'peerAddress' | 'localAddress'> {
  const peer = wordsOf(r, 56);
  const local = wordsOf(r, 72);
  const mapped = (isMapped(peer) || isMapped(local)) && [peer, local].every((side) => isMapped(side) || isZero(side));
  if (!mapped) return { family: 'ipv6', peerAddress: isZero(peer) ? '' : colons(peer), localAddress: colons(local) };
  return { family: 'ipv4', peerAddress: isZero(peer) ? '' : dotted(r, 68), localAddress: dotted(r, 84) };
}

function internet4(r: Reader): Pick<Socket, 'family' | 'peerAddress' | 'localAddress'> {
  return { family: 'ipv4', peerAddress: r.u32(56) === 0 ? '' : dotted(r, 56), localAddress: dotted(r, 72) };
}

function addresses(r: Reader, family: number): Pick<Socket, 'family' | 'peerAddress' | 'localAddress'> {
  if (family === 2) return internet4(r);
  if (family === 10) return internet6(r);
  return { family: family === 1 ? 'unix' : 'other', peerAddress: '', localAddress: '' };
}

function transportOf(family: number, protocol: number): Socket['transport'] {
  if (family === 1) return 'unix';
  if (family !== 2 && family !== 10) return 'other';
  if (protocol === 6 || protocol === 262) return 'tcp';
  return protocol === 17 ? 'udp' : 'other';
}

const socketFrame =
  (kind: 'connect' | 'accept' | 'listen') =>
  (r: Reader): Frame => {
    r.strings(96);
    const unixPath = r.string();
    r.done();
    const family = r.u16(92);
    const transport = transportOf(family, r.u16(94));
    const ports = { peerPort: r.u16(88), localPort: r.u16(90) };
    return { kind, socket: { ...addresses(r, family), transport, ...ports, unixPath }, ...actorOf(r) };
  };

function moduleFrame(r: Reader): Frame {
  r.strings(64);
  const name = r.string();
  r.done();
  r.zero(56);
  r.zero(60);
  return { kind: 'module-load', name, ...actorOf(r) };
}

function bpfFrame(r: Reader): Frame {
  r.strings(64);
  const name = r.string();
  r.done();
  r.zero(60);
  return { kind: 'bpf-load', name, programType: r.u32(56), ...actorOf(r) };
}

/** By the number that `enum frame_kind` gives them. */
const DECODERS: readonly (((r: Reader) => Frame) | undefined)[] = [
  undefined,
  helloFrame,
  countersFrame,
  forkFrame,
  execFrame,
  execRefusedFrame,
  exitFrame,
  changeFrame('credentials'),
  changeFrame('capabilities'),
  traceFrame,
  openFrame,
  deleteFrame,
  twoPathsFrame('rename'),
  twoPathsFrame('link'),
  symlinkFrame,
  chmodFrame,
  chownFrame,
  memfdFrame,
  socketFrame('connect'),
  socketFrame('accept'),
  socketFrame('listen'),
  moduleFrame,
  bpfFrame,
];

const FIRST_OBSERVED = 3;

/** Bytes of one connection in, frames out, however the bytes are cut. */
export class FrameDecoder {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Uint8Array): readonly Frame[] {
    const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const bytes = this.#rest.length === 0 ? fresh : Buffer.concat([this.#rest, fresh]);
    const reader = new Reader(bytes);
    const frames: Frame[] = [];
    let at = 0;
    for (let size; (size = sizeAt(bytes, at)) !== undefined; at += size) {
      reader.enter(at, size);
      frames.push(decodeFrame(reader, size));
    }
    this.#rest = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
    return frames;
  }
}

/** Undefined while the frame at `at` is not whole. What announces too much is refused before it is awaited. */
function sizeAt(bytes: Buffer, at: number): number | undefined {
  if (bytes.length - at < 4) return undefined;
  const size = bytes.readUInt32LE(at);
  if (size < HEAD + 8 || size > FRAME_MAX) throw new FrameError('bad-size', 'a frame has an impossible size');
  return bytes.length - at < size ? undefined : size;
}

function decodeFrame(reader: Reader, size: number): Frame {
  if (reader.u16(4) !== FRAME_VERSION) {
    throw new FrameError('bad-version', `the sensor speaks frames of another version than ${FRAME_VERSION}`);
  }
  const kind = reader.u16(6);
  const decode = DECODERS[kind];
  if (decode === undefined) throw new FrameError('bad-kind', 'a frame of an unknown kind');
  if (kind >= FIRST_OBSERVED && size < ACTOR_END) throw new FrameError('truncated', 'a frame ends inside its actor');
  return decode(reader);
}
