/**
 * An approval: reviewers say of one ruleset, or of one pack of rules that run on nodes, that it may be used. A signed note
 * like any other; as many reviewers sign the same text as the quorum asks for, and the note stands in the log before the
 * first batch that names its digest.
 *
 *     hushwatch/approval/v1
 *     kind ruleset
 *     name generic-linux
 *     version 3
 *     role generic
 *     digest 6d1f…
 *     vocabulary 90ab…
 */
import { decodeText, isSha256Hex, parseDecimal } from './encoding.ts';
import { ProtocolError } from './error.ts';
import { parseNote, parseVerifierKey, signatureBy, verifyNote, type Note, type VerifierKey } from './note.ts';

export const APPROVAL_HEADER = 'hushwatch/approval/v1';
const NAME = /^[a-z0-9][a-z0-9.-]{0,62}$/;

export const APPROVED_KINDS = ['ruleset', 'rulepack'] as const;
export type ApprovedKind = (typeof APPROVED_KINDS)[number];
/** A pack of rules serves every role. */
export const APPROVED_ROLES = ['guest', 'host', 'generic', 'any'] as const;

export interface Approval {
  readonly kind: ApprovedKind;
  readonly name: string;
  /** From 1. A node that has used a later version of that kind and name refuses an earlier one. */
  readonly version: number;
  readonly role: (typeof APPROVED_ROLES)[number];
  /** SHA-256 of what is approved, as statements name it. */
  readonly digest: string;
  /** The vocabulary that it was read with: the same rules over other events are another thing. */
  readonly vocabulary: string;
}

/** Who may approve, and how many of them must. */
export interface Reviewers {
  readonly quorum: number;
  readonly keys: readonly VerifierKey[];
}

declare const approved: unique symbol;

/** What enough reviewers signed. Only {@link openApproval} makes one. */
export type ApprovedRules = Approval & { readonly [approved]: true; readonly reviewers: readonly string[] };

export function formatApproval(approval: Approval): string {
  const text = write(approval);
  parseApproval(text);
  return text;
}

function write({ kind, name, version, role, digest, vocabulary }: Approval): string {
  return [
    APPROVAL_HEADER,
    `kind ${kind}`,
    `name ${name}`,
    `version ${version}`,
    `role ${role}`,
    `digest ${digest}`,
    `vocabulary ${vocabulary}`,
    '',
  ].join('\n');
}

const wrong = (what: string): ProtocolError => new ProtocolError('bad-approval', what);

function oneOf<const T extends string>(of: readonly T[], text: string, what: string): T {
  const found = of.find((one) => one === text);
  if (found === undefined) throw wrong(`${what} is not one of ${of.join(', ')}`);
  return found;
}

export function parseApproval(text: string): Approval {
  const [header, ...lines] = text.split('\n', 9);
  if (header !== APPROVAL_HEADER) throw wrong(`the first line is not ${APPROVAL_HEADER}`);
  const value = (at: number, key: string): string => {
    const line = lines[at] ?? '';
    if (!line.startsWith(`${key} `)) throw wrong(`${key} is not on line ${at + 2}`);
    return line.slice(key.length + 1);
  };
  const matching = (at: number, key: string, fits: (text: string) => boolean): string => {
    const found = value(at, key);
    if (!fits(found)) throw wrong(`${key} has another form`);
    return found;
  };
  const approval: Approval = {
    kind: oneOf(APPROVED_KINDS, value(0, 'kind'), 'kind'),
    name: matching(1, 'name', (found) => NAME.test(found)),
    version: parseDecimal(value(2, 'version')),
    role: oneOf(APPROVED_ROLES, value(3, 'role'), 'role'),
    digest: matching(4, 'digest', isSha256Hex),
    vocabulary: matching(5, 'vocabulary', isSha256Hex),
  };
  if (approval.version < 1) throw wrong('versions begin at 1');
  if (write(approval) !== text) throw wrong('the text is not in the one spelling');
  return approval;
}

/** The form of an approval, whoever signed it: throws when the bytes are something else. */
export function decodeApproval(bytes: Uint8Array): { readonly note: Note; readonly approval: Approval } {
  const note = parseNote(bytes);
  return { note, approval: parseApproval(note.text) };
}

/** `undefined` when fewer reviewers signed than the quorum asks for, or one of them signed something else. */
export function openApproval(bytes: Uint8Array, { quorum, keys }: Reviewers): ApprovedRules | undefined {
  const { note, approval } = decodeApproval(bytes);
  const signers = verifyNote(note, keys)?.signers ?? [];
  if (quorum < 1 || signers.length < quorum) return undefined;
  const opened: Approval & { readonly reviewers: readonly string[] } = {
    ...approval,
    reviewers: signers.map(({ name }) => name),
  };
  // oxlint-disable-next-line no-unsafe-type-assertion -- the one place an ApprovedRules is made
  return opened as ApprovedRules;
}

/** Which of the reviewers stand on the note, whether or not their signatures hold. */
export const signersOn = (note: Note, { keys }: Reviewers): readonly string[] =>
  keys.filter((key) => signatureBy(note, key) !== undefined).map(({ name }) => name);

const MAX_REVIEWERS = 16;

/**
 * A list of reviewers: `quorum N`, then a verifier key a line. Lines that are empty or begin with `#` say nothing.
 * Two keys of one name, or a quorum that cannot be met, are refused.
 */
export function parseReviewers(bytes: Uint8Array): Reviewers {
  if (bytes.length > 65_536) throw new ProtocolError('too-large', 'a list of reviewers of more than 65,536 bytes');
  const lines = decodeText(bytes)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const [first = '', ...keyLines] = lines;
  if (!first.startsWith('quorum ')) throw wrong('a list of reviewers begins with `quorum N`');
  const quorum = parseDecimal(first.slice('quorum '.length));
  if (keyLines.length > MAX_REVIEWERS) throw new ProtocolError('too-large', `more than ${MAX_REVIEWERS} reviewers`);
  const keys = keyLines.map(parseVerifierKey);
  if (new Set(keys.map(({ name }) => name)).size !== keys.length) throw wrong('two reviewers have one name');
  if (quorum < 1 || quorum > keys.length) throw wrong(`a quorum of ${quorum} out of ${keys.length} reviewers`);
  return { quorum, keys };
}
