/** The kernel itself: modules, BPF, another kernel, rings, performance events. */
import type { Attributes, RawEvent } from '../event.ts';
import type { KernelFrame } from '../sources/frame.ts';
import { actorOf, eventOf, objectOf, targetOf, type Known } from './told.ts';

/** Commands of bpf(2) that are told, by number. */
const BPF_OPERATIONS = new Map([
  [0, 'map-create'],
  [6, 'pin'],
  [7, 'get-pinned'],
  [8, 'program-attach'],
  [9, 'program-detach'],
  [13, 'program-get'],
  [14, 'map-get'],
  [17, 'tracepoint-open'],
  [28, 'link-create'],
  [29, 'link-update'],
  [30, 'link-get'],
  [34, 'link-detach'],
]);

/** Operations of io_uring that are told, by number. */
const RING_OPERATIONS = new Map([
  [9, 'sendmsg'],
  [13, 'accept'],
  [16, 'connect'],
  [18, 'openat'],
  [26, 'send'],
  [28, 'openat2'],
  [35, 'renameat'],
  [36, 'unlinkat'],
  [37, 'mkdirat'],
  [38, 'symlinkat'],
  [39, 'linkat'],
  [42, 'setxattr'],
  [45, 'socket'],
  [46, 'command'],
  [56, 'bind'],
  [57, 'listen'],
]);
export const nameOfRingOperation = (number: number): string => RING_OPERATIONS.get(number) ?? String(number);

/** `enum perf_type_id`; beyond these are numbers that a kernel gives to its devices as it finds them. */
const PERF_TYPES = ['hardware', 'software', 'tracepoint', 'cache', 'raw', 'breakpoint'];

const argumentOf = (path: string): Attributes =>
  path === '' ? {} : { 'file.path': path, 'file.path.origin': 'argument' };

export function kernelEvent(frame: KernelFrame, known: Known): RawEvent {
  const actor = actorOf(known, frame);
  switch (frame.kind) {
    case 'module-load':
      return eventOf(known, 'kernel.module.load', frame, { ...actor, 'kernel.module.name': frame.name });
    case 'module-unload':
      return eventOf(known, 'kernel.module.unload', frame, { ...actor, 'kernel.module.name': frame.name });
    case 'bpf-load':
      return eventOf(known, 'kernel.bpf.load', frame, {
        ...actor,
        'kernel.bpf.program.name': frame.name,
        'kernel.bpf.program.type': frame.programType,
      });
    case 'bpf-object':
      return eventOf(known, 'kernel.bpf.object', frame, {
        ...actor,
        'kernel.bpf.operation': BPF_OPERATIONS.get(frame.command) ?? String(frame.command),
        'kernel.bpf.object.name': frame.name,
        'kernel.bpf.object.type': frame.objectType,
        ...argumentOf(frame.path),
      });
    case 'kexec':
      return eventOf(known, 'kernel.kexec', frame, {
        ...actor,
        'kernel.kexec.source': frame.fromFile ? 'file' : 'memory',
        ...(frame.path === '' ? {} : { 'file.path': frame.path, 'file.path.origin': 'kernel' }),
        ...objectOf(known, frame.file),
      });
    case 'io-uring':
      return frame.operation === undefined
        ? eventOf(known, 'kernel.io_uring.create', frame, { ...actor, 'kernel.io_uring.flags': frame.flags })
        : eventOf(known, 'kernel.io_uring.operation', frame, {
            ...actor,
            'kernel.io_uring.operation': nameOfRingOperation(frame.operation),
            ...argumentOf(frame.path),
            'file.target.path': frame.target === '' ? undefined : frame.target,
          });
    case 'perf':
      return eventOf(known, 'kernel.perf_event.open', frame, {
        ...actor,
        'kernel.perf_event.type': PERF_TYPES[frame.eventType] ?? String(frame.eventType),
        'kernel.perf_event.cpu': frame.cpu,
        ...targetOf(known, frame),
      });
  }
}
