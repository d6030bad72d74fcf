/**
 * The two errors of the protocol, told apart by who must act: a ProtocolError is for the
 * author of the sender (the bytes are wrong), a Rejection for an operator (the bytes were
 * understood and the answer is no). A code is a promise: it is printed, counted and
 * documented, and never changes meaning. The message is for a person and may change any day.
 */

/** What each code means; `protocol/README.md` shows this table. */
export const PROTOCOL_ERROR_CODES = {
  'too-large': 'A stated limit is exceeded: bytes, signatures, lines or proof hashes.',
  truncated: 'The bytes end before what they announce is complete.',
  'trailing-bytes': 'Something follows where nothing may follow.',
  'bad-text': 'Not UTF-8, or a control character other than newline.',
  'bad-base64': 'Not base64 in its one spelling (RFC 4648 section 4, padded, no stray bits).',
  'bad-number': 'Not a decimal integer without leading zero, at most 2^53 - 1.',
  'bad-note': 'Not text, blank line and signature lines.',
  'bad-key': 'A key that is misspelled, of an unknown kind, or a point anyone can sign for.',
  'bad-statement': 'A batch statement with a line missing, added, out of order or spelled otherwise.',
  'unknown-version': 'Of a version that this reader does not know yet: whoever wrote it is newer.',
  'bad-body': 'The body is not one zstd frame of whole lines.',
  'body-mismatch': 'The body is not the one that the statement describes: hash, length or number of lines.',
  'bad-checkpoint': 'Not a checkpoint of three lines.',
  'bad-tile': 'A tile or entry bundle that does not hold what its path says, or a path that is none.',
  'bad-receipt': 'Not a tlog-proof as this protocol writes it.',
  'bad-restart': 'Not a restart, or not an anchor, as this protocol writes them.',
  'bad-approval': 'Not an approval, or not a list of reviewers, as this protocol writes them.',
  'bad-change': 'Not a change of what detects, or not a line-up, as this protocol writes them.',
} as const;
export type ProtocolErrorCode = keyof typeof PROTOCOL_ERROR_CODES;

/** The bytes are wrong. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: ProtocolErrorCode;

  constructor(code: ProtocolErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What each code means; the shipper is told the code and keeps the batch. */
export const REJECTION_CODES = {
  'unknown-node': 'No node of that name is registered.',
  'bad-signature': "The signature is not by the node's registered key.",
  'wrong-role': 'The node is registered with another role or cohort.',
  'unknown-ruleset':
    'The batch was redacted by rules that the collector does not hold, or whose approval is not in the log.',
  'unknown-rulepack': 'The batch was matched by a rule pack whose approval is not in the log.',
  'unknown-vocabulary': 'The events speak a vocabulary that the collector does not know.',
  'not-released': 'An event carries what its ruleset does not release.',
  'wrong-epochs': 'The statement names other epochs of pseudonyms than its ruleset has for those times.',
  'wrong-events':
    'The events of the body are not those that the statement counts, or its sums are not in the counters.',
  gap: 'The statement does not follow the last one: numbers are missing.',
  fork: 'Two statements claim one place in the chain.',
  'wrong-anchor': 'A restart does not go on from the last entry that the log has of its node.',
  rewind: 'A number that was passed long ago is used again.',
  repeat: 'The very same statement stands twice.',
  'wrong-node': 'The chain of one node contains a statement of another.',
  'counter-decrease': 'A cumulative counter became smaller.',
  'released-mismatch': 'The counter of released events did not grow by the events of the batch.',
  conservation: 'Seen is not the sum of released, merged, sampled, withheld and lost.',
} as const;
export type RejectionCode = keyof typeof REJECTION_CODES;

/** Understood, and no. */
export class Rejection extends Error {
  override readonly name = 'Rejection';
  readonly code: RejectionCode;

  constructor(code: RejectionCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
