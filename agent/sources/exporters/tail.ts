/**
 * A file that another program writes, line by line, through its rotations. Each `read` is one step that never waits for more.
 *
 *     renamed, and a new one made   the old one to its end, then those that were rotated after it, then the new one
 *     cut and written on            from its beginning; an unfinished line is counted
 *     another start of ours         where the position says, in whichever of these files that is
 *
 * The old file is left once it gave nothing in two steps and the new one has something, or after a while: its writer may
 * still have it open. A position is believed only where a line ends in front of it. Not seen: a file that is cut and grows
 * beyond where we were between two steps; one that is compressed or removed while we are not there (a gap says so).
 */
import { constants } from 'node:fs';
import { open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { Splitter } from '../journal/follow.ts';
import type { FilePosition } from './position.ts';

/** Lines of Tetragon carry every capability by name, three times. */
export const MAX_LINE_BYTES = 262_144;
const CHUNK_BYTES = 65_536;
const MAX_SIBLINGS = 1_000;
/** Steps without anything new before a file is left whose successor is empty. */
const PATIENCE = 20;
const NEWLINE = 0x0a;

export interface Chunk {
  readonly state: 'reading' | 'absent' | 'unreadable';
  readonly lines: readonly string[];
  /** Lines that were too long, or never got an end. */
  readonly spoilt: number;
  /** What followed the position that we began at, or were at, is gone, in part at least. */
  readonly isGap: boolean;
  /** Nothing new was there. */
  readonly isIdle: boolean;
  /** After these lines. */
  readonly position: FilePosition | undefined;
}

interface Opened {
  readonly handle: FileHandle;
  readonly device: string;
  readonly inode: string;
}

type Stat = Awaited<ReturnType<typeof statOf>>;

export class Tail {
  readonly #path: string;
  #from: FilePosition | undefined;
  #file: Opened | undefined;
  /** Of the next byte. */
  #offset = 0;
  #splitter = new Splitter(MAX_LINE_BYTES);
  #isMidLine = false;
  #idle = 0;
  /** Nothing that was there before our first start is told; what comes later is read from its beginning. */
  #isFirst: boolean;
  readonly #buffer = Buffer.alloc(CHUNK_BYTES);

  /** `beginning`: the whole file, when there is no position. */
  constructor(path: string, from: FilePosition | undefined, beginning = false) {
    this.#path = path;
    this.#from = from;
    this.#isFirst = from === undefined && !beginning;
  }

  async read(): Promise<Chunk> {
    if (this.#file === undefined) {
      const begun = await this.#begin();
      if (begun !== 'opened') return this.#chunk(begun === 'gap' ? { isGap: true } : { state: begun });
    }
    const file = this.#file;
    if (file === undefined) return this.#chunk({ state: 'absent' });
    const { size } = await file.handle.stat();
    if (size < this.#offset) return this.#restart();
    const { bytesRead } = await file.handle.read(this.#buffer, 0, CHUNK_BYTES, this.#offset);
    return bytesRead > 0 ? this.#take(bytesRead) : this.#rest();
  }

  async close(): Promise<void> {
    await this.#file?.handle.close();
    this.#file = undefined;
  }

  #chunk(more: Partial<Chunk>): Chunk {
    return { state: 'reading', lines: [], spoilt: 0, isGap: false, isIdle: true, position: this.#position, ...more };
  }

  get #position(): FilePosition | undefined {
    if (this.#file === undefined) return this.#from;
    const { device, inode } = this.#file;
    return { device, inode, offset: this.#offset - this.#splitter.pending };
  }

  #take(bytes: number): Chunk {
    this.#offset += bytes;
    this.#idle = 0;
    const { lines, tooLong } = this.#splitter.push(Buffer.from(this.#buffer.subarray(0, bytes)));
    // The rest of a line whose beginning was there before us.
    const isRest = this.#isMidLine && lines.length + tooLong > 0;
    if (isRest) this.#isMidLine = false;
    const spoilt = isRest && lines.length === 0 ? tooLong - 1 : tooLong;
    return this.#chunk({ lines: isRest ? lines.slice(1) : lines, spoilt, isIdle: false });
  }

  /** It was cut: what we had not read by then is gone. */
  #restart(): Chunk {
    const spoilt = this.#startAt(0);
    return this.#chunk({ spoilt, isGap: true, isIdle: false });
  }

  /** Counts the line that will have no end now. */
  #startAt(offset: number): number {
    const spoilt = this.#splitter.pending > 0 && !this.#isMidLine ? 1 : 0;
    this.#splitter = new Splitter(MAX_LINE_BYTES);
    this.#offset = offset;
    this.#isMidLine = false;
    this.#idle = 0;
    return spoilt;
  }

  /** At the end of the file: is it still the one? */
  async #rest(): Promise<Chunk> {
    const file = this.#file;
    const now = await statOf(this.#path);
    if (file === undefined || now === undefined || isSame(now, file)) {
      this.#idle = 0;
      return this.#chunk({});
    }
    this.#idle++;
    if (this.#idle < 2 || (now.size === 0n && this.#idle < PATIENCE)) return this.#chunk({});
    const next = await this.#successor(await file.handle.stat({ bigint: true }));
    const opened = await openFile(next ?? this.#path);
    if (typeof opened === 'string') return this.#chunk({});
    await file.handle.close();
    this.#file = opened;
    return this.#chunk({ spoilt: this.#startAt(0), isIdle: false });
  }

  async #begin(): Promise<'opened' | 'gap' | 'absent' | 'unreadable'> {
    const from = this.#from;
    const path = from === undefined ? this.#path : ((await this.#find(from)) ?? this.#path);
    const opened = await openFile(path);
    if (typeof opened === 'string') {
      if (opened === 'absent') this.#isFirst = false;
      return opened;
    }
    this.#file = opened;
    this.#from = undefined;
    const { size } = await opened.handle.stat();
    if (from !== undefined) {
      const fits = isSame(opened, from) && size >= from.offset && (await endsLine(opened.handle, from.offset));
      this.#startAt(fits ? from.offset : 0);
      return fits ? 'opened' : 'gap';
    }
    this.#startAt(this.#isFirst ? size : 0);
    this.#isMidLine = this.#isFirst && !(await endsLine(opened.handle, size));
    this.#isFirst = false;
    return 'opened';
  }

  async #find(wanted: FilePosition): Promise<string | undefined> {
    const now = await statOf(this.#path);
    if (now !== undefined && isSame(now, wanted)) return this.#path;
    return (await this.#siblings()).find(({ found }) => isSame(found, wanted))?.path;
  }

  /** The one that was rotated away next after this; undefined where that is the path's own. */
  async #successor(left: { readonly ino: bigint; readonly mtimeNs: bigint }): Promise<string | undefined> {
    const later = (await this.#siblings()).filter(
      ({ found }) => found.mtimeNs > left.mtimeNs && found.inode !== String(left.ino),
    );
    return later.toSorted((a, b) => Number(a.found.mtimeNs - b.found.mtimeNs))[0]?.path;
  }

  /** Files that were rotated away, by their names: `audit.log.1`, `tetragon-2026-….log`; not compressed ones. */
  async #siblings(): Promise<readonly { readonly path: string; readonly found: NonNullable<Stat> }[]> {
    const name = basename(this.#path);
    const extension = extname(name);
    const stem = name.slice(0, name.length - extension.length);
    const names = await readdir(dirname(this.#path)).catch(() => []);
    const rotated = names.filter(
      (one) =>
        (one.startsWith(`${name}.`) ||
          one.startsWith(`${name}-`) ||
          (one.startsWith(`${stem}-`) && one.endsWith(extension))) &&
        /^[.-]\d/.test(one.slice(one.startsWith(name) ? name.length : stem.length)) &&
        !/\.(?:gz|xz|zst|bz2|lz4)$/.test(one),
    );
    const paths = rotated.slice(0, MAX_SIBLINGS).map((one) => join(dirname(this.#path), one));
    const found = await Promise.all(paths.map(async (path) => ({ path, found: await statOf(path) })));
    return found.flatMap(({ path, found: one }) => (one === undefined ? [] : [{ path, found: one }]));
  }
}

const isSame = (a: Pick<FilePosition, 'device' | 'inode'>, b: Pick<FilePosition, 'device' | 'inode'>): boolean =>
  a.device === b.device && a.inode === b.inode;

async function statOf(
  path: string,
): Promise<{ device: string; inode: string; size: bigint; mtimeNs: bigint } | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (found === undefined || !found.isFile()) return undefined;
  return { device: String(found.dev), inode: String(found.ino), size: found.size, mtimeNs: found.mtimeNs };
}

/** Never waits, as opening a pipe would. */
async function openFile(path: string): Promise<Opened | 'absent' | 'unreadable'> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await handle.stat({ bigint: true });
    if (found.isFile()) return { handle, device: String(found.dev), inode: String(found.ino) };
    await handle.close();
    return 'unreadable';
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'absent' : 'unreadable';
  }
}

async function endsLine(handle: FileHandle, offset: number): Promise<boolean> {
  if (offset === 0) return true;
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(1), 0, 1, offset - 1);
  return bytesRead === 1 && buffer[0] === NEWLINE;
}
