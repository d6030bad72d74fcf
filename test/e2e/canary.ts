/**
 * Looks for secrets in everything a directory holds: as they are, in base64 (at each of the three offsets) and in hex,
 * and the same inside every gzip, zlib or zstd member found at any offset of a file.
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
  return [secret, encodeURIComponent(secret), hex, hex.toUpperCase(), ...base64].map((text) => Buffer.from(text));
}

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
  readonly #needles: readonly { readonly name: string; readonly bytes: Buffer }[];
  readonly found: string[] = [];
  bytes = 0;
  packed = 0;

  constructor(secrets: Readonly<Record<string, string>>) {
    this.#needles = Object.entries(secrets).flatMap(([name, secret]) =>
      spellings(secret).map((bytes) => ({ name, bytes })),
    );
  }

  look(where: string, bytes: Buffer, depth = 0): void {
    this.bytes += bytes.length;
    for (const needle of this.#needles) if (bytes.includes(needle.bytes)) this.found.push(`${needle.name} in ${where}`);
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
