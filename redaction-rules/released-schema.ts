/**
 * What may come out under a ruleset: the other half of redaction, for a collector that trusts no sender.
 *
 * `compileReleasedValidator` is the check in force. It knows the templates and lists of the ruleset: a path or a command
 * line is accepted only if redacting it again, pseudonyms let through, changes nothing. `releasedSchema` says the
 * same as JSON Schema as far as JSON Schema can; whatever the validator accepts, the schema accepts.
 */
import {
  ATTRIBUTES,
  EVENTS,
  isAttributeName,
  isEventName,
  type AttributeName,
  type EventName,
  type ValueType,
} from '#protocol/vocabulary.ts';
import { formatAddress, parseAddress } from './address.ts';
import { isRedacted } from './argv.ts';
import { NUMBER_PSEUDONYM_MAX, NUMBER_PSEUDONYM_MIN } from './keys.ts';
import { compilePath } from './path.ts';
import { holds, type Rule, type Values } from './rule.ts';
import type { Ruleset } from './ruleset.ts';
import { GONE, isPlainName } from './shapes.ts';
import { spell } from './spelling.ts';
import { accountsOf, holderOf, mayBeTold, type SumAccount } from './sums.ts';
import {
  addressTest,
  argvCheck,
  letThrough,
  MAPPED,
  MAX_ITEMS,
  MAX_TEXT,
  pseudonymTest,
  roundTo,
} from './transform.ts';

type Schema = Readonly<Record<string, unknown>>;
type Accepts = (value: unknown) => boolean;

interface Form {
  readonly schema: Schema;
  readonly accepts: Accepts;
}

const text = (accepts: (text: string) => boolean, schema: Schema = {}): Form => ({
  schema: { type: 'string', maxLength: MAX_TEXT + 1, ...schema },
  accepts: (value) => typeof value === 'string' && accepts(value),
});

const number = (isInteger: boolean, accepts: (value: number) => boolean, schema: Schema = {}): Form => ({
  schema: { type: isInteger ? 'integer' : 'number', ...schema },
  accepts: (value) =>
    typeof value === 'number' && (isInteger ? Number.isSafeInteger(value) : Number.isFinite(value)) && accepts(value),
});

const listOf = (form: Form, items = MAX_ITEMS): Form => ({
  schema: { type: 'array', maxItems: items, items: form.schema },
  accepts: (value) => Array.isArray(value) && value.length <= items && value.every((item) => form.accepts(item)),
});

const count = number(true, (value) => value >= 0, { minimum: 0 });
const anything = (): boolean => true;

const isShort = (value: string): boolean =>
  value.length <= MAX_TEXT || (value.length === MAX_TEXT + 1 && value.endsWith(GONE));

function networkTest(bits4: number, bits6: number): (value: string) => boolean {
  return (value) => {
    const [plain = '', bits = ''] = value.split('/');
    const address = parseAddress(plain);
    if (address === undefined || formatAddress(address) !== plain) return false;
    return bits === String(address.length === 4 ? bits4 : bits6) && value === `${plain}/${bits}`;
  };
}

function pathForm(rule: Extract<Rule, { do: 'path' }>): Form {
  const template = compilePath(rule.template);
  const hidden = letThrough(pseudonymTest(rule.length));
  const writer = { plain: isPlainName, pseudonym: hidden, user: hidden };
  return text((value) => template(value, writer) === value, { maxLength: 16_384 });
}

function argvForm(rule: Extract<Rule, { do: 'argv' }>): Form {
  const check = argvCheck(rule);
  return {
    schema: { type: 'array', maxItems: MAX_ITEMS + 1, items: { type: 'string', maxLength: 16_384 } },
    accepts: (value) => {
      if (!Array.isArray(value) || value.length > MAX_ITEMS + 1) return false;
      const items: readonly unknown[] = value;
      const texts = items.filter((item) => typeof item === 'string');
      return texts.length === items.length && isRedacted(texts, check);
    },
  };
}

const rangesSchema = (values: Values): readonly Schema[] =>
  values.ranges.map(([minimum, maximum]) => ({ minimum, maximum }));

function formOf(rule: Rule, type: ValueType): Form | undefined {
  const perItem = (form: Form): Form => (type === 'string[]' ? listOf(form) : form);
  const isInteger = type === 'int';
  switch (rule.do) {
    case 'drop':
      return undefined;
    case 'keep':
      if (type === 'boolean') return { schema: { type: 'boolean' }, accepts: (value) => typeof value === 'boolean' };
      return type === 'int' || type === 'double' ? number(isInteger, anything) : perItem(text(isShort));
    case 'allow':
      return isInteger
        ? number(true, (value) => holds(rule.values, value), { anyOf: rangesSchema(rule.values) })
        : perItem(
            text((value) => value === 'other' || holds(rule.values, value), {
              enum: [...new Set([...rule.values.texts, 'other'])],
            }),
          );
    case 'mask':
      // What stands in for a long match is longer than a short one.
      return perItem(text((value) => value.length <= 2 * MAX_TEXT + 1, { maxLength: 2 * MAX_TEXT + 1 }));
    case 'pseudonym': {
      if (isInteger) {
        const isPseudonym = (value: number): boolean => value >= NUMBER_PSEUDONYM_MIN && value <= NUMBER_PSEUDONYM_MAX;
        const pseudonyms = { minimum: NUMBER_PSEUDONYM_MIN, maximum: NUMBER_PSEUDONYM_MAX };
        return number(true, (value) => holds(rule.keep, value) || isPseudonym(value), {
          anyOf: [...rangesSchema(rule.keep), pseudonyms],
        });
      }
      const isPseudonym = pseudonymTest(rule.length);
      return perItem(
        text((value) => value === '' || holds(rule.keep, value) || isPseudonym(value), {
          anyOf: [{ enum: ['', ...rule.keep.texts] }, { pattern: `^p-[a-z2-7]{${rule.length}}$` }],
        }),
      );
    }
    case 'prefix':
      return perItem(text(addressTest(rule.keep), { pattern: '^(?:p-)?[0-9a-f.:]{2,45}$' }));
    case 'truncate-address': {
      const isNetwork = networkTest(rule.ipv4, rule.ipv6);
      const isAddress = addressTest(rule.keep);
      return perItem(
        text((value) => isNetwork(value) || (!value.startsWith(MAPPED) && isAddress(value)), {
          pattern: '^[0-9a-f.:]{2,45}(?:/[0-9]{1,3})?$',
        }),
      );
    }
    case 'path':
      return perItem(pathForm(rule));
    case 'argv':
      return argvForm(rule);
    case 'round':
      return number(isInteger, (value) => roundTo(value, rule.quantum) === value);
    case 'noise':
      return number(isInteger, (value) => value >= 0 && roundTo(value, rule.quantum) === value, { minimum: 0 });
    case 'count':
    case 'length':
      return count;
  }
}

/** JSON Schema of one released line. */
export function releasedSchema(ruleset: Ruleset): object {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: `Released under ${ruleset.name} ${ruleset.version}`,
    type: 'object',
    required: ['event', 'time'],
    oneOf: [...ruleset.events].map(([name, rules]) => ({
      type: 'object',
      additionalProperties: false,
      properties: {
        event: { const: name },
        time: { type: 'integer', minimum: 0, multipleOf: ruleset.time.resolution },
        ...Object.fromEntries(
          [...rules].flatMap(([attribute, rule]) => {
            const form = formOf(rule, ATTRIBUTES[attribute].type);
            return form === undefined ? [] : [[attribute, form.schema]];
          }),
        ),
      },
    })),
  };
}

export interface ReleasedProblem {
  /** `event`, `time` or the name of an attribute; a name outside the vocabulary is not repeated. */
  readonly attribute: string;
  readonly problem: string;
}

export type ReleasedValidator = (line: unknown) => undefined | ReleasedProblem;

interface EventForm {
  /** Place of each attribute in the line. */
  readonly order: ReadonlyMap<string, number>;
  readonly accepts: ReadonlyMap<string, Accepts>;
}

function eventForms(ruleset: Ruleset): ReadonlyMap<EventName, EventForm> {
  const forms = new Map<Rule, Map<AttributeName, Form | undefined>>();
  const shared = (rule: Rule, attribute: AttributeName): Form | undefined => {
    const known = forms.get(rule) ?? new Map<AttributeName, Form | undefined>();
    forms.set(rule, known);
    if (!known.has(attribute)) known.set(attribute, formOf(rule, ATTRIBUTES[attribute].type));
    return known.get(attribute);
  };
  return new Map(
    [...ruleset.events].map(([name, rules]) => {
      const accepts = new Map<string, Accepts>();
      for (const [attribute, rule] of rules) {
        const form = shared(rule, attribute);
        if (form !== undefined) accepts.set(attribute, form.accepts);
      }
      return [name, { order: new Map(EVENTS[name].attributes.map((attribute, at) => [attribute, at])), accepts }];
    }),
  );
}

/**
 * The check of one released line, parsed or as text. A text must also be the one spelling of what it says: no spaces,
 * no key twice, nothing beyond ASCII. The answer names the attribute and never repeats a value.
 */
export function compileReleasedValidator(ruleset: Ruleset): ReleasedValidator {
  const forms = eventForms(ruleset);
  const checkSums = compileSumCheck(ruleset);
  const check = (line: unknown): undefined | ReleasedProblem =>
    checkLine(line, forms, ruleset.time.resolution) ?? checkSums(line);
  return (line) => {
    if (typeof line !== 'string') return check(line);
    const parsed = parseLine(line);
    if (parsed === undefined) return { attribute: 'event', problem: 'not the one spelling of a JSON object' };
    return check(parsed);
  };
}

function parseLine(line: string): unknown {
  try {
    const parsed: unknown = JSON.parse(line);
    return spell(parsed) === line ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function checkLine(
  line: unknown,
  forms: ReadonlyMap<EventName, EventForm>,
  resolution: number,
): undefined | ReleasedProblem {
  if (typeof line !== 'object' || line === null || Array.isArray(line)) {
    return { attribute: 'event', problem: 'not an object' };
  }
  const [event, time, ...attributes] = Object.entries(line);
  const name: unknown = event?.[1];
  const form = typeof name === 'string' && isEventName(name) ? forms.get(name) : undefined;
  if (event?.[0] !== 'event' || form === undefined)
    return { attribute: 'event', problem: 'not an event of the vocabulary' };
  const at: unknown = time?.[1];
  if (time?.[0] !== 'time' || typeof at !== 'number' || !Number.isSafeInteger(at) || at < 0 || at % resolution !== 0) {
    return { attribute: 'time', problem: 'not a time of the resolution that the ruleset allows' };
  }
  let place = -1;
  for (const [attribute, value] of attributes) {
    const known = isAttributeName(attribute) ? attribute : 'an attribute outside the vocabulary';
    const next = form.order.get(attribute);
    const accepts = form.accepts.get(attribute);
    if (next === undefined) return { attribute: known, problem: 'not an attribute of this event' };
    if (accepts === undefined) return { attribute: known, problem: 'the ruleset does not release it' };
    if (next <= place) return { attribute: known, problem: 'out of order' };
    if (!accepts(value)) return { attribute: known, problem: 'not in the form that the ruleset releases' };
    place = next;
  }
  return undefined;
}

/** Of a line in the right form: that no rule says it must be part of a sum, and that a sum tells what it may. */
function compileSumCheck(ruleset: Ruleset): (line: unknown) => undefined | ReleasedProblem {
  if (ruleset.sums.length === 0) return () => undefined;
  const holder = holderOf(ruleset.sums);
  const accounts = new Map(accountsOf(ruleset.sums).map((account) => [`${account.sum}\n${account.of}`, account]));
  return (line) => {
    if (typeof line !== 'object' || line === null || !('event' in line)) return undefined;
    const attributes: Readonly<Record<string, unknown>> = { ...line };
    if (line.event === 'hushwatch.sum') return checkSum(attributes, accounts);
    const isHeld = holder(String(line.event), attributes) !== undefined;
    if (!isHeld || attributes['detection.rules'] !== undefined) return undefined;
    return { attribute: 'event', problem: 'an event that the ruleset releases in a sum only' };
  };
}

function checkSum(
  line: Readonly<Record<string, unknown>>,
  accounts: ReadonlyMap<string, SumAccount>,
): undefined | ReleasedProblem {
  const {
    'hushwatch.sum.name': sum,
    'hushwatch.sum.of': of,
    'hushwatch.sum.count': n,
    'hushwatch.sum.duration': duration,
  } = line;
  const account = accounts.get(`${String(sum)}\n${String(of)}`);
  if (account === undefined) return { attribute: 'hushwatch.sum.of', problem: 'not what the ruleset sums' };
  const whole = (value: unknown, unit: number): boolean => typeof value === 'number' && value % unit === 0;
  if (typeof n !== 'number' || !mayBeTold(account, n))
    return { attribute: 'hushwatch.sum.count', problem: 'finer, or fewer, than the ruleset lets a sum tell' };
  if (!whole(duration, account.window / 1_000_000) || !whole(line['time'], account.window))
    return { attribute: 'hushwatch.sum.duration', problem: 'not whole windows' };
  return undefined;
}
