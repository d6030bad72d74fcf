/** A stream in pieces: nothing is lost between them, nothing comes twice, whenever it is cut. */
import fc from 'fast-check';
import { setImmediate as breathe } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Pieces } from '../../agent/pieces.ts';

async function* upTo(count: number): AsyncGenerator<number> {
  for (let i = 0; i < count; i++) {
    if (i % 3 === 0) await breathe();
    yield i;
  }
}

async function readAll(pieces: Pieces<number>, cutAfter: readonly number[]): Promise<readonly (readonly number[])[]> {
  const read: number[][] = [];
  let seen = 0;
  while (!pieces.isOver) {
    const piece: number[] = [];
    for await (const each of pieces.piece()) {
      piece.push(each);
      seen += 1;
      if (cutAfter.includes(seen)) pieces.cut();
    }
    read.push(piece);
  }
  return read;
}

test('wherever it is cut, what comes is the stream', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(20), fc.array(fc.nat(20)), async (count, cuts) => {
      const read = await readAll(new Pieces(upTo(count)), cuts);
      expect(read.flat()).toEqual(Array.from({ length: count }, (_, i) => i));
      expect(read.length).toBe(new Set(cuts.filter((at) => at > 0 && at <= count)).size + 1);
    }),
  );
});

test('a piece ends while its stream is silent, and what comes then is of the next', async () => {
  const speaks = Promise.withResolvers<void>();
  const pieces = new Pieces(
    (async function* () {
      await speaks.promise;
      yield 'late';
    })(),
  );
  const first = pieces.piece('first');
  expect(await first.next()).toEqual({ done: false, value: 'first' });
  const end = first.next();
  pieces.cut();
  expect(await end).toEqual({ done: true, value: undefined });
  speaks.resolve();
  const second = pieces.piece();
  expect(await second.next()).toEqual({ done: false, value: 'late' });
  expect(await second.next()).toEqual({ done: true, value: undefined });
  expect(pieces.isOver).toBe(true);
});

test('what breaks the stream breaks the piece', async () => {
  const pieces = new Pieces(
    (async function* () {
      yield 1;
      throw new Error('broken');
    })(),
  );
  await expect(readAll(pieces, [])).rejects.toThrow('broken');
});
