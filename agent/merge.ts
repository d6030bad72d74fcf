/** Several sources as one, each in its own order, none asked for more before what it gave was taken. Ends when the first does. */

export async function* merge<T>(main: AsyncIterable<T>, ...others: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  const sources = [main, ...others].map((source) => source[Symbol.asyncIterator]());
  const arrived: { readonly source: AsyncIterator<T>; readonly answer: Promise<IteratorResult<T>> }[] = [];
  let arrival = Promise.withResolvers<void>();
  // Not a race of all answers: whoever has nothing to say for hours would remember every race that was run meanwhile.
  const ask = (source: AsyncIterator<T>): void => {
    const answer = source.next();
    const arrive = (): void => {
      arrived.push({ source, answer });
      arrival.resolve();
    };
    answer.then(arrive, arrive);
  };
  sources.forEach(ask);
  try {
    for (;;) {
      const first = arrived.shift();
      if (first === undefined) {
        await arrival.promise;
        arrival = Promise.withResolvers();
        continue;
      }
      const { done, value } = await first.answer;
      if (done !== true) {
        yield value;
        ask(first.source);
      } else if (first.source === sources[0]) return;
    }
  } finally {
    // Not awaited: a source that waits for its next event ends by its own signal.
    for (const source of sources) void source.return?.();
  }
}
