/** What of the vocabulary a reader depends on: names, types, classes and orders, without the words that explain them. */
import { PLACES, SOURCES } from '#protocol/statement.ts';
import { ATTRIBUTES, CLASSES, EVENTS } from '#protocol/vocabulary.ts';

export interface VocabularyShape {
  readonly classes: readonly string[];
  readonly sources: readonly string[];
  readonly places: readonly string[];
  /** Types by name. */
  readonly attributes: Readonly<Record<string, string>>;
  /** By name: the class, then the attributes in their order. */
  readonly events: Readonly<Record<string, readonly string[]>>;
}

export function vocabularyShape(): VocabularyShape {
  return {
    classes: CLASSES,
    sources: SOURCES,
    places: PLACES,
    attributes: Object.fromEntries(Object.entries(ATTRIBUTES).map(([name, { type }]) => [name, type])),
    events: Object.fromEntries(
      Object.entries(EVENTS).map(([name, event]) => [name, [event.class, ...event.attributes]]),
    ),
  };
}
