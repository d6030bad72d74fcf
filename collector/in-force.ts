/**
 * What detects: rules, knobs and suppressions, read from the collector's directory all together or, when one of them has a
 * mistake, not at all. What it is made of has a name and a digest each: the line-up, which stands in the log.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lineupPath, NOTHING_DETECTS, parseLineup, type Lineup } from '#protocol/change.ts';
import { sha256Hex } from '#protocol/encoding.ts';
import { readConfig } from './config.ts';
import { KNOBS, isTuned, knobsOf, type Tuning } from './detectors/knobs.ts';
import { digestOf, mappingDigest, spelled } from './detectors/sigma/digest.ts';
import type { Suppression } from './detectors/suppressions.ts';
import { loadRulepacks, type Rulepacks } from './rulepacks.ts';
import { readSuppressions } from './suppressions.ts';

export interface InForce {
  readonly rulepacks: Rulepacks;
  readonly tuning: Tuning;
  readonly silenceSeconds: number;
  /** As the file says; those whose day has come are not in the line-up. */
  readonly suppressions: readonly Suppression[];
}

/** Throws ConfigError or SigmaError, with file and line. */
export function readInForce(configFile: string, nowUs: number): InForce {
  const config = readConfig(configFile);
  const home = dirname(configFile);
  return {
    rulepacks: loadRulepacks(join(home, 'packs')),
    tuning: config.detectors,
    silenceSeconds: config.silence_seconds,
    suppressions: readSuppressions(home, nowUs),
  };
}

/** The line-up of that digest, which the last change in the log names. */
export function loggedLineup(home: string, digest: string | undefined): Lineup {
  const file = digest === undefined ? undefined : join(home, lineupPath(digest));
  return file === undefined || !existsSync(file) ? NOTHING_DETECTS : parseLineup(readFileSync(file, 'utf8'));
}

/** Every item with what it says. Every knob is there, set or not: a default that an upgrade moved is a change too. */
export function lineupOf({ rulepacks, tuning, silenceSeconds, suppressions }: InForce, nowUs: number): Lineup {
  const { rules, correlations, mapping } = rulepacks.rules;
  const knobs = Object.keys(KNOBS)
    .filter(isTuned)
    .flatMap((detector) =>
      Object.entries(knobsOf(detector, tuning)).map(
        ([name, value]) => [`knob ${detector}.${name}`, String(value)] as const,
      ),
    );
  return new Map([
    ...rules.map((rule) => [`rule ${rule.id}`, digestOf(rule)] as const),
    ...correlations.map((correlation) => [`correlation ${correlation.id}`, digestOf(correlation)] as const),
    ['mapping fields', mappingDigest(mapping)],
    ...knobs,
    ['knob silence.silence_seconds', String(silenceSeconds)],
    ...suppressions
      .filter(({ expires }) => expires > nowUs)
      .map((each) => [`suppression ${nameOf(each)}`, sha256Hex(spelled(each))] as const),
  ]);
}

/** People give suppressions any name; in the log it is one word. */
export function nameOf({ id }: Pick<Suppression, 'id'>): string {
  const word = encodeURIComponent(id.toWellFormed());
  return word.length <= 128 ? word : `sha256:${sha256Hex(word)}`;
}
