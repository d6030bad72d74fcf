/**
 * How far an exporter's file was read. The head of the spool keeps it beside the batch that holds what was read, as it keeps
 * the journal's. Whole lines only, and nothing of a line: a file's identity, an offset, and counts that are not told yet.
 */
import type { Counts } from '#protocol/statement.ts';

/** Where the next line begins. */
export interface FilePosition {
  readonly device: string;
  readonly inode: string;
  readonly offset: number;
}

export interface ExporterPosition extends FilePosition {
  /** When that was so, microseconds since 1970. */
  readonly time: number;
  /** Counted, and not reported yet. */
  readonly untold: Untold;
}

export const UNTOLD = ['lost', 'unreadable', 'unmapped', 'unusable'] as const;
export type Untold = Readonly<Record<(typeof UNTOLD)[number], number>>;
export const NOTHING_UNTOLD: Untold = { lost: 0, unreadable: 0, unmapped: 0, unusable: 0 };

/** What goes into the ledger together: how far, and what the exporter says it lost since the mark before. */
export interface ExporterMark {
  readonly position: ExporterPosition;
  readonly lost: Counts;
}

/** What an {@link ExporterPosition} became on the disk, read again. */
export function parseExporterPosition(value: unknown): ExporterPosition | undefined {
  if (!isRecord(value) || !isRecord(value['untold'])) return undefined;
  const { device, inode, offset, time } = value;
  const { lost, unreadable, unmapped, unusable } = value['untold'];
  if (!isDigits(device) || !isDigits(inode) || !isCount(offset) || !isCount(time)) return undefined;
  if (!isCount(lost) || !isCount(unreadable) || !isCount(unmapped) || !isCount(unusable)) return undefined;
  return { device, inode, offset, time, untold: { lost, unreadable, unmapped, unusable } };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
const isDigits = (value: unknown): value is string => typeof value === 'string' && /^\d{1,20}$/.test(value);
const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
