/**
 * Reads what somebody put there who is perhaps believed less: a plain file of at most so many bytes. No link is followed, no pipe
 * makes us wait, and what grows meanwhile does not fill our memory.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** `undefined` for anything else, and for what is not there or not ours to read. */
export function readGiven(path: string, limit: number): Buffer | undefined {
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(file);
      return stat.isFile() && stat.size <= limit ? readUpTo(file, stat.size) : undefined;
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}

function readUpTo(file: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let used = 0;
  for (let got = 1; got > 0 && used < size; used += got) got = readSync(file, bytes, used, size - used, used);
  return bytes.subarray(0, used);
}
