/** Where a server came to listen: whoever asks for port 0 is given one. */
import type { Server } from 'node:net';

/** Of a server that listens on TCP. */
export function portOf(server: Pick<Server, 'address'>): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('This server does not listen on a port');
  return address.port;
}
