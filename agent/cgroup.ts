/** What a control group's path says: which unit, which container. */

export interface Group {
  readonly unit: string | undefined;
  readonly container: string | undefined;
}

const UNIT = /([^/]+\.(?:service|scope|socket|mount|slice))(?=\/|$)/g;
/** Container engines put 64 hexadecimal digits into the path; the first twelve are what people see. */
const CONTAINER = /(?:^|[/-])([0-9a-f]{12})[0-9a-f]{52}(?:\.scope)?(?:\/|$)/;

const cache = new Map<string, Group>();
const MAX_CACHED = 1_024;

export function groupOf(path: string): Group {
  const known = cache.get(path);
  if (known !== undefined) return known;
  const units = path.match(UNIT);
  const group = {
    unit: units?.findLast((unit) => !unit.endsWith('.slice')) ?? units?.at(-1),
    container: CONTAINER.exec(path)?.[1],
  };
  if (cache.size >= MAX_CACHED) cache.clear();
  cache.set(path, group);
  return group;
}
