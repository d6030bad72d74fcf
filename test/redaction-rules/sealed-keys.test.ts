/** Shared roots on their way: they open for their node alone, and the sealing is that of RFC 9180. */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import {
  AEAD_AES_128_GCM,
  AEAD_AES_256_GCM,
  AEAD_ChaCha20Poly1305,
  CipherSuite,
  KDF_HKDF_SHA256,
  KEM_DHKEM_P256_HKDF_SHA256,
  KEM_DHKEM_X25519_HKDF_SHA256,
} from 'hpke';
import { describe, expect, test } from 'vitest';
import { ProtocolError } from '#protocol/error.ts';
import { parseNote, signNote } from '#protocol/note.ts';
import type { TurningRoot } from '../../redaction-rules/keys.ts';
import {
  generateSealKey,
  openKeys,
  packRoot,
  sealKeys,
  SealedKeysError,
  unpackRoot,
} from '../../redaction-rules/sealed-keys.ts';
import { fixedKey } from '../protocol/sample.ts';

const authority = fixedKey('authority', 41);
const cohort: TurningRoot = { lasting: Buffer.alloc(32, 1), hour: 500_000, chain: Buffer.alloc(32, 2) };
const fleet: TurningRoot = { lasting: Buffer.alloc(32, 3), hour: 500_001, chain: Buffer.alloc(32, 4) };
const key = await generateSealKey();
const to = { node: 'node-1', cohort: 'subnet-1', publicKey: key.public };
const by = { node: 'node-1', cohort: 'subnet-1', secret: key.secret, authority: authority.verifier };
const problemOf = async (work: Promise<unknown>): Promise<string> =>
  await work.then(
    () => 'opened',
    (error: unknown) => {
      if (error instanceof SealedKeysError || error instanceof ProtocolError) return error.message;
      throw error;
    },
  );

test('what was sealed for a node is what it opens', async () => {
  expect(await openKeys(await sealKeys(to, { cohort, fleet }, authority), by)).toEqual({ cohort, fleet });
  expect(await openKeys(await sealKeys(to, { cohort }, authority), by)).toEqual({ cohort, fleet: undefined });
});

test('the note shows for whom it is, and nothing of what is in it', async () => {
  const { text } = parseNote(await sealKeys(to, { cohort }, authority));
  expect(text).toMatch(
    /^hushwatch\/keys\/v1\nnode node-1\ncohort subnet-1\ncohort-root \S{44} \S{118,120}\nfleet-root -\n$/,
  );
  for (const secret of [cohort.lasting, cohort.chain])
    expect(text).not.toContain(Buffer.from(secret).toString('base64').slice(0, 12));
});

describe('for nobody else', async () => {
  const sealed = await sealKeys(to, { cohort, fleet }, authority);
  const { text } = parseNote(sealed);
  const other = await generateSealKey();
  const swapped = text
    .replace('cohort-root', 'x-root')
    .replace('fleet-root', 'cohort-root')
    .replace('x-root', 'fleet-root');
  const [a = '', b = '', c = '', first = '', second = ''] = swapped.split('\n');
  const rows: readonly (readonly [string, Uint8Array, typeof by, RegExp])[] = [
    ['another key', sealed, { ...by, secret: other.secret }, /cannot be opened with this key/],
    ['another node', sealed, { ...by, node: 'node-2' }, /another node or cohort/],
    ['another cohort', sealed, { ...by, cohort: 'subnet-2' }, /another node or cohort/],
    ['another authority', signNote(text, fixedKey('authority', 42)), by, /not signed by the authority/],
    ['scopes exchanged', signNote(`${[a, b, c, second, first].join('\n')}\n`, authority), by, /cannot be opened/],
    [
      'a node renamed',
      signNote(text.replace('node-1', 'node-9'), authority),
      { ...by, node: 'node-9' },
      /cannot be opened/,
    ],
    ['a line missing', signNote(text.replace(/fleet-root.*\n/, ''), authority), by, /not a note of/],
    ['another version', signNote(text.replace('keys/v1', 'keys/v2'), authority), by, /not a note of/],
    ['no note', Buffer.from('x'), by, /blank line/],
  ];
  for (const [name, bytes, opener, says] of rows)
    test(name, async () => expect(await problemOf(openKeys(bytes, opener))).toMatch(says));
});

test('whatever comes in, only an error that says what it is comes out', async () => {
  const sealed = await sealKeys(to, { cohort }, authority);
  const changed = fc.tuple(fc.nat(sealed.length - 1), fc.nat(255)).map(([at, value]) => {
    const bytes = Buffer.from(sealed);
    bytes[at] = value;
    return bytes;
  });
  await fc.assert(
    fc.asyncProperty(changed, async (bytes) => typeof (await problemOf(openKeys(bytes, by))) === 'string'),
    { numRuns: 150 },
  );
});

test('a root packed is a root unpacked', () => {
  expect(unpackRoot(packRoot(cohort))).toEqual(cohort);
  expect(() => unpackRoot(Buffer.alloc(71))).toThrow(SealedKeysError);
});

/* RFC 9180, appendix A, as the vectors of the CFRG have it: base mode, both KEMs that we use or shall use. */
const VECTORS = new URL('../../../shared/data/vectors/hpke/vectors_rfc9180_5f503c5.json.gz', import.meta.url);
interface HpkeVector {
  readonly mode: number;
  readonly kem_id: number;
  readonly kdf_id: number;
  readonly aead_id: number;
  readonly info: string;
  readonly skRm: string;
  readonly enc: string;
  readonly encryptions: readonly { readonly aad: string; readonly ct: string; readonly pt: string }[];
}
describe('RFC 9180', () => {
  expect(existsSync(VECTORS)).toBe(true);
  const all: readonly HpkeVector[] = JSON.parse(gunzipSync(readFileSync(VECTORS)).toString());
  const kems = new Map([
    [0x10, KEM_DHKEM_P256_HKDF_SHA256],
    [0x20, KEM_DHKEM_X25519_HKDF_SHA256],
  ]);
  const aeads = new Map([
    [1, AEAD_AES_128_GCM],
    [2, AEAD_AES_256_GCM],
    [3, AEAD_ChaCha20Poly1305],
  ]);
  const ours = all.filter(
    ({ mode, kem_id, kdf_id, aead_id }) => mode === 0 && kems.has(kem_id) && kdf_id === 1 && aeads.has(aead_id),
  );
  test(`${ours.length} suites open what the vectors sealed`, async () => {
    expect(ours.length).toBeGreaterThanOrEqual(6);
    for (const vector of ours) {
      const kem = kems.get(vector.kem_id);
      const aead = aeads.get(vector.aead_id);
      if (kem === undefined || aead === undefined) throw new Error('filtered above');
      const suite = new CipherSuite(kem, KDF_HKDF_SHA256, aead);
      const hex = (text: string): Buffer => Buffer.from(text, 'hex');
      const secret = await suite.DeserializePrivateKey(hex(vector.skRm), false);
      const [first] = vector.encryptions;
      const opened = await suite.Open(secret, hex(vector.enc), hex(first?.ct ?? ''), {
        info: hex(vector.info),
        aad: hex(first?.aad ?? ''),
      });
      expect(Buffer.from(opened).toString('hex')).toBe(first?.pt);
    }
  });
});
