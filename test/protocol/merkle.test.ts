/** Merkle proofs: the vectors of RFC 6962 implementations, and every proof of small trees. */
import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { decodeBase64 } from '#protocol/encoding.ts';
import {
  EMPTY_ROOT,
  leafHash,
  nodeHash,
  proveConsistency,
  proveInclusion,
  rootOf,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
  type Hash,
  type ReadNode,
} from '#protocol/merkle.ts';

const testdata = fileURLToPath(new URL('../../../shared/data/vectors/merkle/testdata/', import.meta.url));

function vectors<T>(kind: string): readonly (readonly [string, T])[] {
  return readdirSync(`${testdata}${kind}`, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.json'))
    .map((file) => [file, JSON.parse(readFileSync(`${testdata}${kind}/${file}`, 'utf8'))]);
}

const hashes = (list: readonly string[] | null): Hash[] => (list ?? []).map(decodeBase64);

test('inclusion vectors', () => {
  const rows = vectors<{
    leafIdx: number;
    treeSize: number;
    root: string;
    leafHash: string;
    proof: string[] | null;
    wantErr: boolean;
  }>('inclusion');
  expect(rows.length).toBeGreaterThan(90);
  for (const [file, row] of rows) {
    const leaf = decodeBase64(row.leafHash);
    const ok = verifyInclusion(leaf, row.leafIdx, row.treeSize, hashes(row.proof), decodeBase64(row.root));
    expect(ok, file).toBe(!row.wantErr);
  }
});

test('consistency vectors', () => {
  const rows = vectors<{
    size1: number;
    size2: number;
    root1: string;
    root2: string;
    proof: string[] | null;
    wantErr: boolean;
  }>('consistency');
  expect(rows.length).toBeGreaterThan(90);
  for (const [file, row] of rows) {
    const [root1, root2] = [decodeBase64(row.root1), decodeBase64(row.root2)];
    expect(verifyConsistency(row.size1, row.size2, hashes(row.proof), root1, root2), file).toBe(!row.wantErr);
  }
});

const leaves = Array.from({ length: 70 }, (_, i) => leafHash(Buffer.from(`entry ${i}`)));
const read: ReadNode = (level, index) =>
  Promise.resolve(rootOf(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)));

const pair = (hash: Hash = EMPTY_ROOT): [Hash, Hash] => [hash, hash];

test('the root of the empty tree is the hash of nothing', async () => {
  expect(await treeRoot(0, read)).toBe(EMPTY_ROOT);
  expect(Buffer.from(rootOf([])).toString('base64')).toBe('47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=');
});

test('every inclusion proof of small trees holds, and for no other index, size or leaf', async () => {
  for (let size = 1; size <= 34; size++) {
    const root = await treeRoot(size, read);
    expect(root).toEqual(rootOf(leaves.slice(0, size)));
    for (let index = 0; index < size; index++) {
      const proof = await proveInclusion(index, size, read);
      const leaf = leaves[index] ?? EMPTY_ROOT;
      expect(verifyInclusion(leaf, index, size, proof, root)).toBe(true);
      for (let other = 0; other < size; other++) {
        if (other !== index) expect(verifyInclusion(leaf, other, size, proof, root)).toBe(false);
      }
      expect(verifyInclusion(leaf, index, size, [...proof, root], root)).toBe(false);
      if (proof.length > 0) expect(verifyInclusion(leaf, index, size, proof.slice(1), root)).toBe(false);
      expect(verifyInclusion(EMPTY_ROOT, index, size, proof, root)).toBe(false);
    }
  }
});

test('every consistency proof of small trees holds, and for no other root', async () => {
  for (let size = 1; size <= 34; size++) {
    const root = await treeRoot(size, read);
    for (let old = 1; old <= size; old++) {
      const proof = await proveConsistency(old, size, read);
      const oldRoot = await treeRoot(old, read);
      expect(verifyConsistency(old, size, proof, oldRoot, root), `${old} ${size}`).toBe(true);
      expect(verifyConsistency(old, size, [...proof, root], oldRoot, root)).toBe(false);
      expect(verifyConsistency(old, size, proof, EMPTY_ROOT, root)).toBe(false);
      expect(verifyConsistency(old, size, proof, oldRoot, EMPTY_ROOT)).toBe(false);
    }
  }
});

test('there is no proof for what is not there', async () => {
  await expect(proveInclusion(3, 3, read)).rejects.toThrow(RangeError);
  await expect(proveInclusion(-1, 3, read)).rejects.toThrow(RangeError);
  await expect(proveConsistency(0, 3, read)).rejects.toThrow(RangeError);
  await expect(proveConsistency(4, 3, read)).rejects.toThrow(RangeError);
});

test('sizes beyond 32 bits are counted rightly', async () => {
  // A tree whose leaves are all the same: one hash for each level.
  const levels = Array.from({ length: 42 }).reduce<Hash[]>(
    (all) => [...all, nodeHash(...pair(all.at(-1)))],
    [leafHash(Buffer.of())],
  );
  const same: ReadNode = (level) => Promise.resolve(levels[level] ?? EMPTY_ROOT);
  const [old, size] = [2 ** 33 + 5, 2 ** 40 + 3];
  const root = await treeRoot(size, same);
  for (const [index, length] of [
    [0, 41],
    [2 ** 33 + 1, 41],
    [size - 1, 2],
  ] as const) {
    const proof = await proveInclusion(index, size, same);
    expect(proof).toHaveLength(length);
    expect(verifyInclusion(leafHash(Buffer.of()), index, size, proof, root)).toBe(true);
  }
  const proof = await proveConsistency(old, size, same);
  expect(verifyConsistency(old, size, proof, await treeRoot(old, same), root)).toBe(true);
});

test('no input makes a verifier throw', () => {
  const number = fc.oneof(fc.nat(100), fc.double(), fc.maxSafeInteger());
  const hash = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(...leaves));
  fc.assert(
    fc.property(number, number, fc.array(hash, { maxLength: 12 }), hash, hash, (a, b, proof, x, y) => {
      expect(typeof verifyInclusion(x, a, b, proof, y)).toBe('boolean');
      expect(typeof verifyConsistency(a, b, proof, x, y)).toBe('boolean');
    }),
  );
});
