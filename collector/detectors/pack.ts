/**
 * Loads a directory of Sigma rules: the pack that agents and collector run, with the digest that names it.
 *
 * The only file of the detectors that reads files. What is loaded is data; the digest covers every rule file
 * and the mapping, because both decide what a match means.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SigmaError } from './sigma/error.ts';
import { parseMapping, type Mapping } from './sigma/mapping.ts';
import { applyFilters } from './sigma/filter.ts';
import { parseSigmaFile } from './sigma/parse.ts';
import type { SigmaCorrelation, SigmaFilter, SigmaRule } from './sigma/rule.ts';

export interface Pack {
  readonly rules: readonly SigmaRule[];
  readonly correlations: readonly SigmaCorrelation[];
  readonly mapping: Mapping;
  /** SHA-256, hex, over the sorted rule files and the mapping. */
  readonly digest: string;
}

const MAPPING_FILE = fileURLToPath(new URL('mapping.yaml', import.meta.url));

/** The pack that Hushwatch brings along. */
export const STARTER_PACK = fileURLToPath(new URL('rules', import.meta.url));

export function loadMapping(file: string = MAPPING_FILE): Mapping {
  return parseMapping(readFileSync(file, 'utf8'), file);
}

/**
 * Every `.yml` below the directory, those in a directory named `tests` excepted, with the `mapping.yaml` that lies there, or ours.
 * Throws SigmaError.
 */
export function loadPack(directory: string): Pack {
  const own = join(directory, 'mapping.yaml');
  const mappingFile = existsSync(own) ? own : MAPPING_FILE;
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.yml'))
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .filter((name) => !name.split(sep).includes('tests'))
    .toSorted();
  if (names.length === 0) throw new SigmaError(directory, 1, 'no .yml file here; name a directory of Sigma rules');
  const files = names.map((name) => ({ name: name.split(sep).join('/'), bytes: readFileSync(join(directory, name)) }));
  const documents = files.flatMap(({ name, bytes }) => parseSigmaFile(bytes.toString('utf8'), name));
  refuseTwins(documents);
  const filters = documents.filter((document): document is SigmaFilter => document.kind === 'filter');
  const rules = documents.filter((document): document is SigmaRule => document.kind === 'rule');
  const correlations = documents.filter((document): document is SigmaCorrelation => document.kind === 'correlation');
  refuseUnknown(correlations, documents);
  return {
    rules: applyFilters(rules, filters),
    correlations,
    mapping: loadMapping(mappingFile),
    digest: digestOf([...files, { name: '../mapping.yaml', bytes: readFileSync(mappingFile) }]),
  };
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
  for (const { rules, file, line } of correlations) {
    const unknown = rules.find((rule) => !known.has(rule));
    if (unknown === undefined) continue;
    throw new SigmaError(file, line, `correlation: rules: no rule here has the id or name ${unknown}`);
  }
}
