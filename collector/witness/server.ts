/** The witness's door: `POST /add-checkpoint`, over HTTP. What is asked and answered is public and signed, so whoever listens or sits between gains nothing. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { MAX_REQUEST_BYTES } from '#protocol/witness.ts';
import type { Address } from '../config.ts';
import { portOf } from '../../service/port.ts';
import type { Answer, Witness } from './witness.ts';

export const ADD_CHECKPOINT = '/add-checkpoint';
const MAX_CONNECTIONS = 64;

export interface WitnessServer extends AsyncDisposable {
  readonly port: number;
}

export async function startWitness(witness: Witness, { host, port }: Address, logger: Logger): Promise<WitnessServer> {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 20_000, keepAliveTimeout: 30_000 });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('request', (request, response) => {
    serve(witness, request, response, logger).catch((error: unknown) => {
      logger.error({ err: error }, 'a checkpoint could not be kept');
      end(response, 500, 'the witness is in trouble\n');
    });
  });
  await new Promise<void>((settle, fail) => {
    server.once('error', fail);
    server.listen({ host, port }, () => {
      server.off('error', fail);
      settle();
    });
  });
  return { port: portOf(server), [Symbol.asyncDispose]: () => closed(server) };
}

async function serve(
  witness: Witness,
  request: IncomingMessage,
  response: ServerResponse,
  logger: Logger,
): Promise<void> {
  if (request.url !== ADD_CHECKPOINT) return end(response, 404, 'nothing is here\n');
  if (request.method !== 'POST') return end(response, 405, 'POST is wanted\n');
  const bytes = await bodyOf(request);
  if (bytes === undefined) return end(response, 413, 'larger than any checkpoint\n');
  const answer = await witness.addCheckpoint(bytes);
  if (answer.status !== 200) logger.warn(answer, 'not cosigned');
  const [text, type] = textOf(answer);
  end(response, answer.status, text, type);
}

function textOf(answer: Answer): readonly [string, string?] {
  if (answer.status === 200) return [answer.cosignature];
  return answer.status === 409 ? [`${answer.size}\n`, 'text/x.tlog.size'] : [`${answer.why}\n`];
}

function end(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' });
  response.end(text);
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Buffer)) continue;
    size += chunk.length;
    if (size > MAX_REQUEST_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function closed(server: Server): Promise<void> {
  const gone = new Promise((settle) => server.close(settle));
  server.closeAllConnections();
  await gone;
}
