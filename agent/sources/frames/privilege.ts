/** Frames about privilege: credentials changed, other processes taken hold of. */
import type { Frame } from '../frame.ts';
import { actorOf, credentialsOf, type Decoders, type Reader } from './reader.ts';

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

export const PRIVILEGE_FRAMES: Decoders = [
  [7, changeFrame('credentials')],
  [8, changeFrame('capabilities')],
  [9, traceFrame],
];
