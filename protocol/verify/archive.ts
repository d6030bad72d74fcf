/** What an archive is to its verifier, what is reported of it, and what was found so far. */
import type { Approval, Reviewers } from '../approval.ts';
import type { Change } from '../change.ts';
import type { CosignerKey } from '../cosignature.ts';
import { ProtocolError, type ProtocolErrorCode, type RejectionCode } from '../error.ts';
import type { Holes } from '../holes.ts';
import type { VerifierKey } from '../note.ts';
import type { RestartReason } from '../restart.ts';
import type { Epochs, Link, Lost, Role, Statement } from '../statement.ts';
import type { SumsTold } from '../sums-told.ts';

/** Reads a file of the archive by its path; `undefined` when there is none. */
export interface ArchiveReader {
  readFile(path: string): Promise<Uint8Array | undefined>;
}

export interface RegisteredNode {
  readonly name: string;
  readonly key: VerifierKey;
  /** Keys that signed before, the latest first. */
  readonly formerKeys?: readonly VerifierKey[];
  readonly role?: Role;
  readonly cohort?: string;
}

export interface Archive {
  readonly reader: ArchiveReader;
  readonly logKey: VerifierKey;
  readonly nodes: readonly RegisteredNode[];
  readonly witnesses?: readonly CosignerKey[];
  /** How many of the witnesses must have cosigned `log/cosigned`; all of them unless said otherwise. */
  readonly quorum?: number;
  /** Who approves rules. Without them nobody can say whether the rules that batches name were approved, and nobody asks. */
  readonly reviewers?: Reviewers;
  /** What is wrong with a line that should be what a ruleset, given by its digest, releases. Without it nobody asks. */
  readonly checkLine?: (ruleset: string, line: string) => string | undefined;
  /** Whether `checkLine` knows enough to judge a line of another vocabulary than ours; without it nobody asks of those. */
  readonly canJudge?: (ruleset: string, line: string) => boolean;
  /** Receipts that nodes or auditors kept: proof against a log rewritten or cut off since. */
  readonly receipts?: readonly { readonly where: string; readonly bytes: Uint8Array }[];
  /** Bodies that end before this time (µs since 1970) may have been removed by retention. */
  readonly bodiesSince?: number;
}

/** What can be wrong with an archive beyond what can be wrong with its parts. */
export const ARCHIVE_PROBLEM_CODES = {
  'no-checkpoint': 'There is no log/checkpoint.',
  'unsigned-checkpoint': "The checkpoint is not signed by the log's key.",
  unwitnessed: 'Fewer witnesses than asked for cosigned a checkpoint of this log.',
  'tile-mismatch': 'A tile does not hold the hashes of what lies below it.',
  'root-mismatch': 'The tiles do not add up to the root that the log signed.',
  unapproved:
    'An approval that too few reviewers signed, or a batch whose rules were not approved in the log before it.',
  'wrong-change':
    'A change of what detects that the log did not sign, that does not follow the one before, or whose line-up says otherwise.',
  'missing-body': 'A body is not there, and not old enough to have expired.',
  'wrong-receipt': 'A receipt that does not prove what it says.',
  rewritten: 'A receipt shows a log that this log is not the continuation of.',
  'too-many-problems': 'The entries after this one were not looked at.',
} as const;

export interface ArchiveProblem {
  readonly code: keyof typeof ARCHIVE_PROBLEM_CODES | ProtocolErrorCode | RejectionCode;
  readonly where: string;
  readonly message: string;
}

/** Where a chain was begun anew, and between which times (µs since 1970) nobody can say what is missing. */
export interface RestartReport {
  readonly sequence: number;
  readonly reason: RestartReason;
  readonly where: string;
  /** The latest event before it; 0 where there was none. */
  readonly from: number;
  readonly to: number;
}

export interface NodeReport {
  readonly name: string;
  readonly batches: number;
  /** Sequence numbers. */
  readonly first: number;
  readonly last: number;
  readonly events: number;
  readonly lost: number;
  readonly lostBy: Lost;
  /** Batches, and the events in them, that were damaged before they came, as the node itself says. */
  readonly damaged: { readonly batches: number; readonly events: number };
  /** Microseconds since 1970. */
  readonly lastTime: number;
  readonly restarts: readonly RestartReport[];
  /** Of the pseudonyms, over all batches that named some; undefined where none did. Lengths and scopes are the last ones. */
  readonly epochs: Epochs | undefined;
}

/** An approval and where in the log it stands. */
export interface ApprovedEntry extends Approval {
  readonly where: string;
  readonly reviewers: readonly string[];
}

/** A change of what detects, and where in the log it stands. */
export interface ChangeEntry extends Change {
  readonly where: string;
}

export interface Witnessed {
  /** Entries of the log. */
  readonly size: number;
  /** When, in seconds since 1970, as they say. */
  readonly by: readonly { readonly name: string; readonly time: number }[];
}

export interface ArchiveReport {
  readonly ok: boolean;
  readonly origin: string | undefined;
  /** Entries of the log. */
  readonly entries: number;
  /** What enough witnesses saw of it; undefined where nobody asked, and where too few did. */
  readonly witnessed: Witnessed | undefined;
  readonly bodies: { readonly present: number; readonly expired: number; readonly missing: number };
  readonly receipts: number;
  /** Every approval in the log that enough reviewers signed; undefined where nobody said who they are. */
  readonly approved: readonly ApprovedEntry[] | undefined;
  /** Every change of what detects that the log signed, oldest first. */
  readonly changes: readonly ChangeEntry[];
  /** Released lines that were held against their ruleset. */
  readonly linesChecked: number;
  readonly nodes: readonly NodeReport[];
  readonly problems: readonly ArchiveProblem[];
}

/** The last entry of a node that was found good, and what was counted on the way. */
export interface Chain {
  readonly node: string;
  /** The last statement, or what a restart leaves. */
  last: Statement | Link;
  /** Where it stands in the log. */
  index: number;
  /** How old the key is that signed it: 0 the registered one, then the former ones. */
  age: number;
  /** Of the statements that restarts left behind. */
  readonly left: Statement[];
  readonly restarts: RestartReport[];
  readonly first: number;
  batches: number;
  events: number;
  lastTime: number;
  epochs: Epochs | undefined;
}

export interface Findings {
  readonly problems: ArchiveProblem[];
  readonly chains: Map<string, Chain>;
  readonly bodies: { present: number; expired: number; missing: number };
  /** Those that stand in the log so far. */
  readonly approved: ApprovedEntry[];
  /** The same, as {@link approvalKey} names them: one approval may stand there any number of times. */
  readonly approvalKeys: Set<string>;
  readonly changes: ChangeEntry[];
  linesChecked: number;
  readonly holes: Holes;
  readonly sums: SumsTold;
}

/** What an approval is asked for. */
export const approvalKey = ({ kind, digest, vocabulary, role }: Omit<Approval, 'name' | 'version'>): string =>
  `${kind} ${digest} ${vocabulary} ${role}`;

/** Runs a check; wrong bytes become a problem at `where`, anything else is not ours to explain. */
export async function noting<T>(
  findings: Findings,
  where: string,
  check: () => Promise<T> | T,
): Promise<T | undefined> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    findings.problems.push({ code: error.code, where, message: error.message });
    return undefined;
  }
}

export const readLog =
  (archive: Archive) =>
  async (path: string): Promise<Uint8Array | undefined> =>
    await archive.reader.readFile(`log/${path}`);
