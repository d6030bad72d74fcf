/** A complete ruleset in which everything is dropped but for what a test asks for, and events to try it on. */
import { ATTRIBUTES, EVENTS, isEventName, type AttributeName, type EventName } from '#protocol/vocabulary.ts';
import { compileRuleset, type PseudonymKeys } from '../../redaction-rules/compile.ts';
import { releasedOf } from '../../redaction-rules/examples.ts';
import { parseRuleset, type Ruleset } from '../../redaction-rules/ruleset.ts';

export const KEYS: PseudonymKeys = {
  node: Buffer.alloc(32, 0x11),
  cohort: Buffer.alloc(32, 0x22),
  fleet: Buffer.alloc(32, 0x33),
};

export interface Asked {
  readonly attributes?: Readonly<Partial<Record<AttributeName, Readonly<Record<string, unknown>>>>>;
  readonly events?: Readonly<Record<string, unknown>>;
  /** Anything else at the top of the file. */
  readonly top?: Readonly<Record<string, unknown>>;
}

const DROPPED = { do: 'drop', why: 'Not in this test.' };

export function smallRulesetText({ attributes = {}, events = {}, top = {} }: Asked): string {
  const rules = Object.fromEntries(Object.keys(ATTRIBUTES).map((name) => [name, DROPPED]));
  const asked = Object.entries(attributes).map(([name, rule]) => [name, { why: 'Because.', ...rule }]);
  return JSON.stringify({
    name: 'small',
    version: 1,
    role: 'generic',
    time: { resolution: '1ms', why: 'Because.' },
    ...top,
    attributes: { ...rules, ...Object.fromEntries(asked) },
    events,
  });
}

export const smallRuleset = (asked: Asked): Ruleset => parseRuleset(smallRulesetText(asked), 'small.yaml');

/** An event that carries the attribute. */
export function eventWith(attribute: AttributeName): EventName {
  const name = Object.keys(EVENTS)
    .filter(isEventName)
    .find((event) => EVENTS[event].attributes.some((carried) => carried === attribute));
  if (name === undefined) throw new Error(`no event carries ${attribute}`);
  return name;
}

/** What leaves of one attribute under one rule. */
export function transformer(
  attribute: AttributeName,
  rule: Readonly<Record<string, unknown>>,
  top: Readonly<Record<string, unknown>> = {},
): (value: unknown, time?: number) => unknown {
  const redactor = compileRuleset(smallRuleset({ attributes: { [attribute]: rule }, top }), KEYS);
  const event = eventWith(attribute);
  return (value, time) => releasedOf(redactor, event, { [attribute]: value }, time)[attribute];
}
