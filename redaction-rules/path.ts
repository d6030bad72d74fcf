/**
 * Path templates: which parts of a path stay readable. Whatever no template names becomes a pseudonym, segment by
 * segment, so that depth and equality remain and names do not.
 *
 * A template is a list of paths whose segments may be placeholders:
 *   {name}    one plain name stays readable (installed software)
 *   {names}   any number of plain names stay readable; stands last
 *   {number}  up to ten digits stay readable
 *   {user}    pseudonym in the domain of user names; the path goes on
 *   {any}     pseudonym; the path goes on
 *   {rest}    nothing of it is told, not even how deep it goes; stands last
 * A literal segment wins over a placeholder. After `..` nothing is known any more: the rest becomes pseudonyms.
 */
import { GONE } from './shapes.ts';

export interface PathTemplate {
  readonly readable: readonly string[];
  /** File and directory names that stay readable wherever they stand. */
  readonly names: ReadonlySet<string>;
  /** Endings that stay readable behind a pseudonym. */
  readonly extensions: ReadonlySet<string>;
}

/** How segments are written: with keys when redacting, or as a check that something was redacted. */
export interface PathWriter {
  readonly plain: (segment: string) => boolean;
  readonly pseudonym: (segment: string) => string;
  readonly user: (segment: string) => string;
}

export const PLACEHOLDERS = ['{name}', '{names}', '{number}', '{user}', '{any}', '{rest}'] as const;

interface Place {
  readonly literal: Map<string, Place>;
  readonly placeholder: Map<string, Place>;
}
const emptyPlace = (): Place => ({ literal: new Map(), placeholder: new Map() });

function placesOf(readable: readonly string[]): Place {
  const root = emptyPlace();
  for (const pattern of readable) {
    let place = root;
    for (const segment of pattern.split('/').slice(1)) {
      const into = segment.startsWith('{') ? place.placeholder : place.literal;
      let next = into.get(segment);
      if (next === undefined) {
        next = segment === '{names}' ? { literal: new Map(), placeholder: new Map() } : emptyPlace();
        if (segment === '{names}') next.placeholder.set('{names}', next);
        into.set(segment, next);
      }
      place = next;
    }
  }
  return root;
}

const MAX_SEGMENTS = 24;
const NUMBER = /^[0-9]{1,10}$/;
const MEMFD = 'memfd:';

export function compilePath(template: PathTemplate): (path: string, writer: PathWriter) => string {
  const root = placesOf(template.readable);

  /** A pseudonym that still shows a leading dot, a known ending, and that a file lives in memory only. */
  const hide = (segment: string, writer: PathWriter): string => {
    if (segment.startsWith(MEMFD))
      return MEMFD + (segment === MEMFD ? '' : writer.pseudonym(segment.slice(MEMFD.length)));
    if (/^[*?]+$/.test(segment)) return segment;
    const dot = segment.startsWith('.') && segment.length > 1 ? '.' : '';
    const rest = segment.slice(dot.length);
    const end = rest.lastIndexOf('.');
    const extension = end > 0 ? rest.slice(end + 1) : '';
    if (extension !== '' && template.extensions.has(extension)) {
      return `${dot}${hide(rest.slice(0, end), writer)}.${extension}`;
    }
    return dot + writer.pseudonym(rest);
  };

  return (path, writer) => {
    if (path === '') return '';
    const abstract = path.startsWith('@') ? '@' : '';
    const body = path.slice(abstract.length);
    // A path that is not absolute starts nowhere known.
    let place = body.startsWith('/') ? root : undefined;
    const segments = body.split('/', MAX_SEGMENTS + 2);
    let out = '';
    for (const [at, segment] of segments.entries()) {
      if (at > 0) out += '/';
      if (at > MAX_SEGMENTS) return abstract + out + GONE;
      if (segment === '' || segment === '.') {
        out += segment;
        continue;
      }
      if (segment === '..') {
        out += segment;
        place = undefined;
        continue;
      }
      if (place?.placeholder.has('{rest}') === true && !place.literal.has(segment)) return abstract + out + GONE;
      const [text, next] = step(segment, place, writer);
      out += text ?? (template.names.has(segment) ? segment : hide(segment, writer));
      place = next;
    }
    return abstract + out;
  };
}

/** What one segment becomes where the template knows it, and where the path goes on. */
function step(segment: string, place: Place | undefined, writer: PathWriter): [string | undefined, Place | undefined] {
  if (place === undefined) return [undefined, undefined];
  const literal = place.literal.get(segment);
  if (literal !== undefined) return [segment, literal];
  const number = place.placeholder.get('{number}');
  if (number !== undefined && NUMBER.test(segment)) return [segment, number];
  const name = place.placeholder.get('{name}') ?? place.placeholder.get('{names}');
  if (name !== undefined && writer.plain(segment)) return [segment, name];
  const user = place.placeholder.get('{user}');
  if (user !== undefined) return [writer.user(segment), user];
  return [undefined, place.placeholder.get('{any}')];
}
