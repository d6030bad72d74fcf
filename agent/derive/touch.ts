/** From a file event to what was done to which name: the one place that knows what each kind of file event means. */
import type { Attributes, RawEvent } from '../event.ts';
import { canonical } from './places.ts';

export type Deed =
  | 'made'
  /** Opened for writing where it stands: the change comes later, if it comes. */
  | 'opened'
  /** A name that now stands for something that was written before: rename and link. */
  | 'placed'
  | 'removed'
  | 'permitted';

export interface Touch {
  readonly path: string;
  readonly deed: Deed;
  readonly owner?: number | undefined;
}

/** Empty for anything that is no file event, for what was refused, and for reading. */
export function touchesOf({ name, attributes }: RawEvent): readonly Touch[] {
  if (!name.startsWith('file.') || attributes['error.type'] !== undefined) return [];
  const path = text(attributes, 'file.path');
  const target = text(attributes, 'file.target.path');
  switch (name) {
    case 'file.open': {
      if (attributes['file.open.access'] !== 'write') return [];
      const owner = attributes['file.owner.id'];
      const deed = attributes['file.open.created'] === true ? 'made' : 'opened';
      return [{ path, deed, owner: typeof owner === 'number' ? owner : undefined }];
    }
    case 'file.rename':
      return [
        { path, deed: 'removed' },
        { path: target, deed: 'placed' },
      ];
    case 'file.link':
      return [{ path: target, deed: 'placed' }];
    case 'file.delete':
      return [{ path, deed: 'removed' }];
    case 'file.mode.change':
    case 'file.owner.change':
      return [{ path, deed: 'permitted' }];
    default:
      return [];
  }
}

function text(attributes: Attributes, name: 'file.path' | 'file.target.path'): string {
  const value = attributes[name];
  return typeof value === 'string' && value.startsWith('/') ? canonical(value) : '';
}

/** Of a file event, what its derived events say of the actor. */
export const actorOf = (attributes: Attributes): Attributes => ({
  'process.entity.id': attributes['process.entity.id'],
  'process.pid': attributes['process.pid'],
  'process.executable.path': attributes['process.executable.path'],
  'process.user.id': attributes['process.user.id'],
  'process.user.name': attributes['process.user.name'],
  'process.audit.session.id': attributes['process.audit.session.id'],
});
