/**
 * Gives memory back when there is little to do. V8 collects when it allocates, so what a start or a busy hour left behind stays
 * for as long as it is quiet after, which on a node is most of the time. Needs `--expose-gc`; without it nothing happens.
 */
const EVERY_MS = 60_000;
/** A little, all the time, fills a heap too: while it stays quiet, once in so many minutes. */
const AGAIN = 10;

/** `done` counts work. A collection after the first minute, after each in which it grew quiet (at most `quiet` was done), and every ten while it is. */
export function keepTidy(done: () => number, quiet: number, everyMs = EVERY_MS): { end(): void } {
  let [before, quietFor, isFirst] = [done(), 0, true];
  const timer = setInterval(() => {
    const now = done();
    quietFor = now - before <= quiet ? quietFor + 1 : 0;
    if (isFirst || quietFor % AGAIN === 1)
      void globalThis.gc?.({ type: 'major', execution: 'async', flavor: 'last-resort' });
    [before, isFirst] = [now, false];
  }, everyMs);
  return { end: () => clearInterval(timer) };
}
