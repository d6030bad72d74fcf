/**
 * The rule packs that this collector holds: the one that Hushwatch brings along and every directory in `packs/`. Their
 * rules say what a match on a node means; which packs nodes may run is for the approvals in the log.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadPack, STARTER_PACK, type Pack } from './detectors/pack.ts';
import { overlay } from './detectors/sigma/mapping.ts';

export interface Rulepacks {
  /** The rules and mappings of all of them; of two with one id or name, that of the newer directory name. */
  readonly rules: Pick<Pack, 'rules' | 'correlations' | 'mapping'>;
}

/** Throws SigmaError. A pack may bring the `mapping.yaml` that it was approved with. */
export function loadRulepacks(directory: string): Rulepacks {
  const own = existsSync(directory) ? readdirSync(directory, { withFileTypes: true }) : [];
  const starter = loadPack(STARTER_PACK);
  const packs = own
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(directory, name))
    .toSorted()
    .map(loadPack);
  const all = [starter, ...packs];
  return {
    rules: {
      rules: byId(all.flatMap(({ rules }) => rules)),
      correlations: byId(all.flatMap(({ correlations }) => correlations)),
      mapping: packs.map(({ own: brought }) => brought).reduce(overlay, starter.mapping),
    },
  };
}

function byId<T extends { readonly id: string }>(all: readonly T[]): readonly T[] {
  return [...new Map(all.map((each) => [each.id, each])).values()];
}
