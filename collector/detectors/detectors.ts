/**
 * All detectors, made from what the collector knows and from what they saved the last time.
 */
import { makeCanaryDetector, type CanaryKnobs } from './canary.ts';
import { makeChainDetector, type ChainKnobs } from './chain.ts';
import type { Detector } from './detector.ts';
import { makeCohortDetector } from './cohort.ts';
import { makeFirstSeenDetector } from './first-seen.ts';
import { isTuned, knobsOf, type Tuning } from './knobs.ts';
import { makeLineageDetector } from './lineage.ts';
import { makeRarityDetector } from './rarity.ts';
import { makeRateDetector } from './rate.ts';
import { memberOf, savedBy } from './saved.ts';
import { makeSigmaDetector, type SigmaOptions } from './sigma.ts';
import { makeSilenceDetector, type SilenceKnobs } from './silence.ts';
import { makeUpgradeDetector } from './upgrade.ts';

export interface DetectorOptions extends SilenceKnobs, ChainKnobs, CanaryKnobs {
  readonly pack: Pick<SigmaOptions, 'rules' | 'correlations' | 'mapping'>;
  readonly clearFor: SigmaOptions['clearFor'];
  readonly alertFrom?: SigmaOptions['alertFrom'];
  readonly isStillMatched?: SigmaOptions['isStillMatched'];
  readonly alsoMatched?: SigmaOptions['alsoMatched'];
  readonly tuning?: Tuning | undefined;
  /** What {@link saveDetectors} gave. */
  readonly saved?: unknown;
}

export function makeDetectors(options: DetectorOptions): readonly Detector[] {
  const { pack, clearFor, alertFrom, isStillMatched, alsoMatched, tuning = {}, saved } = options;
  const sigma = {
    rules: pack.rules,
    ...(pack.correlations === undefined ? {} : { correlations: pack.correlations }),
    mapping: pack.mapping,
    clearFor,
    ...(alertFrom === undefined ? {} : { alertFrom }),
    ...(isStillMatched === undefined ? {} : { isStillMatched }),
    ...(alsoMatched === undefined ? {} : { alsoMatched }),
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

/**
 * The detectors with other rules and knobs, knowing what they know: those that are the same stay as they are, the others begin
 * with what they would have saved. A baseline keeps all that it learned; a correlation that is another one counts anew.
 */
export function changeDetectors(
  before: readonly Detector[],
  from: DetectorOptions,
  to: DetectorOptions,
): readonly Detector[] {
  const isOther = ({ id }: Detector): boolean => isChanged(id, from, to);
  const saved = Object.fromEntries(before.filter(isOther).map((each) => [each.id, savedBy(each)]));
  const known = new Map(before.map((each) => [each.id, each]));
  return makeDetectors({ ...to, saved }).map((each) => (isOther(each) ? each : (known.get(each.id) ?? each)));
}

function isChanged(id: string, from: DetectorOptions, to: DetectorOptions): boolean {
  const knobs = ({ tuning = {} }: DetectorOptions): string =>
    JSON.stringify(isTuned(id) ? knobsOf(id, tuning) : tuning);
  if (id === 'sigma') return from.pack !== to.pack;
  if (id === 'silence') return from.silenceUs !== to.silenceUs;
  return (isTuned(id) || id === 'upgrade') && knobs(from) !== knobs(to);
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
