/**
 * Changes of accounts and who made them: one process, one story. `useradd` writes four files and makes one account.
 *
 * What differs in the files and who touched them arrive apart, and where tools follow each other within milliseconds the
 * files run ahead of the events. So both are kept for a moment and then brought together, by time: the file system says
 * when a file became what was read (`turns.ts`). A difference is the doing of who put the file in place then; where several
 * did between two looks, of whose arguments name the account if any do. Whoever put a file in place and is left without a
 * difference (the next one overtook it) still changed something, and that is told. A process whose touch changed nothing
 * on the node (a chroot, a container with files of the same names) tells nothing. Bounded: beyond the limit the oldest
 * tells at once.
 */
import type { Attributes, RawEvent } from '../event.ts';
import { changesOf, membersOf, type AccountState, type Difference } from './accounts.ts';
import type { AccountFile } from './places.ts';
import { Turns } from './turns.ts';

type Args = readonly string[];

interface Actor {
  readonly attributes: Attributes;
  readonly args: ReadonlySet<string>;
  /** When it opened a file where it stands, and when it last put another in its place: event times, µs. */
  readonly opened: Map<AccountFile, number>;
  readonly placed: Map<AccountFile, number>;
  /** Of what it placed, what is seen to have changed on the node. */
  readonly confirmed: Set<AccountFile>;
  readonly differences: Difference[];
  hasEnded: boolean;
  /** Of its last event, µs. */
  time: number;
  firstMs: number;
  lastMs: number;
}

interface Seen {
  readonly difference: Difference;
  readonly atMs: number;
}

/** Events are this much later than what they tell of; on a busy machine more, until later ones have come. */
const LATE_MS = 500;
const QUIET_MS = 1_000;
const LONGEST_MS = 5_000;
const WRITING_LONGEST_MS = 60_000;
/** File systems keep times a little behind the clock. */
const BEHIND_US = 1_000_000;
/** The same for times that are compared with that of an opening. */
const TICK_US = 12_000;
const MOST_ACTORS = 256;

export class AccountActors {
  readonly #state: AccountState;
  readonly #actors = new Map<string, Actor>();
  readonly #seen: Seen[] = [];
  readonly #turns = { account: new Turns<Actor>(), group: new Turns<Actor>() };
  /** Of the latest event of all. */
  #heardUs = 0;
  readonly #overdue: RawEvent[] = [];
  #isDirty = false;
  #askedMs = 0;
  #unexplained = '';

  constructor(state: AccountState) {
    this.#state = state;
  }

  /** Events come in the order of their times, so whoever is not heard of by then is not coming. */
  heard(timeUs: number): void {
    this.#heardUs = Math.max(this.#heardUs, timeUs);
  }

  touch(key: string, event: RawEvent, attributes: Attributes, file: AccountFile, args: Args, nowMs: number): void {
    const actor = this.#actors.get(key) ?? this.#admit(key, attributes, args, nowMs);
    if (event.name === 'file.open') actor.opened.set(file, event.time);
    else {
      actor.placed.set(file, event.time);
      if (this.#state.changedUs(file) >= event.time - BEHIND_US) this.#confirm(actor, file, event.time);
      this.#isDirty = true;
    }
    actor.time = event.time;
    actor.lastMs = nowMs;
  }

  #confirm(actor: Actor, file: AccountFile, timeUs: number): void {
    actor.confirmed.add(file);
    if (file === 'passwd') this.#turns.account.add({ who: actor, us: timeUs });
    if (file === 'group') this.#turns.group.add({ who: actor, us: timeUs });
  }

  ended(key: string, nowMs: number): void {
    const actor = this.#actors.get(key);
    if (actor === undefined) return;
    actor.hasEnded = true;
    actor.lastMs = nowMs;
    this.#isDirty = true;
  }

  /** What is ready to be told. Asks the files when somebody placed one, when a writer is done, and once a second. */
  ready(nowMs: number): RawEvent[] {
    if (this.#isDirty || nowMs - this.#askedMs >= QUIET_MS) this.#ask(nowMs);
    const told = this.#overdue.splice(0);
    for (let seen = this.#seen[0]; seen !== undefined; seen = this.#seen[0]) {
      const author = this.#authorOf(seen);
      if (author === undefined && !this.#isTooLate(seen, nowMs)) break;
      this.#seen.shift();
      const teller = author ?? this.#writerOf(seen);
      if (teller !== undefined) teller.differences.push(seen.difference);
      else told.push({ ...differenceTold(seen.difference, {}), time: Math.round(seen.atMs * 1_000) });
    }
    for (const [key, actor] of this.#actors) {
      if (!this.#isReady(actor, nowMs)) continue;
      this.#actors.delete(key);
      told.push(...this.#story(actor));
    }
    return told;
  }

  #admit(key: string, attributes: Attributes, args: Args, nowMs: number): Actor {
    const [oldest] = this.#actors;
    if (oldest !== undefined && this.#actors.size >= MOST_ACTORS) {
      this.#actors.delete(oldest[0]);
      this.#overdue.push(...this.#story(oldest[1]));
    }
    const actor: Actor = {
      attributes,
      args: new Set(args.slice(1)),
      opened: new Map(),
      placed: new Map(),
      confirmed: new Set(),
      differences: [],
      hasEnded: false,
      time: 0,
      firstMs: nowMs,
      lastMs: nowMs,
    };
    this.#actors.set(key, actor);
    return actor;
  }

  #ask(nowMs: number): void {
    const wasTouched = this.#isDirty || this.#actors.size > 0;
    this.#isDirty = false;
    this.#askedMs = nowMs;
    const stale = this.#state.stale();
    // Whoever writes in place has perhaps written half: what looks deleted now is back in a moment. The same where
    // nobody is known to write, until two looks agree.
    const isHalf = this.#isBeingWritten(nowMs) || (!wasTouched && stale !== this.#unexplained);
    this.#unexplained = stale;
    if (isHalf) return;
    if (stale === '') return;
    for (const difference of this.#state.look()) this.#seen.push({ difference, atMs: nowMs });
  }

  #isBeingWritten(nowMs: number): boolean {
    for (const actor of this.#actors.values())
      if (isWriting(actor) && nowMs - actor.lastMs < QUIET_MS && this.#hasWritten(actor)) return true;
    return false;
  }

  /** Tools open what they will replace: as long as it has not changed since, it is whole. */
  #hasWritten({ opened }: Actor): boolean {
    return [...opened].some(([file, us]) => this.#state.changedUs(file) >= us - TICK_US);
  }

  /** Nobody who put the file in place is known, and none will be. */
  #isTooLate({ difference, atMs }: Seen, nowMs: number): boolean {
    const isHeard = this.#heardUs >= difference.changedUs + LATE_MS * 1_000;
    return nowMs - atMs >= (isHeard ? LATE_MS : LONGEST_MS);
  }

  #authorOf({ difference }: Seen): Actor | undefined {
    const living = new Set(this.#actors.values());
    const candidates = this.#turns[difference.of]
      .between(difference.sinceUs, difference.changedUs)
      .map(({ who }) => who);
    const named = candidates.filter((actor) => actor.args.has(difference.name));
    const likely = (isFilled(named) ? named : candidates).filter((actor) => living.has(actor));
    // What is gone went last.
    if (difference.after === undefined) return likely.at(-1);
    return likely.find((actor) => !actor.differences.some(({ of }) => of === difference.of)) ?? likely.at(-1);
  }

  /** Who is named by its own arguments, or may have written into the file where it stands. */
  #writerOf({ difference }: Seen): Actor | undefined {
    const file = fileOf(difference);
    const all = [...this.#actors.values()];
    const writers = all.filter(({ opened, placed }) => opened.has(file) && placed.size === 0);
    const placers = all.filter(
      ({ confirmed, placed }) => confirmed.has(file) && (placed.get(file) ?? 0) > difference.sinceUs,
    );
    return [...placers, ...writers].find((actor) => actor.args.has(difference.name)) ?? writers[0];
  }

  /** Something was seen that it may have done, or another of whom we have not heard yet. */
  #mayBeAuthor({ placed }: Actor): boolean {
    return this.#seen.some(({ difference }) => (placed.get(fileOf(difference)) ?? -Infinity) > difference.sinceUs);
  }

  #isReady(actor: Actor, nowMs: number): boolean {
    if (this.#mayBeAuthor(actor)) return false;
    const isQuiet = nowMs - actor.lastMs >= QUIET_MS || nowMs - actor.firstMs >= LONGEST_MS;
    // Opened for writing, and nothing written yet: it may still come.
    if (!isWriting(actor) || actor.differences.length > 0) return isQuiet;
    return nowMs - actor.firstMs >= WRITING_LONGEST_MS || (isQuiet && this.#wroteInPlace(actor, 'shadow'));
  }

  /** It opened the file where it stands, which has changed since, and nobody put another in its place. */
  #wroteInPlace(actor: Actor, file: AccountFile): boolean {
    const opened = actor.opened.get(file);
    if (opened === undefined || actor.placed.size > 0 || this.#state.changedUs(file) < opened) return false;
    return ![...this.#actors.values()].some(({ placed }) => (placed.get(file) ?? 0) >= opened);
  }

  #story(actor: Actor): RawEvent[] {
    const { time, confirmed, attributes, differences } = actor;
    const told = differences.map((difference): RawEvent => ({ ...differenceTold(difference, attributes), time }));
    const hasAccount = differences.some(({ of }) => of === 'account');
    const hasGroup = differences.some(({ of }) => of === 'group');
    // The file that says what changed is not ours to read, or the next process overtook this one.
    const hasPassword = confirmed.has('shadow') || this.#wroteInPlace(actor, 'shadow');
    if (!hasAccount && (hasPassword || confirmed.has('passwd'))) {
      const changes = hasPassword ? { 'user.changes': ['password'] } : {};
      told.push({
        name: 'user.account.change',
        time,
        attributes: { ...attributes, ...this.#named(actor), ...changes },
      });
    }
    if (!hasGroup && (confirmed.has('group') || (told.length === 0 && confirmed.has('gshadow')))) {
      const changes = confirmed.has('group') ? {} : { 'user.group.changes': ['password'] };
      told.push({ name: 'user.group.change', time, attributes: { ...attributes, ...changes } });
    }
    return told;
  }

  /** Whose account it was: known where the command line names one. */
  #named({ args }: Actor): Attributes {
    const entries = [...args].map((arg) => this.#state.account(arg)).filter((entry) => entry !== undefined);
    const [entry] = entries;
    return entries.length === 1 && entry !== undefined ? accountOf(entry) : {};
  }
}

const fileOf = ({ of }: Difference): AccountFile => (of === 'account' ? 'passwd' : 'group');
const isFilled = (list: readonly Actor[]): boolean => list.length > 0;

/** It opened a file where it stands, has put none in its place, and lives. */
const isWriting = ({ opened, placed, hasEnded }: Actor): boolean => !hasEnded && opened.size > 0 && placed.size === 0;

const verb = ({ before, after }: Difference): 'create' | 'change' | 'delete' =>
  before === undefined ? 'create' : after === undefined ? 'delete' : 'change';

function differenceTold(difference: Difference, actor: Attributes): Omit<RawEvent, 'time'> {
  const entry = difference.after ?? difference.before ?? [];
  const how = verb(difference);
  if (difference.of === 'account') {
    return {
      name: `user.account.${how}`,
      attributes: {
        ...actor,
        ...accountOf(entry),
        ...(how === 'change' ? { 'user.changes': changesOf(difference) } : {}),
      },
    };
  }
  const { added, removed } = membersOf(difference);
  return {
    name: `user.group.${how}`,
    attributes: {
      ...actor,
      'user.group.id': numberOf(entry[2]),
      'user.group.name': entry[0],
      ...(how === 'change' ? { 'user.group.changes': changesOf(difference) } : {}),
      'user.group.members.added': added.length === 0 ? undefined : added,
      'user.group.members.removed': removed.length === 0 ? undefined : removed,
    },
  };
}

export function accountOf(entry: readonly string[]): Attributes {
  return { 'user.id': numberOf(entry[2]), 'user.name': entry[0] };
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
