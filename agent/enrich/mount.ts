/** File systems: mounted, unmounted, another root. */
import type { RawEvent } from '../event.ts';
import type { MountFrame } from '../sources/frame.ts';
import { actorOf, eventOf, type Known } from './told.ts';

/** Flags of mount(2) that change what a path means or what may be done there. */
const OPTIONS: readonly (readonly [bit: number, name: string])[] = [
  [0x1, 'ro'],
  [0x2, 'nosuid'],
  [0x4, 'nodev'],
  [0x8, 'noexec'],
  [0x20, 'remount'],
  [0x1000, 'bind'],
  [0x2000, 'move'],
  [0x20000, 'unbindable'],
  [0x40000, 'private'],
  [0x80000, 'slave'],
  [0x100000, 'shared'],
];

export function mountEvent(frame: MountFrame, known: Known): RawEvent {
  const told = {
    ...actorOf(known, frame),
    'system.filesystem.mountpoint': frame.target,
    'file.path.origin': frame.origin,
  };
  switch (frame.kind) {
    case 'mount':
      return eventOf(known, 'system.filesystem.mount', frame, {
        ...told,
        'system.device': frame.source === '' ? undefined : frame.source,
        'system.filesystem.type': frame.type === '' ? undefined : frame.type,
        'system.filesystem.options': OPTIONS.filter(([bit]) => (frame.options & bit) !== 0).map(([, name]) => name),
      });
    case 'unmount':
      return eventOf(known, 'system.filesystem.unmount', frame, told);
    case 'pivot-root':
      return eventOf(known, 'system.filesystem.root.change', frame, { ...told, 'file.path': frame.source });
  }
}
