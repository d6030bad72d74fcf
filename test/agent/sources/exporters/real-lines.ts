/** Real output lines of the exporters, which lie beside the repository; `ORIGINS.tsv` there says where each is from. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Exporter } from '../../../../agent/sources/exporters/name.ts';
import { mapperOf } from '../../../../agent/sources/exporters.ts';
import { parseLine } from '../../../../agent/sources/exporters/json.ts';
import type { Mapper } from '../../../../agent/sources/exporters/told.ts';
import type { RawEvent } from '../../../../agent/event.ts';

const DIRECTORY = fileURLToPath(new URL('../../../../../shared/data/events', import.meta.url));

/** Users as on no machine, so that a test does not depend on one. */
export const users = { of: (id: number): string | undefined => (id === 0 ? 'root' : undefined) };

export function linesOf(kind: Exporter): readonly string[] {
  const files = readdirSync(join(DIRECTORY, kind)).toSorted();
  return files
    .flatMap((file) => readFileSync(join(DIRECTORY, kind, file), 'utf8').split('\n'))
    .filter((line) => line !== '');
}

export const tell = (map: Mapper, line: string): ReturnType<Mapper> => {
  const fields = parseLine(line);
  return fields === undefined ? 'unreadable' : map(fields);
};

export function eventOf(kind: Exporter, line: string): RawEvent | undefined {
  const told = tell(mapperOf[kind](users), line);
  return typeof told === 'string' ? undefined : told.event;
}

/** Without what is absent. */
export const attributesOf = (event: RawEvent | undefined): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(event?.attributes ?? {}).filter(([, value]) => value !== undefined));
