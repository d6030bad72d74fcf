/**
 * Does a statement name the epochs that its ruleset has for the times of its events? A statement of version 1 does not
 * say, and is not asked. A node whose clock is wrong names wrong epochs in good faith: that is for the chain detector.
 */
import { Rejection } from '#protocol/error.ts';
import { epochAt, formatEpochs, type Statement, type Turning } from '#protocol/statement.ts';
import { turningOf } from '../redaction-rules/turning.ts';
import type { Ruleset } from '../redaction-rules/ruleset.ts';

/** What a ruleset has to say about epochs. */
export interface EpochRules {
  readonly turning: Turning | undefined;
  /** µs to which times were rounded down: a released time lies up to so much before the real one. */
  readonly resolution: number;
}

export const epochRulesOf = (ruleset: Ruleset): EpochRules => ({
  turning: turningOf(ruleset),
  resolution: ruleset.time.resolution,
});

export function checkEpochs({ turning, resolution }: EpochRules, { epochs, time }: Statement): void {
  if (epochs === undefined) return;
  const expected = turning === undefined || time.last === 0 ? 'none' : turning;
  if (expected === 'none' || epochs === 'none') {
    if (epochs !== expected)
      throw new Rejection('wrong-epochs', `${formatEpochs(epochs)} where the ruleset has others`);
    return;
  }
  const isSame = epochs.hours === expected.hours && epochs.scopes.join() === expected.scopes.join();
  const latest = (us: number): number => epochAt(us + resolution - 1, epochs);
  // parseStatement() has seen to it that none is too early.
  if (isSame && epochs.first <= latest(time.first) && epochs.last <= latest(time.last)) return;
  throw new Rejection('wrong-epochs', `${formatEpochs(epochs)} where the ruleset has others for these times`);
}
