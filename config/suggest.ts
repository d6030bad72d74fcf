/** For a word that nobody knows: the known one that is the fewest slips of the pen away, or that begins with it. */

const MAX_LENGTH = 64;
const MAX_SLIPS = 2;
/** So much of a word says which is meant. */
const LEAST_BEGINNING = 3;

/** `; did you mean `x`?`, or nothing when no known word is near. */
export function didYouMean(word: string, known: Iterable<string>): string {
  let best: string | undefined;
  let least = Math.min(MAX_SLIPS, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const slips = slipsBetween(word.toLowerCase(), candidate.toLowerCase(), least);
    if (slips >= least) continue;
    least = slips;
    best = candidate;
  }
  best ??= begun(word, known);
  return best === undefined ? '' : `; did you mean \`${best}\`?`;
}

/** The one word that begins so, or that this one begins with. */
function begun(word: string, known: Iterable<string>): string | undefined {
  if (word.length < LEAST_BEGINNING || word.length > MAX_LENGTH) return undefined;
  const near = [...known].filter(
    (one) => one.startsWith(word) || (one.length >= LEAST_BEGINNING && word.startsWith(one)),
  );
  return near.length === 1 ? near[0] : undefined;
}

/** Letters to insert, leave out, replace or swap with their neighbour; `enough` when it is that many or more. */
function slipsBetween(a: string, b: string, enough: number): number {
  if (a.length > MAX_LENGTH || b.length > MAX_LENGTH || Math.abs(a.length - b.length) >= enough) return enough;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let slips = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) slips = Math.min(slips, (before[j - 2] ?? 0) + 1);
      row.push(slips);
    }
    before = last;
    last = row;
  }
  return Math.min(last[b.length] ?? enough, enough);
}
