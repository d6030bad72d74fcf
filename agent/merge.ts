/** Several sources as one, each in its own order, none asked for more before what it gave was taken. Ends when the first does. */

export async function* merge<T>(main: AsyncIterable<T>, ...others: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  const sources = [main, ...others].map((source) => source[Symbol.asyncIterator]());
  const ask = async (i: number): Promise<{ i: number; result: IteratorResult<T> }> => ({
    i,
    result: (await sources[i]?.next()) ?? { done: true, value: undefined },
  });
  const asked = new Map(sources.map((_, i) => [i, ask(i)]));
  try {
    while (asked.size > 0) {
      const { i, result } = await Promise.race(asked.values());
      if (result.done === true) {
        if (i === 0) return;
        asked.delete(i);
      } else {
        yield result.value;
        asked.set(i, ask(i));
      }
    }
  } finally {
    // Not awaited: a source that waits for its next event ends by its own signal.
    for (const source of sources) void source.return?.();
  }
}
