/** What bytes are, by how they begin: the few kinds that matter when somebody runs them. Pure. */

export type ContentKind = 'elf' | 'script' | 'archive' | 'pe' | 'macho' | 'wasm' | 'text' | 'data' | 'empty';

/** Enough for the magic of a tar archive, and to tell text from data. */
export const FIRST_BYTES = 512;

const MAGIC: readonly (readonly [ContentKind, number, string])[] = [
  ['elf', 0, '\x7fELF'],
  ['script', 0, '#!'],
  ['pe', 0, 'MZ'],
  ['macho', 0, '\xcf\xfa\xed\xfe'],
  ['wasm', 0, '\0asm'],
  ['archive', 0, 'PK\x03\x04'],
  ['archive', 0, '\x1f\x8b'],
  ['archive', 0, '\xfd7zXZ\0'],
  ['archive', 0, '\x28\xb5\x2f\xfd'],
  ['archive', 0, 'BZh'],
  ['archive', 0, '!<arch>\n'],
  ['archive', 0, '7z\xbc\xaf\x27\x1c'],
  ['archive', 257, 'ustar'],
];

/** `first`: the first {@link FIRST_BYTES} of the file, or all of it. */
export function kindOf(first: Uint8Array): ContentKind {
  if (first.length === 0) return 'empty';
  const head = Buffer.from(first.buffer, first.byteOffset, Math.min(first.length, FIRST_BYTES)).toString('latin1');
  const known = MAGIC.find(([, at, magic]) => head.startsWith(magic, at));
  if (known !== undefined) return known[0];
  // oxlint-disable-next-line no-control-regex -- what text does not hold
  return /[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]/.test(head) ? 'data' : 'text';
}

/** Bits a byte, 0 to 8, of counts by value; packed and encrypted content is near 8. */
export function entropyOf(counts: Uint32Array): number {
  const total = counts.reduce((sum, n) => sum + n, 0);
  let bits = 0;
  for (const n of counts) if (n > 0) bits -= (n / total) * Math.log2(n / total);
  return bits;
}
