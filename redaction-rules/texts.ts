/**
 * Texts that are known and texts that were seen, found by a hash of our own.
 *
 * `Map` and `Set` of the engine make every text unique that they are asked for, in one table for the whole process (V8 14), which is
 * dearer than all the rest of a look-up; most texts here are asked for once. Memory is bounded whatever comes; an attacker who
 * makes hashes collide makes us work things out again, nothing else.
 */

/** Of longer texts the middle is not looked at. */
const BEGINNING = 16;
const END = 32;

/** FNV-1a, its bits mixed so that the low ones say where. */
function markOf(text: string): number {
  let mark = text.length;
  const gap = Math.max(BEGINNING, text.length - END);
  for (let at = 0; at < text.length; at = at === BEGINNING - 1 ? gap : at + 1) {
    mark = Math.imul(mark ^ text.charCodeAt(at), 0x01000193);
  }
  return mark ^ (mark >>> 15);
}

const FIRST_SIZE = 8;

/** From texts to what they mean; grows, never forgets. */
export class TextMap<Meaning> {
  #texts: (string | undefined)[] = Array.from({ length: FIRST_SIZE });
  #meanings: (Meaning | undefined)[] = Array.from({ length: FIRST_SIZE });
  #count = 0;
  #longest = 0;

  get(text: string): Meaning | undefined {
    return text.length > this.#longest ? undefined : this.#meanings[this.#placeOf(text)];
  }

  set(text: string, meaning: Meaning): void {
    const place = this.#placeOf(text);
    if (this.#texts[place] === undefined) this.#count++;
    this.#texts[place] = text;
    this.#meanings[place] = meaning;
    this.#longest = Math.max(this.#longest, text.length);
    if (this.#count * 2 > this.#texts.length) this.#grow();
  }

  /** Where it stands, or would. */
  #placeOf(text: string): number {
    const last = this.#texts.length - 1;
    let place = markOf(text) & last;
    for (let known; (known = this.#texts[place]) !== undefined && known !== text;) place = (place + 1) & last;
    return place;
  }

  #grow(): void {
    const [texts, meanings] = [this.#texts, this.#meanings];
    this.#texts = Array.from({ length: texts.length * 2 });
    this.#meanings = Array.from({ length: texts.length * 2 });
    for (const [at, text] of texts.entries()) {
      if (text === undefined) continue;
      const place = this.#placeOf(text);
      this.#texts[place] = text;
      this.#meanings[place] = meanings[at];
    }
  }
}

const made = new WeakMap<ReadonlySet<string>, (text: string) => boolean>();

/** Whether a text is one of a list; made once for each list, which does not change. */
export function oneOf(texts: ReadonlySet<string>): (text: string) => boolean {
  const before = made.get(texts);
  if (before !== undefined) return before;
  const known = new TextMap<true>();
  for (const text of texts) known.set(text, true);
  const isKnown = (text: string): boolean => known.get(text) === true;
  made.set(texts, isKnown);
  return isKnown;
}

/** Longer texts are worked out each time. */
const MAX_LENGTH = 512;

/**
 * A function of texts that remembers what came more than once; of what came once only a number is kept. `size` texts fit, a power
 * of two. Each has two places that it shares with others, and the newer stands first. It must depend on its text alone.
 */
export function remembering<Result>(size: number, work: (text: string) => Result): (text: string) => Result {
  let memory: Memory<Result> | undefined;
  return (text) => {
    if (text.length > MAX_LENGTH) return work(text);
    // Most rules of a ruleset are never asked.
    memory ??= { marks: new Int32Array(size), texts: emptied(size), results: emptied(size) };
    const { marks, texts, results } = memory;
    const mark = markOf(text);
    const first = mark & (size - 1);
    const second = first ^ 1;
    const known = texts[first] === text ? results[first] : texts[second] === text ? results[second] : undefined;
    if (known !== undefined) return known;
    if (marks[first] !== mark) {
      marks[first] = mark;
      return work(text);
    }
    const own = ownCopy(text);
    const result = work(own);
    texts[second] = texts[first];
    results[second] = results[first];
    texts[first] = own;
    results[first] = result;
    return result;
  };
}

interface Memory<Result> {
  readonly marks: Int32Array;
  readonly texts: (string | undefined)[];
  readonly results: (Result | undefined)[];
}

const emptied = <Kept>(size: number): (Kept | undefined)[] => new Array<Kept | undefined>(size).fill(undefined);

/** Without the longer text that it may be a part of, or the parts that it is made of, which would stay in memory as well. */
export const ownCopy = (text: string): string => [text.slice(0, 1), text.slice(1)].join('');
