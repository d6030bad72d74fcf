/**
 * The world breaks now and then: a disk is full or read-only. What cannot be done then is tried again until it can; that is
 * said when it begins, once a minute while it lasts, and when it is over, so that a log does not fill what is full already.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { troubleOf } from './disk.ts';

const SAY_AGAIN_MS = 60_000;
/** Where some of it works and some does not, it is not over. */
const QUIET_MS = 5_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/** What an operator can do about it. */
const WHAT_TO_DO: Readonly<Record<string, string>> = {
  ENOSPC: 'make room on the disk; it goes on by itself',
  EDQUOT: "raise the quota of the agent's user; it goes on by itself",
  EROFS: 'the file system is read-only: look at dmesg, then remount it; it goes on by itself',
  EIO: 'the disk fails: look at dmesg',
};

/** One kind of trouble, from its beginning to its end. */
export class Trouble {
  readonly #log: Pick<Logger, 'error' | 'info'>;
  readonly #what: string;
  readonly #over: string;
  readonly #now: () => number;
  #times = 0;
  #saidAt = -Infinity;
  #lastAt = -Infinity;

  constructor(log: Pick<Logger, 'error' | 'info'>, what: string, over: string, now = (): number => performance.now()) {
    this.#log = log;
    this.#what = what;
    this.#over = over;
    this.#now = now;
  }

  /** The code alone is told: a message may quote. */
  again(error: Error): void {
    this.#times++;
    this.#lastAt = this.#now();
    if (this.#now() - this.#saidAt < SAY_AGAIN_MS) return;
    this.#saidAt = this.#now();
    const code = 'code' in error ? String(error.code) : error.name;
    this.#log.error({ code, times: this.#times, hint: WHAT_TO_DO[code] }, this.#what);
  }

  /** It worked; `isSure` where nothing else of the kind is tried. */
  over(isSure = false): void {
    if (this.#times === 0 || (!isSure && this.#now() - this.#lastAt < QUIET_MS)) return;
    this.#log.info({ times: this.#times }, this.#over);
    this.#times = 0;
    this.#saidAt = -Infinity;
  }
}

/** Does it until the world lets it; `undefined` when the signal says stop before. Throws what is not of the world. */
export async function untilDone<T>(
  work: () => Promise<T>,
  trouble: Trouble,
  signal: AbortSignal,
): Promise<T | undefined> {
  for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      const done = await work();
      trouble.over(true);
      return done;
    } catch (error) {
      if (!(error instanceof Error) || troubleOf(error) === undefined) throw error;
      trouble.again(error);
      await sleep(pause, undefined, { signal }).catch(() => {});
    }
  }
  return undefined;
}
