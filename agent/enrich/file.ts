/** Files: opened, named, changed. */
import type { RawEvent } from '../event.ts';
import type { FileFrame } from '../sources/frame.ts';
import { actorOf, device, errorName, eventOf, mode, objectOf, repeats, type Known } from './told.ts';

export function fileEvent(frame: FileFrame, known: Known): RawEvent {
  switch (frame.kind) {
    case 'open': {
      const process = known.processes.find(frame.pid, frame.startNs);
      const file = frame.file;
      return {
        name: 'file.open',
        time: known.clock.utc(frame.atNs),
        fromSensor: true,
        attributes: {
          'process.entity.id': process.entity,
          'process.pid': frame.pid,
          'process.executable.path': process.executable,
          'process.user.id': frame.uid,
          'process.user.name': known.users.of(frame.uid),
          'process.audit.session.id': process.auditSession,
          'error.type': errorName(frame.errno),
          'event.repeats': repeats(frame.repeats),
          'file.path': frame.path,
          'file.path.origin': frame.origin,
          'file.open.access': frame.write ? 'write' : 'read',
          'file.open.created': frame.created,
          'file.open.truncated': frame.truncated,
          'file.inode': file?.inode,
          'file.device': file === undefined ? undefined : device(file),
          'file.mode': file === undefined ? undefined : mode(file.mode),
          'file.owner.id': file?.uid,
          'file.owner.name': file === undefined ? undefined : known.users.of(file.uid),
          'file.group.id': file?.gid,
        },
      };
    }
    case 'delete':
      return eventOf(known, 'file.delete', frame, {
        ...actorOf(known, frame),
        'file.path': frame.path,
        'file.path.origin': frame.origin,
      });
    case 'rename':
      return eventOf(known, 'file.rename', frame, {
        ...actorOf(known, frame),
        'file.path': frame.path,
        'file.target.path': frame.target,
        'file.path.origin': frame.origin,
      });
    case 'link':
    case 'symlink':
      return eventOf(known, 'file.link', frame, {
        ...actorOf(known, frame),
        'file.path': frame.path,
        'file.target.path': frame.target,
        'file.path.origin': frame.origin,
        'file.link.type': frame.kind === 'link' ? 'hard' : 'symbolic',
      });
    case 'chmod':
    case 'chown':
      return eventOf(known, frame.kind === 'chmod' ? 'file.mode.change' : 'file.owner.change', frame, {
        ...actorOf(known, frame),
        'file.path': frame.path,
        'file.path.origin': frame.origin,
        ...objectOf(known, frame.file),
        ...(frame.mode === undefined ? {} : { 'file.mode': mode(frame.mode) }),
        ...(frame.owner === undefined
          ? {}
          : { 'file.owner.id': frame.owner, 'file.owner.name': known.users.of(frame.owner) }),
      });
    case 'memfd':
      return eventOf(known, 'file.memory.create', frame, { ...actorOf(known, frame), 'file.name': frame.name });
  }
}
