/**
 * For `verify`: holds every released line against its ruleset once more, as the door did when it came. An auditor brings
 * the rulesets along, in `rulesets/`; their digests stand in the approvals, so that nobody need be believed about them.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Rejection } from '#protocol/error.ts';
import { compileReleasedValidator } from '../redaction-rules/released-schema.ts';
import { parseRuleset, RulesetError } from '../redaction-rules/ruleset.ts';
import { checkLine, type ReleasedValidator } from './released.ts';

type CheckLine = (ruleset: string, line: string) => string | undefined;

/** Undefined where there are no rulesets to hold anything against. */
export function lineCheckIn(directory: string): CheckLine | undefined {
  if (!existsSync(directory)) return undefined;
  const validators = new Map<string, ReleasedValidator>();
  for (const name of readdirSync(directory).filter((each) => each.endsWith('.yaml'))) {
    const [digest, validate] = read(join(directory, name)) ?? [];
    if (digest !== undefined && validate !== undefined) validators.set(digest, validate);
  }
  return (ruleset, line) => {
    const validate = validators.get(ruleset);
    if (validate === undefined) return `rules ${ruleset.slice(0, 12)} are not in ${directory}`;
    try {
      checkLine(validate, line, 'it');
      return undefined;
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      return error.message;
    }
  };
}

/** Rules for another vocabulary cannot be read by this version; batches under them are not asked about either. */
function read(file: string): readonly [string, ReleasedValidator] | undefined {
  try {
    const ruleset = parseRuleset(readFileSync(file, 'utf8'), file);
    return [ruleset.digest, compileReleasedValidator(ruleset)];
  } catch (error) {
    if (!(error instanceof RulesetError)) throw error;
    return undefined;
  }
}
