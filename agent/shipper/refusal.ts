/**
 * What the collector would not have, for `status` and `doctor`: the file `refusal` beside the receipts, from a refusal until the
 * next receipt. The shipper writes it, and whoever reads it believes no more of it than that somebody should look.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readGiven } from '../../service/given.ts';
import type { Refused } from './uplink.ts';

export interface Refusal {
  readonly sequence: number;
  readonly code: string;
  readonly message: string;
}

const fileIn = (receipts: string): string => join(receipts, 'refusal');
const MAX_BYTES = 4_096;

/** Where the disk does not let us, the log has said it. */
export function noteRefusal(receipts: string, { sequence, code, message }: Refused): void {
  const file = fileIn(receipts);
  try {
    writeFileSync(`${file}.tmp`, JSON.stringify({ sequence, code, message }), { mode: 0o640 });
    renameSync(`${file}.tmp`, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}

export function forgetRefusal(receipts: string): void {
  rmSync(fileIn(receipts), { force: true });
}

/** Undefined where nothing was refused, and for what is no refusal in plain words. */
export function lastRefusal(receipts: string): Refusal | undefined {
  try {
    const bytes = readGiven(fileIn(receipts), MAX_BYTES);
    if (bytes === undefined) return undefined;
    const found: unknown = JSON.parse(bytes.toString());
    if (typeof found !== 'object' || found === null) return undefined;
    if (!('sequence' in found && 'code' in found && 'message' in found)) return undefined;
    const { sequence, code, message } = found;
    if (typeof sequence !== 'number' || typeof code !== 'string' || typeof message !== 'string') return undefined;
    if (!/^[a-z-]{1,40}$/.test(code)) return undefined;
    // For a terminal: whatever a collector says, it draws nothing there.
    return { sequence, code, message: message.replaceAll(/[^ -~]/g, '?') };
  } catch {
    return undefined; // No JSON.
  }
}

/** What a person does about it. */
export function remedyFor(code: string): string {
  return REMEDIES[code] ?? 'ask the operator of the collector, which has an alert about it';
}

const UPGRADE = 'upgrade the collector; the batches wait here, and go on by themselves';
const DAMAGED = 'the agent sets it aside and tells of the hole; look at the disk (dmesg)';
const REMEDIES: Readonly<Record<string, string>> = {
  truncated: DAMAGED,
  'trailing-bytes': DAMAGED,
  'body-mismatch': DAMAGED,
  'wrong-number': DAMAGED,
  'unknown-version': UPGRADE,
  'unknown-vocabulary': UPGRADE,
  'unknown-node': 'have the node admitted: hushwatch enroll, hushwatch collector admit',
  'bad-signature': 'the node signs with another key than was admitted: enroll it again',
  'wrong-role': 'the collector admitted this node with another role or cohort',
  'unknown-ruleset': 'have the rules of this node approved and published (hushwatch rules approve, rules publish)',
  'unknown-rulepack': 'have the rule pack of this node approved and published (hushwatch rules approve, rules publish)',
};
