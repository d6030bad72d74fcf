/** Look-ups of our own say what Map and Set say, and remembering changes nothing but the time it takes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { oneOf, ownCopy, remembering, Seen, TextCache, TextMap } from '../../redaction-rules/texts.ts';

/** Few enough that they come again, some that differ only in the middle, some that are very long. */
const text = fc.oneof(
  fc.string({ maxLength: 3, unit: fc.constantFrom('a', 'b', 'é', '\ud800', '\0') }),
  fc.nat(40).map((n) => `${'/home/somebody/projects/'}${n}${'/target/release/deps/build-script.d'}`),
  fc.nat(3).map((n) => `${n}`.repeat(600)),
);

test('a map of texts is a Map', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text, fc.nat())), fc.array(text), (entries, asked) => {
      const [ours, theirs] = [new TextMap<number>(), new Map(entries)];
      for (const [key, meaning] of entries) ours.set(key, meaning);
      for (const key of [...asked, ...theirs.keys()]) expect(ours.get(key)).toBe(theirs.get(key));
    }),
  );
});

test('one of a list is one of the list', () => {
  fc.assert(
    fc.property(fc.array(text), fc.array(text), (list, asked) => {
      const isListed = oneOf(new Set(list));
      for (const one of [...list, ...asked]) expect(isListed(one)).toBe(list.includes(one));
    }),
  );
});

test('a cache of texts never says anything but what was said last', () => {
  const deed = fc.record({ key: text, meaning: fc.option(fc.nat(), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 100 }), fc.array(text), (deeds, asked) => {
      const [cache, all] = [new TextCache<number>(16), new Map<string, number>()];
      for (const { key, meaning } of deeds) {
        if (meaning === undefined) {
          cache.delete(key);
          all.delete(key);
          expect(cache.get(key)).toBeUndefined();
        } else {
          cache.set(key, meaning);
          all.set(key, meaning);
          expect(cache.get(key)).toBe(meaning);
        }
        for (const one of [...asked, ...all.keys()]) expect([undefined, all.get(one)]).toContain(cache.get(one));
      }
    }),
  );
});

describe('remembering', () => {
  test('gives what the work gives, however few places there are', () => {
    fc.assert(
      fc.property(fc.constantFrom(8, 64), fc.array(text, { maxLength: 200 }), (size, asked) => {
        const remembered = remembering(size, (one) => `<${one}>`);
        for (const one of asked) expect(remembered(one)).toBe(`<${one}>`);
      }),
    );
  });

  test('works out what comes once, works out the second time for good, and long texts always', () => {
    let worked = 0;
    const remembered = remembering(16, (one) => {
      worked++;
      return one.length;
    });
    for (let i = 0; i < 5; i++) remembered('/usr/bin/env');
    expect(worked).toBe(2);
    for (let i = 0; i < 5; i++) remembered('x'.repeat(513));
    expect(worked).toBe(7);
  });

  test('forgets what does not fit', () => {
    let worked = 0;
    const remembered = remembering(8, (one) => {
      worked++;
      return one;
    });
    for (let round = 0; round < 3; round++)
      for (let i = 0; i < 100; i++) for (const _ of [1, 2]) remembered(`text-${i}`);
    expect(worked).toBeGreaterThan(300);
  });
});

test('marks that come in turns and share a place are both seen again', () => {
  const seen = new Seen(8);
  const again = new Set<number>();
  for (let round = 0; round < 20; round++) for (const mark of [1, 9]) if (seen.again(mark)) again.add(mark);
  expect([...again].toSorted((a, b) => a - b)).toEqual([1, 9]);
  expect(seen.again(2)).toBe(false);
});

test('a copy is the same text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (one) => {
      expect(ownCopy(one)).toBe(one);
    }),
  );
});
