/**
 * `rules verify`: is this an approval that counts, and does it stand in the log? For a stranger who has the note, its
 * proof and public keys, and nothing else: no collector is asked, nothing is written.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { decodeApproval, openApproval, parseReviewers, type Approval, type Reviewers } from '#protocol/approval.ts';
import { parseVerifierKey, type VerifierKey } from '#protocol/note.ts';
import { verifyReceipt, type VerifiedReceipt } from '#protocol/receipt.ts';
import { vocabularyDigest } from '#protocol/vocabulary.ts';
import { loadPack } from '../collector/detectors/pack.ts';
import { ApproveUsage } from './approve.ts';
import { parseRuleset } from './ruleset.ts';

const OPTIONS = {
  proof: { type: 'string' },
  reviewers: { type: 'string' },
  log: { type: 'string' },
  ruleset: { type: 'string' },
  pack: { type: 'string' },
} as const;

export interface Verdict {
  readonly holds: boolean;
  readonly text: string;
}

/** Everything that was asked, each in a line; `holds` when none of them is a no. */
export function verifyApproval(args: string[]): Verdict {
  const { positionals, values } = parseArgs({ args, allowPositionals: true, options: OPTIONS });
  const [file, more] = positionals;
  const { proof, reviewers, log, ruleset, pack } = values;
  if (file === undefined || more !== undefined || reviewers === undefined)
    throw new ApproveUsage('verify wants one approval and --reviewers FILE');
  if ((proof === undefined) !== (log === undefined)) throw new ApproveUsage('--proof and --log belong together');
  const bytes = readFileSync(file);
  const { approval } = decodeApproval(bytes);
  const answers = [signed(bytes, parseReviewers(readFileSync(reviewers)))];
  if (proof !== undefined && log !== undefined) answers.push(logged(bytes, proof, keyIn(log)));
  if (ruleset !== undefined) answers.push(same(ruleset, digestOf(ruleset), approval));
  if (pack !== undefined) answers.push(same(pack, loadPack(pack).digest, approval));
  const holds = answers.every((answer) => answer.holds);
  const end = { holds, text: holds ? 'verified' : 'NOT verified' };
  return { holds, text: [about(approval), ...answers, end].map(({ text }) => `${text}\n`).join('') };
}

function about({ kind, name, version, role, digest, vocabulary }: Approval): Verdict {
  const other = vocabulary === vocabularyDigest() ? 'this version of Hushwatch' : 'another version of Hushwatch';
  return {
    holds: true,
    text: `${kind} ${name} ${version} for role ${role}, sha256 ${digest}, with the vocabulary of ${other}`,
  };
}

function signed(bytes: Uint8Array, reviewers: Reviewers): Verdict {
  const opened = openApproval(bytes, reviewers);
  const quorum = `${reviewers.quorum} of ${reviewers.keys.length} reviewers must sign`;
  if (opened === undefined)
    return { holds: false, text: `WRONG: too few of the listed reviewers signed it; ${quorum}` };
  return { holds: true, text: `signed by ${opened.reviewers.join(', ')}; ${quorum}` };
}

const keyIn = (file: string): VerifierKey => parseVerifierKey(readFileSync(file, 'utf8').trim());

function logged(noteBytes: Uint8Array, proof: string, logKey: VerifierKey): Verdict {
  const found: VerifiedReceipt | undefined = verifyReceipt({ noteBytes, receipt: readFileSync(proof), logKey });
  if (found === undefined)
    return { holds: false, text: `WRONG: ${proof} does not prove that this note stands in the log ${logKey.name}` };
  const { index, checkpoint } = found;
  return {
    holds: true,
    text: `entry ${index} of the log ${logKey.name}, under its checkpoint of ${checkpoint.size} entries`,
  };
}

const digestOf = (file: string): string => parseRuleset(readFileSync(file, 'utf8'), file).digest;

function same(place: string, digest: string, approval: Approval): Verdict {
  if (digest === approval.digest) return { holds: true, text: `${place} is what they signed` };
  return { holds: false, text: `WRONG: ${place} is something else, sha256 ${digest}` };
}
