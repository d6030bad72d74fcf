/** The fields of an event as rules read them: texts, each computed when first asked for, and forgotten with the event. */
import type { Value } from '#protocol/vocabulary.ts';
import type { Source } from './mapping.ts';

/** Read by name and never kept. */
export type Attributes = { readonly [name: string]: Value | null | undefined };

export type Text = string | readonly string[] | undefined;

/** The fields of one event at a time, each computed when first asked for. */
export class Fields {
  readonly #sources: readonly Source[];
  readonly #text: Text[];
  readonly #lower: Text[];
  readonly #textRound: Float64Array;
  readonly #lowerRound: Float64Array;
  #round = 0;
  #attributes: Attributes = {};

  /** Another number for each event. */
  get round(): number {
    return this.#round;
  }

  constructor(sources: readonly Source[]) {
    this.#sources = sources;
    this.#text = sources.map(() => undefined);
    this.#lower = sources.map(() => undefined);
    this.#textRound = new Float64Array(sources.length);
    this.#lowerRound = new Float64Array(sources.length);
  }

  begin(attributes: Attributes): void {
    this.#attributes = attributes;
    this.#round++;
  }

  /** Lets go of the event; nothing raw outlives the call that brought it. */
  end(): void {
    this.#attributes = {};
    this.#text.fill(undefined);
    this.#lower.fill(undefined);
  }

  text(slot: number): Text {
    if (this.#textRound[slot] !== this.#round) {
      this.#textRound[slot] = this.#round;
      const source = this.#sources[slot];
      this.#text[slot] = source === undefined ? undefined : readSource(source, this.#attributes);
    }
    return this.#text[slot];
  }

  lower(slot: number): Text {
    if (this.#lowerRound[slot] !== this.#round) {
      this.#lowerRound[slot] = this.#round;
      const text = this.text(slot);
      this.#lower[slot] =
        typeof text === 'string'
          ? text.toLowerCase()
          : text === undefined
            ? undefined
            : text.map((item) => item.toLowerCase());
    }
    return this.#lower[slot];
  }
}

/** The text of a field, or its texts. */
export function readSource(source: Source, attributes: Attributes): Text {
  if (source.take === 'everything') {
    return Object.values(attributes).flatMap((value) => (value === undefined || value === null ? [] : asText(value)));
  }
  const value = attributes[source.name];
  if (value === undefined || value === null) return undefined;
  switch (source.take) {
    case 'attribute':
      return asText(value);
    case 'joined':
      return typeof value === 'object' ? value.join(' ') : String(value);
    case 'item':
      return typeof value === 'object' ? value[source.index] : undefined;
    case 'basename':
      return typeof value === 'string' ? value.slice(value.lastIndexOf('/') + 1) : undefined;
  }
}

const asText = (value: Value): string | readonly string[] =>
  typeof value === 'string' || typeof value === 'object' ? value : String(value);
