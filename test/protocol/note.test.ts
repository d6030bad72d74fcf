/** Signed notes: the examples of the C2SP text, Wycheproof, weak keys, every refusal. */
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeBase64, encodeBase64 } from '#protocol/encoding.ts';
import {
  formatSigningKey,
  formatVerifierKey,
  generateSigningKey,
  NOTE_SIGNATURE,
  parseNote,
  parseSigningKey,
  parseVerifierKey,
  publicKey,
  signNote,
  verifyEd25519,
  verifyNote,
} from '#protocol/note.ts';
import { codeOf, eachBitFlip } from './refusal.ts';
import { fixedKey } from './sample.ts';

const vectors = new URL('../../../shared/data/vectors/', import.meta.url);
const bytes = (text: string): Uint8Array => Buffer.from(text);
const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');

// C2SP signed-note, "Example".
const EXAMPLE_KEY = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
const EXAMPLE = `This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
`;

test('the example of the specification is verified', () => {
  const key = parseVerifierKey(EXAMPLE_KEY);
  expect(formatVerifierKey(key)).toBe(EXAMPLE_KEY);
  const note = verifyNote(parseNote(bytes(EXAMPLE)), [key]);
  expect(note?.text).toBe('This is an example message.\n');
  expect(note?.signers).toEqual([key]);
});

test('the text of the specification contains that example', () => {
  const specification = readFileSync(new URL('c2sp/signed-note.md', vectors), 'utf8');
  expect(specification).toContain(EXAMPLE_KEY);
  expect(specification).toContain(EXAMPLE);
});

test('the example with empty lines in its text is a note', () => {
  const specification = readFileSync(new URL('c2sp/signed-note.md', vectors), 'utf8');
  const [, example = ''] = /```\n(Ognuno[^`]*)```/.exec(specification) ?? [];
  const note = parseNote(bytes(example));
  expect(note.text).toMatch(/sole:\n\ned è subito sera\.\n$/);
  expect(note.signatures.map((line) => line.name)).toEqual(['quasimodo.example/salvatore']);
});

const alice = fixedKey('alice', 11);
const bob = fixedKey('bob', 12);
const golden = signNote('hello\n', alice);

test('several keys sign one text', () => {
  const both = parseNote(signNote('hello\n', bob, parseNote(golden).signatures));
  expect(verifyNote(both, [alice.verifier])?.signers).toEqual([alice.verifier]);
  expect(verifyNote(both, [bob.verifier, alice.verifier])?.signers).toHaveLength(2);
  expect(verifyNote(both, [fixedKey('carol', 13).verifier])).toBeUndefined();
  expect(verifyNote(both, [])).toBeUndefined();
});

test('a wrong signature by a trusted key rejects the note, beside a good one too; by an unknown key it is ignored', () => {
  const [line] = parseNote(signNote('other\n', bob)).signatures;
  const note = parseNote(signNote('hello\n', alice, line ? [line] : []));
  expect(verifyNote(note, [alice.verifier])).toBeDefined();
  expect(verifyNote(note, [alice.verifier, bob.verifier])).toBeUndefined();
});

test('name and id both make the key', () => {
  expect(verifyNote(parseNote(golden), [fixedKey('alice', 12).verifier])).toBeUndefined();
  expect(verifyNote(parseNote(golden), [fixedKey('alicia', 11).verifier])).toBeUndefined();
});

test('every single-bit flip of a note is refused', () => {
  for (const [where, flipped] of eachBitFlip(golden)) {
    let accepted = false;
    codeOf(() => (accepted = verifyNote(parseNote(flipped), [alice.verifier]) !== undefined));
    expect(accepted, `bit ${where}`).toBe(false);
  }
});

test('every truncation and one more byte are refused', () => {
  for (let length = 0; length < golden.length; length++) {
    expect(
      codeOf(() => parseNote(golden.subarray(0, length))),
      `${length} bytes`,
    ).not.toBe('accepted');
  }
  for (const more of ['\n', ' ', 'x']) {
    expect(codeOf(() => parseNote(Buffer.concat([golden, bytes(more)])))).toBe('bad-note');
  }
});

const SIGNATURE = 'AAAAAP8=';
const refused: readonly { name: string; in: string | Uint8Array; code: string }[] = [
  { name: 'nothing', in: '', code: 'bad-note' },
  { name: 'no signature', in: 'text\n\n', code: 'bad-note' },
  { name: 'no blank line', in: `text\n— a ${SIGNATURE}\n`, code: 'bad-note' },
  { name: 'no text', in: `\n— a ${SIGNATURE}\n`, code: 'bad-note' },
  { name: 'a carriage return', in: `text\r\n\n— a ${SIGNATURE}\n`, code: 'bad-text' },
  { name: 'a tab', in: `te\txt\n\n— a ${SIGNATURE}\n`, code: 'bad-text' },
  { name: 'a zero byte', in: `te\0xt\n\n— a ${SIGNATURE}\n`, code: 'bad-text' },
  { name: 'not UTF-8', in: Buffer.concat([hex('ff0a0a'), bytes(`— a ${SIGNATURE}\n`)]), code: 'bad-text' },
  { name: 'an overlong encoding', in: Buffer.concat([hex('c0af0a0a'), bytes(`— a ${SIGNATURE}\n`)]), code: 'bad-text' },
  { name: 'a surrogate', in: Buffer.concat([hex('eda0800a0a'), bytes(`— a ${SIGNATURE}\n`)]), code: 'bad-text' },
  { name: 'a hyphen for the dash', in: `text\n\n- a ${SIGNATURE}\n`, code: 'bad-note' },
  { name: 'two spaces', in: `text\n\n—  a ${SIGNATURE}\n`, code: 'bad-note' },
  { name: 'a space at the end', in: `text\n\n— a ${SIGNATURE} \n`, code: 'bad-note' },
  { name: 'no name', in: `text\n\n— ${SIGNATURE}\n`, code: 'bad-note' },
  { name: 'a plus in the name', in: `text\n\n— a+b ${SIGNATURE}\n`, code: 'bad-note' },
  { name: 'a no-break space in the name', in: `text\n\n— a\u00a0b ${SIGNATURE}\n`, code: 'bad-note' },
  { name: 'a next-line character in the name', in: `text\n\n— a\u0085b ${SIGNATURE}\n`, code: 'bad-note' },
  { name: 'a signature without bytes', in: 'text\n\n— a AAAAAA==\n', code: 'bad-note' },
  { name: 'base64 without padding', in: 'text\n\n— a AAAAAP8\n', code: 'bad-base64' },
  { name: 'base64 with stray bits', in: 'text\n\n— a AAAAAP9=\n', code: 'bad-base64' },
  { name: 'base64 for URLs', in: 'text\n\n— a AAAAAP-_\n', code: 'bad-base64' },
  { name: 'one key twice', in: `text\n\n— a ${SIGNATURE}\n— a ${SIGNATURE}\n`, code: 'bad-note' },
  {
    name: 'seventeen signatures',
    in: `text\n\n${Array.from({ length: 17 }, (_, i) => `— a${i} ${SIGNATURE}\n`).join('')}`,
    code: 'too-large',
  },
  { name: 'too many bytes', in: `${'x'.repeat(131_072)}\n\n— a ${SIGNATURE}\n`, code: 'too-large' },
];
for (const row of refused) {
  test(`refused: ${row.name}`, () => {
    expect(codeOf(() => parseNote(typeof row.in === 'string' ? bytes(row.in) : row.in))).toBe(row.code);
  });
}

test('sixteen signatures and a byte order mark are accepted as they are', () => {
  const lines = Array.from({ length: 16 }, (_, i) => `— a${i} ${SIGNATURE}\n`).join('');
  const note = parseNote(bytes(`\ufefftext\n\n${lines}`));
  expect(note.signatures).toHaveLength(16);
  expect(note.textBytes).toEqual(Buffer.from('\ufefftext\n'));
});

test('what cannot be read is not written', () => {
  for (const text of ['no end', 'tab\t\n', 'half \ud800\n']) {
    expect(codeOf(() => signNote(text, alice))).not.toBe('accepted');
  }
});

test('a private key goes to PEM and back', () => {
  const key = generateSigningKey('carol');
  const again = parseSigningKey('carol', formatSigningKey(key));
  expect(formatVerifierKey(again.verifier)).toBe(formatVerifierKey(key.verifier));
  expect(verifyNote(parseNote(signNote('x\n', again)), [key.verifier])).toBeDefined();
  expect(codeOf(() => parseSigningKey('carol', 'nonsense'))).toBe('bad-key');
});

const [exampleName = '', exampleId = '', ...rest] = EXAMPLE_KEY.split('+');
const material = rest.join('+');
const badKeys: readonly { name: string; in: string; code: string }[] = [
  { name: 'nothing', in: '', code: 'bad-key' },
  { name: 'no name', in: `+${exampleId}+${material}`, code: 'bad-key' },
  { name: 'another name', in: `example.com/bar+${exampleId}+${material}`, code: 'bad-key' },
  { name: 'another id', in: `${exampleName}+530d903b+${material}`, code: 'bad-key' },
  { name: 'an id in capitals', in: `${exampleName}+530D903A+${material}`, code: 'bad-key' },
  { name: 'a space in the name', in: `a b+${exampleId}+${material}`, code: 'bad-key' },
  { name: 'a cosigner key', in: `${exampleName}+${exampleId}+BO${material.slice(2)}`, code: 'bad-key' },
  { name: '31 bytes', in: `a+00000000+${encodeBase64(Buffer.alloc(32, 1))}`, code: 'bad-key' },
  { name: 'stray bits', in: `${exampleName}+${exampleId}+${material.slice(0, -1)}k=`, code: 'bad-base64' },
  { name: 'a newline behind', in: `${EXAMPLE_KEY}\n`, code: 'bad-key' },
  { name: 'a kilobyte of name', in: `${'a'.repeat(1025)}+${exampleId}+${material}`, code: 'too-large' },
];
for (const row of badKeys) {
  test(`refused as a verifier key: ${row.name}`, () => {
    expect(codeOf(() => parseVerifierKey(row.in))).toBe(row.code);
  });
}

/** All points whose order divides eight, computed here from the curve, with all spellings of their y that fit 255 bits. */
function weakEncodings(): string[] {
  const p = 2n ** 255n - 19n;
  const mod = (n: bigint): bigint => ((n % p) + p) % p;
  const power = (base: bigint, exponent: bigint): bigint => {
    let [result, square] = [1n, mod(base)];
    for (let e = exponent; e > 0n; e >>= 1n) {
      if (e & 1n) result = mod(result * square);
      square = mod(square * square);
    }
    return result;
  };
  const root = (n: bigint): bigint | undefined => {
    const candidate = power(n, (p + 3n) / 8n);
    return [candidate, mod(candidate * power(2n, (p - 1n) / 4n))].find((x) => mod(x * x) === mod(n));
  };
  const d = mod(-121665n * power(121666n, p - 2n));
  // y = 0, 1, -1 have order 4, 1, 2; doubling a point of order 8 gives y = 0, that is x^2 = -y^2: d y^4 + 2 y^2 - 1 = 0.
  const squares = [1n, -1n].map((sign) => mod((-1n + sign * (root(1n + d) ?? 0n)) * power(d, p - 2n)));
  const eighths = squares.flatMap((square) => {
    const y = root(square);
    return y === undefined ? [] : [y, mod(-y)];
  });
  const ys = [0n, 1n, p - 1n, ...eighths];
  const spellings = ys.flatMap((y) => [y, y + p].filter((each) => each < 2n ** 255n));
  return spellings
    .flatMap((y) => [y, y + 2n ** 255n])
    .map((n) => Buffer.from(n.toString(16).padStart(64, '0'), 'hex').reverse().toString('hex'));
}

test('keys that anyone can sign for are refused, in all spellings', () => {
  const weak = weakEncodings();
  expect(weak).toHaveLength(14);
  for (const encoding of weak) {
    expect(
      codeOf(() => publicKey('a', NOTE_SIGNATURE, hex(encoding))),
      encoding,
    ).toBe('bad-key');
  }
  // And any other y that is not below the prime.
  expect(codeOf(() => publicKey('a', NOTE_SIGNATURE, hex(`f3${'ff'.repeat(30)}7f`)))).toBe('bad-key');
  expect(codeOf(() => publicKey('a', NOTE_SIGNATURE, hex(`eb${'ff'.repeat(30)}7f`)))).toBe('accepted');
});

interface Wycheproof {
  readonly numberOfTests: number;
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk: string };
    readonly tests: readonly { tcId: number; msg: string; sig: string; result: string; comment: string }[];
  }[];
}

test('Wycheproof Ed25519: every case', () => {
  // oxlint-disable-next-line no-unsafe-type-assertion -- a file of known shape
  const file = JSON.parse(readFileSync(new URL('wycheproof/ed25519_test.json', vectors), 'utf8')) as Wycheproof;
  let cases = 0;
  for (const group of file.testGroups) {
    const { key } = publicKey('a', NOTE_SIGNATURE, hex(group.publicKey.pk));
    for (const row of group.tests) {
      cases++;
      expect(verifyEd25519(key, hex(row.msg), hex(row.sig)), `${row.tcId} ${row.comment}`).toBe(row.result === 'valid');
    }
  }
  expect(cases).toBe(file.numberOfTests);
});

test('whatever comes in, only a ProtocolError comes out', () => {
  const mutated = fc
    .tuple(fc.nat(golden.length - 1), fc.uint8Array({ maxLength: 20 }), fc.nat(20))
    .map(([at, put, cut]) => Buffer.concat([golden.subarray(0, at), put, golden.subarray(at + cut)]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 500 }), mutated), (input) => {
      codeOf(() => verifyNote(parseNote(input), [alice.verifier]));
    }),
    { numRuns: 3000 },
  );
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void codeOf(() => parseVerifierKey(text))));
  fc.assert(fc.property(fc.string(), (text) => void codeOf(() => decodeBase64(text))));
});
