/**
 * Frames as bytes: the decoder of what the sensor says. The layout is `agent/sensor/frame.h`; both sides are held to
 * the same golden bytes.
 *
 * Strict: a wrong size, version, kind, flag, filler or string length is a FrameError, after which the connection is
 * of no use. Bounded: it never holds more than one incomplete frame. Bytes that are not UTF-8 become U+FFFD.
 */
import type { EventClass } from '#protocol/vocabulary.ts';
import type { ClassCounters, Frame } from './frame.ts';
import { Dictionary } from './frames/dictionary.ts';
import { FILE_FRAMES } from './frames/file.ts';
import { KERNEL_FRAMES } from './frames/kernel.ts';
import { MOUNT_FRAMES } from './frames/mount.ts';
import { NETWORK_FRAMES } from './frames/network.ts';
import { PRIVILEGE_FRAMES } from './frames/privilege.ts';
import { PROCESS_FRAMES } from './frames/process.ts';
import { ACTOR_END, FrameError, Reader } from './frames/reader.ts';

export const FRAME_VERSION = 2;
/** No frame is longer. */
export const FRAME_MAX = 16_384;

const HEAD = 24;
const CLASSES = ['file', 'network', 'process', 'kernel', 'privilege'] as const satisfies readonly EventClass[];

function helloFrame(r: Reader): Frame {
  r.strings(32);
  const sensorVersion = r.string();
  r.done();
  return { kind: 'hello', atNs: r.u64(8), instance: r.big(24), sensorVersion };
}

function countersFrame(r: Reader): Frame {
  r.strings(32 + 40 * CLASSES.length);
  r.done();
  const classes: Partial<Record<EventClass, ClassCounters>> = {};
  CLASSES.forEach((name, index) => {
    const at = 32 + 40 * index;
    classes[name] = {
      seen: r.u64(at),
      emitted: r.u64(at + 8),
      merged: r.u64(at + 16),
      sampled: r.u64(at + 24),
      lost: r.u64(at + 32),
    };
  });
  return { kind: 'counters', atNs: r.u64(8), classes, unread: r.u32(24), isLast: r.u32(28) === 1 };
}

/** By the number that `enum frame_kind` gives them. */
const DECODERS: readonly (((r: Reader) => Frame) | undefined)[] = Object.assign(
  [],
  Object.fromEntries([
    [1, helloFrame],
    [2, countersFrame],
    ...PROCESS_FRAMES,
    ...PRIVILEGE_FRAMES,
    ...FILE_FRAMES,
    ...MOUNT_FRAMES,
    ...NETWORK_FRAMES,
    ...KERNEL_FRAMES,
  ]),
);

const FIRST_OBSERVED = 3;

/** One for all connections: there is one sensor at a time, and the next says the same words. */
const TEXTS = new Dictionary();

/** Bytes of one connection in, frames out, however the bytes are cut. */
export class FrameDecoder {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Uint8Array): readonly Frame[] {
    const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const bytes = this.#rest.length === 0 ? fresh : Buffer.concat([this.#rest, fresh]);
    const reader = new Reader(bytes, TEXTS);
    const frames: Frame[] = [];
    let at = 0;
    for (let size; (size = sizeAt(bytes, at)) !== undefined; at += size) {
      reader.enter(at, size);
      frames.push(decodeFrame(reader, size));
    }
    this.#rest = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
    return frames;
  }
}

/** Undefined while the frame at `at` is not whole. What announces too much is refused before it is awaited. */
function sizeAt(bytes: Buffer, at: number): number | undefined {
  if (bytes.length - at < 4) return undefined;
  const size = bytes.readUInt32LE(at);
  if (size < HEAD + 8 || size > FRAME_MAX) throw new FrameError('bad-size', 'a frame has an impossible size');
  return bytes.length - at < size ? undefined : size;
}

function decodeFrame(reader: Reader, size: number): Frame {
  if (reader.u16(4) !== FRAME_VERSION) {
    throw new FrameError('bad-version', `the sensor speaks frames of another version than ${FRAME_VERSION}`);
  }
  const kind = reader.u16(6);
  const decode = DECODERS[kind];
  if (decode === undefined) throw new FrameError('bad-kind', 'a frame of an unknown kind');
  if (kind >= FIRST_OBSERVED && size < ACTOR_END) throw new FrameError('truncated', 'a frame ends inside its actor');
  return decode(reader);
}
