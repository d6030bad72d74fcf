/**
 * How far the journal was read, so that each event is told once: neither lost nor told again after a crash.
 *
 * The head of the spool keeps it, in the same write that promises the batch: a position can then neither run ahead of the
 * events nor stay behind them. It holds nothing of an entry. What journald calls a cursor also has a hash over the
 * entry's fields (`x`), which we leave out: stream, number, boot and times are what remains.
 */

export interface JournalPosition {
  /** Read again from here: the oldest entry that still waits for another one. */
  readonly from: string;
  /** The last entry read: what it and those before it say has been told. */
  readonly to: string;
  /** Entries that waited until then, microseconds since 1970, have been told alone. */
  readonly waitedUntil: number;
  /** Counted, and not reported yet. */
  readonly untold: Untold;
}

export interface Untold {
  readonly lost: number;
  readonly refused: number;
  readonly unreadable: number;
}

export const NOTHING_UNTOLD: Untold = { lost: 0, refused: 0, unreadable: 0 };

const HEXADECIMAL = /^[0-9a-f]{1,32}$/;
const KEPT = ['s', 'i', 'b', 'm', 't'] as const;

/** The cursor without its hash; undefined when it has another form. */
export function cursorOf(text: string): string | undefined {
  if (text.length > 512) return undefined;
  const fields = new Map(text.split(';').map((item) => [item.slice(0, 1), item.slice(2)]));
  const kept = KEPT.map((key) => `${key}=${fields.get(key) ?? ''}`);
  return KEPT.every((key) => HEXADECIMAL.test(fields.get(key) ?? '')) ? kept.join(';') : undefined;
}

const fieldOf = (cursor: string, key: (typeof KEPT)[number]): number =>
  Number.parseInt(new RegExp(`(?:^|;)${key}=([0-9a-f]+)`).exec(cursor)?.[1] ?? '', 16);

/** journald numbers its entries, whichever file they go to: how many lie between two, at most. */
export function entriesBetween(before: string, after: string): number {
  return Math.max(0, fieldOf(after, 'i') - fieldOf(before, 'i') - 1) || 0;
}

export const secondsBetween = (before: string, after: string): number =>
  Math.max(0, fieldOf(after, 't') - fieldOf(before, 't')) / 1e6;

export const isLater = (cursor: string, than: string): boolean => fieldOf(cursor, 't') > fieldOf(than, 't');

/** What {@link JournalPosition} became on the disk, read again. */
export function parsePosition(value: unknown): JournalPosition | undefined {
  if (!isRecord(value) || !isRecord(value['untold'])) return undefined;
  const { from, to, waitedUntil } = value;
  const { lost, refused, unreadable } = value['untold'];
  if (!isCursor(from) || !isCursor(to)) return undefined;
  if (!isCount(waitedUntil) || !isCount(lost) || !isCount(refused) || !isCount(unreadable)) return undefined;
  return { from, to, waitedUntil, untold: { lost, refused, unreadable } };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
const isCursor = (value: unknown): value is string => typeof value === 'string' && cursorOf(value) === value;
const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
