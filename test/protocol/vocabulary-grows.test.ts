/**
 * Vocabularies only grow: what was released under a former one must be read for ever as it was meant. `vocabulary.json` is the
 * first one; before its release it may be made anew (delete it, run `node test/vectors/make.ts`), after that it never changes.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SOURCES, PLACES, STATEMENT_HEADERS } from '#protocol/statement.ts';
import { CLASSES, EVENTS } from '#protocol/vocabulary.ts';
import { vocabularyShape, type VocabularyShape } from '../vectors/vocabulary-shape.ts';

const former: VocabularyShape = JSON.parse(
  readFileSync(new URL('../vectors/vocabulary.json', import.meta.url), 'utf8'),
);
const now = vocabularyShape();

test('no attribute is gone or of another type', () => {
  expect(now.attributes).toMatchObject(former.attributes);
});

test('no event is gone, counted in another class, or without an attribute that it had, in its order', () => {
  for (const [name, [eventClass, ...attributes]] of Object.entries(former.events)) {
    const [nowClass, ...rest] = now.events[name] ?? [];
    expect(nowClass, name).toBe(eventClass);
    expect(
      rest.filter((each) => attributes.includes(each)),
      name,
    ).toEqual(attributes);
  }
});

test('what a statement may name belongs to its version', () => {
  // Another class, source or place is for the next version of the statement: a reader of this one would take it for a mistake.
  expect(STATEMENT_HEADERS).toHaveLength(2);
  expect([CLASSES, SOURCES, PLACES]).toEqual([former.classes, former.sources, former.places]);
  expect(Object.values(EVENTS).every((event) => CLASSES.includes(event.class))).toBe(true);
});
