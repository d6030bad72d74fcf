/** Privilege: credentials changed, other processes taken hold of. */
import type { RawEvent } from '../event.ts';
import type { PrivilegeFrame } from '../sources/frame.ts';
import { actorOf, capabilities, eventOf, type Known } from './told.ts';

/** Requests of ptrace(2) by number; others by their number. */
const TRACE_REQUESTS = new Map([
  [0, 'traceme'],
  [4, 'poketext'],
  [5, 'pokedata'],
  [6, 'pokeuser'],
  [13, 'setregs'],
  [15, 'setfpregs'],
  [16, 'attach'],
  [0x4205, 'setregset'],
  [0x4206, 'seize'],
]);

export function privilegeEvent(frame: PrivilegeFrame, known: Known): RawEvent {
  switch (frame.kind) {
    case 'credentials':
      return eventOf(known, 'process.credentials.change', frame, {
        ...actorOf(known, frame),
        'process.real_user.id': frame.credentials.realUid,
        'process.saved_user.id': frame.credentials.savedUid,
        'process.group.id': frame.credentials.effectiveGid,
        'process.capabilities.effective': capabilities(frame.credentials),
      });
    case 'capabilities':
      return eventOf(known, 'process.capabilities.change', frame, {
        ...actorOf(known, frame),
        'process.capabilities.effective': capabilities(frame.credentials),
      });
    case 'trace': {
      const target =
        frame.targetStartNs === 0
          ? known.processes.peek(frame.targetPid)
          : known.processes.find(frame.targetPid, frame.targetStartNs);
      return eventOf(known, 'process.trace', frame, {
        ...actorOf(known, frame),
        'process.trace.request': TRACE_REQUESTS.get(frame.request) ?? String(frame.request),
        'process.target.entity.id': target?.entity,
        'process.target.pid': frame.targetPid,
        'process.target.executable.path': target?.executable,
      });
    }
  }
}
