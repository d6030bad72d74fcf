/** The agent's signing key. Made once, readable by the agent alone, never printed. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import {
  formatSigningKey,
  formatVerifierKey,
  generateSigningKey,
  parseSigningKey,
  type SigningKey,
} from '#protocol/note.ts';
import { ConfigError } from '../config/yaml.ts';

/** Reads the node's signing key, or makes it, with the public half beside it in `<file>.pub`. */
export function openIdentity(file: string, node: string): SigningKey {
  if (!existsSync(file)) {
    const fresh = generateSigningKey(node);
    writeFileSync(file, formatSigningKey(fresh), { mode: 0o600, flag: 'wx' });
    writeFileSync(`${file}.pub`, `${formatVerifierKey(fresh.verifier)}\n`, { mode: 0o644 });
  }
  return parseSigningKey(node, readSecret(file).toString('utf8'));
}

function readSecret(file: string): Buffer {
  if ((statSync(file).mode & 0o077) !== 0) throw new ConfigError(`${file}: others may read it; chmod 600 ${file}`);
  return readFileSync(file);
}
