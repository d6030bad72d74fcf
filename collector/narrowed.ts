/**
 * Filters of a pack of one's own, asked of matches that nodes made without them: as far as what a filter reads leaves a node, it
 * holds here too. What it reads and does not leave in clear keeps the match.
 */
import type { DetectorOptions } from './detectors/detectors.ts';
import type { Rulepacks } from './rulepacks.ts';
import type { Rulesets } from './rulesets.ts';
import { Afterwards } from './tuning/change.ts';

/** To be spread into the options of detectors. */
export function narrowingIn(
  { rules: { mapping }, narrowed = [] }: Rulepacks,
  rulesets: Pick<Rulesets, 'exposure'>,
): Pick<DetectorOptions, 'isStillMatched'> {
  if (narrowed.length === 0) return {};
  const leavingFor = (digest: string): ReadonlySet<string> => {
    const rows = rulesets.exposure(digest) ?? [];
    return new Set(rows.flatMap((row) => (row.leaves ? [`${row.event} ${row.attribute}`] : [])));
  };
  return { isStillMatched: new Afterwards({ mapping, narrowed, added: [] }, leavingFor).isStillMatched };
}
