/** Frames about files: opened, named, changed. */
import { posix } from 'node:path';
import type { Frame } from '../frame.ts';
import {
  absolute,
  ACTOR_END,
  actorOf,
  CREATED,
  filePart,
  FrameError,
  inodeOf,
  NODE,
  OBJECT,
  TRUNCATED,
  WRITE,
  type Decoders,
  type Reader,
} from './reader.ts';

const NONE = 4_294_967_295;

/** By far the most frequent: written out, so that it is one object and nothing else. */
function openFrame(r: Reader): Frame {
  const part = filePart(r);
  if ((part.flags & NODE) !== 0) {
    return { kind: 'create', path: part.path, origin: part.origin, mode: part.value, ...actorOf(r) };
  }
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
  const { path, target, origin } = filePart(r);
  const text = path.startsWith('/') ? path : absolute(posix.dirname(target), path);
  return { kind: 'symlink', path: text, target, origin, ...actorOf(r) };
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

function modifyFrame(r: Reader): Frame {
  r.strings(104);
  const path = absolute(r.string(), r.string());
  r.done();
  if (r.u32(96) !== OBJECT) throw new FrameError('bad-field', 'a flag that has no meaning');
  r.zero(100);
  return { kind: 'modify', path, origin: 'kernel', bytes: r.u64(88), file: inodeOf(r, ACTOR_END), ...actorOf(r) };
}

function truncateFrame(r: Reader): Frame {
  const { path, origin, file } = filePart(r);
  return { kind: 'truncate', path, origin, file, ...actorOf(r) };
}

function xattrFrame(r: Reader): Frame {
  const { path, target, origin, file, value } = filePart(r);
  return { kind: 'xattr', path, origin, name: target, removed: value === 1, file, ...actorOf(r) };
}

export const FILE_FRAMES: Decoders = [
  [10, openFrame],
  [11, deleteFrame],
  [12, twoPathsFrame('rename')],
  [13, twoPathsFrame('link')],
  [14, symlinkFrame],
  [15, chmodFrame],
  [16, chownFrame],
  [17, memfdFrame],
  [23, modifyFrame],
  [24, truncateFrame],
  [25, xattrFrame],
];
