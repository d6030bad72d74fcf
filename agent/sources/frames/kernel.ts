/** Frames about the kernel itself: modules, BPF. */
import type { Frame } from '../frame.ts';
import { actorOf, type Decoders, type Reader } from './reader.ts';

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

export const KERNEL_FRAMES: Decoders = [
  [21, moduleFrame],
  [22, bpfFrame],
];
