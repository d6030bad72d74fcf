/**
 * The rulesets that this collector holds: `rulesets/*.yaml`, known by the digest of the file. A batch that names
 * another one is refused. A file added while we run is found when the first batch asks for it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exposure, type ExposureRow } from '../redaction-rules/exposure.ts';
import { clearOf, type Clear } from './detectors/sigma/plan.ts';
import { compileReleasedValidator } from '../redaction-rules/released-schema.ts';
import { parseRuleset, RulesetError, rulesetDigest, type Ruleset } from '../redaction-rules/ruleset.ts';
import { stampOf } from './disk.ts';
import { epochRulesOf, type EpochRules } from './epochs.ts';
import type { ReleasedValidator } from './released.ts';

interface Held {
  readonly ruleset: Ruleset;
  readonly validate: ReleasedValidator;
  readonly epochs: EpochRules;
}

/** A digest that we do not hold makes us look again, but not for every batch. */
const LOOK_AGAIN_MS = 1_000;

export class Rulesets {
  readonly #directory: string;
  readonly #held = new Map<string, Held>();
  readonly #read = new Map<string, string>();
  /** What is wrong with files that cannot be read, by the digest of each. */
  readonly #unreadable = new Map<string, string>();
  #lookedAt = 0;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#look();
  }

  static open(directory: string): Rulesets {
    return new Rulesets(directory);
  }

  get digests(): readonly string[] {
    return [...this.#held.keys()];
  }

  /** Files that are no rulesets for this version, a line each: mistakes, or rules of a later version before we are upgraded. */
  get problems(): readonly string[] {
    return [...this.#unreadable.values()];
  }

  /** Held, and made for a version that knows more than we do. */
  isUnreadable(digest: string): boolean {
    return this.#find(digest) === undefined && this.#unreadable.has(digest);
  }

  validatorOf(digest: string): ReleasedValidator | undefined {
    return this.#find(digest)?.validate;
  }

  epochsOf(digest: string): EpochRules | undefined {
    return this.#find(digest)?.epochs;
  }

  ruleset(digest: string): Ruleset | undefined {
    return this.#find(digest)?.ruleset;
  }

  exposure(digest: string): readonly ExposureRow[] | undefined {
    const held = this.#find(digest);
    return held && exposure(held.ruleset);
  }

  #find(digest: string): Held | undefined {
    if (!this.#held.has(digest) && performance.now() - this.#lookedAt > LOOK_AGAIN_MS) this.#look();
    return this.#held.get(digest);
  }

  #look(): void {
    this.#lookedAt = performance.now();
    for (const name of readdirSync(this.#directory).toSorted()) {
      if (!name.endsWith('.yaml')) continue;
      const file = join(this.#directory, name);
      // One that was half written when we looked is another file when it is whole.
      const stamp = stampOf(file);
      if (this.#read.get(name) === stamp) continue;
      this.#read.set(name, stamp);
      this.#hold(file);
    }
  }

  #hold(file: string): void {
    const text = readFileSync(file, 'utf8');
    try {
      // Rules that were in force before an upgrade stay here as long as evidence was made by them.
      const ruleset = parseRuleset(text, file, 'what it knew');
      const validate = compileReleasedValidator(ruleset);
      this.#held.set(ruleset.digest, { ruleset, validate, epochs: epochRulesOf(ruleset) });
    } catch (error) {
      if (!(error instanceof RulesetError)) throw error;
      this.#unreadable.set(rulesetDigest(text), error.message);
    }
  }
}

/** What leaves as it is under every ruleset that a node uses now. */
export function clearEverywhere(
  rulesets: Pick<Rulesets, 'exposure'>,
  inForce: readonly { readonly kind: string; readonly digest: string }[],
): Clear {
  const digests = new Set(inForce.flatMap(({ kind, digest }) => (kind === 'ruleset' ? [digest] : [])));
  const each = [...digests].map((digest) => clearOf(rulesets.exposure(digest) ?? []));
  const [first = new Set<string>(), ...others] = each;
  return others.reduce<Clear>((common, clear) => common.intersection(clear), first);
}
