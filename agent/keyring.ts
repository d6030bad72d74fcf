/**
 * The roots of this node's pseudonyms: its own, and those of its cohort and of the fleet when the privacy authority gave
 * them. One file, readable by the agent alone, replaced whole; what is older than the epoch in force is turned away and
 * cannot be had back, not from here and not from the disk.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { HOUR_US, KEY_BYTES, turnTo, type PseudonymKeys, type TurningRoot } from '../redaction-rules/keys.ts';
import { packRoot, unpackRoot, SealedKeysError, type SharedRoots } from '../redaction-rules/sealed-keys.ts';
import { ConfigError } from '../config/yaml.ts';

const SCOPES = ['node', 'cohort', 'fleet'] as const;
type Roots = { readonly node: TurningRoot } & SharedRoots;

export class Keyring implements PseudonymKeys {
  /** Undefined: nothing is kept. */
  readonly #file: string | undefined;
  #roots: Roots;
  #generation = 0;

  private constructor(file: string | undefined, roots: Roots) {
    this.#file = file;
    this.#roots = roots;
  }

  /** Makes the node's own root when there is no file. */
  static open(file: string, nowUs: number): Keyring {
    const { roots, isNew } = rootsIn(file, nowUs);
    if (isNew) writeRoots(file, roots);
    return new Keyring(file, roots);
  }

  /** The same to look at: whoever asks is perhaps root, and what root writes the agent could not read. */
  static look(file: string, nowUs: number): Keyring {
    return new Keyring(undefined, rootsIn(file, nowUs).roots);
  }

  get node(): TurningRoot {
    return this.#roots.node;
  }

  get cohort(): TurningRoot | undefined {
    return this.#roots.cohort;
  }

  get fleet(): TurningRoot | undefined {
    return this.#roots.fleet;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Roots that the authority sent; those that it did not send stay. Whoever redacts with this ring uses them at once. */
  adopt({ cohort = this.#roots.cohort, fleet = this.#roots.fleet }: SharedRoots): void {
    this.#replace({ node: this.#roots.node, cohort, fleet });
    this.#generation++;
  }

  /** Forgets what epochs before this hour were made with. Pseudonyms of the epoch in force do not change by it. */
  forgetBefore(hour: number): void {
    const { node, cohort, fleet } = this.#roots;
    if ([node, cohort, fleet].every((root) => root === undefined || root.hour >= hour)) return;
    const turn = (root: TurningRoot | undefined): TurningRoot | undefined => root && turnTo(root, hour);
    this.#replace({ node: turnTo(node, hour), cohort: turn(cohort), fleet: turn(fleet) });
  }

  #replace(roots: Roots): void {
    if (this.#file !== undefined) writeRoots(this.#file, roots);
    this.#roots = roots;
  }
}

function rootsIn(file: string, nowUs: number): { readonly roots: Roots; readonly isNew: boolean } {
  const hour = Math.floor(nowUs / HOUR_US);
  const found = existsSync(file) ? readRoots(file) : randomBytes(KEY_BYTES);
  if (!(found instanceof Uint8Array)) return { roots: found, isNew: false };
  // New, or from before roots could forget: what lasts is there; what turns begins now and does not follow from it.
  return { roots: { node: { lasting: found, hour, chain: randomBytes(KEY_BYTES) } }, isNew: true };
}

/** A line a root: `node BASE64`. The file of before was 32 bytes and nothing else. */
function readRoots(file: string): Roots | Uint8Array {
  if ((statSync(file).mode & 0o077) !== 0) throw new ConfigError(`${file}: others may read it; chmod 600 ${file}`);
  const bytes = readFileSync(file);
  if (bytes.length === KEY_BYTES) return bytes;
  try {
    const lines = new Map(
      bytes
        .toString('latin1')
        .split('\n')
        .map((line): [string, string] => {
          const [scope = '', packed = ''] = line.split(' ', 2);
          return [scope, packed];
        }),
    );
    const root = (scope: string): TurningRoot | undefined => {
      const packed = lines.get(scope);
      return packed === undefined ? undefined : unpackRoot(Buffer.from(packed, 'base64'));
    };
    const node = root('node');
    if (node !== undefined) return { node, cohort: root('cohort'), fleet: root('fleet') };
  } catch (error) {
    if (!(error instanceof SealedKeysError)) throw error;
  }
  throw new ConfigError(`${file}: not the roots of pseudonyms; restore it, or remove it and lose the old pseudonyms`);
}

function writeRoots(file: string, roots: Roots): void {
  const lines = SCOPES.flatMap((scope) => {
    const root = roots[scope];
    return root === undefined ? [] : [`${scope} ${Buffer.from(packRoot(root)).toString('base64')}\n`];
  });
  writeSynced(`${file}.new`, lines.join(''));
  renameSync(`${file}.new`, file);
  const directory = openSync(dirname(file), 'r');
  fsyncSync(directory);
  closeSync(directory);
}

function writeSynced(file: string, text: string): void {
  const opened = openSync(file, 'w', 0o600);
  try {
    writeSync(opened, text);
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}
