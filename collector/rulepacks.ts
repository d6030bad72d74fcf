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
import { and } from './detectors/sigma/expression.ts';
import { filtersOf } from './detectors/sigma/filter.ts';
import { overlay } from './detectors/sigma/mapping.ts';
import type { SigmaRule } from './detectors/sigma/rule.ts';
import { ConfigError } from '../config/yaml.ts';

export interface Rulepacks {
  /** The rules and mappings of all of them; of two with one id or name, that of the later directory name. */
  readonly rules: Pick<Pack, 'rules' | 'correlations' | 'mapping'>;
  /** Rules of one pack that filters of another narrow, by what these ask: nodes ran them without. */
  readonly narrowed?: readonly SigmaRule[];
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
    .map((where) => loadHeld(where, starter.rules));
  const isKept = ({ directory: where, digest }: Held): boolean => digest.slice(0, 16) === basename(where);
  const laid = packs.filter((pack) => !isKept(pack));
  refuseQuarrels(laid);
  const all = [...packs.filter(isKept), starter, ...laid];
  const rules = byId(all.flatMap((pack) => pack.rules)).map((rule) => ({ rule, more: narrowingOf(rule, laid) }));
  return {
    rules: {
      rules: rules.map(({ rule, more }) =>
        more === undefined ? rule : { ...rule, condition: and([rule.condition, more]) },
      ),
      correlations: byId(all.flatMap(({ correlations }) => correlations)),
      mapping: laid.map(({ own: brought }) => brought).reduce(overlay, starter.mapping),
    },
    narrowed: rules.flatMap(({ rule, more }) => (more === undefined ? [] : [{ ...rule, condition: more }])),
  };
}

/** What filters of other packs ask of it. One that is for any rule is for any of its own pack. */
function narrowingOf(rule: SigmaRule, packs: readonly Held[]): SigmaRule['condition'] | undefined {
  const filters = packs
    .filter(({ rules }) => !rules.some(({ id }) => id === rule.id))
    .flatMap((pack) =>
      filtersOf(
        rule,
        pack.filters.filter(({ rules }) => rules !== undefined),
      ),
    );
  return filters.length === 0 ? undefined : and(filters.map(({ condition }) => condition));
}

function loadHeld(directory: string, beyond: readonly SigmaRule[]): Held {
  try {
    return { ...loadPack(directory, beyond), directory };
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
