/** A collector reduced to its door: real TLS and WebSocket, answers as the test says, remembers what came. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { SecureVersion } from 'node:tls';
import { WebSocketServer, type WebSocket } from 'ws';
import { decodeBatch, splitBatch } from '#protocol/batch.ts';
import { decodeRestart, isRestart } from '#protocol/restart.ts';
import { logKey } from '../../protocol/sample.ts';
import { receiptFor } from '../receipt.ts';

export interface Arrived {
  readonly sequence: number;
  readonly bytes: Uint8Array;
  readonly socket: WebSocket;
}

export class FakeCollector implements AsyncDisposable {
  readonly arrived: Arrived[] = [];
  /** Notes in the order of the log. */
  readonly log: Uint8Array[] = [];
  connections = 0;
  welcome = 'welcome 0';
  /** What is done with a batch; answers with its receipt unless the test says otherwise. */
  onBatch: (batch: Arrived) => void = (batch) => void this.prove(batch);
  onConnection: (socket: WebSocket) => void = () => {};
  readonly #server: Server;
  readonly #sockets: WebSocketServer;

  private constructor(server: Server) {
    this.#server = server;
    this.#sockets = new WebSocketServer({ server, path: '/v1/ship' });
    this.#sockets.on('connection', (socket) => {
      this.connections++;
      socket.send(this.welcome);
      this.onConnection(socket);
      socket.on('message', (data: Buffer) => {
        const batch = {
          sequence: isRestart(data) ? decodeRestart(data).restart.sequence : decodeBatch(data).statement.sequence,
          bytes: data,
          socket,
        };
        this.arrived.push(batch);
        this.onBatch(batch);
      });
    });
  }

  static async start(tls: string, maxVersion: SecureVersion = 'TLSv1.3'): Promise<FakeCollector> {
    const [key, cert] = ['tls.key', 'tls.crt'].map((name) => readFileSync(join(tls, name)));
    const server = createServer({ key, cert, maxVersion, requestCert: true, rejectUnauthorized: false });
    const collector = new FakeCollector(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return collector;
  }

  get url(): string {
    // oxlint-disable-next-line no-unsafe-type-assertion -- a server that listens on a port has one
    return `wss://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/ship`;
  }

  get sequences(): readonly number[] {
    return this.arrived.map(({ sequence }) => sequence);
  }

  /** Logs a batch and sends its receipt. */
  async prove({ sequence, bytes, socket }: Arrived): Promise<void> {
    this.log.push(splitBatch(bytes).noteBytes);
    const receipt = await receiptFor([...this.log], this.log.length - 1, logKey);
    socket.send(`receipt ${sequence}\n${Buffer.from(receipt).toString()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
