/** Frames about file systems: mounted, unmounted, another root. */
import type { Frame, MountFrame } from '../frame.ts';
import {
  absolute,
  ACTOR_END,
  actorOf,
  ARGUMENT,
  FrameError,
  NAME,
  originOf,
  type Decoders,
  type Reader,
} from './reader.ts';

const mountFrame =
  (kind: MountFrame['kind']) =>
  (r: Reader): Frame => {
    r.strings(64);
    const source = absolute(r.string(), r.string());
    const directory = r.string();
    const name = r.string();
    const target = absolute(directory, name);
    const type = r.string();
    r.done();
    const flags = r.u32(ACTOR_END);
    if ((flags & ~(ARGUMENT | NAME)) !== 0) throw new FrameError('bad-field', 'a flag that has no meaning');
    return { kind, source, target, origin: originOf(flags, name), type, options: r.u32(60), ...actorOf(r) };
  };

export const MOUNT_FRAMES: Decoders = [
  [26, mountFrame('mount')],
  [27, mountFrame('unmount')],
  [28, mountFrame('pivot-root')],
];
