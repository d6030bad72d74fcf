/**
 * From Sigma's names to our events: which events a log source means, and where a field's value is found.
 *
 * The mapping is data (mapping.yaml, and what a pack lays over it); this file reads it, bind.ts applies it.
 */
import { ATTRIBUTES, EVENTS, isAttributeName, isEventName, type AttributeName } from '#protocol/vocabulary.ts';
import { mapOf, readDocuments, refuseStrangers, textOf, textsOf, type MapNode, type Node } from './document.ts';
import { SigmaError } from './error.ts';
import { and, TRUE, type Expression } from './expression.ts';
import { compileItem, type FieldName } from './modifiers.ts';
import type { LogSource } from './rule.ts';
import { didYouMean } from '../../../config/suggest.ts';

/** Where the value of a field is found in an event. */
export type Source =
  | { readonly take: 'attribute'; readonly name: string }
  /** A list, joined by spaces. */
  | { readonly take: 'joined'; readonly name: string }
  | { readonly take: 'item'; readonly name: string; readonly index: number }
  /** The last component of a path. */
  | { readonly take: 'basename'; readonly name: string }
  /** Every text in the event, for keywords on events that have no mapping. */
  | { readonly take: 'everything' };

export type FieldSource = Source | { readonly take: 'constant'; readonly values: readonly string[] };

export interface Target {
  /** Name of the event; `*` for events that come without a vocabulary. */
  readonly event: string;
  readonly where: Expression<FieldName>;
  readonly fields: ReadonlyMap<string, FieldSource>;
  /** Fields that keywords are looked for in. */
  readonly keywords: readonly string[];
  /** The target is meant only by rules that name this field. */
  readonly named: string | undefined;
}

export interface Route {
  readonly logsource: LogSource;
  readonly targets: readonly Target[];
  /** Why rules for this log source cannot match anything here. */
  readonly blind: string | undefined;
}

export interface Mapping {
  readonly fields: ReadonlyMap<string, FieldSource>;
  readonly placeholders: ReadonlyMap<string, readonly string[]>;
  /** Beginnings of paths that may be links -> what the kernel resolves them to. */
  readonly resolved: ReadonlyMap<string, string>;
  readonly routes: readonly Route[];
}

/** Events without a vocabulary: every field is a key of the event. */
export const GENERIC: Mapping = {
  fields: new Map(),
  placeholders: new Map(),
  resolved: new Map(),
  routes: [
    {
      logsource: { product: undefined, category: undefined, service: undefined },
      blind: undefined,
      targets: [{ event: '*', where: TRUE, fields: new Map(), keywords: ['*'], named: undefined }],
    },
  ],
};

const KEYS = ['fields', 'placeholders', 'resolved', 'routes'];

export function parseMapping(text: string, file: string): Mapping {
  const [map] = readDocuments(text, file);
  if (map === undefined) throw new SigmaError(file, 1, 'empty mapping');
  refuseStrangers(map, KEYS, file, 'mapping');
  const under = (key: string): MapNode | undefined => (map.entries.has(key) ? mapOf(map, key, file) : undefined);
  const given = under('placeholders');
  const links = under('resolved');
  const routes = map.entries.get('routes');
  if (routes !== undefined && routes.value.kind !== 'list')
    throw new SigmaError(file, routes.line, 'routes: expected a list');
  return {
    fields: parseFields(map, 'fields', file),
    placeholders: new Map(given && [...given.entries.keys()].map((name) => [name, textsOf(given, name, file)])),
    resolved: new Map(links && [...links.entries.keys()].map((from) => [from, textOf(links, from, file) ?? ''])),
    routes: routes?.value.kind === 'list' ? routes.value.items.map((item) => parseRoute(item, file)) : [],
  };
}

/** One mapping laid over another: its fields and values win, its routes are asked first. */
export function overlay(under: Mapping, over: Mapping): Mapping {
  return {
    fields: new Map([...under.fields, ...over.fields]),
    placeholders: new Map([...under.placeholders, ...over.placeholders]),
    resolved: new Map([...under.resolved, ...over.resolved]),
    routes: [...over.routes, ...under.routes],
  };
}

function parseRoute(item: Node, file: string): Route {
  if (item.kind !== 'map')
    throw new SigmaError(file, item.line, 'a route is a map with logsource and events, or blind');
  refuseStrangers(item, ['logsource', 'events', 'blind'], file, 'route');
  const from = mapOf(item, 'logsource', file);
  if (from !== undefined) refuseStrangers(from, ['product', 'category', 'service'], file, 'logsource');
  const [product, category, service] = ['product', 'category', 'service'].map((key) => from && textOf(from, key, file));
  const events = item.entries.get('events')?.value;
  const blind = textOf(item, 'blind', file);
  if ((events === undefined) === (blind === undefined)) {
    throw new SigmaError(file, item.line, 'a route needs either events or blind');
  }
  const targets = events?.kind === 'list' ? events.items.map((one) => parseTarget(one, file)) : [];
  return { logsource: { product, category, service }, targets, blind };
}

const TARGET_KEYS = ['event', 'where', 'fields', 'keywords', 'named'];

function parseTarget(item: Node, file: string): Target {
  if (item.kind !== 'map') throw new SigmaError(file, item.line, 'an entry of events is a map with `event`');
  const event = textOf(item, 'event', file) ?? '';
  if (!isEventName(event)) {
    const near = didYouMean(event, Object.keys(EVENTS));
    throw new SigmaError(file, item.line, `event: \`${event}\` is not in the vocabulary${near}`);
  }
  refuseStrangers(item, TARGET_KEYS, file, event);
  const where = item.entries.has('where') ? mapOf(item, 'where', file) : undefined;
  const tests = [...(where?.entries ?? [])].map(([key, { value }]) => {
    const [name, ...modifiers] = key.split('|');
    return compileItem(name, modifiers, value, (line, problem) => {
      throw new SigmaError(file, line, problem);
    });
  });
  return {
    event,
    where: and(tests),
    fields: parseFields(item, 'fields', file),
    keywords: textsOf(item, 'keywords', file),
    named: textOf(item, 'named', file),
  };
}

function parseFields(map: MapNode, key: string, file: string): ReadonlyMap<string, FieldSource> {
  const fields = new Map<string, FieldSource>();
  const from = map.entries.has(key) ? mapOf(map, key, file) : undefined;
  for (const [field, { line, value }] of from?.entries ?? []) fields.set(field, parseSource(value, line, file));
  return fields;
}

function parseSource(node: Node, line: number, file: string): FieldSource {
  if (node.kind === 'scalar') return { take: 'attribute', name: attributeName(node, file) };
  const [entry, more] = node.kind === 'map' ? [...node.entries] : [];
  if (entry === undefined || more !== undefined) {
    throw new SigmaError(file, line, 'a field is an attribute, or one of joined, basename, item N, constant');
  }
  const [how, { value }] = entry;
  if (how === 'constant') {
    const items = value.kind === 'list' ? value.items : [value];
    return { take: 'constant', values: items.map((item) => (item.kind === 'scalar' ? String(item.value) : '')) };
  }
  const name = attributeName(value, file);
  if (how === 'joined' || how === 'basename') return { take: how, name };
  const index = /^item (\d{1,3})$/.exec(how)?.[1];
  if (index === undefined) throw new SigmaError(file, line, `\`${how}\` is none of joined, basename, item N, constant`);
  return { take: 'item', name, index: Number(index) };
}

function attributeName(node: Node, file: string): AttributeName {
  const name = node.kind === 'scalar' ? String(node.value) : '';
  if (!isAttributeName(name)) {
    const near = didYouMean(name, Object.keys(ATTRIBUTES));
    throw new SigmaError(file, node.line, `\`${name}\` is no attribute of the vocabulary${near}`);
  }
  return name;
}
