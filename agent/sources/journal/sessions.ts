/**
 * One fact, one event, though several lines tell it.
 *
 *     log-on    sshd “Accepted …” and logind “New session …” become one event, joined by the process that let the user in;
 *               after two seconds one of them alone is enough: there is no logind, or no sshd
 *     log-off   logind “Removed session …”; PAM “session closed” where no logind speaks of that process within two seconds
 *     failure   each sshd “Failed …”; the end of a connection only if nothing had failed on it
 *     denial    from the kernel's log or from the audit socket, whichever comes first
 *
 * What waits is bounded, and each waiting entry has its cursor: reading again from the oldest of them makes the same state
 * again. That is why time here is the journal's, and why nothing is asked of a clock.
 */
import type { RawEvent } from '../../event.ts';
import type { Describer } from './describe.ts';
import { numberOf, type Entry } from './entry.ts';
import type { Fact, LogonFact, SessionFact } from './fact.ts';

const JOINED_WITHIN_US = 2_000_000;
/** How long a half that comes too late is still known to be one. */
const LATE_WITHIN_US = 60_000_000;
/** sshd gives a connection two minutes to log on. */
const CONNECTION_US = 150_000_000;
const MAX_WAITING = 4_096;
const MAX_REMEMBERED = 1_024;

interface Waiting {
  readonly entry: Entry;
  readonly until: number;
  readonly logon?: LogonFact;
  readonly session?: SessionFact;
  /** Told already: what comes late is another line about it. */
  readonly told?: true;
}

type Halves = Pick<Waiting, 'logon' | 'session'>;

export class Sessions {
  readonly #describe: Describer;
  /** In the order in which the entries came. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #records = new Set<string>();
  readonly #notLogons = new Set<string>();
  #nextDue = Number.POSITIVE_INFINITY;
  #waitedUntil = 0;

  constructor(describe: Describer) {
    this.#describe = describe;
  }

  /** Cursor of the oldest entry that waits for another. */
  get oldest(): string | undefined {
    const [first] = this.#waiting.values();
    return first?.entry.cursor;
  }

  get waitedUntil(): number {
    return this.#waitedUntil;
  }

  take(entry: Entry, fact: Fact): readonly RawEvent[] {
    const pid = pidOf(entry);
    switch (fact.kind) {
      case 'accepted':
      case 'opened':
        this.#waiting.delete(`try ${pid}`);
        return this.#start(pid, entry, { logon: fact });
      case 'session-new':
        return this.#start(fact.leader, entry, { session: fact });
      case 'session-other':
        remember(this.#notLogons, fact.session);
        return [];

      case 'closed':
        return this.#closed(pid, entry, fact);
      case 'session-left':
        return this.#logindSpeaks(fact.leader, entry);
      case 'session-removed':
        return this.#removed(entry, fact);

      case 'failed':
        return [
          ...this.#wait(`try ${pid}`, { entry, until: entry.time + CONNECTION_US }),
          this.#describe.failure(entry, fact),
        ];
      case 'given-up':
        return this.#waiting.delete(`try ${pid}`) ? [] : [this.#describe.failure(entry, fact)];

      case 'switch':
        return [this.#describe.userSwitch(entry, fact)];
      case 'denial':
        return remember(this.#records, fact.id) ? [this.#describe.denial(entry, fact)] : [];
      case 'seccomp':
        return remember(this.#records, fact.id) ? [this.#describe.seccomp(entry, fact)] : [];
    }
  }

  /** What has waited long enough is told as it is. */
  waitUntil(time: number): readonly RawEvent[] {
    this.#waitedUntil = Math.max(this.#waitedUntil, time);
    if (time < this.#nextDue) return [];
    this.#nextDue = Number.POSITIVE_INFINITY;
    const events = [...this.#waiting].flatMap(([key, waiting]) =>
      waiting.until <= time ? this.#alone(key, waiting) : [],
    );
    for (const { until } of this.#waiting.values()) this.#nextDue = Math.min(this.#nextDue, until);
    return events;
  }

  #start(pid: number, entry: Entry, half: Halves): readonly RawEvent[] {
    const key = `start ${pid}`;
    const other = this.#waiting.get(key);
    if (other === undefined || (other.logon === undefined) === (half.logon === undefined))
      return this.#waitAnew(key, { entry, until: entry.time + JOINED_WITHIN_US, ...half });
    this.#waiting.delete(key);
    if (other.told === true) return [];
    const first = half.logon === undefined ? other.entry : entry;
    return [this.#describe.start(first, pid, { ...other, ...half })];
  }

  #closed(pid: number, entry: Entry, fact: LogonFact): readonly RawEvent[] {
    const key = `end ${pid}`;
    const other = this.#waiting.get(key);
    if (other === undefined || other.logon !== undefined)
      return this.#waitAnew(key, { entry, until: entry.time + JOINED_WITHIN_US, logon: fact });
    // logind spoke first: its own line is the one that counts.
    this.#waiting.delete(key);
    return [];
  }

  /** The line of PAM about the same process is not needed, before or after. */
  #logindSpeaks(leader: number, entry: Entry): readonly RawEvent[] {
    const key = `end ${leader}`;
    if (this.#waiting.get(key)?.logon === undefined)
      return this.#wait(key, { entry, until: entry.time + JOINED_WITHIN_US });
    this.#waiting.delete(key);
    return [];
  }

  #removed(entry: Entry, fact: SessionFact): readonly RawEvent[] {
    if (this.#notLogons.delete(fact.session)) return [];
    const isTold = this.#waiting.get(`end ${fact.leader}`)?.told === true;
    const pushedOut = this.#logindSpeaks(fact.leader, entry);
    return isTold ? pushedOut : [...pushedOut, this.#describe.end(entry, fact.leader, { session: fact })];
  }

  /** The same line of the same process again is about another log-on: process ids are used again. */
  #waitAnew(key: string, waiting: Waiting): readonly RawEvent[] {
    const before = this.#waiting.get(key);
    const events = before === undefined ? [] : this.#alone(key, before);
    return [...events, ...this.#wait(key, waiting)];
  }

  #wait(key: string, waiting: Waiting): readonly RawEvent[] {
    this.#waiting.delete(key);
    const [oldest] = this.#waiting.size >= MAX_WAITING ? this.#waiting : [];
    const events = oldest === undefined ? [] : this.#alone(...oldest);
    if (oldest !== undefined) this.#waiting.delete(oldest[0]);
    this.#waiting.set(key, waiting);
    this.#nextDue = Math.min(this.#nextDue, waiting.until);
    return events;
  }

  /** Nothing more is waited for; that it was told is known for a while. */
  #alone(key: string, waiting: Waiting): readonly RawEvent[] {
    const { entry, logon, session, told } = waiting;
    if (told === true || (logon === undefined && session === undefined)) {
      this.#waiting.delete(key);
      return [];
    }
    // In its old place: the map's order is that of the entries.
    this.#waiting.set(key, { ...waiting, until: entry.time + LATE_WITHIN_US, told: true });
    const [what = '', pid = ''] = key.split(' ');
    return [this.#describe[what === 'end' ? 'end' : 'start'](entry, Number(pid), { logon, session })];
  }
}

const pidOf = ({ fields }: Entry): number => numberOf(fields.get('_PID')) ?? 0;

/** False when it was known already. */
function remember(known: Set<string>, id: string): boolean {
  if (known.has(id)) return false;
  const [oldest] = known.size >= MAX_REMEMBERED ? known : [];
  if (oldest !== undefined) known.delete(oldest);
  known.add(id);
  return true;
}
