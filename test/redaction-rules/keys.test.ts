/** Pseudonyms: what HMAC says, apart by purpose, domain, scope and epoch. */
import fc from 'fast-check';
import { createHmac, hkdfSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  base32,
  deriveKey,
  FOREVER,
  frozenNoise,
  keyedHash,
  numberPseudonymiser,
  NUMBER_PSEUDONYM_MAX,
  NUMBER_PSEUDONYM_MIN,
  pseudonymiser,
  turnTo,
  type TurningRoot,
} from '../../redaction-rules/keys.ts';
import { KEYS } from './small-ruleset.ts';

test('the keyed hash is HMAC-SHA-256, whatever the text', () => {
  const key = Buffer.alloc(32, 5);
  const hash = keyedHash(key);
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 600 }),
    fc.constantFrom('', '\ud800', 'x'.repeat(341), 'x'.repeat(342), '€'.repeat(341)),
  );
  fc.assert(
    fc.property(texts, (text) => {
      expect(hash(text)).toBe(createHmac('sha256', key).update(text).digest('latin1'));
    }),
  );
});

test('base32 is that of RFC 4648', () => {
  const rows = [
    ['f', 'my'],
    ['fo', 'mzxq'],
    ['foo', 'mzxw6'],
    ['foobar', 'mzxw6ytboi'],
  ] as const;
  for (const [text, expected] of rows) expect(base32(text, expected.length)).toBe(expected);
});

test('pseudonyms are apart by scope, purpose, domain and epoch', () => {
  const named = (
    ...key: [Parameters<typeof deriveKey>[1], Parameters<typeof deriveKey>[2], string, number]
  ): string => {
    const [scope, purpose, domain, epoch] = key;
    return pseudonymiser(deriveKey(KEYS, scope, purpose, domain, { epoch, hour: epoch * 24 }), 16)('alex');
  };
  const all = [
    named('node', 'pseudonym', 'user', 0),
    named('cohort', 'pseudonym', 'user', 0),
    named('fleet', 'pseudonym', 'user', 0),
    named('node', 'noise', 'user', 0),
    named('node', 'pseudonym', 'path', 0),
    named('node', 'pseudonym', 'user', 1),
    named('node', 'pseudonym', 'user\n1', 0),
  ];
  expect(new Set(all).size).toBe(all.length);
  for (const name of all) expect(name).toMatch(/^p-[a-z2-7]{16}$/);
});

test('numbers become numbers that no id reaches', () => {
  const hide = numberPseudonymiser(deriveKey(KEYS, 'node', 'pseudonym', 'user id', FOREVER));
  for (const value of [0, 1000, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    expect(hide(value)).toBeGreaterThanOrEqual(NUMBER_PSEUDONYM_MIN);
    expect(hide(value)).toBeLessThanOrEqual(NUMBER_PSEUDONYM_MAX);
  }
  expect(hide(1000)).toBe(hide(1000));
  expect(hide(1000)).not.toBe(hide(1001));
});

test('noise is frozen within a window, centred, and as wide as it says', () => {
  const key = Buffer.alloc(32, 7);
  expect(frozenNoise(key, 1, 5)).toBe(frozenNoise(key, 1, 5));
  const draws = Array.from({ length: 4000 }, (_, window) => frozenNoise(key, 1, window));
  const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length;
  const size = draws.reduce((sum, draw) => sum + Math.abs(draw), 0) / draws.length;
  expect(Math.abs(mean)).toBeLessThan(0.15);
  expect(size).toBeGreaterThan(0.85);
  expect(size).toBeLessThan(1.15);
});

describe('a root that forgets', () => {
  const root: TurningRoot = { lasting: Buffer.alloc(32, 1), hour: 100, chain: Buffer.alloc(32, 2) };
  const name = (of: TurningRoot, hour: number): string =>
    pseudonymiser(deriveKey({ node: of }, 'node', 'pseudonym', 'user', { epoch: 7, hour }), 16)('alex');

  test('turns forward the same way in one step or in many, and never back', () => {
    expect(turnTo(turnTo(root, 105), 130)).toEqual(turnTo(root, 130));
    expect(turnTo(root, 99)).toEqual(root);
    expect(turnTo(root, 101).chain).not.toEqual(root.chain);
    expect(turnTo(root, 130).lasting).toBe(root.lasting);
  });

  test('is HKDF-SHA-256, once an hour', () => {
    const step = (key: Uint8Array): Buffer => Buffer.from(hkdfSync('sha256', key, '', 'hushwatch/hour/1', 32));
    expect(turnTo(root, 102).chain).toEqual(step(step(root.chain)));
  });

  test('two nodes with the same root at different hours give an epoch the same pseudonyms', () => {
    expect(name(turnTo(root, 110), 120)).toBe(name(root, 120));
    expect(name(root, 120)).not.toBe(name(root, 121));
  });

  test('once turned, the pseudonyms of an epoch before cannot be made any more', () => {
    expect(name(turnTo(root, 121), 120)).not.toBe(name(root, 120));
    expect(name(turnTo(root, 121), 120)).toBe(name(turnTo(root, 121), 121));
  });
});
