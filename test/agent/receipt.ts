/** A log in a few lines: the receipt for one of its entries. */
import { signCheckpoint } from '#protocol/checkpoint.ts';
import { leafHash, proveInclusion, rootOf } from '#protocol/merkle.ts';
import type { SigningKey } from '#protocol/note.ts';
import { formatReceipt } from '#protocol/receipt.ts';

export async function receiptFor(entries: readonly Uint8Array[], index: number, key: SigningKey): Promise<Uint8Array> {
  const leaves = entries.map(leafHash);
  const read = async (level: number, at: number): Promise<Uint8Array> =>
    rootOf(leaves.slice(at * 2 ** level, (at + 1) * 2 ** level));
  const proof = await proveInclusion(index, leaves.length, read);
  const checkpoint = signCheckpoint({ size: leaves.length, root: rootOf(leaves) }, key);
  return Buffer.from(formatReceipt({ index, proof, checkpoint }));
}
