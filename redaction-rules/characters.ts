/**
 * Kinds of characters, as bits: what a text is made of is found in one pass, so that a text without a colon is never
 * tried as an address. Every test behind such a look keeps its own, exact form; the look only spares it.
 */

export const DIGIT = 1;
export const LETTER = 2;
export const CAPITAL = 4;
export const HEX = 8;
export const CONSONANT = 16;
export const DOT = 32;
export const COLON = 64;
export const SLASH = 128;
export const AT = 256;
export const EQUALS = 512;
export const BLANK = 1024;
/** Of ASCII, but none of these. */
export const OTHER = 2048;
/** What is not ASCII may be a blank too. */
export const FOREIGN = 4096;

const ASCII = 128;

const OF: readonly (readonly [characters: string, kind: number])[] = [
  ['0123456789', DIGIT | HEX],
  ['abcdefghijklmnopqrstuvwxyz', LETTER],
  ['ABCDEFGHIJKLMNOPQRSTUVWXYZ', LETTER | CAPITAL],
  ['abcdefABCDEF', HEX],
  ['bcdfghjklmnpqrstvwxzBCDFGHJKLMNPQRSTVWXZ', CONSONANT],
  ['.', DOT],
  [':', COLON],
  ['/', SLASH],
  ['@', AT],
  ['=', EQUALS],
  [' \t\n\v\f\r', BLANK],
];

const KINDS = new Uint16Array(ASCII);
for (const [characters, kind] of OF)
  for (const one of characters) KINDS[one.charCodeAt(0)] = (KINDS[one.charCodeAt(0)] ?? 0) | kind;
for (let code = 0; code < ASCII; code++) KINDS[code] ||= OTHER;

/** Of one character, by its code. */
export const kindOf = (code: number): number => (code < ASCII ? (KINDS[code] ?? OTHER) : FOREIGN);

/** Of all characters of a text. */
export function kindsOf(text: string): number {
  let kinds = 0;
  for (let at = 0; at < text.length; at++) kinds |= kindOf(text.charCodeAt(at));
  return kinds;
}
