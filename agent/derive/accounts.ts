/**
 * What the node's account files say, and what changed in them since they were last asked.
 *
 * The state is the fact, whoever changed it and however: an event without a change tells nothing, and a change without
 * an event (io_uring, a descriptor that was passed on, a second mount) is still found. `/etc/shadow` cannot be read by
 * the agent, and need not be: that it changed is enough. Bounded: files beyond a limit are not read and change nothing.
 */
import type { NodeFiles } from '../node-files.ts';
import type { AccountFile } from './places.ts';

/** Fields of one line, the name first. */
export type Entry = readonly string[];
type Table = ReadonlyMap<string, Entry>;

export interface Difference {
  readonly of: 'account' | 'group';
  readonly name: string;
  /** Undefined where it was not there. */
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
  /** When the file became what was read now, and what was read before: µs, by the file system's clock. */
  readonly changedUs: number;
  readonly sinceUs: number;
}

const LIMIT = 4 << 20;
const MOST_GONE = 256;
/** Somebody may put another file in place while one is read; then it is read again. */
const MOST_TRIES = 4;
const FILES = ['passwd', 'shadow', 'group', 'gshadow'] as const;
const FIELDS = { passwd: 7, group: 4 } as const;

export class AccountState {
  readonly #files: NodeFiles;
  #states: Record<AccountFile, string>;
  #accounts: Table;
  #groups: Table;
  readonly #gone = new Map<string, Entry>();

  constructor(files: NodeFiles) {
    this.#files = files;
    this.#states = this.#ask();
    this.#accounts = this.#table('passwd') ?? new Map();
    this.#groups = this.#table('group') ?? new Map();
  }

  /** Which files differ from when they were last read; reads nothing but their state. */
  stale(): string {
    const now = this.#ask();
    return FILES.filter((file) => now[file] !== this.#states[file])
      .map((file) => now[file])
      .join();
  }

  /** What was read is what the file was at one moment: none where it does not hold still. */
  look(): readonly Difference[] {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const now = this.#ask();
      const changed = new Set(FILES.filter((file) => now[file] !== this.#states[file]));
      const accounts = changed.has('passwd') ? this.#table('passwd') : undefined;
      const groups = changed.has('group') ? this.#table('group') : undefined;
      const after = this.#ask();
      if (FILES.every((file) => now[file] === after[file])) return this.#take(now, accounts, groups);
    }
    return [];
  }

  #take(now: Record<AccountFile, string>, accounts: Table | undefined, groups: Table | undefined): Difference[] {
    const before = this.#states;
    this.#states = now;
    const when = (file: AccountFile): Moments => ({
      sinceUs: changedOf(before[file]),
      changedUs: changedOf(now[file]),
    });
    const differences: Difference[] = [];
    if (accounts !== undefined) {
      differences.push(...differencesOf('account', this.#accounts, accounts, when('passwd')));
      this.#accounts = accounts;
      for (const { name, before: gone, after } of differences)
        if (gone !== undefined && after === undefined) this.#forget(name, gone);
    }
    if (groups !== undefined) {
      differences.push(...differencesOf('group', this.#groups, groups, when('group')));
      this.#groups = groups;
    }
    return differences;
  }

  /** When a file last changed, µs; never, where there is none. */
  changedUs(file: AccountFile): number {
    const look = this.#files.look(`/etc/${file}`);
    return typeof look === 'string' ? -Infinity : look.changedMs * 1_000;
  }

  /** One that is there, or was until lately. */
  account(name: string): Entry | undefined {
    return this.#accounts.get(name) ?? this.#gone.get(name);
  }

  /** The account that lives in a directory: that which stands first, as for the system. */
  livingIn(home: string): Entry | undefined {
    for (const entry of this.#accounts.values()) if (entry[5] === home) return entry;
    return undefined;
  }

  #forget(name: string, entry: Entry): void {
    const [oldest] = this.#gone.keys();
    if (oldest !== undefined && this.#gone.size >= MOST_GONE) this.#gone.delete(oldest);
    this.#gone.set(name, entry);
  }

  #ask(): Record<AccountFile, string> {
    const state = (file: AccountFile): string => {
      const look = this.#files.look(`/etc/${file}`);
      return typeof look === 'string' ? look : `${file} ${look.inode} ${look.size} ${look.changedMs}`;
    };
    return { passwd: state('passwd'), shadow: state('shadow'), group: state('group'), gshadow: state('gshadow') };
  }

  #table(file: 'passwd' | 'group'): Table | undefined {
    const text = this.#files.read(`/etc/${file}`, LIMIT);
    return text === undefined ? undefined : parse(text, FIELDS[file]);
  }
}

/** Of two lines with one name the first counts, as it does for the system. Lines that are none are passed over. */
function parse(text: string, fields: number): Table {
  const table = new Map<string, Entry>();
  for (const line of text.split('\n')) {
    const entry = line.split(':');
    const [name = ''] = entry;
    if (entry.length >= fields && name !== '' && !name.startsWith('#') && !table.has(name)) table.set(name, entry);
  }
  return table;
}

/** As in the text of a state; never, where there was no file. */
function changedOf(state: string): number {
  const at = state.lastIndexOf(' ');
  return at < 0 ? -Infinity : Number(state.slice(at + 1)) * 1_000;
}

type Moments = Pick<Difference, 'sinceUs' | 'changedUs'>;

function* differencesOf(of: Difference['of'], before: Table, after: Table, when: Moments): Generator<Difference> {
  for (const [name, entry] of after) {
    const old = before.get(name);
    if (old === undefined || !isSame(old, entry)) yield { of, name, before: old, after: entry, ...when };
  }
  for (const [name, entry] of before)
    if (!after.has(name)) yield { of, name, before: entry, after: undefined, ...when };
}

const isSame = (a: Entry, b: Entry): boolean => a.length === b.length && a.every((field, i) => field === b[i]);

const WORDS = {
  account: ['name', 'password', 'id', 'group', 'comment', 'home', 'shell'],
  group: ['name', 'password', 'id', 'members'],
} as const;

/** Which fields differ, in words. */
export function changesOf({ of, before = [], after = [] }: Difference): readonly string[] {
  return WORDS[of].filter((_, i) => before[i] !== after[i]);
}

export interface Members {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

export function membersOf({ before, after }: Difference): Members {
  const [old, now] = [before, after].map((entry) => (entry?.[3] ?? '').split(',').filter((name) => name !== ''));
  const [was, is] = [new Set(old), new Set(now)];
  return { added: [...is.difference(was)], removed: [...was.difference(is)] };
}
