/** Reads back what a detector saved. Anything of another shape counts as nothing saved: the detector learns again. */
import { Rows } from './rows.ts';

export function memberOf(saved: unknown, key: string): unknown {
  return typeof saved === 'object' && saved !== null && !Array.isArray(saved) && Object.hasOwn(saved, key)
    ? Object.getOwnPropertyDescriptor(saved, key)?.value
    : undefined;
}

/** What it remembers, as it comes back after a restart. */
export const savedBy = (part: { save(): unknown }): unknown => JSON.parse(JSON.stringify(part.save() ?? null));

/** A JSON object of numbers, in its order. */
export function numbersOf(saved: unknown): Map<string, number> {
  return entriesOf(saved, (value) => (typeof value === 'number' ? value : undefined));
}

export function textsOf(saved: unknown): Map<string, string> {
  return entriesOf(saved, (value) => (typeof value === 'string' ? value : undefined));
}

export const itemsOf = (saved: unknown): readonly unknown[] => (Array.isArray(saved) ? saved : []);

function entriesOf<T>(saved: unknown, read: (value: unknown) => T | undefined): Map<string, T> {
  const entries = new Map<string, T>();
  if (typeof saved !== 'object' || saved === null) return entries;
  for (const [key, value] of Object.entries(saved)) {
    const found = read(value);
    if (found !== undefined) entries.set(key, found);
  }
  return entries;
}

export const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
export const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

/** A map as rows `[key, …]`, in its order: keys of an object would not keep it when they look like numbers. */
export function rowsOf<T>(map: ReadonlyMap<string, T>, row: (value: T) => readonly unknown[]): readonly unknown[] {
  return [...map].map(([key, value]) => [key, ...row(value)]);
}

/** The same, for the map of all nodes: each row is made when it is written, so that a large state does not stop the process. */
export const rowsOfNodes = <T>(map: ReadonlyMap<string, T>, row: (value: T) => readonly unknown[]): Rows =>
  new Rows(function* () {
    for (const [key, value] of map) yield [key, ...row(value)];
  });

/** Back again; rows that `read` does not understand are left out. */
export function mapOf<T>(saved: unknown, read: (row: readonly unknown[]) => T | undefined): Map<string, T> {
  const map = new Map<string, T>();
  for (const row of itemsOf(saved)) {
    const [key, ...rest] = itemsOf(row);
    const value = typeof key === 'string' ? read(rest) : undefined;
    if (typeof key === 'string' && value !== undefined) map.set(key, value);
  }
  return map;
}

/** What is kept for each node by itself, so that no node, nor its clock, can make another's be forgotten. */
export function ofNode<T>(nodes: Map<string, Map<string, T>>, node: string): Map<string, T> {
  let own = nodes.get(node);
  if (own === undefined) nodes.set(node, (own = new Map<string, T>()));
  return own;
}

/** Puts it last; forgets the first, which were not put for longest, beyond the capacity. */
export function putLast<T>(map: Map<string, T>, key: string, value: T, capacity: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= capacity) break;
    map.delete(oldest);
  }
}
