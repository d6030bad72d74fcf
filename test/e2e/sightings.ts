/** When alerts can be seen: reads the collector's state beside it, as its dashboard does, and notes the time of each new one. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadPack, STARTER_PACK } from '../../collector/detectors/pack.ts';
import type { AlertRow } from '../../collector/findings.ts';
import { State } from '../../collector/state.ts';

const PACK = loadPack(STARTER_PACK);

/** Names of rules' files, by their ids. */
export const RULE_FILES: ReadonlyMap<string, string> = new Map(
  [...PACK.rules, ...PACK.correlations].map(({ id, file }) => [id, file.replace('.yml', '')]),
);

export interface Sighting {
  readonly alert: AlertRow;
  /** File of the rule without its ending; the detector where there is no rule. */
  readonly rule: string;
  /** Milliseconds since 1970. */
  readonly seenAt: number;
}

const LOOK_EVERY_MS = 20;

export class Sightings implements AsyncDisposable {
  readonly all: Sighting[] = [];
  readonly #looking: Promise<void>;
  #isOver = false;

  /** Of the product whose data directory this is. */
  constructor(home: string) {
    this.#looking = this.#look(join(home, 'collector'));
  }

  async #look(collector: string): Promise<void> {
    using state = State.beside(collector);
    let last = 0;
    while (!this.#isOver) {
      const seenAt = Date.now();
      const rows = state.alerts({
        afterSeq: last,
        limit: 1_000,
        node: undefined,
        minSeverity: 'informational',
        sinceUs: 0,
      });
      for (const alert of rows.toReversed()) {
        this.all.push({ alert, rule: RULE_FILES.get(alert.rule ?? '') ?? alert.detector, seenAt });
        last = Math.max(last, alert.seq);
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  /** The first of this rule about something that happened at `time` (milliseconds) or later; undefined when none came for so long. */
  async first(rule: string, time: number, timeoutMs: number): Promise<Sighting | undefined> {
    // Released times are whole milliseconds, rounded down, and the clocks of kernel and process differ by some more.
    const isIt = (one: Sighting): boolean => one.rule === rule && one.alert.time / 1000 >= time - 50;
    for (const end = Date.now() + timeoutMs; ; await sleep(LOOK_EVERY_MS)) {
      const found = this.all.find(isIt);
      if (found !== undefined || Date.now() > end) return found;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#looking;
  }
}
