/** What leaves a node under a ruleset, in words: one row for each attribute of each event. */
import { ATTRIBUTES, type AttributeName, type EventName, type Sensitivity } from '#protocol/vocabulary.ts';
import type { Scope } from './keys.ts';
import { TRANSFORMS, type Rule, type TransformName, type Values } from './rule.ts';
import type { Ruleset } from './ruleset.ts';

export interface ExposureRow {
  readonly event: EventName;
  readonly attribute: AttributeName;
  readonly sensitivity: Sensitivity;
  readonly do: TransformName;
  readonly leaves: boolean;
  /** What leaves, in words. */
  readonly summary: string;
  readonly why: string;
  readonly for: readonly string[];
  /** Why something sensitive stays near to clear. */
  readonly reason: string | undefined;
}

const SCOPE_WORDS: Readonly<Record<Scope, string>> = {
  node: 'this node only',
  cohort: 'the same on all nodes of the cohort',
  fleet: 'the same on all nodes',
};

const listed = (items: readonly (string | number)[]): string =>
  items.length <= 6 ? items.join(', ') : `${items.slice(0, 4).join(', ')} and ${items.length - 4} more`;

const rangesOf = (values: Values): readonly string[] => [
  ...values.texts,
  ...values.ranges.map(([first, last]) => (first === last ? String(first) : `${first} to ${last}`)),
];

/** A span of time as a person would say it: `1 second`. */
export function spanInWords(microseconds: number): string {
  const units = [
    ['day', 8.64e10],
    ['hour', 3.6e9],
    ['minute', 6e7],
    ['second', 1e6],
    ['millisecond', 1e3],
  ] as const;
  const [name, size] = units.find(([, unit]) => microseconds % unit === 0) ?? ['microsecond', 1];
  const count = microseconds / size;
  return count === 1 ? `1 ${name}` : `${count} ${name}s`;
}

/** What a rule releases, in words. */
export function summarise(rule: Rule, epoch: Ruleset['epoch']): string {
  const joined = (of: { readonly scope: Scope; readonly forever: boolean }): string => {
    const lasting = of.forever || epoch === undefined ? 'for ever' : `per epoch of ${spanInWords(epoch.length)}`;
    return `${SCOPE_WORDS[of.scope]}, ${lasting}`;
  };
  const except = (kept: readonly string[]): string => (kept.length === 0 ? '' : `; as they are: ${listed(kept)}`);
  switch (rule.do) {
    case 'drop':
      return 'nothing';
    case 'allow':
      return `one of ${listed(rangesOf(rule.values))}; else \`other\``;
    case 'mask':
      return `text without what matches ${rule.patterns.map((pattern) => `/${pattern}/`).join(', ')}`;
    case 'pseudonym':
      return `pseudonym, ${joined(rule)}${except(rangesOf(rule.keep))}`;
    case 'prefix':
      return `pseudonymous address that keeps which share a network, ${joined(rule)}${except(rule.keep)}`;
    case 'truncate-address':
      return `the network only: first ${rule.ipv4} bits of IPv4, ${rule.ipv6} of IPv6${except(rule.keep)}`;
    case 'path':
      return `path: parts in template \`${rule.templateName}\` readable, others pseudonyms, ${joined(rule)}`;
    case 'argv':
      return `${rule.words.size} known words and options made of ${rule.options.size}; values ${rule.values === 'drop' ? 'removed' : `as pseudonyms, ${joined(rule)}`}; secrets removed`;
    case 'round':
      return `rounded to ${rule.quantum}`;
    case 'noise':
      return `rounded to ${rule.quantum}, with noise of scale ${rule.scale} that is the same for ${spanInWords(rule.window)}`;
    case 'keep':
    case 'count':
    case 'length':
      return TRANSFORMS[rule.do].brief;
  }
}

export function exposure(ruleset: Ruleset): readonly ExposureRow[] {
  return [...ruleset.events].flatMap(([event, rules]) =>
    [...rules].map(([attribute, rule]) => ({
      event,
      attribute,
      sensitivity: ATTRIBUTES[attribute].sensitivity,
      do: rule.do,
      leaves: rule.do !== 'drop',
      summary: summarise(rule, ruleset.epoch),
      why: rule.why,
      for: rule.for,
      reason: rule.reason,
    })),
  );
}
