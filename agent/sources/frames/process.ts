/** Frames about processes: made, become another program, ended; what they load. */
import type { Actor, Frame, Program } from '../frame.ts';
import {
  actorOf,
  ARGS_CUT,
  credentialsOf,
  filePart,
  FrameError,
  inodeOf,
  mappingOf,
  OBJECT,
  type Decoders,
  type Reader,
} from './reader.ts';

function forkFrame(r: Reader): Frame {
  r.strings(72);
  r.done();
  r.zero(68);
  return { kind: 'fork', parentPid: r.u32(64), parentStartNs: r.u64(56), ...actorOf(r) };
}

function program(r: Reader): Omit<Program, 'file'> & Actor {
  r.strings(160);
  const executable = r.string();
  const workingDirectory = r.string();
  const cgroup = r.string();
  const args = r.string();
  const script = r.string();
  r.done();
  return {
    parentPid: r.u32(64),
    parentStartNs: r.u64(56),
    executable,
    args: args === '' ? [] : (args.endsWith('\0') ? args.slice(0, -1) : args).split('\0'),
    argsCount: r.u32(68),
    argsTruncated: (r.u32(152) & ARGS_CUT) !== 0,
    workingDirectory,
    cgroup,
    namespaces: { mnt: r.u32(72), pid: r.u32(76), net: r.u32(80), user: r.u32(84) },
    credentials: credentialsOf(r, 88),
    script,
    domain: r.u32(156),
    ...actorOf(r),
  };
}

function flagsOf(r: Reader): number {
  r.strings(160);
  return r.u32(152);
}

const programFrame =
  (kind: 'exec' | 'process') =>
  (r: Reader): Frame => {
    const flags = flagsOf(r);
    if ((flags & ~(ARGS_CUT | OBJECT)) !== 0) throw new FrameError('bad-field', 'a flag that has no meaning');
    return { kind, file: (flags & OBJECT) === 0 ? undefined : inodeOf(r, 120), ...program(r) };
  };

function execRefusedFrame(r: Reader): Frame {
  const { path, origin } = filePart(r);
  return { kind: 'exec-refused', executable: path, origin, ...actorOf(r) };
}

function exitFrame(r: Reader): Frame {
  r.strings(64);
  r.done();
  return { kind: 'exit', code: r.u32(56), signal: r.u32(60), ...actorOf(r) };
}

const MAPPED_FILE = 2;

function imageFrame(r: Reader): Frame {
  const mapping = mappingOf(r);
  if (r.u32(96) !== MAPPED_FILE) throw new FrameError('bad-field', 'an image that is no file');
  return { kind: 'image', ...mapping, ...actorOf(r) };
}

export const PROCESS_FRAMES: Decoders = [
  [3, forkFrame],
  [4, programFrame('exec')],
  [5, execRefusedFrame],
  [6, exitFrame],
  [37, imageFrame],
  [45, programFrame('process')],
];
