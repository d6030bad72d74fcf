/**
 * Where each rule runs: on the node when it reads what the ruleset does not release in clear, otherwise on
 * the collector; or nowhere, with the reason.
 *
 * Node and collector compute the same plan from the same pack and the same ruleset, so no rule runs twice or not at all.
 */
import { bindRule, type Binding, type BoundRule } from './bind.ts';
import { compileBound, type Matcher } from './compile.ts';
import type { Mapping } from './mapping.ts';
import type { SigmaRule } from './rule.ts';

/** What leaves unchanged: `event attribute`, see {@link clearOf}. */
export type Clear = ReadonlySet<string>;

export interface PlannedRule {
  readonly rule: SigmaRule;
  readonly runs: 'node' | 'collector' | 'blind';
  readonly why: string;
  /** Attributes it reads that do not leave in clear: the reason it runs on the node. */
  readonly withheld: readonly string[];
  /** Fields it reads that no event carries. */
  readonly missing: readonly string[];
  /** The rule on each kind of event it applies to. */
  readonly bound: readonly BoundRule[];
}

/**
 * From the rows of a ruleset's exposure: an attribute is in clear only when it is kept. One that is allowed by name
 * turns every other value into `other`, which would hide from a rule the very values it asks for.
 */
export function clearOf(
  rows: readonly {
    readonly event: string;
    readonly attribute: string;
    readonly leaves: boolean;
    readonly do: string;
  }[],
): Clear {
  const clear = rows.filter((row) => row.leaves && row.do === 'keep');
  return new Set(clear.map((row) => `${row.event} ${row.attribute}`));
}

export function planRules(rules: readonly SigmaRule[], mapping: Mapping, clear: Clear): readonly PlannedRule[] {
  return rules.map((rule) => planRule(bindRule(rule, mapping), clear));
}

/** The matcher for one side: what the plan gives to the node, or to the collector. */
export function compileFor(
  side: 'node' | 'collector',
  rules: readonly SigmaRule[],
  mapping: Mapping,
  clear: Clear,
): Matcher {
  const mine = planRules(rules, mapping, clear).filter(({ runs }) => runs === side);
  return compileBound(mine.flatMap(({ bound }) => bound));
}

function planRule({ rule, bound, missing, blind }: Binding, clear: Clear): PlannedRule {
  if (blind !== undefined) return { rule, runs: 'blind', why: blind, withheld: [], missing, bound };
  const hidden = new Set(
    bound.flatMap(({ event, needs }) => needs.filter((attribute) => !clear.has(`${event} ${attribute}`))),
  );
  const withheld = [...hidden].toSorted();
  const partly = missing.length === 0 ? '' : `; without ${missing.join(', ')}`;
  const runs = withheld.length === 0 ? 'collector' : 'node';
  const why = runs === 'collector' ? 'all it reads is released' : `reads ${withheld.join(', ')}`;
  return { rule, runs, why: why + partly, withheld, missing, bound };
}
