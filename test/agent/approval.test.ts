/** The node's own gate: rules that were not signed, logged, meant for it, or that are older than others before, are not used. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Approval } from '#protocol/approval.ts';
import { formatVerifierKey } from '#protocol/note.ts';
import { vocabularyDigest } from '#protocol/vocabulary.ts';
import { NotApproved, requireApproval, type ApprovalPlaces } from '../../agent/approval.ts';
import { approvalNote, REVIEWER_LIST, writeApproved } from '../protocol/approved.ts';
import { fixedKey, logKey } from '../protocol/sample.ts';

const digest = 'd'.repeat(64);
const RULES: Approval = {
  ...{ kind: 'ruleset', name: 'lab', version: 5, role: 'generic', digest, vocabulary: vocabularyDigest() },
};
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-approval-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const places = (): ApprovalPlaces => ({
  approvals: join(home, 'approvals'),
  reviewers: join(home, 'reviewers'),
  versions: join(home, 'approved-versions'),
  logKey: logKey.verifier,
  role: 'generic',
});
const asked = (wanted = RULES): string => {
  try {
    return `version ${requireApproval(wanted, places()).version}`;
  } catch (error) {
    if (error instanceof NotApproved) return error.message.replaceAll(home, '');
    throw error;
  }
};

test('signed, logged, meant for us: it is in force', async () => {
  await writeApproved(home, [{ ...RULES, digest: 'e'.repeat(64) }, RULES]);
  expect(asked()).toBe('version 5');
});

const OTHER_REVIEWER = formatVerifierKey(fixedKey('reviewer-2', 33).verifier);

interface Row {
  readonly name: string;
  readonly approval?: Partial<Approval>;
  readonly spoil?: () => void;
  readonly says: string;
}
const put = (name: string, bytes: string | Uint8Array): void => writeFileSync(join(home, name), bytes);
const note = `/approvals/${digest}.approval`;
const proof = `/approvals/${digest}.tlog-proof`;
const ROWS: readonly Row[] = [
  {
    name: 'no list of reviewers',
    spoil: () => rmSync(join(home, 'reviewers')),
    says: '/reviewers: no such file; ask the reviewers for it',
  },
  {
    name: 'no approval',
    spoil: () => rmSync(join(home, note)),
    says: `${note}: no such file; ask the reviewers for it`,
  },
  {
    name: 'no proof',
    spoil: () => rmSync(join(home, proof)),
    says: `${proof}: no such file; publish the approval and fetch its proof`,
  },
  {
    name: 'a quorum that is not met',
    spoil: () => put('reviewers', REVIEWER_LIST.replace('quorum 1', 'quorum 2') + `${OTHER_REVIEWER}\n`),
    says: `${note}: too few of the reviewers in /reviewers signed it`,
  },
  {
    name: 'bytes that are no note',
    spoil: () => put(note, 'x'),
    says: `${note}: no blank line between text and signatures; fetch it again`,
  },
  {
    name: 'a note for other rules',
    spoil: () => put(note, approvalNote({ ...RULES, digest: 'e'.repeat(64) })),
    says: `${note}: approves other rules; fetch the approval of those that are installed`,
  },
  {
    name: 'a proof of another entry',
    spoil: () => put(note, approvalNote({ ...RULES, version: 6 })),
    says: `${proof}: does not prove that this approval is in the log`,
  },
  {
    name: 'another role',
    approval: { role: 'host' },
    says: `${note}: approves rules for role host; this node is generic`,
  },
  {
    name: 'another vocabulary',
    approval: { vocabulary: 'c'.repeat(64) },
    says: `${note}: approves the rules for another vocabulary; have them approved for this version`,
  },
  {
    name: 'a broken memory',
    spoil: () => put('approved-versions', '{'),
    says: '/approved-versions: cannot be read, so nobody knows what was in force here; restore it',
  },
];

describe('refused, with what to do', () => {
  for (const { name, approval = {}, spoil = () => {}, says } of ROWS) {
    test(name, async () => {
      await writeApproved(home, [{ ...RULES, ...approval }]);
      spoil();
      expect(asked()).toBe(says);
    });
  }
});

test('an older version is refused, for ever; the same and later ones are not', async () => {
  await writeApproved(home, [RULES]);
  expect(asked()).toBe('version 5');
  expect(asked()).toBe('version 5');
  const older = { ...RULES, version: 4, digest: 'f'.repeat(64) };
  await writeApproved(home, [older]);
  expect(asked(older)).toBe(
    `/approvals/${older.digest}.approval: version 4 of lab, but version 5 was in force here before`,
  );
  expect(JSON.parse(readFileSync(join(home, 'approved-versions'), 'utf8'))).toEqual({ 'ruleset lab': 5 });
});
