/**
 * The journal as a source: log-ons, log-offs, sudo and su, denials, as sshd, logind, sudo and the kernel told journald.
 *
 *     journalctl --lines--> entry -> who says it? -> fact -> one event for each fact
 *
 * Told once: the last event of every chunk carries how far the journal was read, and the spool keeps that with the batch.
 * After a crash the entries that were waiting for another are read again, and what they and those after them had told by
 * then is not told again. What was rotated away meanwhile cannot be told; it is counted. journalctl may die at any time.
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Known } from '../enrich/told.ts';
import type { Attributes, RawEvent } from '../event.ts';
import { Describer } from './journal/describe.ts';
import { parseEntry, type Entry } from './journal/entry.ts';
import { follow, newest, type Journalctl } from './journal/follow.ts';
import { entriesBetween, isLater, NOTHING_UNTOLD, secondsBetween } from './journal/position.ts';
import type { JournalPosition, Untold } from './journal/position.ts';
import { Sessions } from './journal/sessions.ts';
import { factOf } from './journal/trust.ts';

const SHORTEST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 60_000;
const REPORT_EVERY_MS = 10_000;

export interface JournalOptions {
  readonly known: Known;
  /** Of another machine, or a test; undefined for this machine's own. */
  readonly directory: string | undefined;
  /** Where the run before ended, if there was one. */
  readonly position: JournalPosition | undefined;
  /** How far it was read meanwhile, where nothing was told. */
  readonly note: (position: JournalPosition) => void;
  readonly signal: AbortSignal;
  /** Instead of journalctl, for tests. */
  readonly program?: string;
}

const PROGRAMS = ['/usr/bin/journalctl', '/bin/journalctl'];
const DIRECTORIES = ['/var/log/journal', '/run/log/journal'];

export type JournalState = 'reading' | 'absent' | 'unreadable';

/** Whether there is a journal, and whether we may read it. */
export function journalState(directory: string | undefined, programs: readonly string[] = PROGRAMS): JournalState {
  if (!programs.some((path) => existsSync(path))) return 'absent';
  try {
    const files = (directory === undefined ? DIRECTORIES : [directory]).flatMap((path) => systemJournals(path));
    if (files.length === 0) return 'absent';
    // The one being written; those that were rotated may go at any moment.
    for (const file of files.filter((path) => path.endsWith('/system.journal'))) accessSync(file, constants.R_OK);
    return 'reading';
  } catch {
    return 'unreadable'; // Of another group: journalctl would show us our own entries only, and say nothing about the others.
  }
}

/** An empty directory is what a distribution leaves where journald never ran. */
function systemJournals(directory: string): readonly string[] {
  const names = existsSync(directory) ? readdirSync(directory, { recursive: true, encoding: 'utf8' }) : [];
  return names.filter((name) => /(?:^|\/)system[^/]*\.journal$/.test(name)).map((name) => join(directory, name));
}

export async function* journalEvents(options: JournalOptions): AsyncGenerator<readonly RawEvent[]> {
  const programs = options.program === undefined ? PROGRAMS : [options.program];
  const state = journalState(options.directory, programs);
  if (state !== 'reading') {
    yield [report(Date.now() * 1_000, { 'hushwatch.source.state': state })];
    return;
  }
  const program = programs.find((path) => existsSync(path)) ?? 'journalctl';
  yield* new Reader(options, { program, directory: options.directory }).read();
}

class Reader {
  readonly #options: JournalOptions;
  readonly #journalctl: Journalctl;
  readonly #describe: Describer;
  readonly #sessions: Sessions;
  /** The last entry read. */
  #to: string | undefined;
  /** While that is read again which the run before has told: up to here. */
  #toldUntil: JournalPosition | undefined;
  #untold: Untold;
  #reportedAt = 0;

  constructor(options: JournalOptions, journalctl: Journalctl) {
    this.#options = options;
    this.#journalctl = journalctl;
    this.#describe = new Describer(options.known, options.directory === undefined ? bootId() : undefined);
    this.#sessions = new Sessions(this.#describe);
    this.#untold = options.position?.untold ?? NOTHING_UNTOLD;
  }

  async *read(): AsyncGenerator<readonly RawEvent[]> {
    const { signal } = this.#options;
    yield [report(Date.now() * 1_000, { 'hushwatch.source.state': 'reading' })];
    let from = await this.#begin();
    for (let wait = SHORTEST_WAIT_MS; !signal.aborted;) {
      const begun = performance.now();
      yield* this.#life(from);
      from = this.#to ?? from;
      wait = performance.now() - begun > LONGEST_WAIT_MS ? SHORTEST_WAIT_MS : Math.min(wait * 2, LONGEST_WAIT_MS);
      await sleep(wait, undefined, { signal }).catch(() => {});
    }
  }

  /** The entry to begin with; it was read before. Nothing that was there before the first run is told. */
  async #begin(): Promise<string | undefined> {
    const { position, signal } = this.#options;
    if (position !== undefined) {
      if (position.from !== position.to) this.#toldUntil = position;
      else this.#to = position.to;
      return position.from;
    }
    const line = await newest(this.#journalctl, signal);
    this.#to = line === undefined ? undefined : parseEntry(line)?.cursor;
    this.#note();
    return this.#to;
  }

  /** One journalctl, from the entry that was the last. */
  async *#life(from: string | undefined): AsyncGenerator<readonly RawEvent[]> {
    let expected = from;
    for await (const { lines, tooLong } of follow(this.#journalctl, from, this.#options.signal)) {
      const events: RawEvent[] = [];
      this.#count({ unreadable: tooLong });
      for (const line of lines) {
        const entry = parseEntry(line);
        if (entry === undefined) {
          this.#count({ unreadable: 1 });
          continue;
        }
        if (expected !== undefined) {
          const isThere = entry.cursor === expected;
          if (!isThere) events.push(...this.#gap(expected, entry.cursor));
          expected = undefined;
          // By us; the run before read it for itself, if it waited.
          if (isThere && this.#to !== undefined) continue;
        }
        events.push(...this.#read(entry));
      }
      // What waits is looked at by the journal's time while entries come, by our own when none do.
      if (lines.length === 0 && this.#toldUntil === undefined)
        events.push(...this.#sessions.waitUntil(Date.now() * 1_000));
      events.push(...this.#reports());
      if (events.length > 0) yield this.#withPosition(events);
      // Everything that was told before has been taken by now.
      this.#note();
    }
  }

  #read(entry: Entry): readonly RawEvent[] {
    const again = this.#toldUntil;
    if (again !== undefined && entry.cursor !== again.to && isLater(entry.cursor, again.to)) this.#caughtUp(again);
    const waited = this.#sessions.waitUntil(entry.time);
    const told = factOf(entry, this.#describe);
    const taken = told === undefined || told === 'refused' ? [] : this.#sessions.take(entry, told.fact);
    this.#to = entry.cursor;
    if (this.#toldUntil !== undefined) {
      if (entry.cursor === this.#toldUntil.to) this.#caughtUp(this.#toldUntil);
      return [];
    }
    if (told === 'refused') this.#count({ refused: 1 });
    return [...waited, ...taken];
  }

  /** Everything from here on is new. */
  #caughtUp({ waitedUntil }: JournalPosition): void {
    this.#sessions.waitUntil(waitedUntil);
    this.#toldUntil = undefined;
  }

  /** The entry that we read last is not there any more, nor are those that followed it. */
  #gap(expected: string, found: string): readonly RawEvent[] {
    const again = this.#toldUntil;
    const before = again !== undefined && isLater(found, again.to) ? again.to : expected;
    this.#count({ lost: Math.max(1, entriesBetween(before, found)) });
    return this.#report(secondsBetween(before, found));
  }

  #count(more: Partial<Untold>): void {
    const { lost, refused, unreadable } = this.#untold;
    this.#untold = {
      lost: lost + (more.lost ?? 0),
      refused: refused + (more.refused ?? 0),
      unreadable: unreadable + (more.unreadable ?? 0),
    };
  }

  #reports(): readonly RawEvent[] {
    const { lost, refused, unreadable } = this.#untold;
    if (lost + refused + unreadable === 0 || performance.now() - this.#reportedAt < REPORT_EVERY_MS) return [];
    return this.#report(undefined);
  }

  #report(blindSeconds: number | undefined): readonly RawEvent[] {
    const { lost, refused, unreadable } = this.#untold;
    this.#untold = NOTHING_UNTOLD;
    this.#reportedAt = performance.now();
    return [
      report(Date.now() * 1_000, {
        'hushwatch.source.state': 'reading',
        'hushwatch.blind.duration': blindSeconds,
        'hushwatch.entries.lost': lost,
        'hushwatch.entries.refused': refused,
        'hushwatch.entries.unreadable': unreadable,
      }),
    ];
  }

  get #position(): JournalPosition | undefined {
    // Until the run before is caught up with, its own position stands.
    if (this.#toldUntil !== undefined) return { ...this.#toldUntil, untold: this.#untold };
    if (this.#to === undefined) return undefined;
    const { oldest, waitedUntil } = this.#sessions;
    return { from: oldest ?? this.#to, to: this.#to, waitedUntil, untold: this.#untold };
  }

  /** The last event takes the position along: both are in one batch, or neither is. */
  #withPosition(events: readonly RawEvent[]): readonly RawEvent[] {
    const last = events.at(-1);
    const journal = this.#position;
    return last === undefined || journal === undefined ? events : [...events.slice(0, -1), { ...last, journal }];
  }

  #note(): void {
    const position = this.#position;
    if (position !== undefined) this.#options.note(position);
  }
}

const report = (time: number, attributes: Attributes): RawEvent => ({
  name: 'hushwatch.source.report',
  time,
  attributes: { 'hushwatch.source': 'journal', ...attributes },
});

const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().replaceAll('-', '');
