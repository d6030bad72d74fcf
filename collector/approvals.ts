/**
 * Approvals of rules. `approvals/*.approval` are notes that reviewers signed; one that enough of them signed goes into the
 * log, once, and then its proof lies beside it: `approvals/DIGEST.tlog-proof`, which is what nodes want to see. A batch
 * whose rules have no approval in the log is refused. Who the reviewers are stands in `reviewers`; where that file is not,
 * nothing is ever approved.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { decodeApproval, openApproval, parseReviewers, type ApprovedKind, type Reviewers } from '#protocol/approval.ts';
import { encodeText } from '#protocol/encoding.ts';
import { ProtocolError } from '#protocol/error.ts';
import { MAX_NOTE_BYTES } from '#protocol/note.ts';
import { parseReceipt } from '#protocol/receipt.ts';
import { clearScratch, realDisk, replaceFile } from './disk.ts';
import type { TransparencyLog } from './log.ts';
import type { State } from './state.ts';
import { readTrusted } from '../config/trusted.ts';
import { ConfigError } from '../config/yaml.ts';

/** Where accept() asks. */
export interface Approved {
  has(kind: ApprovedKind, digest: string, vocabulary: string, role: string): boolean;
  /** Whether anything was ever approved with this vocabulary. */
  knows(vocabulary: string): boolean;
}

export interface ApprovalsOptions {
  readonly home: string;
  readonly reviewers: Reviewers | undefined;
  readonly log: TransparencyLog;
  readonly state: State;
  /** Brings the state up to the log. */
  readonly follow: () => Promise<void>;
  readonly logger: Pick<Logger, 'warn' | 'info'>;
}

const keyOf = (kind: ApprovedKind, digest: string, vocabulary: string): string => `${kind} ${digest} ${vocabulary}`;

export function readReviewers(home: string): Reviewers | undefined {
  const file = join(home, 'reviewers');
  if (!existsSync(file)) return undefined;
  try {
    return parseReviewers(encodeText(readTrusted(file, MAX_NOTE_BYTES)));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new ConfigError(`${file}: ${error.message}; write \`quorum N\` and a verifier key a line`);
  }
}

export class Approvals implements Approved {
  readonly #options: ApprovalsOptions;
  #reviewers: Reviewers | undefined;
  /** What is in the log, and for which role. */
  readonly #logged = new Map<string, string>();
  readonly #vocabularies = new Set<string>();
  /** What was looked at already, by name and time: a note that grew a signature is looked at again. */
  readonly #seen = new Map<string, number>();
  #publishing: Promise<void> | undefined;

  private constructor(options: ApprovalsOptions) {
    this.#options = options;
    this.#reviewers = options.reviewers;
    this.#remember();
  }

  static async open(options: ApprovalsOptions): Promise<Approvals> {
    await clearScratch(realDisk, join(options.home, 'approvals', 'tmp'));
    const approvals = new Approvals(options);
    await approvals.publish();
    return approvals;
  }

  has(kind: ApprovedKind, digest: string, vocabulary: string, role: string): boolean {
    const approved = this.#logged.get(keyOf(kind, digest, vocabulary));
    return approved === role || approved === 'any';
  }

  knows(vocabulary: string): boolean {
    return this.#vocabularies.has(vocabulary);
  }

  /** From now on these say yes. What is in the log stays approved; what they would approve is looked at again. */
  trust(reviewers: Reviewers | undefined): void {
    this.#reviewers = reviewers;
    this.#seen.clear();
  }

  /** Takes what is new in the directory into the log. One at a time, whoever asks. */
  async publish(): Promise<void> {
    this.#publishing ??= this.#publish().finally(() => (this.#publishing = undefined));
    await this.#publishing;
  }

  #remember(): void {
    for (const { kind, digest, vocabulary, role } of this.#options.state.approvals()) {
      this.#logged.set(keyOf(kind, digest, vocabulary), role);
      this.#vocabularies.add(vocabulary);
    }
  }

  async #publish(): Promise<void> {
    const directory = join(this.#options.home, 'approvals');
    for (const name of readdirSync(directory).toSorted()) {
      if (!name.endsWith('.approval')) continue;
      const file = join(directory, name);
      const { mtimeMs, size } = statSync(file);
      if (this.#seen.get(name) === mtimeMs) continue;
      this.#seen.set(name, mtimeMs);
      if (size <= MAX_NOTE_BYTES) await this.#take(name, readFileSync(file));
      else this.#refuse(name, 'it is larger than any note');
    }
  }

  async #take(name: string, bytes: Buffer): Promise<void> {
    const { log, state, follow, logger, home } = this.#options;
    const reviewers = this.#reviewers;
    if (reviewers === undefined) return this.#refuse(name, 'there are no reviewers; name them in the file reviewers');
    try {
      const { approval } = decodeApproval(bytes);
      const key = keyOf(approval.kind, approval.digest, approval.vocabulary);
      if (!this.#logged.has(key)) {
        if (openApproval(bytes, reviewers) === undefined)
          return this.#refuse(name, `fewer than ${reviewers.quorum} reviewers signed it as it stands`);
        await log.append(bytes);
        await follow();
        this.#remember();
        logger.info({ approval: name, rules: approval.name, version: approval.version }, 'rules are approved');
      }
      const row = state.approvals().find((each) => keyOf(each.kind, each.digest, each.vocabulary) === key);
      if (row === undefined) return this.#refuse(name, 'it is in the log and not in the state; restart');
      const proof = join(home, 'approvals', `${approval.digest}.tlog-proof`);
      // The same rules under another vocabulary are another entry.
      if (!existsSync(proof) || parseReceipt(readFileSync(proof)).index !== row.logIndex) {
        const receipt = encodeText(await log.receipt(row.logIndex));
        await replaceFile(realDisk, join(home, 'approvals', 'tmp'), proof, receipt);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#refuse(name, error.message);
    }
  }

  #refuse(approval: string, why: string): void {
    this.#options.logger.warn({ approval, why }, 'not an approval that counts');
  }
}
