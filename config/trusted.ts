/**
 * Reads a file that decides what a process does, if nobody can have changed it who should not: neither the file nor a directory
 * on the way to it may be written by anyone, or by a group other than root's. Links are followed here, one by one, and
 * the directories that they lead through are held to the same. What is no plain file of a sensible size is not read.
 *
 * Not asked: whose the file is. Who may run a process with a file of theirs may also write what it says.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ConfigError } from './yaml.ts';

const MAX_LINKS = 40;
const STICKY = 0o1000;
/** Debian gives each person a group of their own, with the number of the user. */
const PEOPLE = { first: 1_000, last: 59_999 } as const;

/** The text of the file. Throws ConfigError, with what to do. */
export function readTrusted(file: string, maxBytes: number): string {
  try {
    return readPlain(file, maxBytes);
  } catch (error) {
    // What is wrong with a disk is no mistake in a file, and may be over at the next try.
    if (!(error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'ENOTDIR')))
      throw error;
    throw new ConfigError(`${file}: cannot be read (${error.code}); is it the right file, asked by the right user?`);
  }
}

function readPlain(file: string, maxBytes: number): string {
  const path = followed(file);
  // Not a link any more, and a pipe must not make us wait.
  const opened = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(opened);
    if (!stat.isFile()) throw new ConfigError(`${file}: is not a plain file`);
    refuseWritable(path, stat);
    if (stat.size > maxBytes) throw new ConfigError(`${file}: larger than ${maxBytes} bytes; this is not our file`);
    return textOf(readWhole(opened, maxBytes), file);
  } finally {
    closeSync(opened);
  }
}

/** It may grow while it is read: never more than it may be. */
function readWhole(opened: number, maxBytes: number): Uint8Array {
  const bytes = Buffer.alloc(maxBytes);
  let length = 0;
  for (let read = -1; read !== 0 && length < maxBytes; length += read)
    read = readSync(opened, bytes, length, maxBytes - length, null);
  return bytes.subarray(0, length);
}

function textOf(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError(`${file}: is not text in UTF-8`);
  }
}

/** The path without a link in it, after a look at everything that it leads through. */
function followed(file: string): string {
  let at = '/';
  let parts = partsOf(resolve(file));
  for (let links = 0; parts.length > 0;) {
    const [name = '', ...rest] = parts;
    const next = join(at, name);
    const stat = statOf(next, file);
    refuseForeign(next, stat, lstatSync(at));
    if (stat.isSymbolicLink()) {
      if (++links > MAX_LINKS) throw new ConfigError(`${file}: leads through more than ${MAX_LINKS} links`);
      parts = [...partsOf(resolve(at, readlinkSync(next))), ...rest];
      at = '/';
      continue;
    }
    refuseWritable(next, stat);
    at = next;
    parts = rest;
  }
  return at;
}

const partsOf = (path: string): readonly string[] => path.split('/').filter((part) => part !== '');

function statOf(path: string, file: string): Stats {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new ConfigError(`${file}: no such file`);
  return stat;
}

function refuseWritable(path: string, stat: Stats): void {
  const { mode, uid, gid } = stat;
  // In such a directory everybody moves only what is theirs.
  if (stat.isDirectory() && (mode & STICKY) !== 0) return;
  if ((mode & 0o002) !== 0) throw new ConfigError(`${path}: anyone may write it; chmod o-w ${path}`);
  const isOwn = gid === 0 || (gid === uid && gid >= PEOPLE.first && gid <= PEOPLE.last);
  if ((mode & 0o020) !== 0 && !isOwn)
    throw new ConfigError(`${path}: its group ${gid} may write it; chmod g-w ${path}`);
}

/** Where anyone may put files, a file or a link of somebody else is a trap. */
function refuseForeign(path: string, { uid }: Stats, parent: Stats): void {
  if ((parent.mode & STICKY) === 0 || (parent.mode & 0o022) === 0) return;
  if (uid === 0 || uid === process.geteuid?.() || uid === parent.uid) return;
  throw new ConfigError(`${path}: belongs to user ${uid}, in ${dirname(path)}, where anyone may put files; move it`);
}
