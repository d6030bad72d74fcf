/**
 * Takes roots of pseudonyms that the authority sealed for this node, when they come and when they change, and forgets
 * those of epochs that are over. Nothing here ever says what a root is.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { ProtocolError } from '#protocol/error.ts';
import { parseVerifierKey } from '#protocol/note.ts';
import { HOUR_US } from '../redaction-rules/keys.ts';
import { openKeys, SealedKeysError, type Opener } from '../redaction-rules/sealed-keys.ts';
import { ConfigError } from '../config/yaml.ts';
import { troubleOf } from './disk.ts';
import type { Keyring } from './keyring.ts';

/** Events of the epoch before may still come for so long. */
const LATE_US = 600_000_000;

export interface SealedPlace {
  readonly node: string;
  readonly cohort: string;
  /** Verifier key of the authority, or `none`. */
  readonly authority: string;
  readonly sealed_keys: string;
  readonly seal_key: string;
}

export class SharedKeys {
  readonly #place: SealedPlace;
  #takenMs = 0;

  constructor(place: SealedPlace) {
    this.#place = place;
  }

  /** True when new roots were taken. Throws ConfigError when what is there cannot be used; the old ones stay. */
  async take(keyring: Keyring): Promise<boolean> {
    const { authority, sealed_keys: file } = this.#place;
    if (authority === 'none' || !existsSync(file)) return false;
    const { mtimeMs } = statSync(file);
    if (mtimeMs === this.#takenMs) return false;
    try {
      keyring.adopt(await openKeys(readFileSync(file), this.#opener()));
      this.#takenMs = mtimeMs;
      return true;
    } catch (error) {
      // A disk that is full is tried again; what is wrong with the file stays wrong until it changes.
      if (troubleOf(error) === undefined) this.#takenMs = mtimeMs;
      if (error instanceof SealedKeysError || error instanceof ProtocolError)
        throw new ConfigError(`${file}: ${error.message}`);
      throw error;
    }
  }

  #opener(): Opener {
    const { node, cohort, authority, seal_key: file } = this.#place;
    if (!existsSync(file)) throw new ConfigError(`${file}: no such file; make it with hushwatch keys node`);
    if ((statSync(file).mode & 0o077) !== 0) throw new ConfigError(`${file}: others may read it; chmod 600 ${file}`);
    const secret = Buffer.from(readFileSync(file, 'latin1').trim(), 'base64');
    return { node, cohort, secret, authority: parseVerifierKey(authority) };
  }
}

/** The first hour that is still needed. */
export function neededFrom(nowUs: number, epochUs: number): number {
  return Math.floor((Math.floor((nowUs - LATE_US) / epochUs) * epochUs) / HOUR_US);
}
