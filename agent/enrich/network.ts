/** Sockets, datagrams, connections that ended, and name servers. */
import type { Attributes, RawEvent } from '../event.ts';
import type { NetworkFrame, Question, Socket } from '../sources/frame.ts';
import { actorOf, eventOf, type Known } from './told.ts';

type Flow = Extract<NetworkFrame, { kind: 'flow' }>;

export function networkEvent(frame: NetworkFrame, known: Known): RawEvent {
  const actor = actorOf(known, frame);
  switch (frame.kind) {
    case 'connect':
    case 'send':
      return eventOf(known, `network.${frame.kind}`, frame, {
        ...actor,
        ...named(frame.socket),
        ...origin(frame.socket),
      });
    case 'accept':
    case 'listen':
      return eventOf(known, `network.${frame.kind}`, frame, { ...actor, ...named(frame.socket) });
    case 'bind':
      return eventOf(known, 'network.bind', frame, { ...actor, ...named(frame.socket), ...kind(frame.socket) });
    case 'socket':
      return eventOf(known, 'network.socket.create', frame, { ...actor, ...made(frame.socket) });
    case 'flow':
      return eventOf(known, 'network.flow.end', frame, { ...actor, ...sides(frame.socket), ...amounts(frame) });
    case 'dns-query':
      return eventOf(known, 'dns.query', frame, { ...actor, ...sides(frame.socket), ...question(frame.question) });
    case 'dns-answer':
      return eventOf(known, 'dns.answer', frame, {
        ...actor,
        ...sides(frame.socket),
        ...question(frame.question),
        'dns.response.code': frame.code,
        'dns.answers': frame.addresses.length === 0 ? undefined : frame.addresses,
      });
  }
}

const isInternet = (s: Socket): boolean => s.family === 'ipv4' || s.family === 'ipv6';

function sides(s: Socket): Attributes {
  const isUnix = s.family === 'unix';
  return {
    'network.transport': s.transport === 'other' ? undefined : s.transport,
    'network.type': s.family === 'ipv4' || s.family === 'ipv6' ? s.family : undefined,
    'network.peer.address': isUnix || s.peerAddress === '' ? undefined : s.peerAddress,
    'network.peer.port': isUnix || s.peerPort === 0 ? undefined : s.peerPort,
    'network.local.address': isUnix || s.localAddress === '' ? undefined : s.localAddress,
    'network.local.port': isUnix || s.localPort === 0 ? undefined : s.localPort,
  };
}

/** With what sockets have that are not of the Internet. */
function named(s: Socket): Attributes {
  return {
    ...sides(s),
    'network.unix.path': s.family === 'unix' && s.unixPath !== '' ? s.unixPath : undefined,
    'network.socket.family': isInternet(s) || s.family === 'unix' ? undefined : s.family,
    'network.vsock.peer.cid': s.peerCid,
    'network.vsock.local.cid': s.localCid,
  };
}

/** Said where it is not the kernel's word. */
const origin = (s: Socket): Attributes => ({ 'network.peer.origin': s.origin === 'argument' ? s.origin : undefined });

const kind = (s: Socket): Attributes => ({ 'network.socket.type': s.type === 'other' ? undefined : s.type });

const made = (s: Socket): Attributes => ({
  'network.type': s.family === 'ipv4' || s.family === 'ipv6' ? s.family : undefined,
  'network.socket.family': isInternet(s) ? undefined : s.family,
  'network.socket.protocol': s.protocol,
  ...kind(s),
});

const amounts = (frame: Flow): Attributes => ({
  'network.flow.direction': frame.accepted ? 'inbound' : 'outbound',
  'network.flow.sent.size': frame.sent,
  'network.flow.received.size': frame.received,
  'network.flow.duration': frame.lastedNs / 1e9,
});

const question = (asked: Question | undefined): Attributes => ({
  'dns.question.name': asked?.name,
  'dns.question.type': asked?.type,
  'dns.malformed': asked === undefined ? true : undefined,
});
