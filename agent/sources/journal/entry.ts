/**
 * One line of `journalctl -o json` as an entry: the few fields that we read, as text.
 *
 * Fields with a leading underscore are journald's own word about the sender; all others are the sender's. A value is a
 * string, an array of bytes where it is no UTF-8, an array of values where the sender gave the field several times, and
 * null where it was longer than journalctl prints. What says its message twice, or does not say it, is unreadable.
 */
import { cursorOf } from './position.ts';

/** Read, and asked of journalctl. */
export const FIELDS = [
  'MESSAGE',
  'MESSAGE_ID',
  'SYSLOG_IDENTIFIER',
  'SYSLOG_FACILITY',
  'SESSION_ID',
  'USER_ID',
  'LEADER',
  '_TRANSPORT',
  '_PID',
  '_UID',
  '_EXE',
  '_BOOT_ID',
  '_AUDIT_SESSION',
  '_AUDIT_LOGINUID',
  '_AUDIT_TYPE_NAME',
  '_AUDIT_ID',
  '_SOURCE_REALTIME_TIMESTAMP',
] as const;
export type Field = (typeof FIELDS)[number];

export interface Entry {
  readonly cursor: string;
  /** When journald received it, microseconds since 1970. */
  readonly time: number;
  readonly message: string;
  readonly fields: ReadonlyMap<Field, string>;
}

export function parseEntry(line: string): Entry | undefined {
  const record = parseObject(line);
  if (record === undefined) return undefined;
  const cursor = cursorOf(textOf(record.get('__CURSOR')) ?? '');
  const time = Number(textOf(record.get('__REALTIME_TIMESTAMP')) ?? Number.NaN);
  const message = textOf(record.get('MESSAGE'));
  if (cursor === undefined || message === undefined || !Number.isSafeInteger(time) || time <= 0) return undefined;
  const fields = new Map<Field, string>();
  for (const field of FIELDS) {
    const value = textOf(record.get(field));
    if (value !== undefined) fields.set(field, value);
  }
  return { cursor, time, message, fields };
}

/** A decimal field; undefined where there is none, or another. */
export function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function parseObject(line: string): ReadonlyMap<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? new Map(Object.entries(value))
      : undefined;
  } catch {
    return undefined; // The parser's message would quote the line.
  }
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const bytes = value.filter((byte): byte is number => Number.isInteger(byte) && byte >= 0 && byte <= 255);
  return value.length > 0 && bytes.length === value.length ? Buffer.from(bytes).toString('utf8') : undefined;
}
