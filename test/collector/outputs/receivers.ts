/** Real receivers on loopback: HTTP(S) for webhooks and OTLP, TLS for syslog. They keep what they took, and can be told to refuse. */
import { createServer as createHttp, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { createServer as createTls } from 'node:tls';

export interface Posted {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Receiver<T> extends AsyncDisposable {
  readonly port: number;
  readonly taken: T[];
  /** While true it takes nothing. */
  refuses: boolean;
}

interface Pair {
  readonly key: Buffer;
  readonly cert: Buffer;
}

async function listening<T>(server: Server, receiver: { taken: T[]; refuses: boolean }): Promise<Receiver<T>> {
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  // oxlint-disable-next-line no-unsafe-type-assertion -- a TCP server has an AddressInfo
  const { port } = server.address() as AddressInfo;
  return Object.assign(receiver, {
    port,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((settle) => server.close(() => settle()));
      if ('closeAllConnections' in server && typeof server.closeAllConnections === 'function')
        server.closeAllConnections();
      await closed;
    },
  });
}

export async function httpReceiver(tls?: Pair): Promise<Receiver<Posted>> {
  const receiver: { taken: Posted[]; refuses: boolean } = { taken: [], refuses: false };
  const answer: RequestListener = (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      response.statusCode = receiver.refuses ? 500 : 200;
      if (!receiver.refuses) receiver.taken.push({ path: request.url ?? '', headers: request.headers, body });
      response.setHeader('content-type', 'application/json');
      response.end('{}');
    });
  };
  return await listening(tls === undefined ? createHttp(answer) : createHttps(tls, answer), receiver);
}

/** Reads frames by their counts; a connection that does not end in a whole frame is told in `broken`. */
export async function syslogReceiver(tls: Pair): Promise<Receiver<string> & { readonly broken: string[] }> {
  const receiver = { taken: [] as string[], refuses: false, broken: [] as string[] };
  const server = createTls({ ...tls, minVersion: 'TLSv1.2' }, (socket) => {
    if (receiver.refuses) {
      socket.destroy();
      return;
    }
    let bytes = '';
    socket.setEncoding('latin1');
    socket.on('error', () => {});
    socket.on('data', (chunk: string) => (bytes += chunk));
    socket.on('end', () => {
      while (bytes !== '') {
        const [head = '', count = ''] = /^([1-9][0-9]*) /.exec(bytes) ?? [];
        if (head === '' || bytes.length < head.length + Number(count)) break;
        receiver.taken.push(bytes.slice(head.length, head.length + Number(count)));
        bytes = bytes.slice(head.length + Number(count));
      }
      if (bytes !== '') receiver.broken.push(bytes);
      socket.end();
    });
  });
  server.on('tlsClientError', () => {});
  return Object.assign(receiver, await listening(server, receiver));
}
