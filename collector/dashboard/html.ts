/** HTML that escapes by default: what a template is given is text, unless it is HTML that this module made. */

/** A piece of HTML. Only {@link html} makes one, of texts that it escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | number | Html | readonly Html[] | undefined;

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
/** Marks that turn the direction of text would let one value dress up as another. */
const STEERING = /[\u202a-\u202e\u2066-\u2069\u200e\u200f]/g;

export const escape = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (c) => ESCAPES[c] ?? '').replaceAll(STEERING, '\ufffd');

export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.reduce((text, string, i) => text + render(parts[i - 1]) + string));
}

function render(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map((each) => each.text).join('');
  return escape(String(part));
}

export const nothing = new Html('');
