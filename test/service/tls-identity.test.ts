/** Key and certificate are read together, or it is said what is wrong with which; never what is in them. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeTlsIdentity } from '../../collector/keys.ts';
import { readTlsIdentity } from '../../service/tls-identity.ts';

let home = '';
const at = (name: string): string => join(home, name);
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-tls-'));
  await makeTlsIdentity(at('a'), 'a');
  await makeTlsIdentity(at('b'), 'b');
});
afterAll(() => rmSync(home, { recursive: true }));

test('a pair', () => {
  const { key, certificate } = readTlsIdentity(at('a/tls.key'), at('a/tls.crt'));
  expect(key.toString()).toContain('PRIVATE KEY');
  expect(certificate.toString()).toContain('CERTIFICATE');
});

test.each([
  ['a/tls.key', 'b/tls.crt', /b\/tls\.crt: is not the certificate of .*a\/tls\.key/],
  ['a/tls.crt', 'a/tls.crt', /a\/tls\.crt: is no private key in PEM$/],
  ['a/tls.key', 'a/tls.key', /a\/tls\.key: is no certificate in PEM$/],
  ['a/none', 'a/tls.crt', /a\/none: cannot be read \(ENOENT\)$/],
])('%s with %s', (key, certificate, problem) => {
  expect(() => readTlsIdentity(at(key), at(certificate))).toThrow(problem);
});

test('half a file quotes nothing', () => {
  copyFileSync(at('a/tls.crt'), at('half.crt'));
  writeFileSync(at('half.key'), '-----BEGIN PRIVATE KEY-----\nhunter2\n');
  expect(() => readTlsIdentity(at('half.key'), at('half.crt'))).not.toThrow('hunter2');
});
