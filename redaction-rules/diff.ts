/**
 * Two rulesets side by side, in words: what newly leaves, what no longer does, what is told more or less precisely, and
 * what can be joined with what. For a reviewer who has to say yes or no to a change.
 *
 * A change is judged by what the two rules say, never by what some example happened to become; where two
 * transformations cannot be ordered it says so instead of guessing.
 */
import { ATTRIBUTES, EVENTS, isEventName, type AttributeName, type EventName } from '#protocol/vocabulary.ts';
import { compileRuleset } from './compile.ts';
import { CHANGES, type Change, type DiffRow } from './difference.ts';
import { EXAMPLE_KEYS, releasedOf } from './examples.ts';
import { summarise } from './exposure.ts';
import { SCOPES, type Scope } from './keys.ts';
import { moreOf, type Order } from './precision.ts';
import type { Rule } from './rule.ts';
import type { Ruleset } from './ruleset.ts';
import { diffSums } from './sum-text.ts';

/** Rows in the order of `CHANGES`: the worst first. */
export function diffRulesets(before: Ruleset, after: Ruleset): readonly DiffRow[] {
  const redactors = [before, after].map((ruleset) => compileRuleset(ruleset, EXAMPLE_KEYS));
  const rows = new Map<string, { row: DiffRow; events: EventName[] }>();
  for (const event of Object.keys(EVENTS).filter(isEventName)) {
    for (const attribute of EVENTS[event].attributes) {
      for (const { change, what } of changesOf(attribute, event, before, after)) {
        const known = rows.get(`${attribute}\n${change}\n${what}`);
        if (known !== undefined) known.events.push(event);
        else {
          const value = ATTRIBUTES[attribute].example;
          const [was, is] = redactors.map((redactor) => releasedOf(redactor, event, { [attribute]: value })[attribute]);
          const events = [event];
          const row = { change, attribute, events, what, example: { in: value, before: was, after: is } };
          rows.set(`${attribute}\n${change}\n${what}`, { row, events });
        }
      }
    }
  }
  return [...[...rows.values()].map(({ row }) => row), ...diffSums(before.sums, after.sums, EXAMPLE_KEYS)].toSorted(
    (a, b) => CHANGES.indexOf(a.change) - CHANGES.indexOf(b.change),
  );
}

interface Found {
  readonly change: Change;
  readonly what: string;
}

function changesOf(attribute: AttributeName, event: EventName, before: Ruleset, after: Ruleset): readonly Found[] {
  const was = before.events.get(event)?.get(attribute);
  const is = after.events.get(event)?.get(attribute);
  const leftBefore = was !== undefined && was.do !== 'drop';
  const leavesNow = is !== undefined && is.do !== 'drop';
  if (!leftBefore && !leavesNow) return [];
  if (!leftBefore && leavesNow) {
    const joined = [...partnersOf(attribute, is, after)];
    const joins = joined.length === 0 ? '' : `; joins with ${joined.join(', ')}`;
    return [{ change: 'newly leaves', what: `${summarise(is, after.epoch)}${joins}` }];
  }
  if (was === undefined || is === undefined || !leavesNow) {
    return [{ change: 'no longer leaves', what: was === undefined ? '' : `was: ${summarise(was, before.epoch)}` }];
  }
  return [...precisionOf(was, is, before, after), ...joinsOf(attribute, was, is, before, after)];
}

const PRECISION: Readonly<Record<Exclude<Order, 'same'>, Change>> = {
  more: 'more precise',
  less: 'less precise',
  other: 'told differently',
};

function precisionOf(was: Rule, is: Rule, before: Ruleset, after: Ruleset): readonly Found[] {
  const { order, because } = moreOf(was, is);
  if (order === 'same') return [];
  const words =
    because.length > 0 ? because.join('; ') : `${summarise(was, before.epoch)} -> ${summarise(is, after.epoch)}`;
  return [{ change: PRECISION[order], what: words }];
}

const WHERE: Readonly<Record<Scope, string>> = {
  node: 'on one node',
  cohort: 'across a cohort',
  fleet: 'across all nodes',
};

/** Whoever holds the evidence can join two values where scope, domain and epoch are the same. */
function joinsOf(attribute: AttributeName, was: Rule, is: Rule, before: Ruleset, after: Ruleset): readonly Found[] {
  if (!('scope' in was) || !('scope' in is)) return [];
  const rows: Found[] = [];
  const wider = SCOPES.indexOf(is.scope) - SCOPES.indexOf(was.scope);
  if (wider !== 0) {
    rows.push({
      change: wider > 0 ? 'joins more' : 'joins less',
      what: `joins ${WHERE[is.scope]} now; was ${WHERE[was.scope]}`,
    });
  }
  const longer = lastingOf(is, after) - lastingOf(was, before);
  if (longer !== 0 && !Number.isNaN(longer)) {
    rows.push({
      change: longer > 0 ? 'joins more' : 'joins less',
      what: longer > 0 ? 'the same value keeps its pseudonym longer' : 'pseudonyms change sooner',
    });
  }
  // A join has two ends; it is told at the one whose own rule changed, not at each of its partners.
  if (was.scope === is.scope && domainsOf(was).join('\n') === domainsOf(is).join('\n')) return rows;
  const [had, has] = [partnersOf(attribute, was, before), partnersOf(attribute, is, after)];
  const gained = [...has].filter((name) => !had.has(name));
  const gone = [...had].filter((name) => !has.has(name));
  if (gained.length > 0) rows.push({ change: 'joins more', what: `joins with ${gained.join(', ')} now` });
  if (gone.length > 0) rows.push({ change: 'joins less', what: `no longer joins with ${gone.join(', ')}` });
  return rows;
}

/** Microseconds for which a value keeps its pseudonym. */
function lastingOf(rule: Rule, ruleset: Ruleset): number {
  if ('forever' in rule && rule.forever) return Number.POSITIVE_INFINITY;
  return ruleset.epoch?.length ?? Number.POSITIVE_INFINITY;
}

/** Domains in which a rule makes pseudonyms. */
function domainsOf(rule: Rule): readonly string[] {
  if (!('domain' in rule)) return [];
  const more = [...('users' in rule ? [rule.users] : []), ...('hosts' in rule ? [rule.hosts, rule.addresses] : [])];
  return [rule.domain, ...more];
}

/** Other attributes with pseudonyms of the same scope and of one of its domains. */
function partnersOf(attribute: AttributeName, rule: Rule, ruleset: Ruleset): ReadonlySet<AttributeName> {
  if (!('scope' in rule)) return new Set();
  const own = new Set(domainsOf(rule));
  const partners = new Set<AttributeName>();
  for (const rules of ruleset.events.values()) {
    for (const [name, other] of rules) {
      if (name === attribute || !('scope' in other) || other.scope !== rule.scope) continue;
      if (domainsOf(other).some((domain) => own.has(domain))) partners.add(name);
    }
  }
  return partners;
}
