/** Whether the rules that a configuration names may be used here, by whose word, or why not: as the agent would decide, changing nothing. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { APPROVED_KINDS, parseReviewers, type ApprovedKind } from '#protocol/approval.ts';
import { ProtocolError } from '#protocol/error.ts';
import { parseVerifierKey } from '#protocol/note.ts';
import { loadPack } from '../../collector/detectors/pack.ts';
import { parseRuleset } from '../../redaction-rules/ruleset.ts';
import type { AgentConfig } from '../agent.ts';
import { lookAtApproval, NotApproved } from '../approval.ts';

export interface ApprovalFacts {
  readonly kind: ApprovedKind;
  readonly digest: string;
  /** What was approved, and by whom; undefined where `problem` says why not. */
  readonly approved:
    | {
        readonly name: string;
        readonly version: number;
        readonly reviewers: readonly string[];
        readonly quorum: number;
      }
    | undefined;
  readonly problem: string | undefined;
}

type Places = Pick<AgentConfig, 'approvals' | 'reviewers' | 'role' | 'spool' | 'log_key' | 'ruleset' | 'rule_pack'>;

/** None for rules that cannot be read: what is wrong with those is told elsewhere. */
export function approvalFacts(config: Places): readonly ApprovalFacts[] {
  return APPROVED_KINDS.flatMap((kind) => {
    const digest = digestOf(kind, config);
    return digest === undefined ? [] : [approvalOf(kind, digest, config)];
  });
}

function digestOf(kind: ApprovedKind, { ruleset, rule_pack }: Places): string | undefined {
  try {
    return kind === 'ruleset'
      ? parseRuleset(readFileSync(ruleset, 'utf8'), ruleset).digest
      : loadPack(rule_pack).digest;
  } catch {
    return undefined; // Missing or broken, which the configuration's own check says in full.
  }
}

function approvalOf(kind: ApprovedKind, digest: string, config: Places): ApprovalFacts {
  const { approvals, reviewers, role, spool } = config;
  try {
    const logKey = parseVerifierKey(config.log_key);
    const places = { approvals, reviewers, role, versions: join(spool, 'approved-versions'), logKey };
    const { name, version, reviewers: signers } = lookAtApproval({ kind, digest }, places);
    return {
      kind,
      digest,
      approved: { name, version, reviewers: signers, quorum: quorumIn(reviewers) },
      problem: undefined,
    };
  } catch (error) {
    return { kind, digest, approved: undefined, problem: problemOf(error) };
  }
}

const quorumIn = (file: string): number => (existsSync(file) ? parseReviewers(readFileSync(file)).quorum : 0);

function problemOf(error: unknown): string {
  if (error instanceof NotApproved) return error.message;
  if (error instanceof ProtocolError) return `log_key: ${error.message}; copy it from the collector's log.pub`;
  if (error instanceof Error && 'code' in error && 'path' in error)
    return `${String(error.path)}: ${String(error.code)}; let the agent's user read it`;
  throw error;
}
