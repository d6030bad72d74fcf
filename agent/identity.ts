/** The agent's secrets: the signing key and the root of its pseudonyms. Made once, readable by the agent alone, never printed. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import {
  formatSigningKey,
  formatVerifierKey,
  generateSigningKey,
  parseSigningKey,
  type SigningKey,
} from '#protocol/note.ts';
import { ConfigError } from './config-file.ts';

const PSEUDONYM_KEY_BYTES = 32;

/** Reads the node's signing key, or makes it, with the public half beside it in `<file>.pub`. */
export function openIdentity(file: string, node: string): SigningKey {
  if (!existsSync(file)) {
    const fresh = generateSigningKey(node);
    writeFileSync(file, formatSigningKey(fresh), { mode: 0o600, flag: 'wx' });
    writeFileSync(`${file}.pub`, `${formatVerifierKey(fresh.verifier)}\n`, { mode: 0o644 });
  }
  return parseSigningKey(node, readSecret(file).toString('utf8'));
}

export function openPseudonymKey(file: string): Uint8Array {
  if (!existsSync(file)) writeFileSync(file, randomBytes(PSEUDONYM_KEY_BYTES), { mode: 0o600, flag: 'wx' });
  const secret = readSecret(file);
  if (secret.length !== PSEUDONYM_KEY_BYTES)
    throw new ConfigError(
      `${file}: must hold ${PSEUDONYM_KEY_BYTES} bytes; restore it, or remove it and lose the old pseudonyms`,
    );
  return secret;
}

function readSecret(file: string): Buffer {
  if ((statSync(file).mode & 0o077) !== 0) throw new ConfigError(`${file}: others may read it; chmod 600 ${file}`);
  return readFileSync(file);
}
