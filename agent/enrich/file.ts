/** Files: opened, named, changed. */
import type { Attributes, RawEvent } from '../event.ts';
import type { FileFrame } from '../sources/frame.ts';
import type { PathMemory } from './path-memory.ts';
import { actorOf, device, errorName, eventOf, fileType, mode, objectOf, repeats, type Known } from './told.ts';

export function fileEvent(frame: FileFrame, known: Known, paths: PathMemory): RawEvent {
  switch (frame.kind) {
    case 'open': {
      const process = known.processes.find(frame.pid, frame.startNs);
      const file = frame.file;
      if (file !== undefined && frame.write) paths.note(file, frame.path);
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
          'file.type': file === undefined ? undefined : fileType(file.mode),
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
    case 'create':
      return eventOf(known, 'file.create', frame, {
        ...actorOf(known, frame),
        'file.path': frame.path,
        'file.path.origin': frame.origin,
        'file.type': fileType(frame.mode),
        'file.mode': mode(frame.mode),
      });
    case 'modify':
      return eventOf(known, 'file.modify', frame, {
        ...actorOf(known, frame),
        ...nameOf(frame, paths),
        'file.bytes_written': frame.bytes,
        'file.type': fileType(frame.file.mode),
        ...objectOf(known, frame.file),
      });
    case 'truncate':
      return eventOf(known, 'file.truncate', frame, {
        ...actorOf(known, frame),
        'file.path': frame.path,
        'file.path.origin': frame.origin,
        ...objectOf(known, frame.file),
      });
    case 'xattr':
      return eventOf(known, 'file.attribute.change', frame, {
        ...actorOf(known, frame),
        'file.path': frame.path,
        'file.path.origin': frame.origin,
        'file.attribute.name': frame.name,
        'file.attribute.action': frame.removed ? 'remove' : 'set',
        ...objectOf(known, frame.file),
      });
  }
}

/** Walked from the object when it was closed; else the name under which it was opened, if that was seen. */
function nameOf(frame: Extract<FileFrame, { kind: 'modify' }>, paths: PathMemory): Attributes {
  if (frame.path !== '') return { 'file.path': frame.path, 'file.path.origin': frame.origin };
  const path = paths.of(frame.file);
  return { 'file.path': path, 'file.path.origin': path === undefined ? undefined : 'remembered' };
}
