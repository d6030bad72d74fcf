/** Who this node is on the wire. The service manager hands the key to the running unit alone; until then it lies beside its certificate. */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readTlsIdentity, type TlsIdentity } from '../../service/tls-identity.ts';

const HANDED = '/run/credentials/';

interface Files {
  readonly tls_key: string;
  readonly tls_cert: string;
}

/** Throws ConfigError when key and certificate cannot be used. */
export function identityOf({ tls_key, tls_cert }: Files): TlsIdentity & { readonly keyFile: string } {
  const isHandedLater = tls_key.startsWith(HANDED) && !existsSync(tls_key);
  const keyFile = isHandedLater ? join(dirname(tls_cert), basename(tls_key)) : tls_key;
  return { ...readTlsIdentity(keyFile, tls_cert), keyFile };
}
