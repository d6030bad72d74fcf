/** Sockets: connected, accepted, listening. */
import type { Attributes, RawEvent } from '../event.ts';
import type { NetworkFrame, Socket } from '../sources/frame.ts';
import { actorOf, eventOf, type Known } from './told.ts';

export function networkEvent(frame: NetworkFrame, known: Known): RawEvent {
  switch (frame.kind) {
    case 'connect':
    case 'accept':
    case 'listen':
      return eventOf(known, `network.${frame.kind}`, frame, { ...actorOf(known, frame), ...socket(frame.socket) });
  }
}

function socket(s: Socket): Attributes {
  const isUnix = s.family === 'unix';
  return {
    'network.transport': s.transport === 'other' ? undefined : s.transport,
    'network.type': s.family === 'ipv4' || s.family === 'ipv6' ? s.family : undefined,
    'network.peer.address': isUnix || s.peerAddress === '' ? undefined : s.peerAddress,
    'network.peer.port': isUnix || s.peerPort === 0 ? undefined : s.peerPort,
    'network.local.address': isUnix || s.localAddress === '' ? undefined : s.localAddress,
    'network.local.port': isUnix || s.localPort === 0 ? undefined : s.localPort,
    'network.unix.path': isUnix && s.unixPath !== '' ? s.unixPath : undefined,
  };
}
