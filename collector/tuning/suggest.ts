/**
 * A Sigma filter that would have kept one false alarm quiet, as narrow as the released event allows: every attribute that tells who
 * did what to which object must be the same again. Refused when it would also hide what somebody marked as true, or what the
 * rule's own examples say must be found.
 */
import { stringify } from 'yaml';
import type { Value } from '#protocol/vocabulary.ts';
import type { ReleasedRecord } from '../detectors/detector.ts';
import type { SigmaRule } from '../detectors/sigma/rule.ts';

/** Who, and what. In this order they stand in the filter. Numbers of processes and times never come back. */
const TELLING = [
  'process.executable.path',
  'process.parent.executable.path',
  'process.user.name',
  'file.path',
  'file.target.path',
  'network.peer.address',
  'network.peer.port',
  'network.local.port',
  'dns.question.name',
  'systemd.unit',
  'user.name',
] as const;

export interface Asked {
  readonly rule: Pick<SigmaRule, 'id' | 'title' | 'logsource'>;
  /** The event that made the alert. */
  readonly event: ReleasedRecord;
  /** Events of the same rule in stories that were marked true, and the rule's examples. */
  readonly mustAlert: readonly {
    readonly where: string;
    readonly attributes: Readonly<Record<string, Value | undefined>>;
  }[];
  readonly id: string;
  readonly author: string;
}

export type Suggestion =
  | { readonly filter: string }
  /** Why there is none. */
  | { readonly refused: string };

export function suggest({ rule, event, mustAlert, id, author }: Asked): Suggestion {
  const selection = new Map<string, Value>();
  // Where the rule ran before redaction, so will its filter: a pseudonym would never be found there.
  const matched = event['detection.rules'];
  const ranOnNode = Array.isArray(matched) && matched.includes(rule.id);
  for (const name of TELLING) {
    const value = event[name];
    if (value !== undefined && !(ranOnNode && isPseudonym(value))) selection.set(name, value);
  }
  if (selection.size < 2)
    return {
      refused: 'too little of the event leaves the node to tell it from others; change the rule itself, or its level',
    };
  const hidden = mustAlert.filter(({ attributes }) =>
    [...selection].every(([name, value]) => attributes[name] === value),
  );
  if (hidden.length > 0)
    return { refused: `it would also hide what must be found: ${hidden.map(({ where }) => where).join(', ')}` };
  const pseudonyms = [...selection.values()].filter(isPseudonym);
  const filter = {
    title: `Not: ${rule.title}`,
    id,
    description: `Suggested for a false alarm of ${new Date(event.time / 1_000).toISOString()}.${pseudonyms.length > 0 ? ' Pseudonyms change with their epoch: then this no longer holds.' : ''}`,
    author,
    logsource: Object.fromEntries(Object.entries(rule.logsource).filter(([, value]) => typeof value === 'string')),
    filter: { rules: [rule.id], selection: Object.fromEntries(selection), condition: 'not selection' },
  };
  return { filter: stringify(filter) };
}

const isPseudonym = (value: Value): boolean => typeof value === 'string' && /(?:^|\/|\.)p-[a-z2-7]/.test(value);
