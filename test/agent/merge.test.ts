/** Several sources as one. */
import { expect, test, vi } from 'vitest';
import { merge } from '../../agent/merge.ts';

async function* each(items: readonly string[], atEnd?: Promise<void>): AsyncGenerator<string> {
  yield* items;
  await atEnd;
}

test('everything comes, each source in its own order', async () => {
  const all = await Array.fromAsync(merge(each(['a1', 'a2', 'a3', 'a4']), each(['b1', 'b2'])));
  expect(all.filter((one) => one.startsWith('a'))).toEqual(['a1', 'a2', 'a3', 'a4']);
  expect(all.filter((one) => one.startsWith('b'))).toEqual(['b1', 'b2'].slice(0, all.length - 4));
});

test('ends with the first source, however long the others would wait; goes on when another ends', async () => {
  const never = new Promise<void>(() => {});
  expect(await Array.fromAsync(merge(each(['a1', 'a2']), each([], never)))).toEqual(['a1', 'a2']);
  expect(await Array.fromAsync(merge(each(['a1', 'a2']), each([])))).toEqual(['a1', 'a2']);
});

test('no source is asked for more before what it gave was taken', async () => {
  let given = 0;
  async function* counting(): AsyncGenerator<number> {
    for (;;) yield ++given;
  }
  const merged = merge(counting());
  expect((await merged.next()).value).toBe(1);
  await new Promise((settle) => setImmediate(settle));
  expect(given).toBe(1);
  await merged.return(undefined);
});

test('an error of any source is an error of the whole', async () => {
  async function* broken(): AsyncGenerator<string> {
    yield 'b1';
    throw new Error('source');
  }
  const never = new Promise<void>(() => {});
  await expect(Array.fromAsync(merge(each(['a1'], never), broken()))).rejects.toThrow('source');
});

test('who says nothing is not burdened with what others say', async () => {
  const answer = new Promise<IteratorResult<number>>(() => {});
  const heard = vi.spyOn(answer, 'then');
  const silent: AsyncIterable<number> = { [Symbol.asyncIterator]: () => ({ next: () => answer }) };
  async function* counting(): AsyncGenerator<number> {
    for (let n = 0; n < 100; n++) yield n;
  }
  expect(await Array.fromAsync(merge(counting(), silent))).toHaveLength(100);
  expect(heard).toHaveBeenCalledTimes(1);
});
