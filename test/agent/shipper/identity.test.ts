/** The key that the service manager hands out, and the one beside the certificate until it does. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { identityOf } from '../../../agent/shipper/identity.ts';
import { makeTlsIdentity } from '../../../collector/keys.ts';

let home = '';
const at = (name: string): string => join(home, name);
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-identity-'));
  await makeTlsIdentity(home, 'node-1');
});
afterAll(() => rmSync(home, { recursive: true }));

test('the key is where it is said to be', () => {
  expect(identityOf({ tls_key: at('tls.key'), tls_cert: at('tls.crt') }).keyFile).toBe(at('tls.key'));
});

test('before the unit runs, a key that it is handed lies beside the certificate', () => {
  const tls_key = '/run/credentials/no-such.service/tls.key';
  expect(identityOf({ tls_key, tls_cert: at('tls.crt') }).keyFile).toBe(at('tls.key'));
});

test('no other key is looked for beside it', () => {
  expect(() => identityOf({ tls_key: '/nowhere/tls.key', tls_cert: at('tls.crt') })).toThrow('/nowhere/tls.key');
});
