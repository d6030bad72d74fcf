/** Where a rule in force was read from, and what its author wrote there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { STARTER_PACK } from '../detectors/pack.ts';

export interface RuleFile {
  readonly path: string;
  readonly text: string;
}

const MAX_TEXT = 65_536;

/** Of two packs that hold it, the one whose word counts. */
export function ruleFile(
  home: string,
  { id, file }: { readonly id: string; readonly file: string },
): RuleFile | undefined {
  const packs = join(home, 'packs');
  const own = existsSync(packs) ? readdirSync(packs, { withFileTypes: true }) : [];
  const directories = own.filter((entry) => entry.isDirectory()).map(({ name }) => join(packs, name));
  for (const directory of [...directories.toSorted().toReversed(), STARTER_PACK]) {
    const path = join(directory, file);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (text.includes(id)) return { path, text: text.slice(0, MAX_TEXT) };
  }
  return undefined;
}
