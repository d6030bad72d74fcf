/** A private key and its certificate, read together: one without the other would be found out by the next connection only. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError } from '../config/yaml.ts';

export interface TlsIdentity {
  /** PEM, both. */
  readonly key: Buffer;
  readonly certificate: Buffer;
}

/** Throws ConfigError when one cannot be read or they do not belong together. */
export function readTlsIdentity(keyFile: string, certificateFile: string): TlsIdentity {
  const [key, certificate] = [read(keyFile), read(certificateFile)];
  const parsed = parse(certificateFile, 'certificate', () => new X509Certificate(certificate));
  const secret = parse(keyFile, 'private key', () => createPrivateKey(key));
  if (!parsed.checkPrivateKey(secret))
    throw new ConfigError(
      `${certificateFile}: is not the certificate of ${keyFile}; put both in place, then ask again`,
    );
  return { key, certificate };
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new ConfigError(
      `${file}: cannot be read (${error instanceof Error && 'code' in error ? String(error.code) : 'unknown'})`,
    );
  }
}

/** What the library says may quote the key. */
function parse<T>(file: string, what: string, make: () => T): T {
  try {
    return make();
  } catch {
    throw new ConfigError(`${file}: is no ${what} in PEM`);
  }
}
