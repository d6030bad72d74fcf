/** What may be different between two rulesets, and how it is told. */
import type { AttributeName, EventName } from '#protocol/vocabulary.ts';

export const CHANGES = [
  'newly leaves',
  'more precise',
  'told differently',
  'joins more',
  'joins less',
  'less precise',
  'no longer leaves',
] as const;
export type Change = (typeof CHANGES)[number];

/** The changes that a reviewer has to argue about: after them somebody may learn something that nobody could before. */
export const WIDENING: ReadonlySet<Change> = new Set([
  'newly leaves',
  'more precise',
  'told differently',
  'joins more',
]);

export interface DiffRow {
  readonly change: Change;
  readonly attribute: AttributeName;
  readonly events: readonly EventName[];
  /** What is different, in words. */
  readonly what: string;
  readonly example: { readonly in: unknown; readonly before: unknown; readonly after: unknown };
}
