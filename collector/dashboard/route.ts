/**
 * What a route is. The table in `routes.ts` is made of these; the server answers from it, the OpenAPI document is written from it,
 * and the test of roles walks it. So a route says everything about itself, and nothing is reachable that is not declared:
 *
 *     route(
 *       {
 *         ...{ method: 'GET', path: '/api/v1/stories/{id}', roles: WATCHES, operation: 'getStory' },
 *         about: 'One story.',
 *         parameters: { id: { ...IDENTIFIER, description: 'Of the story.' } },
 *         answer: { $ref: '#/components/schemas/Story' },
 *       },
 *       ({ view, parameters }) => ({ json: found(view.story(parameters.id), 'no such story') }),
 *     )
 *
 * Braces name a parameter of the path, whose `pattern` decides what the path matches; all others come from the query. They and the body
 * are checked by ajv before the handler sees them, and have the types that their schemas say. A POST that a role may do has a `reason`,
 * is checked to come from this site or with a token, and is recorded before it is done: who, what, about what, why.
 */
import type { ServerResponse } from 'node:http';
import { Ajv, type ValidateFunction } from 'ajv';
import type { StateView } from '../view.ts';
import type { Access, Caller } from './access.ts';
import type { Page } from './frame.ts';
import type { Html } from './html.ts';
import type { Live } from './live.ts';
import type { AccessRole } from './roles.ts';

/** A JSON Schema, as the OpenAPI document shows it. */
export type Schema = Readonly<Record<string, unknown>>;

/** One value of a path, a query or a body. What is not `optional` must be there, unless it has a default. */
export interface Field {
  readonly type: 'string' | 'integer' | 'boolean';
  readonly description: string;
  readonly optional?: true;
  readonly default?: string | number | boolean;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}
export type Fields = Readonly<Record<string, Field>>;

type ValueOf<F extends Field> = F extends { readonly enum: readonly (infer E)[] }
  ? E
  : F['type'] extends 'integer'
    ? number
    : F['type'] extends 'boolean'
      ? boolean
      : string;
export type Values<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends { readonly optional: true } ? ValueOf<F[K]> | undefined : ValueOf<F[K]>;
};

export type Answer = { readonly status?: number; readonly cookie?: string } & (
  | { readonly page: Page }
  /** A document without the frame of pages. */
  | { readonly html: Html }
  | { readonly json: unknown }
  | { readonly text: string | Uint8Array; readonly type?: string; readonly cache?: string }
  | { readonly stream: (response: ServerResponse) => void }
  | { readonly seeOther: string }
  | { readonly nothing: true }
);

/** Who asks, and what can be asked. */
export interface Asked {
  readonly view: StateView;
  readonly live: Live;
  readonly access: Access;
  /** Absent only on routes for anyone. */
  readonly caller: Caller | undefined;
  /** Whether it would be let in now: for an answer that goes on. */
  readonly mayStill: () => boolean;
  /** µs. */
  readonly now: number;
}

export interface Declared<P extends Fields, B extends Fields> {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** One of these is enough. `anyone` needs no log-in: what is needed to log in, and nothing that the state holds. */
  readonly roles: readonly AccessRole[] | 'anyone';
  readonly about: string;
  /** Name in the OpenAPI document; pages have none. */
  readonly operation?: string;
  readonly parameters?: P;
  readonly body?: B;
  /** How a body comes: from programs, or from a form of a page, which works without scripts. */
  readonly takes?: 'json' | 'form';
  /** Of the JSON that is answered. */
  readonly answer?: Schema;
}

export interface Route extends Declared<Fields, Fields> {
  /** Whether the path is meant, and what stands between the braces. */
  readonly match: (pathname: string) => Readonly<Record<string, string>> | undefined;
  /** Takes what came, unchecked. Throws {@link Refused}. */
  readonly handle: (asked: Asked, sent: Sent) => Answer | Promise<Answer>;
}

export interface Sent {
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  /** Called once everything is checked, before anything is done. */
  readonly record: (reason: string) => void;
}

/** Told to whoever asked, as a page or as `{ error }`. Holds no value of an event. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What is there, or a 404. */
export function found<T>(value: T | undefined, otherwise: string): T {
  if (value === undefined) throw new Refused(404, otherwise);
  return value;
}

// Queries and forms know texts only: `7` becomes a number where one is wanted.
const FROM_TEXT = new Ajv({ coerceTypes: true, useDefaults: true, allErrors: true });
const FROM_JSON = new Ajv({ useDefaults: true, allErrors: true });
const NONE = {};

export function route<const P extends Fields = typeof NONE, const B extends Fields = typeof NONE>(
  declared: Declared<P, B>,
  handle: (asked: Asked & { readonly parameters: Values<P>; readonly body: Values<B> }) => Answer | Promise<Answer>,
): Route {
  const parametersOf = reader<P>(FROM_TEXT, declared.parameters ?? NONE);
  const bodyOf = reader<B>(declared.takes === 'form' ? FROM_TEXT : FROM_JSON, declared.body ?? NONE);
  return {
    ...declared,
    match: matcher(declared.path, declared.parameters ?? NONE),
    handle: (asked, sent) => {
      const parameters = parametersOf(sent.parameters);
      const body = bodyOf(sent.body ?? {});
      const reason: unknown = Object.getOwnPropertyDescriptor(body, 'reason')?.value;
      sent.record(typeof reason === 'string' ? reason : '');
      return handle({ ...asked, parameters, body });
    },
  };
}

/** Compiled when first needed: commands that never serve should not wait for it. */
function reader<F extends Fields>(ajv: Ajv, fields: Fields): (value: unknown) => Values<F> {
  let validate: ValidateFunction<Values<F>> | undefined;
  return (value) => {
    validate ??= ajv.compile<Values<F>>(objectOf(fields));
    if (validate(value)) return value;
    const problems = (validate.errors ?? []).map(
      ({ instancePath, message, params }) =>
        `${instancePath.slice(1) || 'it'} ${message ?? 'is wrong'}${typeof params['additionalProperty'] === 'string' ? `, such as ${params['additionalProperty'].slice(0, 40)}` : ''}`,
    );
    throw new Refused(400, problems.slice(0, 5).join('; '));
  };
}

/** As JSON Schema says it, which knows no `optional`. */
export function schemaOf(field: Field): Schema {
  return Object.fromEntries(Object.entries(field).filter(([keyword]) => keyword !== 'optional'));
}

export function objectOf(fields: Fields): Schema {
  const isNeeded = ([, field]: readonly [string, Field]): boolean => !field.optional && field.default === undefined;
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, schemaOf(field)])),
    required: Object.entries(fields)
      .filter(isNeeded)
      .map(([name]) => name),
    additionalProperties: false,
  };
}

export const inPath = (path: string): readonly string[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);

function matcher(path: string, fields: Fields): Route['match'] {
  const pattern = path
    .split(/\{(\w+)\}/)
    .map((part, at) => (at % 2 === 0 ? literally(part) : `(?<${part}>${segment(fields[part], path)})`))
    .join('');
  const whole = new RegExp(`^${pattern}$`);
  return (pathname) => {
    const match = whole.exec(pathname);
    return match === null ? undefined : { ...match.groups };
  };
}

const literally = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

function segment(field: Field | undefined, path: string): string {
  if (field?.enum !== undefined) return field.enum.map(literally).join('|');
  if (field?.pattern === undefined) throw new Error(`${path}: what stands in a path has a pattern`);
  return field.pattern.replace(/^\^/, '').replace(/\$$/, '');
}
