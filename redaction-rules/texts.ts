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

/** A text has so many places that it shares with others. */
const WAYS = 8;

/** What texts mean, in a number of places that does not grow, a power of two; where all of a text's places are taken one is given up. */
export class TextCache<Meaning> {
  readonly #marks: Int32Array;
  readonly #texts: (string | undefined)[];
  readonly #meanings: (Meaning | undefined)[];
  #turn = 0;

  constructor(places: number) {
    this.#marks = new Int32Array(places);
    this.#texts = emptied(places);
    this.#meanings = emptied(places);
  }

  get(text: string, mark = markOf(text)): Meaning | undefined {
    return this.#meanings[this.#placeOf(text, mark)];
  }

  set(text: string, meaning: Meaning, mark = markOf(text)): void {
    const known = this.#placeOf(text, mark);
    const place = known < 0 ? this.#placeFor(mark) : known;
    this.#marks[place] = mark;
    this.#texts[place] = text;
    this.#meanings[place] = meaning;
  }

  delete(text: string): void {
    const place = this.#placeOf(text, markOf(text));
    if (place < 0) return;
    this.#texts[place] = undefined;
    this.#meanings[place] = undefined;
  }

  /** -1: nowhere. */
  #placeOf(text: string, mark: number): number {
    const first = mark & (this.#marks.length - WAYS);
    for (let place = first; place < first + WAYS; place++)
      if (this.#marks[place] === mark && this.#texts[place] === text) return place;
    return -1;
  }

  #placeFor(mark: number): number {
    const first = mark & (this.#marks.length - WAYS);
    for (let place = first; place < first + WAYS; place++) if (this.#texts[place] === undefined) return place;
    return first + (this.#turn++ % WAYS);
  }
}

/**
 * What came before, told by marks alone: one number for each of so many places, a power of two. Of two that come in turns and share a
 * place each gives way every other time only; else neither would ever be known.
 */
export class Seen {
  readonly #marks: Int32Array;
  #turn = 0;

  constructor(places: number) {
    this.#marks = new Int32Array(places);
  }

  /** Whether this mark came before, as far as is remembered; it is from now on, or is not. */
  again(mark: number): boolean {
    const place = mark & (this.#marks.length - 1);
    if (this.#marks[place] === mark) return true;
    if (this.#marks[place] === 0 || ++this.#turn % 2 === 0) this.#marks[place] = mark;
    return false;
  }
}

/** Longer texts are worked out each time. */
const MAX_LENGTH = 512;

/**
 * A function of texts that remembers what came more than once; of what came once only a number is kept. `places` texts fit, a power
 * of two, eight or more. It must depend on its text alone.
 */
export function remembering<Result>(places: number, work: (text: string) => Result): (text: string) => Result {
  let memory: { readonly seen: Seen; readonly known: TextCache<Result> } | undefined;
  return (text) => {
    if (text.length > MAX_LENGTH) return work(text);
    // Most rules of a ruleset are never asked.
    memory ??= { seen: new Seen(places), known: new TextCache(places) };
    const mark = markOf(text);
    const known = memory.known.get(text, mark);
    if (known !== undefined) return known;
    if (!memory.seen.again(mark)) return work(text);
    const own = ownCopy(text);
    const result = work(own);
    memory.known.set(own, result, mark);
    return result;
  };
}

const emptied = <Kept>(size: number): (Kept | undefined)[] => new Array<Kept | undefined>(size).fill(undefined);

/** Without the longer text that it may be a part of, or the parts that it is made of, which would stay in memory as well. */
export const ownCopy = (text: string): string => [text.slice(0, 1), text.slice(1)].join('');
