/**
 * Loads a directory of Sigma rules: the pack that agents and collector run, with the digest that names it.
 *
 *
 *     RULE.yml …            rules, filters, correlations, in any folder; a checkout of SigmaHQ as it is
 *     mapping/NAME.yaml     laid over the mapping that Hushwatch brings along
 *     placeholders/NAME.txt the values of %NAME%, one a line
 *
 * The only file of the detectors that reads files. What is loaded is data; the digest covers every rule file,
 * the mapping and the values, because all decide what a match means.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { collectErrors, SigmaError } from './sigma/error.ts';
import { overlay, parseMapping, type Mapping } from './sigma/mapping.ts';
import { applyFilters } from './sigma/filter.ts';
import { parseSigmaFile } from './sigma/parse.ts';
import type { SigmaCorrelation, SigmaFilter, SigmaRule } from './sigma/rule.ts';
import { didYouMean } from '../../config/suggest.ts';

export interface Pack {
  readonly rules: readonly SigmaRule[];
  readonly correlations: readonly SigmaCorrelation[];
  readonly filters: readonly SigmaFilter[];
  /** Ours, and what the pack brings laid over it. */
  readonly mapping: Mapping;
  /** What the pack brings. */
  readonly own: Mapping;
  /** SHA-256, hex, over the sorted rule files and the mapping. */
  readonly digest: string;
}

const MAPPING_FILE = fileURLToPath(new URL('mapping.yaml', import.meta.url));

/** The pack that Hushwatch brings along. */
export const STARTER_PACK = fileURLToPath(new URL('rules', import.meta.url));

export function loadMapping(file: string = MAPPING_FILE): Mapping {
  return parseMapping(readFileSync(file, 'utf8'), file);
}

/** Folders that hold no rules in force, here or in a checkout of SigmaHQ. */
const NO_RULES = ['tests', 'deprecated', 'unsupported', 'regression_data', 'documentation'];

interface PackFile {
  /** Relative to the pack, with slashes. */
  readonly name: string;
  readonly bytes: Buffer;
}

/**
 * With the `mapping.yaml` that lies there, or ours. `beyond`: rules of other packs, which filters and correlations may name.
 * Throws SigmaError, with all that is wrong in the files.
 */
export function loadPack(directory: string, beyond: readonly SigmaRule[] = []): Pack {
  const mappingFile = mappingOf(directory);
  const files = filesIn(directory);
  const rulesFiles = files.filter(({ name }) => name.endsWith('.yml'));
  if (rulesFiles.length === 0) throw new SigmaError(directory, 1, 'no .yml file here; name a directory of Sigma rules');
  const documents = collectErrors(rulesFiles, ({ name, bytes }) => parseSigmaFile(bytes.toString('utf8'), name));
  refuseTwins(documents);
  const filters = documents.filter((document): document is SigmaFilter => document.kind === 'filter');
  const rules = documents.filter((document): document is SigmaRule => document.kind === 'rule');
  const correlations = documents.filter((document): document is SigmaCorrelation => document.kind === 'correlation');
  refuseUnknown(correlations, [...documents, ...beyond]);
  const own = ownMapping(files);
  return {
    rules: applyFilters(rules, filters, beyond),
    correlations,
    filters,
    mapping: overlay(loadMapping(mappingFile), own),
    own,
    digest: digestOf([...files, { name: '../mapping.yaml', bytes: readFileSync(mappingFile) }]),
  };
}

/** The mapping that the pack was approved with, when it lies there. */
function mappingOf(directory: string): string {
  const file = join(directory, 'mapping.yaml');
  return existsSync(file) ? file : MAPPING_FILE;
}

/** All that a pack's digest covers, as it must lie in a directory to have the same digest there. */
export function packFiles(directory: string): readonly PackFile[] {
  return [...filesIn(directory), { name: 'mapping.yaml', bytes: readFileSync(mappingOf(directory)) }];
}

/** Rules, mappings and values, sorted by name. */
function filesIn(directory: string): readonly PackFile[] {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((name) => isRule(name) || isMapping(name) || isValues(name));
  return names.toSorted().map((name) => ({ name, bytes: readFileSync(join(directory, name)) }));
}

const isMapping = (name: string): boolean => /^mapping\/[^/]+\.yaml$/.test(name);
const isValues = (name: string): boolean => /^placeholders\/[^/]+\.txt$/.test(name);
const isRule = (name: string): boolean =>
  name.endsWith('.yml') && !name.split('/').some((folder) => NO_RULES.includes(folder) || folder.startsWith('.'));

function ownMapping(files: readonly PackFile[]): Mapping {
  const laid = collectErrors(
    files.filter(({ name }) => isMapping(name)),
    ({ name, bytes }) => [parseMapping(bytes.toString('utf8'), name)],
  );
  const values = collectErrors(
    files.filter(({ name }) => isValues(name)),
    (file) => [[file.name.slice('placeholders/'.length, -'.txt'.length), valuesIn(file)] as const],
  );
  return [...laid, { ...NO_MAPPING, placeholders: new Map(values) }].reduce(overlay, NO_MAPPING);
}

const NO_MAPPING: Mapping = { fields: new Map(), placeholders: new Map(), resolved: new Map(), routes: [] };

const MAX_VALUES = 10_000;

/** One value a line; lines that begin with `#` are for the reader. */
function valuesIn({ name, bytes }: PackFile): readonly string[] {
  if (bytes.length > 1 << 20) throw new SigmaError(name, 1, 'larger than 1 MiB; split it into several placeholders');
  const lines = bytes
    .toString('utf8')
    .split('\n')
    .map((line) => line.trim());
  const values = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (values.length > MAX_VALUES) throw new SigmaError(name, 1, `more than ${MAX_VALUES} values; use wildcards`);
  if (values.length === 0) throw new SigmaError(name, 1, 'holds no value; a rule that names it could never match');
  return values;
}

function digestOf(files: readonly { readonly name: string; readonly bytes: Buffer }[]): string {
  const hash = createHash('sha256');
  for (const { name, bytes } of files) hash.update(`${name.length} ${name} ${bytes.length}\n`).update(bytes);
  return hash.digest('hex');
}

function refuseTwins(
  documents: readonly { readonly id: string; readonly file: string; readonly line: number }[],
): void {
  const seen = new Map<string, string>();
  for (const { id, file, line } of documents) {
    const other = seen.get(id);
    if (other !== undefined)
      throw new SigmaError(file, line, `id: ${id} is already that of ${other}; give each rule its own`);
    seen.set(id, file);
  }
}

function refuseUnknown(
  correlations: readonly SigmaCorrelation[],
  documents: readonly { readonly id: string; readonly name: string | undefined }[],
): void {
  const known = new Set(documents.flatMap(({ id, name }) => [id, name]));
  const names = [...known].filter((name) => name !== undefined);
  for (const { rules, aliases, file, line } of correlations) {
    const refuse = (where: string, unknown: string): never => {
      const near = didYouMean(unknown, names);
      throw new SigmaError(file, line, `correlation: ${where}: no rule here has the id or name ${unknown}${near}`);
    };
    for (const rule of rules) if (!known.has(rule)) refuse('rules', rule);
    for (const rule of [...aliases.values()].flatMap((behind) => [...behind.keys()]))
      if (!known.has(rule)) refuse('aliases', rule);
  }
}
