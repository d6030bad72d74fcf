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
import { oneOf, TextMap } from './texts.ts';

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

/** What may follow here. */
interface Place {
  readonly literal: TextMap<Place>;
  name: Place | undefined;
  names: Place | undefined;
  number: Place | undefined;
  user: Place | undefined;
  any: Place | undefined;
  /** Nothing of what follows is told. */
  rest: boolean;
}

const emptyPlace = (): Place => ({
  literal: new TextMap(),
  name: undefined,
  names: undefined,
  number: undefined,
  user: undefined,
  any: undefined,
  rest: false,
});

function placesOf(readable: readonly string[]): Place {
  const root = emptyPlace();
  for (const pattern of readable) {
    let place = root;
    for (const segment of pattern.split('/').slice(1)) place = below(place, segment);
  }
  return root;
}

/** The place that a segment of a template leads to, made if it is not there. */
function below(place: Place, segment: string): Place {
  switch (segment) {
    case '{name}':
      return (place.name ??= emptyPlace());
    case '{names}': {
      const names = (place.names ??= emptyPlace());
      return (names.names ??= names);
    }
    case '{number}':
      return (place.number ??= emptyPlace());
    case '{user}':
      return (place.user ??= emptyPlace());
    case '{any}':
      return (place.any ??= emptyPlace());
    case '{rest}':
      place.rest = true;
      return emptyPlace();
  }
  const known = place.literal.get(segment);
  if (known !== undefined) return known;
  const fresh = emptyPlace();
  place.literal.set(segment, fresh);
  return fresh;
}

const MAX_SEGMENTS = 24;
const NUMBER = /^[0-9]{1,10}$/;
const WILDCARDS = /^[*?]+$/;
const MEMFD = 'memfd:';

const known = new WeakMap<PathTemplate, Place>();

/** The places of a template, which many rules share. */
function rootOf(template: PathTemplate): Place {
  const root = known.get(template) ?? placesOf(template.readable);
  known.set(template, root);
  return root;
}

export function compilePath(template: PathTemplate): (path: string, writer: PathWriter) => string {
  const root = rootOf(template);
  const isName = oneOf(template.names);
  const isExtension = oneOf(template.extensions);

  /** A pseudonym that still shows a leading dot, a known ending, and that a file lives in memory only. */
  const hide = (segment: string, writer: PathWriter): string => {
    if (segment.startsWith(MEMFD))
      return MEMFD + (segment === MEMFD ? '' : writer.pseudonym(segment.slice(MEMFD.length)));
    if (WILDCARDS.test(segment)) return segment;
    const dot = segment.startsWith('.') && segment.length > 1 ? '.' : '';
    const rest = dot === '' ? segment : segment.slice(1);
    const end = rest.lastIndexOf('.');
    const extension = end > 0 ? rest.slice(end + 1) : '';
    if (extension !== '' && isExtension(extension)) {
      return `${dot}${hide(rest.slice(0, end), writer)}.${extension}`;
    }
    return dot + writer.pseudonym(rest);
  };

  return (path, writer) => {
    if (path === '') return '';
    const abstract = path.startsWith('@') ? '@' : '';
    const segments = path.slice(abstract.length).split('/', MAX_SEGMENTS + 2);
    // A path that is not absolute starts nowhere known.
    let place = segments[0] === '' ? root : undefined;
    let out = abstract;
    for (let at = 0; at < segments.length; at++) {
      const segment = segments[at] ?? '';
      if (at > 0) out += '/';
      if (at > MAX_SEGMENTS) return out + GONE;
      if (segment === '' || segment === '.') {
        out += segment;
        continue;
      }
      if (segment === '..') {
        out += segment;
        place = undefined;
        continue;
      }
      if (place?.rest === true && place.literal.get(segment) === undefined) return out + GONE;
      const next: Place | undefined = place === undefined ? undefined : follow(place, segment, writer);
      if (next === undefined || next === place?.any) out += isName(segment) ? segment : hide(segment, writer);
      else out += next === place?.user ? writer.user(segment) : segment;
      place = next;
    }
    return out;
  };
}

/** Where a path goes on behind a segment, if the template knows it. */
function follow(place: Place, segment: string, writer: PathWriter): Place | undefined {
  const literal = place.literal.get(segment);
  if (literal !== undefined) return literal;
  if (place.number !== undefined && NUMBER.test(segment)) return place.number;
  const name = place.name ?? place.names;
  if (name !== undefined && writer.plain(segment)) return name;
  return place.user ?? place.any;
}
