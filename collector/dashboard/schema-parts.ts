/** What schemas of the API are made of. A property that a type gains and its schema lacks does not compile. */
import type { EventReference, Measure } from '../detectors/detector.ts';
import { SEVERITIES } from '../findings.ts';
import type { Schema } from './route.ts';

export type Properties<T> = { readonly [K in keyof Required<T>]: Schema };

/** `optional`: those that an answer may lack. */
export function object<T>(
  description: string,
  properties: Properties<T>,
  optional: readonly (keyof T & string)[] = [],
): Schema {
  const missing: readonly string[] = optional;
  const required = Object.keys(properties).filter((name) => !missing.includes(name));
  return { type: 'object', description, properties, required, additionalProperties: false };
}

export const text = (description: string): Schema => ({ type: 'string', description });
export const count = (description: string): Schema => ({ type: 'integer', minimum: 0, description });
export const amount = (description: string): Schema => ({ type: 'number', description });
export const yesNo = (description: string): Schema => ({ type: 'boolean', description });
export const moment = (description: string): Schema => ({
  type: 'integer',
  description: `${description} Microseconds since 1970, UTC.`,
});
export const listOf = (items: Schema): Schema => ({ type: 'array', items });
export const severity: Schema = { type: 'string', enum: SEVERITIES };

export const measure = object<Measure>('A number that decided, beside what is normal for it.', {
  what: text('Of what.'),
  value: amount('As it was.'),
  normal: {
    type: 'object',
    properties: { from: { type: 'number' }, to: { type: 'number' } },
    additionalProperties: false,
  },
});
export const reference = object<EventReference>('Where a released event lies.', {
  logIndex: count('Of its batch, in the log.'),
  line: count('In the batch, from 0.'),
});
