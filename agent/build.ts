/** Which agent this is: its version, and what it was built from. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export { VERSION } from '../service/version.ts';

/** In a package, where the sources are not: their digest, put in when it was made. */
declare const HUSHWATCH_BUILD: string | undefined;

export function buildDigest(): string {
  return typeof HUSHWATCH_BUILD === 'string' ? HUSHWATCH_BUILD : sourceDigest();
}

/** Whatever code runs in agent or shipper is in one of these. */
export const OF_NODES = [
  'agent',
  'protocol',
  'redaction-rules',
  'collector/detectors',
  'config',
  'service',
  'telemetry',
] as const;

/** SHA-256 over the sources that run on nodes: what is audited is what runs. */
export function sourceDigest(): string {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const hash = createHash('sha256');
  for (const side of OF_NODES) {
    const files = readdirSync(join(root, side), { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.ts'),
    );
    for (const file of files.toSorted()) hash.update(`${side}/${file}\n`).update(readFileSync(join(root, side, file)));
  }
  return hash.digest('hex');
}
