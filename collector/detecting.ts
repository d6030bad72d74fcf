/**
 * The detection of a running collector, and what it detects by. Both change where the log says so: every batch before that
 * place was looked at by the former line-up, every one after it is looked at by the new one.
 */
import type { DetectorChanges } from './changes.ts';
import { Detection } from './detectors/detection.ts';
import { changeDetectors, makeDetectors, type DetectorOptions } from './detectors/detectors.ts';
import { clearOf } from './detectors/sigma/plan.ts';
import type { InForce } from './in-force.ts';
import { narrowingIn } from './narrowed.ts';
import { watch } from './pipeline.ts';
import type { Rulesets } from './rulesets.ts';
import type { State } from './state.ts';
import type { Follower } from './watch.ts';

export class Detecting {
  readonly detection: Detection;
  readonly #rulesets: Pick<Rulesets, 'exposure'>;
  readonly #changes: DetectorChanges;
  #inForce: InForce;

  constructor(rulesets: Pick<Rulesets, 'exposure'>, state: State, changes: DetectorChanges) {
    this.#rulesets = rulesets;
    this.#changes = changes;
    this.#inForce = changes.current;
    const saved = Object.fromEntries(state.detectorStates());
    const detectors = makeDetectors({ ...this.#optionsOf(this.#inForce), saved });
    const { tuning } = this.#inForce;
    this.detection = new Detection({ detectors, tuning, suppressions: () => this.#inForce.suppressions, saved });
  }

  async watch(follower: Follower, signal: AbortSignal): Promise<void> {
    await watch(follower, this.detection, signal, (lineup) => this.#changeTo(this.#changes.take(lineup)));
  }

  /** A line-up that another process put into the log is in force since the start, or is no more. */
  #changeTo(next: InForce | undefined): void {
    if (next === undefined) return;
    const [from, to] = [this.#optionsOf(this.#inForce), this.#optionsOf(next)];
    this.detection.change(next.tuning, (before) => changeDetectors(before, from, to));
    this.#inForce = next;
  }

  #optionsOf({ rulepacks, tuning, silenceSeconds }: InForce): DetectorOptions {
    return {
      pack: rulepacks.rules,
      // What is not worth waking anybody for gives points of risk.
      alertFrom: 'informational',
      clearFor: (digest) => clearOf(this.#rulesets.exposure(digest) ?? []),
      ...narrowingIn(rulepacks, this.#rulesets),
      silenceUs: silenceSeconds * 1_000_000,
      tuning,
    };
  }
}
