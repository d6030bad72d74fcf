/** Reads back what a detector saved. Anything of another shape counts as nothing saved: the detector learns again. */

export function memberOf(saved: unknown, key: string): unknown {
  return typeof saved === 'object' && saved !== null && !Array.isArray(saved) && Object.hasOwn(saved, key)
    ? Object.getOwnPropertyDescriptor(saved, key)?.value
    : undefined;
}

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
