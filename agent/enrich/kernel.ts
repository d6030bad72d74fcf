/** The kernel itself: modules, BPF. */
import type { RawEvent } from '../event.ts';
import type { KernelFrame } from '../sources/frame.ts';
import { actorOf, eventOf, type Known } from './told.ts';

export function kernelEvent(frame: KernelFrame, known: Known): RawEvent {
  switch (frame.kind) {
    case 'module-load':
      return eventOf(known, 'kernel.module.load', frame, {
        ...actorOf(known, frame),
        'kernel.module.name': frame.name,
      });
    case 'bpf-load':
      return eventOf(known, 'kernel.bpf.load', frame, {
        ...actorOf(known, frame),
        'kernel.bpf.program.name': frame.name,
        'kernel.bpf.program.type': frame.programType,
      });
  }
}
