/**
 * Texts that came before, found by their bytes: the same bytes are the same string again.
 *
 * Decoding would make another string each time, which costs more than to find it, fills the young generation, and is hashed
 * and made unique anew by every look-up on the line. Memory is bounded whatever comes: longer texts, what is not ASCII and
 * what came once are decoded and not kept. Who makes texts collide makes us decode them, nothing else.
 */
import { Seen } from '../../../redaction-rules/texts.ts';

/** A text has so many places that it shares with others; the oldest of them goes. */
const WAYS = 8;
const PLACES = 32_768;
const LONGEST = 128;

export class Dictionary {
  readonly #texts: string[] = new Array<string>(PLACES).fill('');
  readonly #marks = new Int32Array(PLACES);
  readonly #seen = new Seen(PLACES);
  #next = 0;

  /** What `bytes` say between two places, of which there is at least one byte. */
  text(bytes: Buffer, view: DataView, start: number, end: number): string {
    if (end - start > LONGEST) return bytes.toString('utf8', start, end);
    const mark = markOf(view, start, end);
    const first = mark & (PLACES - WAYS);
    for (let place = first; place < first + WAYS; place++) {
      if (this.#marks[place] !== mark) continue;
      const known = this.#texts[place] ?? '';
      if (isText(known, bytes, start, end)) return known;
    }
    const text = bytes.toString('utf8', start, end);
    if (this.#seen.again(mark) && isText(text, bytes, start, end))
      this.#keep(first + (this.#next++ % WAYS), mark, text);
    return text;
  }

  #keep(place: number, mark: number, text: string): void {
    this.#marks[place] = mark;
    this.#texts[place] = text;
  }
}

/** A word at a time, and what is left over byte by byte. */
function markOf(view: DataView, start: number, end: number): number {
  let mark = end - start;
  let at = start;
  for (; at + 4 <= end; at += 4) mark = mixed(mark, view.getUint32(at, true));
  for (; at < end; at++) mark = mixed(mark, view.getUint8(at));
  return mark;
}

function mixed(mark: number, word: number): number {
  const product = Math.imul(mark ^ word, 0x9e3779b1);
  return product ^ (product >>> 15);
}

/** Only texts of ASCII are told by their bytes. */
function isText(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 127 || code !== bytes[start + at]) return false;
  }
  return true;
}
