/**
 * One frame among others in a piece of memory, and the parts that frames share: who acted, on which inode, by which path.
 */
import { posix } from 'node:path';
import type { Actor, Credentials, Frame, Inode, Mapping, PathOrigin, Target } from '../frame.ts';
import type { Dictionary } from './dictionary.ts';

/** Kinds by the number that `enum frame_kind` gives them, with what reads them. */
export type Decoders = readonly (readonly [kind: number, decode: (r: Reader) => Frame])[];

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

/** Where the actor's part ends: what is a frame's own begins here. */
export const ACTOR_END = 56;
/** Bits of `enum frame_flag`. */
export const ARGUMENT = 1;
export const OBJECT = 2;
export const WRITE = 4;
export const CREATED = 8;
export const TRUNCATED = 16;
export const ARGS_CUT = 32;
export const NODE = 64;
export const NAME = 128;

/** A frame: its fixed part by offset, its strings one after the other. */
export class Reader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #texts: Dictionary;
  start = 0;
  #end = 0;
  #next = 0;

  constructor(bytes: Buffer, texts: Dictionary) {
    this.#bytes = bytes;
    this.#texts = texts;
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
    const end = this.#stringEnd();
    return end === at ? '' : this.#texts.text(this.#bytes, this.#view, at, end);
  }

  /** A string that is not text; only good while the chunk is. */
  bytes(): Uint8Array {
    const at = this.#next + 2;
    return this.#bytes.subarray(at, this.#stringEnd());
  }

  #stringEnd(): number {
    const at = this.#next + 2;
    if (at > this.#end) throw new FrameError('truncated', 'a frame ends where a string should begin');
    const end = at + this.#view.getUint16(this.#next, true);
    if (end > this.#end) throw new FrameError('truncated', 'a string reaches beyond its frame');
    this.#next = end;
    return end;
  }

  /** Bytes that follow. */
  get left(): number {
    return this.#end - this.#next;
  }

  /** Nothing may follow. */
  done(): void {
    if (this.#next !== this.#end) throw new FrameError('bad-size', 'a frame is longer than what it holds');
  }

  zero(offset: number): void {
    if (this.u32(offset) !== 0) throw new FrameError('bad-field', 'a filler is not zero');
  }
}

export const actorOf = (r: Reader): Actor => ({
  atNs: r.u64(8),
  pid: r.u32(32),
  tid: r.u32(36),
  startNs: r.u64(24),
  uid: r.u32(40),
  gid: r.u32(44),
  errno: r.u32(48),
  repeats: r.u32(52),
});

export function inodeOf(r: Reader, offset: number): Inode {
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

export const credentialsOf = (r: Reader, offset: number): Credentials => ({
  realUid: r.u32(offset),
  effectiveUid: r.u32(offset + 4),
  savedUid: r.u32(offset + 8),
  effectiveGid: r.u32(offset + 12),
  effectiveCapabilities: r.big(offset + 24),
  loginUid: r.u32(offset + 16),
  auditSession: r.u32(offset + 20),
});

const UNKNOWN = 4_294_967_295;

/** A number that is unknown where all its bits are set. */
export const knownOr = (value: number): number | undefined => (value === UNKNOWN ? undefined : value);

/** The part that frames about another process share; `what` is at 72, `more` at 76. */
export function targetOf(r: Reader): Target {
  r.strings(80);
  r.done();
  return { targetPid: r.u32(64), targetStartNs: r.u64(56), targetUid: knownOr(r.u32(68)) };
}

/** What is mapped; its kind is at 96. */
export function mappingOf(r: Reader): Mapping {
  r.strings(104);
  const path = r.string();
  r.done();
  const flags = r.u32(100);
  if ((flags & ~(OBJECT | WRITE)) !== 0) throw new FrameError('bad-field', 'a flag that has no meaning');
  const file = (flags & OBJECT) === 0 ? undefined : inodeOf(r, ACTOR_END);
  return { path, file, bytes: r.u64(88), writable: (flags & WRITE) !== 0 };
}

/** One of a few words, by its number. */
export function wordOf<T>(words: readonly T[], index: number): T {
  const word = words[index];
  if (word === undefined) throw new FrameError('bad-field', 'a number that has no meaning');
  return word;
}

/**
 * As a caller's path reads once it is absolute: `.`, `..` and repeated slashes taken out by letter. It stays relative
 * where nobody knows to what.
 */
export function absolute(directory: string, name: string): string {
  if (name === '') return directory;
  if (directory === '' && !name.startsWith('/')) return name;
  const whole = name.startsWith('/') ? name : directory === '/' ? `/${name}` : `${directory}/${name}`;
  if (!whole.includes('//') && !whole.includes('/.') && !whole.endsWith('/')) return whole;
  const normal = posix.normalize(whole);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

export interface FilePart {
  readonly path: string;
  readonly target: string;
  readonly origin: PathOrigin;
  readonly file: Inode | undefined;
  readonly flags: number;
  readonly value: number;
}

const FILE_FLAGS = ARGUMENT | OBJECT | WRITE | CREATED | TRUNCATED | NODE | NAME;

/** Where a path comes from. A name of no length is the descriptor or the directory itself, which was walked. */
export function originOf(flags: number, name: string): PathOrigin {
  const said = flags & (ARGUMENT | NAME);
  if (said === (ARGUMENT | NAME)) throw new FrameError('bad-field', 'a path of two origins');
  if (said === ARGUMENT) return 'argument';
  return said === NAME && name !== '' ? 'name' : 'kernel';
}

export function filePart(r: Reader): FilePart {
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
    origin: originOf(flags, name),
    file: (flags & OBJECT) === 0 ? undefined : inodeOf(r, ACTOR_END),
    flags,
    value: r.u32(92),
  };
}
