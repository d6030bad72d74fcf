/** The socket on which the sensor speaks: sensors that come, go, hurry, say nonsense. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openFrameSource, type FrameSource } from '../../../agent/sources/ebpf.ts';
import type { Frame } from '../../../agent/sources/frame.ts';
import { FrameDecoder } from '../../../agent/sources/frames.ts';

const golden = readFileSync(new URL('frames.bin', import.meta.url));
const GOLDEN_FRAMES = new FrameDecoder().push(golden).length;

let directory = '';
let path = '';
let stop = new AbortController();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hushwatch-ebpf-'));
  path = join(directory, 'agent.sock');
  stop = new AbortController();
});
afterEach(() => {
  stop.abort();
  rmSync(directory, { recursive: true });
});

async function sensor(): Promise<Socket> {
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return socket;
    } catch {
      await new Promise((settle) => setTimeout(settle, 10));
    }
  }
}

async function say(bytes: Uint8Array): Promise<void> {
  const socket = await sensor();
  socket.on('error', () => {});
  socket.end(bytes);
  await once(socket, 'close');
}

/** Takes frames until `enough` have come, then ends the source. */
async function take(source: FrameSource, enough: number): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const chunk of source) {
    frames.push(...chunk);
    if (frames.length >= enough) stop.abort();
  }
  return frames;
}

test('one sensor after the other is heard', async () => {
  const taken = take(openFrameSource(path, stop.signal), 2 * GOLDEN_FRAMES);
  await say(golden);
  await say(golden);
  expect(await taken).toHaveLength(2 * GOLDEN_FRAMES);
});

test('a frame that breaks off is forgotten; the next sensor says it again', async () => {
  const taken = take(openFrameSource(path, stop.signal), GOLDEN_FRAMES + 1);
  await say(golden.subarray(0, 50));
  await say(golden);
  expect((await taken).map((frame) => frame.kind).slice(0, 2)).toEqual(['hello', 'hello']);
});

test('nonsense closes the connection, is counted, and the next sensor is heard', async () => {
  const source = openFrameSource(path, stop.signal);
  const taken = take(source, GOLDEN_FRAMES);
  await say(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  await say(golden);
  expect(await taken).toHaveLength(GOLDEN_FRAMES);
  expect(source.malformed).toBe(1);
});

test('a socket left behind is replaced, and only the group may connect', async () => {
  const first = new AbortController();
  const old = openFrameSource(path, first.signal);
  const iterator = old[Symbol.asyncIterator]();
  const pending = iterator.next();
  const taken = take(openFrameSource(path, stop.signal), GOLDEN_FRAMES);
  const socket = await sensor();
  expect(statSync(path).mode & 0o777).toBe(0o660);
  socket.end(golden);
  expect(await taken).toHaveLength(GOLDEN_FRAMES);
  first.abort();
  await pending;
});

test('a path that cannot be listened on is an error to whoever listens', async () => {
  const source = openFrameSource(join(directory, 'missing', 'agent.sock'), stop.signal);
  await expect(take(source, 1)).rejects.toThrow(/listen E/);
});

test('it says whether a sensor is there', async () => {
  const source = openFrameSource(path, stop.signal);
  expect(source.connected).toBe(false);
  const iterator = source[Symbol.asyncIterator]();
  const first = iterator.next();
  const socket = await sensor();
  socket.write(golden);
  expect((await first).value).toHaveLength(GOLDEN_FRAMES);
  expect(source.connected).toBe(true);
  const over = iterator.next();
  socket.destroy();
  stop.abort();
  expect((await over).done).toBe(true);
  expect(source.connected).toBe(false);
});
