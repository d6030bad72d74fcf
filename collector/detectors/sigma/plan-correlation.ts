/**
 * Whether a correlation can come about: its rules must be able to match, and what it groups by must be in the events
 * that leave. It is a pseudonym's job to be the same for the same value, so one is as good to group by as the value.
 */
import { locateField } from './bind.ts';
import { fieldBehind } from './correlation-rule.ts';
import type { Mapping } from './mapping.ts';
import type { PlannedRule } from './plan.ts';
import type { SigmaCorrelation, SigmaRule } from './rule.ts';
import { hasNot } from './words.ts';

/** `event attribute` of what leaves, in whatever form. */
export type Leaving = ReadonlySet<string>;

export interface PlannedCorrelation {
  readonly correlation: SigmaCorrelation;
  readonly runs: 'collector' | 'blind';
  readonly why: string;
}

interface Scene {
  readonly rules: ReadonlyMap<string, PlannedRule>;
  readonly correlations: ReadonlyMap<string, SigmaCorrelation>;
  readonly mapping: Mapping;
  readonly leaving: Leaving;
}

export function planCorrelations(
  correlations: readonly SigmaCorrelation[],
  plan: readonly PlannedRule[],
  mapping: Mapping,
  leaving: Leaving,
): readonly PlannedCorrelation[] {
  const scene: Scene = {
    rules: new Map(plan.flatMap((one) => namesOf(one.rule).map((name) => [name, one] as const))),
    correlations: new Map(correlations.flatMap((one) => namesOf(one).map((name) => [name, one] as const))),
    mapping,
    leaving,
  };
  return correlations.map((correlation) => planCorrelation(correlation, scene));
}

const namesOf = ({ id, name }: SigmaRule | SigmaCorrelation): readonly string[] =>
  name === undefined ? [id] : [id, name];

function planCorrelation(correlation: SigmaCorrelation, scene: Scene): PlannedCorrelation {
  const problems = correlation.rules.map((name) => problemWith(name, correlation, scene, 0));
  const told = problems.filter((problem) => problem !== undefined);
  const { type, expression, rules } = correlation;
  // A sequence needs all its steps; counts, and words that leave a choice, what is left.
  const isBlind =
    type.startsWith('temporal') && expression === undefined && correlation.condition.length === 0
      ? told.length > 0
      : told.length === rules.length;
  if (isBlind) return { correlation, runs: 'blind', why: told.join('; ') };
  const waits = expression !== undefined && hasNot(expression) ? '; waits for its time to be over' : '';
  const partly = told.length === 0 ? '' : `; without ${told.join('; ')}`;
  return { correlation, runs: 'collector', why: `builds on ${rules.join(', ')}${waits}${partly}` };
}

const MAX_CHAIN = 5;

/** Why the matches of a rule never count; undefined when they do. */
function problemWith(name: string, correlation: SigmaCorrelation, scene: Scene, depth: number): string | undefined {
  const inner = scene.correlations.get(name);
  if (inner !== undefined && depth < MAX_CHAIN) {
    const problems = inner.rules.map((one) => problemWith(one, inner, scene, depth + 1));
    return problems.every((problem) => problem !== undefined) ? `${name}: ${problems.join('; ')}` : undefined;
  }
  const planned = scene.rules.get(name);
  if (planned === undefined) return undefined;
  if (planned.runs === 'blind') return `${name} is blind: ${planned.why}`;
  const lacking = planned.bound.map(({ event }) => fieldsLacking(planned.rule, event, name, correlation, scene));
  const [least] = lacking.toSorted((a, b) => a.length - b.length);
  return least === undefined || least.length === 0 ? undefined : `${name} does not release ${least.join(', ')}`;
}

function fieldsLacking(
  rule: SigmaRule,
  event: string,
  name: string,
  correlation: SigmaCorrelation,
  { mapping, leaving }: Scene,
): readonly string[] {
  return [...correlation.groupBy, ...correlation.fields]
    .map((field) => fieldBehind(correlation, field, [name, ...namesOf(rule)]))
    .filter((field) => {
      if (field === 'Computer' || field === 'host.name') return false;
      const source = locateField(rule, event, field, mapping);
      if (source === undefined) return true;
      return 'name' in source && !leaving.has(`${event} ${source.name}`);
    });
}
