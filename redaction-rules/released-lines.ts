/**
 * Recorded evidence, line by line: the bodies of a collector's directory (`evidence/`), each with the node and the ruleset
 * that its statement in the log names, or plain files of lines. Nothing is verified here; `hushwatch verify` does that.
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { zstdDecompressSync } from 'node:zlib';
import { decodeEntry } from '#protocol/entry.ts';
import { epochAt, MAX_UNPACKED_BYTES, type Epochs } from '#protocol/statement.ts';
import { decodeEntries, parseTilePath } from '#protocol/tiles.ts';

export interface ReleasedLine {
  readonly line: string;
  /** undefined: the log does not say. */
  readonly node: string | undefined;
  /** Digest of the ruleset under which it was released. */
  readonly ruleset: string | undefined;
  /** In which epoch its pseudonyms were made, such as `168h 2958`; undefined: its statement does not say, or they never change. */
  readonly epoch: string | undefined;
}

/** A file that holds no released lines, and what to do. */
export class NotEvidence extends Error {
  override readonly name = 'NotEvidence';
}

interface Sender {
  readonly node: string;
  readonly ruleset: string;
  readonly epochs: Epochs | undefined;
}

const BODY = /^([0-9a-f]{64})\.ndjson\.zst$/;
const CHUNK = 65_536;
const MAX_LINE = 1_048_576;

export function* releasedLines(place: string): Generator<ReleasedLine> {
  const isDirectory = statSync(place).isDirectory();
  const senders = isDirectory ? sendersIn(place) : new Map<string, Sender>();
  for (const file of isDirectory ? filesIn(place) : [place]) {
    const sender = senders.get(BODY.exec(basename(file))?.[1] ?? '');
    for (const line of linesOf(file))
      yield { line, node: sender?.node, ruleset: sender?.ruleset, epoch: epochOf(line, sender?.epochs) };
  }
}

/** By its own time; that was rounded down, so the first epoch of its batch is the earliest that it can be. */
function epochOf(line: string, epochs: Epochs | undefined): string | undefined {
  if (epochs === undefined) return undefined;
  const time = Number(/^\{"event":"[^"]{1,100}","time":(\d{1,16})[,}]/.exec(line)?.[1] ?? 0);
  return `${epochs.hours}h ${Math.max(epochs.first, epochAt(time, epochs))}`;
}

function filesIn(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.ndjson(\.zst)?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** Hash of a body -> who sent it, from the log beside the evidence. */
function sendersIn(directory: string): ReadonlyMap<string, Sender> {
  const log = [join(directory, 'log'), join(directory, '../log')].find((path) => existsSync(path));
  const entries = log === undefined ? '' : join(log, 'tile/entries');
  const senders = new Map<string, Sender>();
  if (log === undefined || !existsSync(entries)) return senders;
  for (const entry of readdirSync(entries, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const { width } = parseTilePath(path.slice(log.length + 1));
    for (const bytes of decodeEntries(readFileSync(path), width)) {
      const decoded = decodeEntry(bytes);
      if (decoded.kind !== 'batch') continue;
      const { body, node, ruleset, epochs } = decoded.statement;
      senders.set(body.sha256, { node, ruleset, epochs: epochs === 'none' ? undefined : epochs });
    }
  }
  return senders;
}

function* linesOf(file: string): Generator<string> {
  if (file.endsWith('.zst')) {
    yield* unpacked(file).toString('utf8').split('\n').filter(Boolean);
    return;
  }
  const descriptor = openSync(file, 'r');
  try {
    yield* split(chunksOf(descriptor), file);
  } finally {
    closeSync(descriptor);
  }
}

function unpacked(file: string): Buffer {
  const bytes = readFileSync(file);
  try {
    return zstdDecompressSync(bytes, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch {
    throw new NotEvidence(
      `${file}: does not unpack, or to more than a body may hold; hushwatch verify says what is wrong`,
    );
  }
}

function* chunksOf(descriptor: number): Generator<string> {
  const buffer = Buffer.alloc(CHUNK);
  const decoder = new StringDecoder('utf8');
  for (let read = readSync(descriptor, buffer); read > 0; read = readSync(descriptor, buffer))
    yield decoder.write(buffer.subarray(0, read));
  yield decoder.end();
}

function* split(chunks: Iterable<string>, file: string): Generator<string> {
  let rest = '';
  for (const chunk of chunks) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE)
      throw new NotEvidence(`${file}: a line longer than ${MAX_LINE} characters; name released lines`);
    yield* lines.filter(Boolean);
  }
  if (rest !== '') yield rest;
}
