/**
 * The one spelling of a released line: JSON without spaces, everything beyond ASCII escaped. Nothing in it can steer
 * a terminal or be two byte strings that look alike; and one byte a character is what engines handle fastest.
 */

// oxlint-disable-next-line no-control-regex -- control characters are what must not stay
const BEYOND_ASCII = /[^\u0000-\u007e]/g;
/** Printable, and nothing that JSON escapes. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** Through a buffer, since an engine may keep two bytes a character of what once had to. */
function escaped(json: string): string {
  const ascii = json.replace(BEYOND_ASCII, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return ascii === json ? json : Buffer.from(ascii, 'latin1').toString('latin1');
}

/** Most texts need no escape, and saying so is quicker than looking for what to escape. */
export const spell = (value: unknown): string =>
  typeof value === 'string' && PLAIN.test(value) ? `"${value}"` : escaped(JSON.stringify(value));

/** The same of a list of texts. */
export function spellList(texts: readonly string[]): string {
  let out = '[';
  for (const text of texts) out += out === '[' ? spell(text) : `,${spell(text)}`;
  return `${out}]`;
}
