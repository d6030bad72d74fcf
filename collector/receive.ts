/**
 * The collector's door: shippers bring batches over WebSocket and TLS 1.3, anyone may read the log over HTTPS.
 *
 * A shipper is known by the public key of its certificate and may bring only batches of the node that the registry
 * gives that key. Each gets an answer to every batch: a receipt, or a refusal and the end of the connection, so that
 * nothing behind a refused batch is taken out of turn. What waits is bounded; beyond that the socket is not read.
 */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { MAX_BATCH_BYTES } from '#protocol/batch.ts';
import { ProtocolError, Rejection } from '#protocol/error.ts';
import { parseTilePath } from '#protocol/tiles.ts';
import { givenSocket } from '../service/manager.ts';
import { portOf } from '../service/port.ts';
import type { Address } from './config.ts';
import { tellAlone } from './detectors/stories.ts';
import { pinOf } from './keys.ts';
import { accept, nowUs, type Collector } from './pipeline.ts';
import { refusalAlert } from './refusals.ts';
import type { RegisteredNode } from './registry.ts';
import { anchorOf } from './restart.ts';

export const SHIP_PATH = '/v1/ship';
export const SUBPROTOCOL = 'hushwatch.v1';
/** Batches without an answer on one connection. */
const WINDOW = 16;
const WINDOW_BYTES = 16 * 1024 * 1024;
const MAX_CONNECTIONS = 1024;
const PING_MS = 20_000;
const CLOSE = { bytesWrong: 4400, refused: 4403, tryLater: 1013 } as const;

/** PEM, both. */
export interface Tls {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
}

export interface Receiving {
  readonly collector: Omit<Collector, 'registry'> & {
    readonly registry: Collector['registry'] & { ofTransportKey(pin: string): RegisteredNode | undefined };
  };
  readonly address: Address;
  readonly tls: Tls;
  /** Where checkpoint and tiles lie. */
  readonly logDirectory: string;
  readonly logger: Logger;
}

export interface Receiver extends AsyncDisposable {
  readonly port: number;
  /** Who connects from now on sees this certificate; the pin of the former one. */
  renew(tls: Tls): string;
  close(): Promise<void>;
}

export async function startReceiver(receiving: Receiving): Promise<Receiver> {
  const { tls, address, logDirectory, logger } = receiving;
  const server = createServer({
    ...tls,
    minVersion: 'TLSv1.3',
    requestCert: true,
    // No authority signs these certificates: the pin decides, for shippers only.
    rejectUnauthorized: false,
    handshakeTimeout: 10_000,
    headersTimeout: 10_000,
    requestTimeout: 30_000,
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('request', (request, response) => void serveLog(logDirectory, request, response));
  const connections = new Connections(receiving);
  server.on('upgrade', (request, socket, head) => connections.upgrade(request, socket, head));
  server.on('tlsClientError', (error) => logger.debug({ code: 'code' in error ? error.code : undefined }, 'tls'));
  await listen(server, address);
  const close = async (): Promise<void> => {
    const closed = new Promise((settle) => server.close(settle));
    await connections.close();
    server.closeAllConnections();
    await closed;
  };
  let { cert } = tls;
  const renew = (next: Tls): string => {
    const former = pinOf(new X509Certificate(cert));
    server.setSecureContext({ ...next, minVersion: 'TLSv1.3' });
    ({ cert } = next);
    return former;
  };
  return { port: portOf(server), renew, close, [Symbol.asyncDispose]: close };
}

function listen(server: Server, { host, port }: Address): Promise<void> {
  const given = givenSocket();
  return new Promise((settle, fail) => {
    server.once('error', fail);
    server.listen(given === undefined ? { port, host } : { fd: given }, () => {
      server.off('error', fail);
      settle();
    });
  });
}

class Connections {
  readonly #receiving: Receiving;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_BATCH_BYTES,
    perMessageDeflate: false,
    // One message a turn: a refusal is known before the next batch is looked at.
    allowSynchronousEvents: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  /** By node; a node that comes again has lost its former connection. */
  readonly #byNode = new Map<string, Connection>();
  readonly #pinging = setInterval(() => this.#ping(), PING_MS).unref();

  constructor(receiving: Receiving) {
    this.#receiving = receiving;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => {});
    const [status, node] = this.#admit(request, socket);
    if (node === undefined) {
      socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#greet(node, webSocket));
  }

  #admit(request: IncomingMessage, socket: Duplex): readonly [string, RegisteredNode?] {
    const { collector, logger } = this.#receiving;
    if (request.url !== SHIP_PATH) return ['404 Not Found'];
    if (request.headers['sec-websocket-protocol'] !== SUBPROTOCOL) return ['400 Bad Request'];
    const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    const pin = certificate === undefined ? undefined : pinOf(certificate);
    const node = pin === undefined ? undefined : collector.registry.ofTransportKey(pin);
    if (node !== undefined) return ['', node];
    logger.warn({ pin }, 'shipper with an unknown transport key');
    refuse(this.#receiving, '', 'unknown-transport-key', `a shipper presented ${pin ?? 'no certificate'}`);
    return ['403 Forbidden'];
  }

  #greet(node: RegisteredNode, webSocket: WebSocket): void {
    this.#byNode.get(node.name)?.end(CLOSE.tryLater, 'the node connected again');
    const connection = new Connection(this.#receiving, node, webSocket);
    this.#byNode.set(node.name, connection);
    webSocket.once('close', () => {
      if (this.#byNode.get(node.name) === connection) this.#byNode.delete(node.name);
    });
  }

  #ping(): void {
    for (const connection of this.#byNode.values()) connection.ping();
  }

  /** Batches under way still get their receipts. */
  async close(): Promise<void> {
    clearInterval(this.#pinging);
    const open = [...this.#byNode.values()];
    await Promise.all(open.map((connection) => connection.finish()));
    this.#server.close();
  }
}

class Connection {
  readonly #receiving: Receiving;
  readonly #node: RegisteredNode;
  readonly #webSocket: WebSocket;
  /** Knows this sender's node only, and forgets it when the registry does. */
  readonly #collector: Collector;
  readonly #underWay = new Set<Promise<void>>();
  #bytesUnderWay = 0;
  #ended = false;
  #isAlive = true;

  constructor(receiving: Receiving, node: RegisteredNode, webSocket: WebSocket) {
    const { collector } = receiving;
    this.#receiving = receiving;
    this.#node = node;
    this.#webSocket = webSocket;
    const registry: Collector['registry'] = {
      node: (name) => {
        const registered = collector.registry.node(name);
        return registered?.transportKey === node.transportKey ? registered : undefined;
      },
    };
    this.#collector = { ...collector, registry };
    webSocket.on('error', () => {});
    webSocket.on('pong', () => (this.#isAlive = true));
    webSocket.on('message', (data, isBinary) => this.#take(data, isBinary));
    this.#welcome().catch(() => this.end(CLOSE.tryLater, 'the collector is in trouble'));
  }

  /** Who lost its chain learns here where it goes on; nobody else reads further than the number. */
  async #welcome(): Promise<void> {
    const { name } = this.#node;
    const anchor = await anchorOf(this.#collector, name);
    this.#webSocket.send(`welcome ${this.#collector.state.lastSequence(name)}\n${anchor}`);
  }

  #take(data: RawData, isBinary: boolean): void {
    if (this.#ended) return;
    if (!isBinary || !(data instanceof Buffer)) {
      void this.#refuse(0, new ProtocolError('bad-text', 'a batch is a binary message'), [...this.#underWay]);
      return;
    }
    const answered = this.#answer(data, [...this.#underWay]).finally(() => {
      this.#underWay.delete(answered);
      this.#bytesUnderWay -= data.length;
      if (this.#webSocket.isPaused && !this.#isFull()) this.#webSocket.resume();
    });
    this.#underWay.add(answered);
    this.#bytesUnderWay += data.length;
    if (this.#isFull()) this.#webSocket.pause();
  }

  #isFull(): boolean {
    return this.#underWay.size >= WINDOW || this.#bytesUnderWay >= WINDOW_BYTES;
  }

  /** Answers leave in the order of the batches. */
  async #answer(bytes: Buffer, before: readonly Promise<void>[]): Promise<void> {
    try {
      const { sequence, receipt } = await accept(this.#collector, bytes);
      await Promise.all(before);
      this.#webSocket.send(`receipt ${sequence}\n${receipt}`);
    } catch (error) {
      if (error instanceof ProtocolError || error instanceof Rejection)
        await this.#refuse(sequenceOf(bytes), error, before);
      else {
        this.#receiving.logger.error({ err: error, node: this.#node.name }, 'a batch could not be kept');
        this.end(CLOSE.tryLater, 'the collector is in trouble');
      }
    }
  }

  /** At once nothing more is taken; what was taken before gets its answer first. */
  async #refuse(sequence: number, error: ProtocolError | Rejection, before: readonly Promise<void>[]): Promise<void> {
    this.#ended = true;
    const { code, message } = error;
    this.#receiving.logger.warn({ node: this.#node.name, sequence, code }, message);
    refuse(this.#receiving, this.#node.name, code, message);
    await Promise.all(before);
    this.#webSocket.send(`refuse ${sequence} ${code}\n${message}`);
    this.end(error instanceof Rejection ? CLOSE.refused : CLOSE.bytesWrong, code);
  }

  end(code: number, reason: string): void {
    this.#ended = true;
    this.#webSocket.close(code, reason);
  }

  async finish(): Promise<void> {
    this.#webSocket.pause();
    await Promise.all(this.#underWay);
    const closed = new Promise((settle) => this.#webSocket.once('close', settle));
    this.end(1001, 'the collector stops');
    this.#webSocket.resume();
    const hard = setTimeout(() => this.#webSocket.terminate(), 1_000);
    await closed;
    clearTimeout(hard);
  }

  ping(): void {
    if (!this.#isAlive) return this.#webSocket.terminate();
    this.#isAlive = false;
    this.#webSocket.ping();
  }
}

/** For the answer only: what is refused was not believed, its number included. */
function sequenceOf(bytes: Buffer): number {
  const found = /\nsequence ([1-9][0-9]{0,15})\n/.exec(bytes.toString('latin1', 0, 512))?.[1];
  return Number(found ?? 0);
}

function refuse({ collector: { state } }: Receiving, node: string, code: string, message: string): void {
  const time = nowUs();
  state.addRefusal(node, code, message, time);
  const { alert, story } = tellAlone(refusalAlert(node, code, message, time));
  state.commitStep({ alerts: [alert], stories: [story] });
}

/** C2SP tlog-tiles over HTTP: the prefix is /log. */
async function serveLog(directory: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume();
  const path = request.url?.startsWith('/log/') === true ? request.url.slice('/log/'.length) : '';
  if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405);
  const isCheckpoint = path === 'checkpoint' || path === 'cosigned';
  if (!isCheckpoint && !isTilePath(path)) return answer(response, 404);
  try {
    const bytes = await readFile(join(directory, path));
    response.setHeader('content-type', isCheckpoint ? 'text/plain; charset=utf-8' : 'application/octet-stream');
    response.setHeader('cache-control', isCheckpoint ? 'no-store' : 'public, max-age=604800, immutable');
    response.end(bytes);
  } catch {
    answer(response, 404);
  }
}

function isTilePath(path: string): boolean {
  try {
    parseTilePath(path);
    return true;
  } catch {
    return false;
  }
}

function answer(response: ServerResponse, status: number): void {
  response.statusCode = status;
  response.end();
}
