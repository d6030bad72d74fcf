/**
 * JSON Schema of a ruleset, for editors: `ruleset.schema.json` is what this makes, and a test compares.
 *
 * What a rule may say is asked of the same table that reads it. `parseRuleset` remains the check in force: it also knows
 * what the names mean, and where in the file a problem stands.
 */
import { ATTRIBUTES, EVENTS } from '#protocol/vocabulary.ts';
import { RANGES, type RangeName } from './address.ts';
import type { PathTemplate } from './path.ts';
import { TRANSFORMS, type ParameterReader, type Values } from './rule.ts';
import { ROLES } from './ruleset.ts';

type Schema = Readonly<Record<string, unknown>>;

const TEXT: Schema = { type: 'string', minLength: 1 };
const DURATION: Schema = { type: 'string', pattern: '^[1-9][0-9]{0,8}(us|ms|s|m|h|d)$' };
const NAMED_LIST: Schema = { anyOf: [TEXT, { type: 'array', items: { type: ['string', 'integer'] } }] };

/** Answers every question and remembers that it was asked. */
class Questions implements ParameterReader {
  readonly attribute = '';
  readonly properties: Record<string, Schema> = {};
  readonly required: string[] = [];

  #ask(name: string, needed: boolean, schema: Schema): void {
    this.properties[name] = schema;
    if (needed) this.required.push(name);
  }

  text(name: string, otherwise: string): string {
    this.#ask(name, false, TEXT);
    return otherwise;
  }
  choice<const T extends string>(name: string, of: readonly T[], otherwise?: T): T {
    this.#ask(name, otherwise === undefined, { enum: of });
    const first = of[0];
    if (first === undefined) throw new Error(`${name} has no choices`);
    return first;
  }
  integer(name: string, min: number, max: number, otherwise: number): number {
    this.#ask(name, false, { type: 'integer', minimum: min, maximum: max, default: otherwise });
    return otherwise;
  }
  number(name: string, min: number, max: number): number {
    this.#ask(name, true, { type: 'number', minimum: min, maximum: max });
    return min;
  }
  duration(name: string): number {
    this.#ask(name, true, DURATION);
    return 1;
  }
  flag(name: string): boolean {
    this.#ask(name, false, { type: 'boolean', default: false });
    return false;
  }
  values(name: string, needed: boolean): Values {
    this.#ask(name, needed, NAMED_LIST);
    return { texts: new Set(), ranges: [] };
  }
  texts(name: string, needed: boolean): ReadonlySet<string> {
    this.#ask(name, needed, NAMED_LIST);
    return new Set();
  }
  ranges(name: string): readonly RangeName[] {
    this.#ask(name, false, { type: 'array', items: { enum: Object.keys(RANGES) } });
    return [];
  }
  patterns(name: string): readonly string[] {
    this.#ask(name, true, { type: 'array', items: TEXT });
    return [];
  }
  template(name: string): { readonly name: string; readonly template: PathTemplate } {
    this.#ask(name, true, TEXT);
    return { name: '', template: { readable: [], names: new Set(), extensions: new Set() } };
  }
}

const record = (properties: Schema, required: readonly string[]): Schema => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties,
});

function ruleSchemas(): Schema {
  return Object.fromEntries(
    Object.entries(TRANSFORMS).map(([name, definition]) => {
      const questions = new Questions();
      definition.read(questions);
      const common = {
        do: { const: name },
        why: { ...TEXT, description: 'One sentence that a reviewer can weigh.' },
        for: { type: 'array', items: TEXT, description: 'Who uses it: names of `purposes`.' },
        reason: { ...TEXT, description: 'Why something sensitive stays near to clear: the name of one of `reasons`.' },
      };
      const rule = record({ ...common, ...questions.properties }, ['do', 'why', ...questions.required]);
      return [name, { description: `What leaves: ${definition.brief}.`, ...rule }];
    }),
  );
}

const values: Schema = { type: ['string', 'number', 'boolean', 'array'] };

/** Rules and examples of one event; which attributes it carries, `parseRuleset` knows. */
function eventSchema(): Schema {
  const shown: Schema = {
    type: 'object',
    propertyNames: { $ref: '#/definitions/attribute' },
    additionalProperties: values,
  };
  const never: Schema = { type: 'array', items: TEXT };
  const example = {
    ...record({ name: TEXT, in: shown, out: shown, never, sum: TEXT }, ['name', 'in']),
    oneOf: [{ required: ['out'] }, { required: ['sum'] }],
  };
  return {
    type: 'object',
    propertyNames: { anyOf: [{ const: 'examples' }, { $ref: '#/definitions/attribute' }] },
    properties: { examples: { type: 'array', items: example } },
    additionalProperties: { $ref: '#/definitions/rule' },
  };
}

function sumSchema(): Schema {
  const asked: Schema = {
    type: 'object',
    propertyNames: { $ref: '#/definitions/attribute' },
    additionalProperties: {
      anyOf: [{ const: 'any' }, { type: 'array', items: { type: ['string', 'integer', 'boolean'] } }],
    },
  };
  const size: Schema = { type: 'integer', minimum: 1, maximum: 2 ** 30 };
  const sum = record(
    {
      events: { type: 'array', items: { enum: Object.keys(EVENTS) } },
      where: asked,
      unless: asked,
      window: DURATION,
      quantum: size,
      scale: size,
      floor: size,
      why: TEXT,
      for: { type: 'array', items: TEXT },
    },
    ['events', 'where', 'window', 'quantum', 'scale', 'floor', 'why'],
  );
  return { description: 'Events that leave as one number a window.', ...sum };
}

export function rulesetSchema(): Schema {
  const rules = ruleSchemas();
  const sentences: Schema = { type: 'object', additionalProperties: TEXT };
  const list: Schema = { type: 'array', items: { type: ['string', 'integer'] } };
  const texts: Schema = { type: 'array', items: TEXT };
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'A ruleset of Hushwatch: what may leave a node of one role',
    ...record(
      {
        name: { type: 'string', pattern: '^[a-z][a-z0-9-]{0,62}$' },
        version: { type: 'integer', minimum: 1 },
        role: { enum: ROLES },
        time: record({ resolution: DURATION, why: TEXT }, ['resolution', 'why']),
        epoch: record({ length: DURATION, why: TEXT }, ['length', 'why']),
        reasons: sentences,
        purposes: sentences,
        lists: { type: 'object', additionalProperties: list },
        paths: {
          type: 'object',
          additionalProperties: record({ readable: texts, names: texts, extensions: texts }, []),
        },
        attributes: {
          type: 'object',
          propertyNames: { $ref: '#/definitions/attribute' },
          additionalProperties: { $ref: '#/definitions/rule' },
        },
        events: {
          type: 'object',
          propertyNames: { enum: Object.keys(EVENTS) },
          additionalProperties: { $ref: '#/definitions/event' },
        },
        sums: { type: 'object', additionalProperties: { $ref: '#/definitions/sum' } },
      },
      ['name', 'version', 'role', 'time', 'attributes'],
    ),
    definitions: {
      attribute: { enum: Object.keys(ATTRIBUTES) },
      event: eventSchema(),
      sum: sumSchema(),
      rule: { oneOf: Object.keys(rules).map((name) => ({ $ref: `#/definitions/${name}` })) },
      ...rules,
    },
  };
}
