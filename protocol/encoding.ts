/**
 * Reading the few spellings that everything here is made of: UTF-8 text, base64, decimal
 * numbers, hexadecimal digests. Each value has one spelling and any other is refused, so
 * that no two byte strings mean the same.
 */
import { createHash } from 'node:crypto';
import { ProtocolError } from './error.ts';

// ignoreBOM keeps a leading U+FEFF in the text, so that text and bytes stay the same thing.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

// oxlint-disable-next-line no-control-regex -- finding them is the point
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;

/** Text of lines: UTF-8 without control characters other than newline. */
export function decodeText(bytes: Uint8Array): string {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new ProtocolError('bad-text', 'not UTF-8', { cause });
  }
  checkText(text);
  return text;
}

export function encodeText(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new ProtocolError('bad-text', 'half a surrogate pair');
  checkText(text);
  return encoder.encode(text);
}

/** Whether it is text that {@link encodeText} writes. */
export const isText = (text: string): boolean => text.isWellFormed() && !CONTROL.test(text);

function checkText(text: string): void {
  if (CONTROL.test(text)) throw new ProtocolError('bad-text', 'a control character other than newline');
}

export function decodeBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new ProtocolError('bad-base64', 'not base64 in its one spelling');
  return bytes;
}

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

export function parseDecimal(text: string): number {
  const value = /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new ProtocolError('bad-number', 'not a plain decimal number');
  return value;
}

/** SHA-256, hexadecimal. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

export const isSha256Hex = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
