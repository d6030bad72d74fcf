/**
 * Regular expressions from strangers: RE2, whose time is linear in the text whatever the pattern.
 *
 * Linear with a slope: the slope is the size of the compiled program, so the size is bounded, and estimated from the
 * pattern before anything is compiled (`a{1000}` is one thousand instructions).
 */
import { RE2JS } from 're2js';

export interface Regex {
  readonly source: string;
  /** Of i, m, s. */
  readonly flags: string;
}

const MAX_SOURCE = 4096;
/** The largest among SigmaHQ's rules is 684. */
const MAX_PROGRAM = 2000;

/** Why a pattern cannot be used, in words; undefined when it can. */
export function problemOf(regex: Regex): string | undefined {
  const { source } = regex;
  if (source.length > MAX_SOURCE) return `pattern longer than ${MAX_SOURCE} characters; shorten it`;
  if (sizeOf(source) > MAX_PROGRAM)
    return `repetitions make the pattern larger than ${MAX_PROGRAM} steps; use smaller counts, or * and +`;
  try {
    return compile(regex).programSize() > MAX_PROGRAM ? `the pattern is too large; split it` : undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return /\(\?(<?[=!]|>)|\\[1-9]/.test(source)
      ? 'lookaround, atomic groups and back references cannot run in linear time; rewrite it, or split it into two selections'
      : `the pattern is not understood (${error.message})`;
  }
}

/** Searches, as Sigma does: a match anywhere in the text counts. */
export function compileRegex(regex: Regex): (text: string) => boolean {
  const compiled = compile(regex);
  return (text) => compiled.test(text);
}

const compile = ({ source, flags }: Regex): RE2JS =>
  RE2JS.compile(
    source,
    (flags.includes('i') ? RE2JS.CASE_INSENSITIVE : 0) |
      (flags.includes('m') ? RE2JS.MULTILINE : 0) |
      (flags.includes('s') ? RE2JS.DOTALL : 0),
  );

const ATOM = /\\(?:x\{[^}]*\}|[pP]\{[^}]*\}|[\s\S])|\[\^?\]?(?:\[:\w+:\]|\\[\s\S]|[^\]\\])*\]|[\s\S]/y;
const REPEAT = /\{(\d{1,4})(,?)(\d{0,4})\}/y;

/** Steps of the compiled program, about: every atom one, a counted one as often as it may come. */
function sizeOf(source: string): number {
  /** Sizes of the open groups, and of what came last in each: that is what a repetition repeats. */
  const sums = [0];
  const lasts = [0];
  const add = (size: number): void => {
    sums.push((sums.pop() ?? 0) + size);
    lasts[lasts.length - 1] = size;
  };
  for (let at = 0; at < source.length;) {
    REPEAT.lastIndex = at;
    const [whole, least, comma, most] = REPEAT.exec(source) ?? [];
    if (whole !== undefined) {
      const times = Math.max(Number(least), Number(most === '' ? 0 : most)) + (comma === '' ? 0 : 1);
      const last = lasts.at(-1) ?? 0;
      add(last * Math.max(times - 1, 0));
      lasts[lasts.length - 1] = last * times;
      at += whole.length;
      continue;
    }
    ATOM.lastIndex = at;
    const [atom = ''] = ATOM.exec(source) ?? [];
    at += Math.max(atom.length, 1);
    if (atom === '(') {
      sums.push(0);
      lasts.push(0);
    } else if (atom === ')' && sums.length > 1) {
      const group = sums.pop() ?? 0;
      lasts.pop();
      add(group + 1);
    } else {
      add(1);
    }
    if ((sums.at(-1) ?? 0) > MAX_PROGRAM) return Number.POSITIVE_INFINITY;
  }
  return sums.reduce((sum, size) => sum + size, 0);
}

/**
 * A text that stands, letters in any case, in whatever the pattern matches: the longest run of plain characters that
 * is outside groups and not optional. Undefined when there is none, or none that is certain.
 */
export function literalIn({ source, flags }: Regex): string | undefined {
  const isFolded = flags.includes('i') || /\(\?[a-z]*i/.test(source);
  let best = '';
  let run = '';
  let depth = 0;
  const end = (): void => {
    if (run.length > best.length) best = run;
    run = '';
  };
  for (let at = 0; at < source.length;) {
    REPEAT.lastIndex = at;
    const repeat = REPEAT.exec(source)?.[0];
    ATOM.lastIndex = at;
    const atom = repeat ?? ATOM.exec(source)?.[0] ?? source.charAt(at);
    at += Math.max(atom.length, 1);
    if (atom === '|' && depth === 0) return undefined;
    if (repeat !== undefined || atom === '?' || atom === '*') {
      // What was repeated may not be there at all.
      run = run.slice(0, -1);
      end();
    } else if (atom === '(' || atom === ')') {
      end();
      depth += atom === '(' ? 1 : -1;
    } else if (depth === 0 && isPlain(atom, isFolded)) {
      run += atom.at(-1) ?? '';
    } else {
      end();
    }
  }
  end();
  return best.length < 3 || depth !== 0 ? undefined : best;
}

/** `\Q` quotes and verbose flags change what characters mean; letters that fold with others outside ASCII are left out. */
function isPlain(atom: string, isFolded: boolean): boolean {
  if (isFolded && /[sk]/i.test(atom)) return false;
  return /^[A-Za-z0-9 _/:;,=@%&<>"'~`!#-]$/.test(atom) || /^\\[.\\/()[\]{}*+?^$|"'-]$/.test(atom);
}
