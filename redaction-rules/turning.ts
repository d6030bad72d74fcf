/** How the pseudonyms of a ruleset change with time: which scopes have any that do, and how often. Holds no key and needs none. */
import { HOUR_US, SCOPES, type Scope } from './keys.ts';
import type { Rule } from './rule.ts';
import type { Ruleset } from './ruleset.ts';

export interface Turning {
  readonly hours: number;
  readonly scopes: readonly Scope[];
}

/** undefined: no pseudonym of this ruleset ever changes. */
export function turningOf({ epoch, events }: Pick<Ruleset, 'epoch' | 'events'>): Turning | undefined {
  if (epoch === undefined) return undefined;
  const turning = new Set([...events.values()].flatMap((rules) => [...rules.values()].flatMap(scopeThatTurns)));
  const scopes = SCOPES.filter((scope) => turning.has(scope));
  return scopes.length === 0 ? undefined : { hours: epoch.length / HOUR_US, scopes };
}

function scopeThatTurns(rule: Rule): readonly Scope[] {
  switch (rule.do) {
    case 'pseudonym':
    case 'prefix':
    case 'path':
    case 'argv':
      return rule.forever ? [] : [rule.scope];
    default:
      return [];
  }
}
