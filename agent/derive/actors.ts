/**
 * Changes of accounts and who made them: one process, one story. `useradd` writes four files and makes one account.
 *
 * A process that touched an account file is a candidate. What then differs in the files is its doing: that of the one
 * candidate, else of the one whose arguments name the account, else of the last. What it did is told when it ended or
 * has been quiet for a moment. A candidate whose touch changed nothing on the node (a chroot, a container with files of
 * the same names) tells nothing. Bounded: beyond the limit the oldest tells at once.
 */
import type { Attributes, RawEvent } from '../event.ts';
import { changesOf, membersOf, type AccountState, type Difference, type Found } from './accounts.ts';
import type { AccountFile } from './places.ts';

interface Actor {
  readonly attributes: Attributes;
  readonly args: ReadonlySet<string>;
  readonly touched: Set<AccountFile>;
  /** Of what it touched, what is seen to have changed. */
  readonly confirmed: Set<AccountFile>;
  readonly differences: Map<string, Difference>;
  /** It opened a file where it stands, and may be in the middle of writing it. */
  isWriting: boolean;
  hasEnded: boolean;
  /** Time of its last event, µs. */
  time: number;
  firstMs: number;
  lastMs: number;
}

type Args = readonly string[];

const QUIET_MS = 1_000;
const LONGEST_MS = 5_000;
const WRITING_LONGEST_MS = 60_000;
const MOST_ACTORS = 256;
const NOBODY = '';

export class AccountActors {
  readonly #state: AccountState;
  readonly #actors = new Map<string, Actor>();
  readonly #overdue: RawEvent[] = [];
  #isDirty = false;
  #askedMs = 0;
  #unexplained = '';

  constructor(state: AccountState) {
    this.#state = state;
  }

  touch(key: string, event: RawEvent, attributes: Attributes, file: AccountFile, args: Args, nowMs: number): void {
    const actor = this.#actors.get(key) ?? this.#admit(key, attributes, args, event.time, nowMs);
    actor.touched.add(file);
    // Those who open a file to lock it and then put another in its place do not write in place.
    actor.isWriting = event.name === 'file.open';
    if (!actor.isWriting) this.#isDirty = true;
    actor.time = event.time;
    actor.lastMs = nowMs;
  }

  ended(key: string): void {
    const actor = this.#actors.get(key);
    if (actor === undefined) return;
    actor.hasEnded = true;
    this.#isDirty = true;
  }

  /** What is ready to be told. Asks the files when somebody placed one, when a writer is done, and once a second. */
  ready(nowMs: number): RawEvent[] {
    if (this.#isDirty || nowMs - this.#askedMs >= QUIET_MS) this.#ask(nowMs);
    const told = this.#overdue.splice(0);
    for (const [key, actor] of this.#actors) {
      if (!isReady(actor, nowMs)) continue;
      this.#actors.delete(key);
      told.push(...this.#story(actor));
    }
    return told;
  }

  #admit(key: string, attributes: Attributes, args: Args, time: number, nowMs: number): Actor {
    const [oldest] = this.#actors;
    if (oldest !== undefined && this.#actors.size >= MOST_ACTORS) {
      this.#actors.delete(oldest[0]);
      this.#overdue.push(...this.#story(oldest[1]));
    }
    const actor: Actor = {
      attributes,
      args: new Set(args.slice(1)),
      touched: new Set(),
      confirmed: new Set(),
      differences: new Map(),
      isWriting: false,
      hasEnded: false,
      time,
      firstMs: nowMs,
      lastMs: nowMs,
    };
    this.#actors.set(key, actor);
    return actor;
  }

  #ask(nowMs: number): void {
    const wasPlaced = this.#isDirty;
    this.#isDirty = false;
    this.#askedMs = nowMs;
    const stale = this.#state.stale();
    // Whoever writes in place has perhaps written half: what looks deleted now is back in a moment. The same where
    // nobody is known to write, until two looks agree.
    const isHalf = wasPlaced
      ? this.#isBeingWritten(nowMs)
      : this.#isBeingWritten(nowMs) || (this.#actors.size === 0 && stale !== this.#unexplained);
    this.#unexplained = stale;
    if (stale !== '' && !isHalf) this.#assign(this.#state.look(), nowMs);
  }

  #isBeingWritten(nowMs: number): boolean {
    for (const actor of this.#actors.values())
      if (actor.isWriting && !actor.hasEnded && nowMs - actor.lastMs < QUIET_MS) return true;
    return false;
  }

  #assign({ differences, changed }: Found, nowMs: number): void {
    for (const file of changed)
      for (const actor of this.#actors.values()) if (actor.touched.has(file)) actor.confirmed.add(file);
    for (const difference of differences) {
      const { differences: known } = this.#authorOf(difference, nowMs);
      const key = `${difference.of} ${difference.name}`;
      known.set(key, { ...difference, before: known.has(key) ? known.get(key)?.before : difference.before });
    }
  }

  #authorOf({ of, name }: Difference, nowMs: number): Actor {
    const candidates = [...this.#actors.values()].filter((actor) =>
      actor.touched.has(of === 'account' ? 'passwd' : 'group'),
    );
    const named = candidates.filter((actor) => actor.args.has(name));
    return (
      (named.length === 1 ? named[0] : candidates.toSorted((a, b) => a.lastMs - b.lastMs).at(-1)) ??
      this.#actors.get(NOBODY) ??
      this.#admit(NOBODY, {}, [], Math.round(nowMs * 1_000), nowMs)
    );
  }

  #story(actor: Actor): RawEvent[] {
    const { time, confirmed, attributes } = actor;
    const differences = [...actor.differences.values()].filter(({ before, after }) => before !== after);
    const told = differences.map((difference): RawEvent => ({ ...differenceTold(difference, attributes), time }));
    // The password alone, or when it ends: the file that says so is not ours to read.
    if (confirmed.has('shadow') && !differences.some(({ of }) => of === 'account'))
      told.push({ name: 'user.account.change', time, attributes: { ...attributes, ...this.#named(actor) } });
    if (confirmed.has('gshadow') && !confirmed.has('shadow') && differences.length === 0)
      told.push({
        name: 'user.group.change',
        time,
        attributes: { ...attributes, 'user.group.changes': ['password'] },
      });
    return told;
  }

  /** Whose password it was: known where the command line names one account. */
  #named({ args }: Actor): Attributes {
    const entries = [...args].map((arg) => this.#state.account(arg)).filter((entry) => entry !== undefined);
    const [entry] = entries;
    const isKnown = entries.length === 1 && entry !== undefined;
    return { ...(isKnown ? accountOf(entry) : {}), 'user.changes': ['password'] };
  }
}

function isReady(actor: Actor, nowMs: number): boolean {
  if (actor.hasEnded) return true;
  const found = actor.differences.size > 0 || actor.confirmed.size > 0;
  // Nothing written yet: it may still come.
  if (actor.isWriting && !found) return nowMs - actor.firstMs >= WRITING_LONGEST_MS;
  return nowMs - actor.lastMs >= QUIET_MS || nowMs - actor.firstMs >= LONGEST_MS;
}

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
