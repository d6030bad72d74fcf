/**
 * `suppressions.yaml` in the collector's directory. No file: nothing is suppressed. Who reads it again when it changes is
 * changes.ts.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Node } from 'yaml';
import type { Suppression } from './detectors/suppressions.ts';
import { didYouMean } from '../config/suggest.ts';
import { readTrusted } from '../config/trusted.ts';
import { ConfigError, readList, readMap, readYaml, scalarOf, type Place } from '../config/yaml.ts';

const KEYS = ['id', 'owner', 'reason', 'expires', 'detector', 'rule', 'node', 'program'];
const MAX_DAYS = 366;
const MAX_BYTES = 4 << 20;
const DAY_US = 86_400_000_000;
/** Whatever may have said something. */
export const DETECTORS: readonly string[] = [
  ...['sigma', 'first-seen', 'rarity', 'rate', 'cohort', 'lineage', 'risk', 'silence', 'chain'],
  ...['canary', 'upgrade', 'evidence', 'refusal'],
];

/** `nowUs` bounds how far ahead an end may lie: what never comes back is a rule to change, not a suppression. */
export function parseSuppressions(text: string, file: string, nowUs: number): readonly Suppression[] {
  const yaml = readYaml(text, file);
  const items = readList(readMap(yaml.root, '', ['suppressions'], yaml).get('suppressions'), 'suppressions', yaml);
  const found = items.flatMap((item) => parseOne(item, yaml, nowUs) ?? []);
  const ids = found.map(({ id }) => id);
  for (const [place, id] of ids.entries())
    if (ids.indexOf(id) !== place)
      yaml.tell(`suppressions.${id}`, 'stands twice; give each an id of its own', items[place] ?? null);
  if (yaml.problems.length > 0) throw new ConfigError(yaml.problems.join('\n'));
  return found;
}

function parseOne(item: Node, place: Place, nowUs: number): Suppression | undefined {
  const values = readMap(item, 'suppressions', KEYS, place);
  const textOf = (key: string): string | undefined => {
    if (!values.has(key)) return undefined;
    const value = scalarOf(values.get(key));
    if (typeof value === 'string' && value.trim() !== '') return value;
    return place.tell(key, 'must be a text', values.get(key) ?? item);
  };
  const needed = (key: string, why: string): string | undefined =>
    values.has(key) ? textOf(key) : place.tell(key, `is missing: ${why}`, item);
  const id = needed('id', 'a name for it, which alerts carry');
  const owner = needed('owner', 'who answers for it');
  const reason = needed('reason', 'why nobody needs to be told');
  const ends = needed('expires', 'the day, such as 2027-03-01, from which on it is told again');
  const expires = ends === undefined ? undefined : timeOf(ends, values.get('expires') ?? item, place, nowUs);
  const [detector, rule, node, program] = ['detector', 'rule', 'node', 'program'].map(textOf);
  if (detector === undefined && rule === undefined)
    return place.tell('detector', 'name a detector or a rule; all alerts of a node are never suppressed', item);
  if (detector !== undefined && !DETECTORS.includes(detector))
    return place.tell(
      'detector',
      `there is no ${detector}${didYouMean(detector, DETECTORS)}`,
      values.get('detector') ?? item,
    );
  if (id === undefined || owner === undefined || reason === undefined || expires === undefined) return undefined;
  return { id, owner, reason, expires, detector, rule, node, program };
}

function timeOf(day: string, node: Node, place: Place, nowUs: number): number | undefined {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) * 1_000 : Number.NaN;
  if (Number.isNaN(at)) return place.tell('expires', 'must be a day, such as 2027-03-01', node);
  if (at > nowUs + MAX_DAYS * DAY_US)
    return place.tell('expires', 'is more than a year ahead; change the rule instead', node);
  return at;
}

/** Those of the file in that directory; none where there is no file. Throws ConfigError. */
export function readSuppressions(home: string, nowUs: number): readonly Suppression[] {
  const file = join(home, 'suppressions.yaml');
  return existsSync(file) ? parseSuppressions(readTrusted(file, MAX_BYTES), file, nowUs) : [];
}
