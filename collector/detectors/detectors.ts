/**
 * All detectors, made from what the collector knows and from what they saved the last time.
 */
import { makeCanaryDetector, type CanaryKnobs } from './canary.ts';
import { makeChainDetector, type ChainKnobs } from './chain.ts';
import type { Detector } from './detector.ts';
import { makeCohortDetector } from './cohort.ts';
import { makeFirstSeenDetector } from './first-seen.ts';
import type { Tuning } from './knobs.ts';
import { makeLineageDetector } from './lineage.ts';
import { makeRarityDetector } from './rarity.ts';
import { makeRateDetector } from './rate.ts';
import { memberOf } from './saved.ts';
import { makeSigmaDetector, type SigmaOptions } from './sigma.ts';
import { makeSilenceDetector, type SilenceKnobs } from './silence.ts';
import { makeUpgradeDetector } from './upgrade.ts';

export interface DetectorOptions extends SilenceKnobs, ChainKnobs, CanaryKnobs {
  readonly pack: Pick<SigmaOptions, 'rules' | 'correlations' | 'mapping'>;
  readonly clearFor: SigmaOptions['clearFor'];
  readonly alertFrom?: SigmaOptions['alertFrom'];
  readonly tuning?: Tuning | undefined;
  /** What {@link saveDetectors} gave. */
  readonly saved?: unknown;
}

export function makeDetectors(options: DetectorOptions): readonly Detector[] {
  const { pack, clearFor, alertFrom, tuning = {}, saved } = options;
  const sigma = {
    rules: pack.rules,
    ...(pack.correlations === undefined ? {} : { correlations: pack.correlations }),
    mapping: pack.mapping,
    clearFor,
    ...(alertFrom === undefined ? {} : { alertFrom }),
  };
  const detectors = [
    makeChainDetector(options, memberOf(saved, 'chain')),
    makeSigmaDetector(sigma, memberOf(saved, 'sigma')),
    ...makeBaselines(tuning, saved),
    makeSilenceDetector(options, memberOf(saved, 'silence')),
    makeCanaryDetector(options, memberOf(saved, 'canary')),
  ];
  return detectors.map(eager);
}

/** Those that learn what is usual. */
export function makeBaselines(tuning: Tuning, saved?: unknown): readonly Detector[] {
  return [
    makeUpgradeDetector(tuning, memberOf(saved, 'upgrade')),
    makeFirstSeenDetector(tuning['first-seen'], memberOf(saved, 'first-seen')),
    makeRarityDetector(tuning.rarity, memberOf(saved, 'rarity')),
    makeRateDetector(tuning.rate, memberOf(saved, 'rate')),
    makeLineageDetector(tuning.lineage, memberOf(saved, 'lineage')),
    makeCohortDetector(tuning.cohort, memberOf(saved, 'cohort')),
  ];
}

/** Sees a batch to its end even when nobody reads the alerts: state must not depend on the reader. */
const eager = (detector: Detector): Detector => ({
  ...detector,
  observe: (batch) => [...detector.observe(batch)],
  tick: (nowUs) => [...detector.tick(nowUs)],
});

/** The state of all, as JSON. */
export function saveDetectors(detectors: readonly Detector[]): { readonly [id: string]: unknown } {
  return Object.fromEntries(detectors.map((detector) => [detector.id, detector.save()]));
}
