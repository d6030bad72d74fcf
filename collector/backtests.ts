/** Back-tests that people asked for through the dashboard: one at a time, cancelled when it is no longer wanted; the last few are kept in memory. */
import { randomBytes } from 'node:crypto';
import { memberOf, numberOf } from './detectors/saved.ts';
import type { Tried } from './tuning/try-change.ts';
import { QuestionFailed, Questions } from './questions.ts';

export interface BacktestAsked {
  /** The text of the change. */
  readonly change: string;
  /** Hours back from now that count. */
  readonly hours: number;
  /** The detector whose page it was asked on. */
  readonly detector: string;
  readonly who: string;
}

export interface BacktestRun extends BacktestAsked {
  readonly id: string;
  readonly state: 'running' | 'done' | 'failed' | 'cancelled';
  /** µs. */
  readonly began: number;
  readonly ended: number | undefined;
  /** Of the log, from 0 to 1. */
  readonly done: number;
  readonly events: number;
  readonly result: Tried | undefined;
  /** Why there is none. */
  readonly problem: string | undefined;
}

export interface Backtests {
  /** Throws QuestionFailed (`busy`) while another one runs. */
  start(asked: BacktestAsked): BacktestRun;
  find(id: string): BacktestRun | undefined;
  /** The newest first. */
  list(): readonly BacktestRun[];
  cancel(id: string): BacktestRun | undefined;
}

const KEPT = 10;
const TIMEOUT_MS = 20 * 60_000;
/** Alerts told of those gained, lost and moved, each. */
const MOST = 100;

export class RunningBacktests implements Backtests, Disposable {
  readonly #home: string;
  readonly #questions: Pick<Questions, 'ask'>;
  readonly #runs = new Map<string, BacktestRun>();
  #running: { readonly id: string; readonly cancel: AbortController } | undefined;

  constructor(home: string, questions: Pick<Questions, 'ask'> = new Questions(1)) {
    this.#home = home;
    this.#questions = questions;
  }

  start(asked: BacktestAsked): BacktestRun {
    if (this.#running !== undefined)
      throw new QuestionFailed('busy', 'A back-test is running; wait for it, or cancel it');
    const id = randomBytes(16).toString('hex');
    const cancel = new AbortController();
    const run: BacktestRun = {
      ...{ ...asked, id, state: 'running', began: Date.now() * 1_000, ended: undefined, done: 0, events: 0 },
      ...{ result: undefined, problem: undefined },
    };
    this.#running = { id, cancel };
    this.#runs.set(id, run);
    for (const oldest of this.#runs.keys()) {
      if (this.#runs.size <= KEPT) break;
      this.#runs.delete(oldest);
    }
    void this.#finish(run, cancel.signal);
    return run;
  }

  async #finish({ id, change, hours }: BacktestRun, signal: AbortSignal): Promise<void> {
    const args = ['detect', 'backtest', '--change', '-', '--json', '--progress', '--most', String(MOST)];
    try {
      const text = await this.#questions.ask([...args, '--since', `${hours}h`, '--home', this.#home], {
        ...{ timeoutMs: TIMEOUT_MS, input: change, signal },
        onNote: (note) => this.#progress(id, note),
      });
      const result: Tried = JSON.parse(text);
      this.#update(id, { state: 'done', done: 1, events: result.events, result });
    } catch (error) {
      const isCancelled = error instanceof QuestionFailed && error.code === 'cancelled';
      const problem = error instanceof QuestionFailed ? error.message : 'It was not answered';
      this.#update(id, { state: isCancelled ? 'cancelled' : 'failed', problem });
    } finally {
      this.#running = undefined;
    }
  }

  #progress(id: string, note: unknown): void {
    const [done, events] = [numberOf(memberOf(note, 'done')), numberOf(memberOf(note, 'events'))];
    if (done === undefined || events === undefined) return;
    const run = this.#runs.get(id);
    if (run !== undefined) this.#runs.set(id, { ...run, done, events });
  }

  #update(id: string, more: Partial<BacktestRun>): void {
    const run = this.#runs.get(id);
    if (run !== undefined) this.#runs.set(id, { ...run, ...more, ended: Date.now() * 1_000 });
  }

  find(id: string): BacktestRun | undefined {
    return this.#runs.get(id);
  }

  list(): readonly BacktestRun[] {
    return [...this.#runs.values()].toReversed();
  }

  cancel(id: string): BacktestRun | undefined {
    if (this.#running?.id === id) this.#running.cancel.abort();
    return this.#runs.get(id);
  }

  [Symbol.dispose](): void {
    this.#running?.cancel.abort();
  }
}
