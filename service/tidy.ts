/**
 * Gives memory back when there is little to do. V8 collects when it allocates, so what a start or a busy hour left behind stays
 * for as long as it is quiet after, which on a node is most of the time. Needs `--expose-gc`; without it nothing happens.
 */
const EVERY_MS = 60_000;

/** `done` counts work; while at most `quiet` of it is done in a minute, one collection, and the first minute in any case. */
export function keepTidy(done: () => number, quiet: number, everyMs = EVERY_MS): { end(): void } {
  let [before, isTidy, isFirst] = [done(), false, true];
  const timer = setInterval(() => {
    const now = done();
    const isQuiet = now - before <= quiet;
    before = now;
    if (isFirst || (isQuiet && !isTidy))
      void globalThis.gc?.({ type: 'major', execution: 'async', flavor: 'last-resort' });
    [isTidy, isFirst] = [isQuiet, false];
  }, everyMs);
  return { end: () => clearInterval(timer) };
}
