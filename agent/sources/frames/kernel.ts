/** Frames about the kernel itself: modules, BPF, another kernel, rings, performance events. */
import type { Frame } from '../frame.ts';
import { absolute, actorOf, filePart, knownOr, targetOf, type Decoders, type Reader } from './reader.ts';

const moduleFrame =
  (kind: 'module-load' | 'module-unload') =>
  (r: Reader): Frame => {
    r.strings(64);
    const name = r.string();
    r.done();
    r.zero(56);
    r.zero(60);
    return { kind, name, ...actorOf(r) };
  };

function bpfFrame(r: Reader): Frame {
  r.strings(64);
  const name = r.string();
  r.done();
  r.zero(60);
  return { kind: 'bpf-load', name, programType: r.u32(56), ...actorOf(r) };
}

/** Directory and name, the last two strings of a frame. */
function pathAtEnd(r: Reader): string {
  const directory = r.string();
  const path = absolute(directory, r.string());
  r.done();
  return path;
}

function bpfObjectFrame(r: Reader): Frame {
  r.strings(64);
  const name = r.string();
  const path = pathAtEnd(r);
  return { kind: 'bpf-object', command: r.u32(56), objectType: r.u32(60), name, path, ...actorOf(r) };
}

function kexecFrame(r: Reader): Frame {
  const { path, file, value } = filePart(r);
  return { kind: 'kexec', fromFile: value === 1, path, file, ...actorOf(r) };
}

function ringFrame(r: Reader): Frame {
  r.strings(64);
  const directory = r.string();
  const path = absolute(directory, r.string());
  const target = r.left === 0 ? '' : absolute(r.string(), r.string());
  r.done();
  const type = r.u32(56);
  const operation = type === 0 ? undefined : type - 1;
  return { kind: 'io-uring', operation, flags: r.u32(60), path, target, ...actorOf(r) };
}

function perfFrame(r: Reader): Frame {
  return { kind: 'perf', ...targetOf(r), eventType: r.u32(72), cpu: knownOr(r.u32(76)), ...actorOf(r) };
}

export const KERNEL_FRAMES: Decoders = [
  [21, moduleFrame('module-load')],
  [22, bpfFrame],
  [40, moduleFrame('module-unload')],
  [41, bpfObjectFrame],
  [42, kexecFrame],
  [43, ringFrame],
  [44, perfFrame],
];
