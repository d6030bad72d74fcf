/**
 * The sensor as a source: a Unix socket on which one sensor at a time says what it sees.
 *
 * Survives sensors: when one goes, the next is waited for (its hello tells whether it is a new instance). Bytes that are
 * not frames close the connection and are counted. Reading follows the consumer: who does not take the next chunk makes
 * the sensor wait, and the sensor counts what it then loses.
 */
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import type { Frame } from './frame.ts';
import { FrameDecoder } from './frames.ts';
import { FrameError } from './frames/reader.ts';

/** Sensors that may wait for the one that is being heard to go. */
const WAITING_MAX = 4;

export interface FrameSource extends AsyncIterable<readonly Frame[]> {
  /** A sensor is being heard. */
  readonly connected: boolean;
  /** Connections that were closed because what they carried were not frames. */
  readonly malformed: number;
}

/** Listens at once; iterate once. Ends when `signal` is aborted. */
export function openFrameSource(socketPath: string, signal: AbortSignal): FrameSource {
  return new SensorSocket(socketPath, signal);
}

class SensorSocket implements FrameSource {
  connected = false;
  malformed = 0;
  readonly #signal: AbortSignal;
  readonly #server: Server;
  readonly #waiting: Socket[] = [];
  #failure: Error | undefined;
  #wake: () => void = () => {};

  constructor(path: string, signal: AbortSignal) {
    this.#signal = signal;
    this.#server = createServer((socket) => this.#admit(socket));
    this.#server.on('error', (error) => {
      this.#failure = error;
      this.#wake();
    });
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    removeStale(path);
    this.#server.listen(path, () => chmodSync(path, 0o660));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Frame[]> {
    try {
      for (let socket; (socket = await this.#next()) !== undefined;) {
        this.connected = true;
        yield* this.#hear(socket);
        this.connected = false;
      }
    } finally {
      this.connected = false;
      await this.#close();
    }
  }

  #admit(socket: Socket): void {
    socket.on('error', () => {});
    if (this.#waiting.length >= WAITING_MAX) socket.destroy();
    else this.#waiting.push(socket);
    this.#wake();
  }

  /** The next sensor; undefined once it is over. */
  async #next(): Promise<Socket | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#signal.aborted) return undefined;
      const socket = this.#waiting.shift();
      if (socket !== undefined) return socket;
      await new Promise<void>((settle) => {
        this.#wake = settle;
      });
    }
  }

  async *#hear(socket: Socket): AsyncGenerator<readonly Frame[]> {
    const decoder = new FrameDecoder();
    const stop = (): void => void socket.destroy();
    this.#signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const chunk of chunksOf(socket)) {
        const frames = decoder.push(chunk);
        if (frames.length > 0) yield frames;
      }
    } catch (error) {
      if (error instanceof FrameError) this.malformed++;
      else throw error;
    } finally {
      this.#signal.removeEventListener('abort', stop);
      socket.destroy();
    }
  }

  async #close(): Promise<void> {
    for (const socket of this.#waiting) socket.destroy();
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}

/** What a socket says until it ends, however it ends: that a sensor is gone is no error. */
async function* chunksOf(socket: Socket): AsyncGenerator<Buffer> {
  for (;;) {
    const chunk: unknown = socket.read();
    if (Buffer.isBuffer(chunk)) {
      yield chunk;
      continue;
    }
    if (socket.readableEnded || socket.destroyed) return;
    await readableOrOver(socket);
  }
}

function readableOrOver(socket: Socket): Promise<void> {
  return new Promise((settle) => {
    const done = (): void => {
      socket.off('readable', done).off('end', done).off('close', done);
      settle();
    };
    socket.on('readable', done).on('end', done).on('close', done);
  });
}

/** A socket left behind by an earlier agent; anything else at that path is not ours to remove. */
function removeStale(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) rmSync(path);
}
