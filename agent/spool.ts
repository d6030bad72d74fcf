/**
 * The spool: signed batches not yet receipted. What `append` returned from is on disk.
 *
 *     <number, 16 digits>.batch    a batch; the shipper reads it, the agent removes it for a receipt
 *     <number, 16 digits>.damaged  what the disk made of one: set aside, told, a few of them kept for whoever looks into it
 *     head                         the last statement, or restart of the chain, that was signed, and in one more line the sensor's account, how far the
 *                                  journal, or an exporter's file, was read, and what is counted and not told: numbers, chain and counters go on from here when every batch is gone.
 *                                  The agent's alone: its counts are exact where the statement's are not
 *     running                      while the agent lives; `self.ts` owns it, the spool does not look at it
 *
 * Crash-only: `open` is the only way in, after a stop as after a crash. A batch is promised when the head that names it
 * is in place and durable; a batch that did not get its own name by then gets it when the spool is opened. Nothing can
 * be shipped before it is promised, so a number is never used for two statements.
 *
 * Trusted with: nothing secret. Who deletes here makes a gap that alerts; who writes here cannot sign.
 */
import { join } from 'node:path';
import { decodeBatch, decodeStatementNote, encodeBatch, packPlain, splitBatch, verifyBatch } from '#protocol/batch.ts';
import { ProtocolError } from '#protocol/error.ts';
import { parseNote, signNote, verifyNote, type SigningKey } from '#protocol/note.ts';
import { decodeRestart, formatRestart, isRestart, linkOf, type Restart } from '#protocol/restart.ts';
import {
  formatStatement,
  NO_PREVIOUS,
  statementDigest,
  type Link,
  type Statement,
  type Turning,
} from '#protocol/statement.ts';
import { CLASSES, type EventClass } from '#protocol/vocabulary.ts';
import type { Body } from './body.ts';
import { ConfigError } from '../config/yaml.ts';
import type { Disk, Room } from './disk.ts';
import type { SensorAccount, Totals } from './ledger.ts';
import { parseExporterPosition, type ExporterPosition } from './sources/exporters/position.ts';
import { parsePosition, type JournalPosition } from './sources/journal/position.ts';
import { parseSumCounts, type SumCount } from './sums.ts';

/** What every statement of this run says alike. */
export type Herald = Pick<
  Statement,
  'node' | 'boot' | 'role' | 'cohort' | 'ruleset' | 'rulepack' | 'vocabulary' | 'agent' | 'sources'
> & {
  /** How the pseudonyms of the rules in force change; undefined where none does. */
  readonly turning: Turning | undefined;
};

export interface Unsigned {
  readonly body: Pick<Body, 'plain' | 'lines' | 'events' | 'time' | 'epochs'>;
  readonly totals: Totals;
  readonly sensor: SensorAccount | undefined;
  readonly journal?: JournalPosition | undefined;
  readonly exporter?: ExporterPosition | undefined;
  readonly sums?: readonly SumCount[];
}

interface Head {
  /** The last statement; undefined when a restart of the chain came after it. */
  readonly statement: Statement | undefined;
  readonly link: Link;
  readonly sensor: SensorAccount | undefined;
  readonly journal: JournalPosition | undefined;
  readonly exporter: ExporterPosition | undefined;
  readonly sums: readonly SumCount[];
}

/** The disk failed while a batch was being promised: only opening the spool again tells whether it was, and mends it. */
export class HalfWritten extends Error {
  override readonly name = 'HalfWritten';
}

const BATCH_NAME = /^(\d{16})\.batch$/;
const batchName = (sequence: number): string => `${String(sequence).padStart(16, '0')}.batch`;
const DAMAGED_NAME = /^\d{16}\.damaged$/;
const MOST_DAMAGED = 16;
const OURS_ALONE = 0o600;
/** Up to this share of its size the spool takes everything. */
const SHED_FROM = 0.8;
/** Of a disk the spool leaves a sixteenth, or so much of a large one: without room for receipts it could never empty again. */
const LEFT_FREE = { share: 1 / 16, most: 64 << 20 } as const;

export class FileSpool {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #key: SigningKey;
  readonly #limit: number;
  readonly #waiting: Map<number, number>;
  #bytes: number;
  #head: Head | undefined;
  /** What the spool may take now: its limit, or what the disk gives. */
  #most: number;

  private constructor(
    directory: string,
    disk: Disk,
    key: SigningKey,
    limit: number,
    waiting: Map<number, number>,
    head: Head | undefined,
  ) {
    this.#directory = directory;
    this.#disk = disk;
    this.#key = key;
    this.#limit = limit;
    this.#waiting = waiting;
    this.#bytes = [...waiting.values()].reduce((sum, bytes) => sum + bytes, 0);
    this.#head = head;
    this.#most = limit;
  }

  static async open(directory: string, key: SigningKey, limit: number, disk: Disk): Promise<FileSpool> {
    const names = await disk.list(directory);
    const head = names.includes('head') ? readHead(await disk.read(join(directory, 'head')), directory) : undefined;
    const promised = head === undefined ? undefined : batchName(head.link.sequence);
    const waiting = new Map<number, number>();
    for (const name of names.toSorted()) {
      const path = join(directory, name);
      if (name === `${promised}.tmp` && !names.includes(promised ?? ''))
        await disk.rename(path, join(directory, promised ?? ''));
      else if (name.endsWith('.tmp')) await disk.remove(path);
    }
    await disk.syncDirectory(directory);
    for (const name of (await disk.list(directory)).toSorted()) {
      const sequence = Number(BATCH_NAME.exec(name)?.[1] ?? 0);
      if (sequence > 0) waiting.set(sequence, await disk.size(join(directory, name)));
    }
    if (head === undefined && waiting.size > 0) {
      throw new ConfigError(
        `${directory}: batches wait here but head is gone; put it back, or move the batches away and let the collector see a gap`,
      );
    }
    const spool = new FileSpool(directory, disk, key, limit, waiting, head);
    await spool.#measure();
    return spool;
  }

  get last(): Statement | undefined {
    return this.#head?.statement;
  }

  /** Number of the last entry of the chain; 0 before there is one. */
  get sequence(): number {
    return this.#head?.link.sequence ?? 0;
  }

  get sensor(): SensorAccount | undefined {
    return this.#head?.sensor;
  }

  get journal(): JournalPosition | undefined {
    return this.#head?.journal;
  }

  get exporter(): ExporterPosition | undefined {
    return this.#head?.exporter;
  }

  get sums(): readonly SumCount[] {
    return this.#head?.sums ?? [];
  }

  get waiting(): readonly number[] {
    return [...this.#waiting.keys()];
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether events of this class are still taken. The last classes of {@link CLASSES} are taken longest. */
  admits(cls: EventClass): boolean {
    const fill = this.#most > 0 ? this.#bytes / this.#most : Infinity;
    if (fill < SHED_FROM) return true;
    const rank = CLASSES.indexOf(cls) / CLASSES.length;
    return fill < 1 && rank >= (fill - SHED_FROM) / (1 - SHED_FROM);
  }

  async #measure(): Promise<void> {
    this.#most = mostOf(this.#limit, this.#bytes, await this.#disk.room(this.#directory));
  }

  /** Signs and keeps. On any error but {@link HalfWritten} nothing was promised and the number is free again. */
  async append({ turning, ...herald }: Herald, unsigned: Unsigned): Promise<Statement> {
    await this.#measure();
    const packed = packPlain(unsigned.body.plain, unsigned.body.lines);
    const previous = this.#head?.link;
    const statement: Statement = {
      ...herald,
      sequence: (previous?.sequence ?? 0) + 1,
      previous: previous?.digest ?? NO_PREVIOUS,
      time: unsigned.body.time,
      epochs: turning === undefined || unsigned.body.lines === 0 ? 'none' : { ...turning, ...unsigned.body.epochs },
      events: unsigned.body.events,
      ...unsigned.totals,
      body: packed.body,
    };
    const note = signNote(formatStatement(statement), this.#key);
    const bytes = encodeBatch({ note, body: packed.bytes });
    const { sensor, journal, exporter, sums = [] } = unsigned;
    const link = { ...statement, digest: statementDigest(statement) };
    await this.#promise({ statement, link, sensor, journal, exporter, sums }, note, bytes);
    return statement;
  }

  /** Signs, as the first thing in an empty spool, where the chain goes on. */
  async restart(restart: Restart): Promise<void> {
    if (this.#head !== undefined) throw new Error('a chain that is known is not begun anew');
    const note = signNote(formatRestart(restart), this.#key);
    const nothing = { statement: undefined, sensor: undefined, journal: undefined, exporter: undefined, sums: [] };
    await this.#promise({ ...nothing, link: linkOf(restart) }, note, note);
  }

  async #promise(head: Head, note: Uint8Array, bytes: Uint8Array): Promise<void> {
    const { sensor, journal, exporter, sums } = head;
    const { sequence } = head.link;
    const account = Buffer.from(`${JSON.stringify({ sensor, journal, exporter, sums })}\n`);
    await this.#write(sequence, bytes, Buffer.concat([note, account]));
    this.#head = head;
    this.#waiting.set(sequence, bytes.length);
    this.#bytes += bytes.length;
  }

  async #write(sequence: number, batch: Uint8Array, head: Uint8Array): Promise<void> {
    const at = (name: string): string => join(this.#directory, name);
    const name = batchName(sequence);
    // Both must have ended before anybody may try this number again: a write that goes on would spoil the next one's file.
    const written = await Promise.allSettled([
      this.#disk.writeDurably(at(`${name}.tmp`), batch),
      this.#disk.writeDurably(at('head.tmp'), head, OURS_ALONE),
    ]);
    for (const write of written) if (write.status === 'rejected') throw write.reason;
    try {
      await this.#disk.rename(at('head.tmp'), at('head'));
      // Before the shipper can see the batch: after a power cut its number must not be free again.
      await this.#disk.syncDirectory(this.#directory);
      // If this is lost, opening does it again; the next append makes it durable.
      await this.#disk.rename(at(`${name}.tmp`), at(name));
    } catch (cause) {
      throw new HalfWritten(`batch ${sequence} may be promised and not in its place; open the spool again`, { cause });
    }
  }

  /** The signed note of a waiting batch: what its receipt must prove. */
  async note(sequence: number): Promise<Uint8Array> {
    return splitBatch(await this.#disk.read(join(this.#directory, batchName(sequence)))).noteBytes;
  }

  /** Why this batch is not what was signed, as a code; undefined while it is. */
  async damage(sequence: number): Promise<string | undefined> {
    const bytes = await this.#disk.read(join(this.#directory, batchName(sequence)));
    const key = this.#key.verifier;
    try {
      // First: of what we signed we believe that it is of a later release.
      if (verifyNote(parseNote(splitBatch(bytes).noteBytes), [key]) === undefined) return 'bad-signature';
      const entry = isRestart(bytes) ? decodeRestart(bytes).restart : verifyBatch(key, decodeBatch(bytes))?.statement;
      return entry?.sequence === sequence ? undefined : 'wrong-number';
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return error.code === 'unknown-version' ? undefined : error.code;
    }
  }

  nameAside(sequence: number): string {
    return join(this.#directory, batchName(sequence).replace('.batch', '.damaged'));
  }

  /** Only for a batch with {@link damage}: nobody can prove any more what was in it, and those behind it must not wait. */
  async setAside(sequence: number): Promise<void> {
    await this.#disk.rename(join(this.#directory, batchName(sequence)), this.nameAside(sequence));
    this.#drop(sequence);
    const kept = (await this.#disk.list(this.#directory)).filter((one) => DAMAGED_NAME.test(one)).toSorted();
    for (const old of kept.slice(0, -MOST_DAMAGED)) await this.#disk.remove(join(this.#directory, old));
  }

  /** Only for a receipt that was verified. */
  async forget(sequence: number): Promise<void> {
    await this.#disk.remove(join(this.#directory, batchName(sequence)));
    this.#drop(sequence);
  }

  isWaiting(sequence: number): boolean {
    return this.#waiting.has(sequence);
  }

  #drop(sequence: number): void {
    this.#bytes -= this.#waiting.get(sequence) ?? 0;
    this.#waiting.delete(sequence);
  }
}

function mostOf(limit: number, taken: number, { free, all }: Room): number {
  const reserve = Math.min(LEFT_FREE.most, all * LEFT_FREE.share);
  return Math.min(limit, taken + free - reserve);
}

/** After going back by more than a release the chain cannot go on: it is not for us to guess what it says. */
function readHead(bytes: Buffer, directory: string): Head {
  try {
    return parseHead(bytes);
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.code !== 'unknown-version') throw error;
    throw new ConfigError(`${directory}/head: ${error.message}; a later release signed here: install that one again`);
  }
}

/** What the file `head` says. Throws what decoding a statement does. */
export function parseHead(bytes: Buffer): Head {
  const end = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;
  const entry = readEntry(bytes.subarray(0, end));
  const last: { sensor?: SensorAccount; journal?: unknown; exporter?: unknown; sums?: unknown } | SensorAccount | null =
    JSON.parse(bytes.subarray(end).toString());
  // Before there was a journal, the sensor's account stood alone.
  if (last === null || 'instance' in last)
    return { ...entry, sensor: last ?? undefined, journal: undefined, exporter: undefined, sums: [] };
  return {
    ...entry,
    sensor: last.sensor,
    journal: parsePosition(last.journal),
    exporter: parseExporterPosition(last.exporter),
    sums: parseSumCounts(last.sums),
  };
}

function readEntry(noteBytes: Uint8Array): Pick<Head, 'statement' | 'link'> {
  if (isRestart(noteBytes)) return { statement: undefined, link: linkOf(decodeRestart(noteBytes).restart) };
  const { statement } = decodeStatementNote(noteBytes);
  return { statement, link: { ...statement, digest: statementDigest(statement) } };
}
