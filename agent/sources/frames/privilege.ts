/** Frames about privilege: credentials changed, other processes touched, memory made executable, namespaces, keys. */
import { ACCESS_TYPES, MEMORY_KINDS, NAMESPACE_CAUSES, type Frame } from '../frame.ts';
import { actorOf, credentialsOf, mappingOf, targetOf, wordOf, type Decoders, type Reader } from './reader.ts';

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

function accessFrame(r: Reader): Frame {
  const target = targetOf(r);
  r.zero(76);
  return { kind: 'access', access: wordOf(ACCESS_TYPES, r.u32(72)), ...target, ...actorOf(r) };
}

function signalFrame(r: Reader): Frame {
  const target = targetOf(r);
  r.zero(76);
  return { kind: 'signal', signal: r.u32(72), ...target, ...actorOf(r) };
}

function memoryFrame(r: Reader): Frame {
  const mapping = mappingOf(r);
  return { kind: 'memory', memory: wordOf(MEMORY_KINDS, r.u32(96)), ...mapping, ...actorOf(r) };
}

function namespaceFrame(r: Reader): Frame {
  r.strings(80);
  r.done();
  return {
    kind: 'namespace',
    namespaces: { mnt: r.u32(56), pid: r.u32(60), net: r.u32(64), user: r.u32(68) },
    types: r.u32(72),
    cause: wordOf(NAMESPACE_CAUSES, r.u32(76)),
    ...actorOf(r),
  };
}

function keyFrame(r: Reader): Frame {
  r.strings(64);
  const keyType = r.string();
  r.done();
  r.zero(60);
  return { kind: 'key', call: r.u32(56), keyType, ...actorOf(r) };
}

export const PRIVILEGE_FRAMES: Decoders = [
  [7, changeFrame('credentials')],
  [8, changeFrame('capabilities')],
  [9, traceFrame],
  [34, accessFrame],
  [35, signalFrame],
  [36, memoryFrame],
  [38, namespaceFrame],
  [39, keyFrame],
];
