/**
 * The one spelling of a released line: JSON without spaces, everything beyond ASCII escaped. Nothing in it can steer
 * a terminal or be two byte strings that look alike; and one byte a character is what engines handle fastest.
 */

// oxlint-disable-next-line no-control-regex -- control characters are what must not stay
const BEYOND_ASCII = /[^\u0000-\u007e]/g;

export const spell = (value: unknown): string =>
  JSON.stringify(value).replace(BEYOND_ASCII, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
