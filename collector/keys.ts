/**
 * Keys and files that a collector begins with, and the TLS identities of both ends. Certificates are self-signed and
 * nobody checks them: an end is known by its public key, as `sha256/` and the base64 of the SHA-256 of its SPKI.
 * What is there already is kept; a key is never replaced.
 */
import { execFile } from 'node:child_process';
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  formatSigningKey,
  formatVerifierKey,
  generateSigningKey,
  parseSigningKey,
  type SigningKey,
} from '#protocol/note.ts';

const run = promisify(execFile);

/** The pin of a certificate's public key. */
export function pinOf(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ format: 'der', type: 'spki' });
  return `sha256/${createHash('sha256').update(spki).digest('base64')}`;
}

/** Makes `tls.key` and `tls.crt` (Ed25519, by the openssl command) in the directory unless they are there; the pin. */
export async function makeTlsIdentity(directory: string, commonName: string): Promise<string> {
  const [keyFile, certificateFile] = [join(directory, 'tls.key'), join(directory, 'tls.crt')];
  mkdirSync(directory, { recursive: true });
  if (!existsSync(keyFile) || !existsSync(certificateFile)) {
    writeFileSync(keyFile, '', { mode: 0o600 });
    const subject = ['-subj', `/CN=${commonName.replaceAll(/[^A-Za-z0-9.-]/g, '-')}`, '-days', '36500'];
    const out = ['-keyout', keyFile, '-out', certificateFile];
    await run('openssl', ['req', '-x509', '-newkey', 'ed25519', '-noenc', ...subject, ...out]);
    chmodSync(keyFile, 0o600);
  }
  return pinOf(new X509Certificate(readFileSync(certificateFile)));
}

export function readLogKey(home: string, origin: string): SigningKey {
  return parseSigningKey(origin, readFileSync(join(home, 'log.key'), 'utf8'));
}

export interface NewCollector {
  readonly home: string;
  readonly origin: string;
  /** HOST:PORT. */
  readonly listen?: string;
  readonly dashboard?: string;
}

/** What others need to know of a collector. */
export interface CollectorIdentity {
  /** For shippers: `sha256/…` of its TLS key. */
  readonly pin: string;
  /** For everyone: the log's key, as in `log.pub`. */
  readonly logKey: string;
  readonly token: string;
}

export async function initCollector({ home, origin, listen, dashboard }: NewCollector): Promise<CollectorIdentity> {
  mkdirSync(home, { recursive: true, mode: 0o750 });
  for (const name of ['rulesets', 'packs', 'approvals']) mkdirSync(join(home, name), { recursive: true });
  const keep = (name: string, mode: number, make: () => string): string => {
    const file = join(home, name);
    if (!existsSync(file)) writeFileSync(file, make(), { mode, flag: 'wx' });
    return readFileSync(file, 'utf8');
  };
  keep('log.key', 0o600, () => formatSigningKey(generateSigningKey(origin)));
  const logKey = keep('log.pub', 0o644, () => `${formatVerifierKey(readLogKey(home, origin).verifier)}\n`).trim();
  const token = keep('dashboard.token', 0o600, () => `${randomBytes(24).toString('base64url')}\n`).trim();
  keep('nodes.yaml', 0o640, () => 'nodes: []\n');
  const lines = [`origin: ${origin}`];
  if (listen !== undefined) lines.push(`listen: ${listen}`);
  if (dashboard !== undefined) lines.push(`dashboard: ${dashboard}`);
  keep('collector.yaml', 0o640, () => `${lines.join('\n')}\n`);
  return { pin: await makeTlsIdentity(home, 'hushwatch-collector'), logKey, token };
}
