/**
 * Events that a rule must match and events it must not: `tests/<rule file>.yaml` beside the rules.
 *
 * A detection engineer adds one without TypeScript; `hushwatch detect test` and the unit tests run them.
 * `tests/ordinary.yaml` holds what an ordinary machine does all day: no rule above `low` may match it.
 */
import type { Value } from '#protocol/vocabulary.ts';
import { readDocuments, type MapNode, type Node } from './sigma/document.ts';
import { SigmaError } from './sigma/error.ts';

export interface Example {
  readonly name: string;
  readonly attributes: { readonly [attribute: string]: Value };
  readonly file: string;
  readonly line: number;
}

export interface Examples {
  readonly match: readonly Example[];
  readonly quiet: readonly Example[];
}

export function parseExamples(text: string, file: string): Examples {
  const [map] = readDocuments(text, file);
  if (map === undefined) throw new SigmaError(file, 1, 'empty; expected match and quiet');
  for (const [key, { line }] of map.entries) {
    if (key !== 'match' && key !== 'quiet')
      throw new SigmaError(file, line, `${key}: no such key; there are match and quiet`);
  }
  return { match: examplesOf(map, 'match', file), quiet: examplesOf(map, 'quiet', file) };
}

function examplesOf(map: MapNode, key: string, file: string): readonly Example[] {
  const list = map.entries.get(key);
  if (list === undefined) return [];
  if (list.value.kind !== 'list') throw new SigmaError(file, list.line, `${key}: expected a list of events`);
  return list.value.items.map((item) => exampleOf(item, file));
}

function exampleOf(item: Node, file: string): Example {
  if (item.kind !== 'map') throw new SigmaError(file, item.line, 'an event is a map with `event` and its attributes');
  const attributes: Record<string, Value> = {};
  let name = '';
  for (const [key, { line, value }] of item.entries) {
    if (value.kind === 'list') {
      attributes[key] = value.items.map((one) => (one.kind === 'scalar' ? String(one.value) : ''));
    } else if (value.kind === 'map' || value.value === null) {
      throw new SigmaError(file, line, `${key}: expected a value or a list`);
    } else if (key === 'event') {
      name = String(value.value);
    } else {
      attributes[key] = value.value;
    }
  }
  if (name === '') throw new SigmaError(file, item.line, 'event: missing; name an event of the vocabulary');
  return { name, attributes, file, line: item.line };
}
