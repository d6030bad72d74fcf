/**
 * One file of Sigma: rules, filters and correlations, as many documents as there are.
 *
 * Unmodified SigmaHQ rules load, those of before version 2 included that share parts between documents (`action`).
 */
import { readDocuments, textOf, type MapNode } from './document.ts';
import { SigmaError } from './error.ts';
import { parseCorrelation } from './correlation-rule.ts';
import { parseFilter } from './filter.ts';
import { describe, lineOf, parseDetection, type SigmaDocument, type SigmaRule } from './rule.ts';
import { didYouMean } from '../../../config/suggest.ts';

/** One rule; a file that holds more than one document is refused here, see {@link parseSigmaFile}. */
export function parseSigmaRule(text: string, file: string): SigmaRule {
  const documents = parseSigmaFile(text, file);
  const [rule] = documents;
  if (rule?.kind !== 'rule' || documents.length !== 1) {
    throw new SigmaError(file, 1, 'expected exactly one detection rule; use a directory for correlations and filters');
  }
  return rule;
}

export function parseSigmaFile(text: string, file: string): readonly SigmaDocument[] {
  return withoutActions(readDocuments(text, file), file).map((map, index) => {
    const described = describe(map, file, `${index}\n${text}`);
    if (map.entries.has('correlation')) return parseCorrelation(map, described);
    if (map.entries.has('filter')) return parseFilter(map, described);
    return parseDetection(map, described);
  });
}

const ACTIONS = ['global', 'reset', 'repeat'];

/** `global` lends its keys to the documents after it, until `reset`; `repeat` is the document before it, changed. */
function withoutActions(documents: readonly MapNode[], file: string): readonly MapNode[] {
  const whole: MapNode[] = [];
  let shared: MapNode | undefined;
  for (const document of documents) {
    const action = document.entries.has('action') ? (textOf(document, 'action', file) ?? '') : undefined;
    const own = without(document, ['action']);
    const line = lineOf(document, 'action');
    if (action === undefined) whole.push(merged(shared, own));
    else if (action === 'global') shared = merged(shared, own);
    else if (action === 'reset') shared = undefined;
    else if (action === 'repeat') whole.push(merged(whole.at(-1), own));
    else
      throw new SigmaError(
        file,
        line,
        `action: \`${action}\` is none of ${ACTIONS.join(', ')}${didYouMean(action, ACTIONS)}`,
      );
  }
  if (whole.length === 0) throw new SigmaError(file, 1, 'action: shares keys with documents that are not there');
  return whole;
}

/** Id and name belong to one document; two rules of one id could not be told apart. */
const merged = (lender: MapNode | undefined, own: MapNode): MapNode =>
  lender === undefined ? own : overlaid(without(lender, ['id', 'name']), own);

function overlaid(under: MapNode, over: MapNode): MapNode {
  const entries = new Map(under.entries);
  for (const [key, entry] of over.entries) {
    const below = entries.get(key)?.value;
    const isBoth = below?.kind === 'map' && entry.value.kind === 'map';
    entries.set(key, isBoth ? { ...entry, value: overlaid(below, entry.value) } : entry);
  }
  return { ...over, entries };
}

const without = (map: MapNode, keys: readonly string[]): MapNode => ({
  ...map,
  entries: new Map([...map.entries].filter(([key]) => !keys.includes(key))),
});
