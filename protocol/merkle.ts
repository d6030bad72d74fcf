/**
 * The Merkle tree of RFC 6962: hashes, roots, inclusion and consistency proofs. Verifying is
 * strict (exact proof length, indices inside the tree) and pure; making a proof reads the
 * hashes of complete subtrees from wherever they are kept.
 */
import { createHash, hash as hashOnce } from 'node:crypto';
import { equalBytes } from './encoding.ts';

export type Hash = Uint8Array;
export const HASH_BYTES = 32;

/** The root of the tree without leaves. */
export const EMPTY_ROOT: Hash = createHash('sha256').digest();

/** Gives the hash of the complete subtree of 2^level leaves that starts at leaf index * 2^level. */
export type ReadNode = (level: number, index: number) => Promise<Hash>;

const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

export function leafHash(entry: Uint8Array): Hash {
  return hashOnce('sha256', Buffer.concat([LEAF, entry]), 'buffer');
}

export function nodeHash(left: Hash, right: Hash): Hash {
  return hashOnce('sha256', Buffer.concat([NODE, left, right]), 'buffer');
}

/** The root over leaf hashes that are all at hand. */
export function rootOf(leaves: readonly Hash[]): Hash {
  const [first, ...others] = leaves;
  if (first === undefined) return EMPTY_ROOT;
  if (others.length === 0) return first;
  const k = splitPoint(leaves.length);
  return nodeHash(rootOf(leaves.slice(0, k)), rootOf(leaves.slice(k)));
}

/** The largest power of two smaller than `n`, for n > 1. Not by bit operators: sizes go beyond 32 bits. */
function splitPoint(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** The root of the tree of the first `size` leaves. */
export async function treeRoot(size: number, read: ReadNode): Promise<Hash> {
  return size === 0 ? EMPTY_ROOT : await rangeRoot(0, size, read);
}

/** The root over the leaves [start, end), a range that the tree's own splitting produces. */
async function rangeRoot(start: number, end: number, read: ReadNode): Promise<Hash> {
  const level = Math.log2(end - start);
  if (Number.isInteger(level) && 2 ** level === end - start) return await read(level, start / (end - start));
  const middle = start + splitPoint(end - start);
  return nodeHash(await rangeRoot(start, middle, read), await rangeRoot(middle, end, read));
}

/** From the leaf's sibling up to the root's child. */
export async function proveInclusion(index: number, size: number, read: ReadNode): Promise<Hash[]> {
  if (!isIndex(index, size)) throw new RangeError(`no leaf ${index} in a tree of ${size}`);
  const proof: Hash[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + splitPoint(end - start);
    if (index < middle) {
      proof.push(await rangeRoot(middle, end, read));
      end = middle;
    } else {
      proof.push(await rangeRoot(start, middle, read));
      start = middle;
    }
  }
  return proof.reverse();
}

export async function proveConsistency(oldSize: number, newSize: number, read: ReadNode): Promise<Hash[]> {
  if (!isIndex(oldSize, newSize + 1) || oldSize === 0) throw new RangeError(`no proof from ${oldSize} to ${newSize}`);
  const proof: Hash[] = [];
  let [start, end] = [0, newSize];
  while (end !== oldSize) {
    const middle = start + splitPoint(end - start);
    if (oldSize <= middle) {
      proof.push(await rangeRoot(middle, end, read));
      end = middle;
    } else {
      proof.push(await rangeRoot(start, middle, read));
      start = middle;
    }
  }
  // What is left is inside the old tree; when it is all of it, the verifier has its hash.
  if (start > 0) proof.push(await rangeRoot(start, end, read));
  return proof.reverse();
}

const isIndex = (index: number, size: number): boolean =>
  Number.isSafeInteger(size) && Number.isSafeInteger(index) && index >= 0 && index < size;

const isOdd = (n: number): boolean => n % 2 === 1;
const half = (n: number): number => Math.floor(n / 2);

/** Whether `leaf` is the leaf hash at `index` of the tree of `size` leaves with this root (RFC 9162, 2.1.3.2). */
export function verifyInclusion(leaf: Hash, index: number, size: number, proof: readonly Hash[], root: Hash): boolean {
  if (!isIndex(index, size) || leaf.length !== HASH_BYTES || !proof.every(isHash)) return false;
  let [at, last, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      hash = nodeHash(sibling, hash);
      while (!isOdd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && equalBytes(hash, root);
}

const isHash = (hash: Hash): boolean => hash.length === HASH_BYTES;

/**
 * Whether the tree of `oldSize` leaves is the beginning of the tree of `newSize` leaves
 * (RFC 9162, 2.1.4.2). An old size of 0 proves nothing about the new root and is refused;
 * who accepts anything after an empty log must say so at the call.
 */
export function verifyConsistency(
  oldSize: number,
  newSize: number,
  proof: readonly Hash[],
  oldRoot: Hash,
  newRoot: Hash,
): boolean {
  if (!isIndex(oldSize, newSize + 1) || oldSize === 0 || !proof.every(isHash)) return false;
  if (oldSize === newSize) return proof.length === 0 && equalBytes(oldRoot, newRoot);
  if (proof.length === 0) return false;
  let [at, last] = [oldSize - 1, newSize - 1];
  while (isOdd(at)) [at, last] = [half(at), half(last)];
  // An old tree of 2^k leaves is itself the first subtree; else the proof begins with that.
  const [first = oldRoot, ...path] = at === 0 ? [oldRoot, ...proof] : proof;
  let [oldHash, newHash] = [first, first];
  for (const sibling of path) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      oldHash = nodeHash(sibling, oldHash);
      newHash = nodeHash(sibling, newHash);
      while (!isOdd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      newHash = nodeHash(newHash, sibling);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && equalBytes(oldHash, oldRoot) && equalBytes(newHash, newRoot);
}
