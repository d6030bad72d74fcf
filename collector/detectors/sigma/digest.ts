/** Names what a rule means: two documents with one digest match the same and say the same, wherever they stand. */
import { createHash } from 'node:crypto';
import type { Mapping } from './mapping.ts';
import type { SigmaCorrelation, SigmaRule } from './rule.ts';

/** SHA-256, hex. For a rule, the filters that narrow it are part of it. */
export const digestOf = (document: SigmaRule | SigmaCorrelation): string => hashOf({ ...document, file: '', line: 0 });

export const mappingDigest = (mapping: Mapping): string => hashOf(mapping);

const hashOf = (value: unknown): string => createHash('sha256').update(spelled(value)).digest('hex');

/** One spelling for each value: JSON, with the names of objects in order and with what JSON does not know. */
export function spelled(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === 'bigint') return { bigint: String(each) };
    if (each instanceof RegExp) return { regex: String(each) };
    if (each instanceof Map) return { map: [...each] };
    if (each instanceof Set) return { set: [...each] };
    if (each === null || typeof each !== 'object' || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}
