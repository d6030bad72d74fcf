/**
 * Looks for secrets in everything a directory holds: as they are, in base64 (at each of the three offsets), in hex, in
 * percent, in UTF-16 and backwards, and the same inside every gzip, zlib or zstd member found at any offset of a file.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';

const MAGICS: readonly { readonly bytes: Buffer; readonly open: (bytes: Buffer) => Buffer }[] = [
  {
    bytes: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]),
    open: (bytes) => zstdDecompressSync(bytes, { maxOutputLength: 1 << 26 }),
  },
  { bytes: Buffer.from([0x1f, 0x8b, 0x08]), open: (bytes) => gunzipSync(bytes, { maxOutputLength: 1 << 26 }) },
];

/** The spellings of a secret that a byte search can find wherever it lies in a longer text. */
export function spellings(secret: string): Buffer[] {
  const base64 = [0, 1, 2].map((shift) => {
    const whole = Buffer.concat([Buffer.alloc(shift), Buffer.from(secret)]).toString('base64');
    // The first group mixes in what stood before, the last what comes after.
    return whole.slice(shift === 0 ? 0 : 4, Math.floor((shift + secret.length) / 3) * 4);
  });
  const hex = Buffer.from(secret).toString('hex');
  const json = JSON.stringify(secret).slice(1, -1);
  const texts = [
    secret,
    json,
    encodeURIComponent(secret),
    hex,
    hex.toUpperCase(),
    secret.split('').toReversed().join(''),
  ];
  const bytes = [...new Set([...texts, ...base64])].map((text) => Buffer.from(text));
  return [...bytes, Buffer.from(secret, 'utf16le'), Buffer.from(secret, 'utf16le').swap16()];
}

interface Needle {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Thousands of needles in one pass over the hay: a bit for each hash of the four bytes in the middle of one, which differ most. */
class Needles {
  readonly #bits = new Uint8Array(1 << 19);
  readonly #byMiddle = new Map<number, Needle[]>();

  constructor(needles: readonly Needle[]) {
    for (const needle of needles) {
      if (needle.bytes.length < 4) throw new Error(`${needle.name}: too short to look for`);
      const key = needle.bytes.readUInt32BE(middleOf(needle.bytes));
      const same = this.#byMiddle.get(key) ?? [];
      this.#byMiddle.set(key, [...same, needle]);
      this.#bits[hashOf(key) >> 3] = (this.#bits[hashOf(key) >> 3] ?? 0) | (1 << (hashOf(key) & 7));
    }
  }

  /** Names of the needles in there. */
  in(hay: Buffer): ReadonlySet<string> {
    const found = new Set<string>();
    const bits = this.#bits;
    let key = 0;
    for (let end = 0; end < hay.length; end++) {
      key = ((key << 8) | (hay[end] ?? 0)) >>> 0;
      const hash = hashOf(key);
      if (((bits[hash >> 3] ?? 0) & (1 << (hash & 7))) === 0) continue;
      for (const { name, bytes } of this.#byMiddle.get(key) ?? []) {
        const start = end - 3 - middleOf(bytes);
        if (start >= 0 && hay.subarray(start, start + bytes.length).equals(bytes)) found.add(name);
      }
    }
    return found;
  }
}

const middleOf = (bytes: Buffer): number => (bytes.length - 4) >> 1;
/** 22 bits. */
const hashOf = (key: number): number => Math.imul(key, 0x9e3779b1) >>> 10;

function* members(bytes: Buffer): Generator<Buffer> {
  for (const { bytes: magic, open } of MAGICS) {
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
      try {
        yield open(bytes.subarray(at));
      } catch {
        // Only looks like one, or has bytes behind it that are not: the plain search sees those.
      }
    }
  }
}

/** Names of the places where a secret stands; empty is what a test wants. Counts how much it looked at, so that a search of nothing shows. */
export class CanarySearch {
  readonly #needles: Needles;
  readonly found: string[] = [];
  bytes = 0;
  packed = 0;

  constructor(secrets: Readonly<Record<string, string | readonly string[]>>) {
    this.#needles = new Needles(
      Object.entries(secrets).flatMap(([name, texts]) =>
        [texts].flat().flatMap((secret) => spellings(secret).map((bytes) => ({ name, bytes }))),
      ),
    );
  }

  look(where: string, bytes: Buffer, depth = 0): void {
    this.bytes += bytes.length;
    for (const name of this.#needles.in(bytes)) this.found.push(`${name} in ${where}`);
    if (depth < 2) {
      for (const member of members(bytes)) {
        this.packed++;
        this.look(`${where} (unpacked)`, member, depth + 1);
      }
    }
  }

  lookInto(directory: string): void {
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory() === true) this.lookInto(path);
      else if (stat?.isFile() === true) {
        this.look(path, Buffer.from(name));
        this.look(path, readFileSync(path));
      }
    }
  }
}
