/**
 * Rules in any number: SigmaHQ's for Linux first, then its rules for Windows as if they were for Linux, then copies of
 * both with other words in the same places. What a copy looks for hardly ever comes, as with most rules.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Expression } from '../../collector/detectors/sigma/expression.ts';
import type { FieldName } from '../../collector/detectors/sigma/modifiers.ts';
import { parseSigmaRule } from '../../collector/detectors/sigma/parse.ts';
import type { Part } from '../../collector/detectors/sigma/pattern.ts';
import type { SigmaRule } from '../../collector/detectors/sigma/rule.ts';

const SIGMA = fileURLToPath(new URL('../../../shared/data/sigma/', import.meta.url));
/** Of the categories that Sigma has for both. */
const SHARED = ['process_creation', 'file_event', 'file_access', 'file_delete', 'network_connection', 'dns_query'];

export function rulesOf(count: number): readonly SigmaRule[] {
  const linux = load('linux');
  // Spread, so that fifty are of all kinds.
  if (count <= linux.length)
    return Array.from({ length: count }, (_, i) => linux[Math.floor((i * linux.length) / count)]).flatMap(
      (rule) => rule ?? [],
    );
  const windows = load('regression-rules').flatMap((rule) =>
    SHARED.includes(rule.logsource.category ?? '') ? asLinux(rule) : [],
  );
  const originals = [...linux, ...windows];
  return Array.from({ length: count }, (_, i) => {
    const rule = originals[i % originals.length];
    const generation = Math.floor(i / originals.length);
    return rule === undefined || generation === 0 ? rule : copyOf(rule, generation);
  }).flatMap((rule) => rule ?? []);
}

const load = (directory: string): readonly SigmaRule[] =>
  readdirSync(SIGMA + directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yml'))
    .toSorted()
    .map((name) => parseSigmaRule(readFileSync(`${SIGMA}${directory}/${name}`, 'utf8'), name));

const asLinux = (rule: SigmaRule): SigmaRule => ({ ...rule, logsource: { ...rule.logsource, product: 'linux' } });

const copyOf = (rule: SigmaRule, generation: number): SigmaRule => ({
  ...rule,
  id: `${rule.id}-${generation}`,
  condition: reworded(rule.condition, generation),
});

function reworded(tree: Expression<FieldName>, by: number): Expression<FieldName> {
  if (tree.kind === 'constant') return tree;
  if (tree.kind === 'not') return { kind: 'not', of: reworded(tree.of, by) };
  if (tree.kind !== 'test') return { ...tree, of: tree.of.map((part) => reworded(part, by)) };
  // What must be absent stays: a copy that leaves nothing out is another rule.
  if (tree.test.is !== 'text') return tree;
  return { ...tree, test: { ...tree.test, pattern: tree.test.pattern.map((part) => rewordedPart(part, by)) } };
}

/** Letters move along the alphabet; lengths, slashes and dots stay, and with them the shape of the question. */
const rewordedPart = (part: Part, by: number): Part =>
  typeof part === 'string' && part.length > 2
    ? part.replaceAll(/[a-z]/gi, (letter) => {
        const first = letter < 'a' ? 65 : 97;
        return String.fromCharCode(first + ((letter.charCodeAt(0) - first + by) % 26));
      })
    : part;
