/**
 * For `verify`: holds every released line against its ruleset once more, as the door did when it came. An auditor brings
 * the rulesets along, in `rulesets/`; their digests stand in the approvals, so that nobody need be believed about them.
 */
import { existsSync } from 'node:fs';
import { Rejection } from '#protocol/error.ts';
import { checkLine, namesTheUnknown } from './released.ts';
import { Rulesets } from './rulesets.ts';

type CheckLine = (ruleset: string, line: string) => string | undefined;

export interface LineCheck {
  readonly checkLine: CheckLine;
  /** False for what a later version made: its rules, or its lines, name what this version does not know. */
  readonly canJudge: (ruleset: string, line: string) => boolean;
}

/** Undefined where there are no rulesets to hold anything against. */
export function lineCheckIn(directory: string): LineCheck | undefined {
  if (!existsSync(directory)) return undefined;
  const rulesets = Rulesets.open(directory);
  const canJudge = (ruleset: string, line: string): boolean =>
    !rulesets.isUnreadable(ruleset) && !namesTheUnknown(line);
  const checkLineIn: CheckLine = (ruleset, line) => {
    const validate = rulesets.validatorOf(ruleset);
    if (validate === undefined) return `rules ${ruleset.slice(0, 12)} are not in ${directory}`;
    try {
      checkLine(validate, line, 'it');
      return undefined;
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      return error.message;
    }
  };
  return { checkLine: checkLineIn, canJudge };
}
