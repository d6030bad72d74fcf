/**
 * The rule packs that this collector holds: the one that Hushwatch brings along and every directory in `packs/`. Their
 * rules say what a match on a node means; which packs nodes may run is for the approvals in the log.
 *
 * A directory that is named by its own digest is kept for the nodes that ran it: what it says counts where nothing newer does.
 */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { loadPack, STARTER_PACK, type Pack } from './detectors/pack.ts';
import { spelled } from './detectors/sigma/digest.ts';
import { SigmaError } from './detectors/sigma/error.ts';
import { overlay } from './detectors/sigma/mapping.ts';
import { ConfigError } from '../config/yaml.ts';

export interface Rulepacks {
  /** The rules and mappings of all of them; of two with one id or name, that of the later directory name. */
  readonly rules: Pick<Pack, 'rules' | 'correlations' | 'mapping'>;
}

interface Held extends Pack {
  readonly directory: string;
}

/** Throws SigmaError or ConfigError. A pack may bring the `mapping.yaml` that it was approved with. */
export function loadRulepacks(directory: string): Rulepacks {
  const own = existsSync(directory) ? readdirSync(directory, { withFileTypes: true }) : [];
  const starter = loadPack(STARTER_PACK);
  const packs = own
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(directory, name))
    .toSorted()
    .map(loadHeld);
  const isKept = ({ directory: where, digest }: Held): boolean => digest.slice(0, 16) === basename(where);
  const laid = packs.filter((pack) => !isKept(pack));
  refuseQuarrels(laid);
  const all = [...packs.filter(isKept), starter, ...laid];
  return {
    rules: {
      rules: byId(all.flatMap(({ rules }) => rules)),
      correlations: byId(all.flatMap(({ correlations }) => correlations)),
      mapping: laid.map(({ own: brought }) => brought).reduce(overlay, starter.mapping),
    },
  };
}

function loadHeld(directory: string): Held {
  try {
    return { ...loadPack(directory), directory };
  } catch (error) {
    if (!(error instanceof SigmaError)) throw error;
    // A pack names its files from where it lies; who reads of several wants to know which.
    const lines = error.message.split('\n').map((line) => (line.startsWith(directory) ? line : join(directory, line)));
    throw new ConfigError(lines.join('\n'));
  }
}

/** Rules of one pack would be read with the fields of another: each would find something else than its author meant. */
function refuseQuarrels(packs: readonly Held[]): void {
  for (const table of ['fields', 'placeholders', 'resolved'] as const) {
    const known = new Map<string, { readonly directory: string; readonly said: string }>();
    for (const { directory, own } of packs)
      for (const [name, value] of own[table]) {
        const said = spelled(value);
        const other = known.get(name);
        if (other !== undefined && other.said !== said)
          throw new ConfigError(
            `${directory}: mapping: ${table}: ${name} means something else in ${other.directory}; give one of them another name, or another collector`,
          );
        known.set(name, { directory, said });
      }
  }
}

function byId<T extends { readonly id: string }>(all: readonly T[]): readonly T[] {
  return [...new Map(all.map((each) => [each.id, each])).values()];
}
