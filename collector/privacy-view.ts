/**
 * What the dashboard may ask about privacy: rules in force, approvals with their proofs, what a ruleset releases, what
 * changed from one to the next, and how canaries fare. Answers come from state, log and the rulesets that this collector
 * holds; nothing is changed.
 */
import { diffRulesets } from '../redaction-rules/diff.ts';
import type { DiffRow } from '../redaction-rules/difference.ts';
import { explainRows, type ExplainedRow } from '../redaction-rules/explain.ts';
import type { Ruleset } from '../redaction-rules/ruleset.ts';
import { canariesOf, type CanaryStatus } from './detectors/canary.ts';
import { clearOf, planRules } from './detectors/sigma/plan.ts';
import type { TransparencyLog } from './log.ts';
import type { Rulepacks } from './rulepacks.ts';
import type { Rulesets } from './rulesets.ts';
import type { ApprovalRow, RulesInForce, State } from './state.ts';

export interface Explained {
  readonly ruleset: Ruleset;
  readonly rows: readonly ExplainedRow[];
}

export interface Differences {
  readonly before: Ruleset;
  readonly after: Ruleset;
  readonly rows: readonly DiffRow[];
}

export interface PrivacyView {
  /** For each node and kind of rules, what its last statement named and since when. */
  inForce(): readonly RulesInForce[];
  /** Everything that reviewers said yes to, oldest first. */
  approvals(): readonly ApprovalRow[];
  /** The signed note as it stands in the log. */
  note(logIndex: number): Promise<Uint8Array | undefined>;
  /** A tlog-proof that it stands there, under the checkpoint of this moment. */
  proof(logIndex: number): Promise<string | undefined>;
  holds(digest: string): boolean;
  /** Undefined for rules that this collector does not hold. */
  explained(digest: string): Explained | undefined;
  differences(before: string, after: string): Differences | undefined;
  canaries(): ReadonlyMap<string, CanaryStatus>;
}

export interface PrivacyViewed {
  readonly state: State;
  readonly log: TransparencyLog;
  readonly rulesets: Rulesets;
  readonly rulepacks: Pick<Rulepacks, 'rules'>;
}

export function privacyViewOf({ state, log, rulesets, rulepacks }: PrivacyViewed): PrivacyView {
  const isApproval = (logIndex: number): boolean => state.approvals().some((row) => row.logIndex === logIndex);
  // A ruleset never changes; working one out takes a moment.
  const explained = new Map<string, Explained>();
  return {
    inForce: () => state.rulesInForce(),
    approvals: () => state.approvals(),
    note: async (logIndex) => (isApproval(logIndex) ? await entryAt(log, logIndex) : undefined),
    proof: async (logIndex) => (isApproval(logIndex) ? await log.receipt(logIndex) : undefined),
    holds: (digest) => rulesets.ruleset(digest) !== undefined,
    explained: (digest) => {
      const ruleset = rulesets.ruleset(digest);
      if (ruleset !== undefined && !explained.has(digest)) explained.set(digest, explain(ruleset, rulesets, rulepacks));
      return explained.get(digest);
    },
    differences: (one, other) => {
      const [before, after] = [rulesets.ruleset(one), rulesets.ruleset(other)];
      return before && after && { before, after, rows: diffRulesets(before, after) };
    },
    canaries: () => canariesOf(state.detectorState('canary')),
  };
}

async function entryAt(log: TransparencyLog, logIndex: number): Promise<Uint8Array | undefined> {
  for await (const { entry } of log.entries(logIndex)) return entry;
  return undefined;
}

function explain(ruleset: Ruleset, rulesets: Rulesets, { rules }: PrivacyViewed['rulepacks']): Explained {
  const plan = planRules(rules.rules, rules.mapping, clearOf(rulesets.exposure(ruleset.digest) ?? []));
  return { ruleset, rows: explainRows(ruleset, plan) };
}
