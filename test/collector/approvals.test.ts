/** Approvals at the collector: what enough reviewers signed goes into the log once, and only then are its batches taken. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatApproval, parseReviewers, type Approval } from '#protocol/approval.ts';
import { decodeEntry } from '#protocol/entry.ts';
import { formatVerifierKey, parseNote, signNote } from '#protocol/note.ts';
import { verifyReceipt } from '#protocol/receipt.ts';
import { NO_RULES } from '#protocol/statement.ts';
import { verifyArchive } from '#protocol/verify.ts';
import { vocabularyDigest } from '#protocol/vocabulary.ts';
import { Approvals, readReviewers } from '../../collector/approvals.ts';
import { loadPack, STARTER_PACK } from '../../collector/detectors/pack.ts';
import { accept, nowUs } from '../../collector/pipeline.ts';
import { privacyViewOf } from '../../collector/privacy-view.ts';
import { Rulesets } from '../../collector/rulesets.ts';
import { approvalNote, REVIEWER_LIST } from '../protocol/approved.ts';
import { FIRST, fixedKey, logKey } from '../protocol/sample.ts';
import { line, openCollector, SampleNode, type OpenCollector } from './sample.ts';

const vocabulary = vocabularyDigest();
const RULES: Approval = {
  kind: 'ruleset',
  name: 'lab',
  version: 1,
  role: FIRST.role,
  digest: FIRST.ruleset,
  vocabulary,
};
const PACK: Approval = { kind: 'rulepack', name: 'rules', version: 1, role: 'any', digest: FIRST.rulepack, vocabulary };
const EVENTS = [line('file.open', 1_790_000_000_000_000, { 'file.open.access': 'write' })];

let home: string;
let collector: OpenCollector;
let node: SampleNode;
const said: string[] = [];
const logger = { warn: (about: object) => said.push(JSON.stringify(about)), info: () => {} };
const open = (reviewers = parseReviewers(Buffer.from(REVIEWER_LIST))): Promise<Approvals> =>
  Approvals.open({
    ...{ home, reviewers, log: collector.log, state: collector.state, logger },
    follow: () => collector.state.follow(collector.log, nowUs),
  });
const put = (name: string, bytes: Uint8Array): void => writeFileSync(join(home, 'approvals', name), bytes);
const codeOf = async (work: Promise<unknown>): Promise<unknown> =>
  await work.then(
    () => 'accepted',
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
  );

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-approvals-'));
  mkdirSync(join(home, 'approvals'));
  said.length = 0;
  node = new SampleNode();
  collector = await openCollector(home, [node]);
});
afterEach(async () => {
  await collector[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

test('before its approval is in the log a ruleset is unknown; afterwards its batches are taken', async () => {
  const approvals = await open();
  const line1 = { ...collector, approvals };
  const batch = node.next(EVENTS);
  expect(await codeOf(accept(line1, batch))).toBe('unknown-ruleset');
  put('lab.approval', approvalNote(RULES));
  await approvals.publish();
  expect(await codeOf(accept(line1, batch))).toBe('unknown-rulepack');
  put('pack.approval', approvalNote(PACK));
  await approvals.publish();
  expect(await codeOf(accept(line1, batch))).toBe('accepted');
  expect(collector.log.size).toBe(3);
  expect(said).toEqual([]);
});

test('the proof beside it is a receipt for exactly this note, and the log says what it is', async () => {
  put('lab.approval', approvalNote(RULES));
  await open();
  const receipt = readFileSync(join(home, 'approvals', `${RULES.digest}.tlog-proof`));
  expect(verifyReceipt({ noteBytes: approvalNote(RULES), receipt, logKey: logKey.verifier })?.index).toBe(0);
  for await (const { entry } of collector.log.entries(0)) expect(decodeEntry(entry).kind).toBe('approval');
  expect(collector.state.approvals()).toMatchObject([{ ...RULES, logIndex: 0, signers: ['reviewer-1'] }]);
});

test('the dashboard gives the note and a proof of it away, and no batch by the same way', async () => {
  put('lab.approval', approvalNote(RULES));
  await open();
  await accept(collector, node.next(EVENTS));
  mkdirSync(join(home, 'rulesets'));
  const rulesets = Rulesets.open(join(home, 'rulesets'));
  const rulepacks = { rules: loadPack(STARTER_PACK) };
  const view = privacyViewOf({ state: collector.state, log: collector.log, rulesets, rulepacks });
  const noteBytes = (await view.note(0)) ?? Buffer.alloc(0);
  expect(Buffer.from(noteBytes)).toEqual(Buffer.from(approvalNote(RULES)));
  const receipt = Buffer.from((await view.proof(0)) ?? '');
  expect(verifyReceipt({ noteBytes, receipt, logKey: logKey.verifier })).toMatchObject({
    index: 0,
    checkpoint: { size: 2 },
  });
  expect([await view.note(1), await view.proof(1), await view.note(2)]).toEqual([undefined, undefined, undefined]);
});

test('a reviewer sees what a held ruleset lets out, and which rules of the pack read it', () => {
  const file = fileURLToPath(new URL('../../redaction-rules/rulesets/generic-linux.yaml', import.meta.url));
  mkdirSync(join(home, 'rulesets'));
  copyFileSync(file, join(home, 'rulesets/generic-linux.yaml'));
  const rulesets = Rulesets.open(join(home, 'rulesets'));
  const rulepacks = { rules: loadPack(STARTER_PACK) };
  const view = privacyViewOf({ state: collector.state, log: collector.log, rulesets, rulepacks });
  const digest = rulesets.digests[0] ?? '';
  const row = view
    .explained(digest)
    ?.rows.find(({ event, attribute }) => event === 'process.exec' && attribute === 'process.command_args');
  expect(row?.readOnNode.length).toBeGreaterThan(5);
  expect(view.differences(digest, digest)?.rows).toEqual([]);
  expect(view.explained('0'.repeat(64))).toBeUndefined();
});

test('opened again it logs nothing twice, and makes a proof that is missing', async () => {
  put('lab.approval', approvalNote(RULES));
  await open();
  rmSync(join(home, 'approvals', `${RULES.digest}.tlog-proof`));
  await open();
  expect(collector.log.size).toBe(1);
  expect(existsSync(join(home, 'approvals', `${RULES.digest}.tlog-proof`))).toBe(true);
});

test('the same rules approved for another vocabulary get a proof of that note', async () => {
  put('pack.approval', approvalNote({ ...PACK, vocabulary: 'c'.repeat(64) }));
  await open();
  const now = approvalNote(PACK);
  put('pack.approval', now);
  await open();
  const receipt = readFileSync(join(home, 'approvals', `${PACK.digest}.tlog-proof`));
  expect(verifyReceipt({ noteBytes: now, receipt, logKey: logKey.verifier })?.index).toBe(1);
});

test('too few signatures, a stranger’s, nonsense: said once, never logged', async () => {
  const approvals = await open(parseReviewers(Buffer.from(REVIEWER_LIST)));
  put('stranger.approval', signNote(formatApproval(RULES), fixedKey('reviewer-1', 99)));
  put('nonsense.approval', Buffer.from('nonsense'));
  put('huge.approval', Buffer.alloc(200_000, 65));
  await approvals.publish();
  await approvals.publish();
  expect(said).toHaveLength(3);
  expect(collector.log.size).toBe(0);
  expect(approvals.has('ruleset', RULES.digest, vocabulary, FIRST.role)).toBe(false);
});

test('a note that grows the signature it lacked is looked at again', async () => {
  const second = fixedKey('reviewer-2', 32);
  const reviewers = parseReviewers(
    Buffer.from(REVIEWER_LIST.replace('quorum 1', 'quorum 2') + `${formatVerifierKey(second.verifier)}\n`),
  );
  const approvals = await open(reviewers);
  put('lab.approval', approvalNote(RULES));
  await approvals.publish();
  expect(collector.log.size).toBe(0);
  await new Promise((settle) => setTimeout(settle, 20));
  put('lab.approval', signNote(formatApproval(RULES), second, parseNote(approvalNote(RULES)).signatures));
  await approvals.publish();
  expect(collector.log.size).toBe(1);
});

test('rules for one role, or for another vocabulary, are not approved for others', async () => {
  put('lab.approval', approvalNote(RULES));
  const approvals = await open();
  expect(approvals.has('ruleset', RULES.digest, vocabulary, FIRST.role)).toBe(true);
  expect(approvals.has('ruleset', RULES.digest, vocabulary, 'host')).toBe(false);
  expect(approvals.has('ruleset', RULES.digest, 'c'.repeat(64), FIRST.role)).toBe(false);
  expect(approvals.has('rulepack', RULES.digest, vocabulary, FIRST.role)).toBe(false);
});

test('a node without rules may count and say so, and release nothing', async () => {
  const line1 = { ...collector, approvals: await open() };
  const none = { ruleset: NO_RULES, rulepack: NO_RULES };
  const counted = { seen: { file: 3 }, released: {}, withheld: { file: 3 } };
  expect(await codeOf(accept(line1, node.next([], { ...none, ...counted })))).toBe('accepted');
  node.rewindTo(node.last);
  expect(await codeOf(accept(line1, node.next(EVENTS, none)))).toBe('not-released');
});

test('a stranger with the list of reviewers finds a batch whose rules nobody approved', async () => {
  await accept(collector, node.next(EVENTS));
  const reader = {
    readFile: (path: string) =>
      Promise.resolve(existsSync(join(home, path)) ? readFileSync(join(home, path)) : undefined),
  };
  const archive = { reader, logKey: logKey.verifier, nodes: [{ name: node.name, key: node.key.verifier }] };
  expect((await verifyArchive(archive)).problems).toEqual([]);
  const reviewers = parseReviewers(Buffer.from(REVIEWER_LIST));
  expect((await verifyArchive({ ...archive, reviewers })).problems).toMatchObject([{ code: 'unapproved' }]);
});

test('a stranger sees which rules were approved, by whom; those for another role or vocabulary do not count', async () => {
  for (const [name, rules] of Object.entries({ lab: { ...RULES, role: 'host' as const }, pack: PACK }))
    put(`${name}.approval`, approvalNote(rules));
  await open();
  await accept(collector, node.next(EVENTS, { vocabulary }));
  const files = (path: string): Uint8Array | undefined =>
    existsSync(join(home, path)) ? readFileSync(join(home, path)) : undefined;
  const archive = {
    ...{ reader: { readFile: (path: string) => Promise.resolve(files(path)) }, logKey: logKey.verifier },
    ...{ nodes: [{ name: node.name, key: node.key.verifier }], reviewers: parseReviewers(Buffer.from(REVIEWER_LIST)) },
  };
  const report = await verifyArchive(archive);
  expect(report.problems).toMatchObject([{ code: 'unapproved' }]);
  expect(report.approved).toMatchObject([{ kind: 'ruleset', reviewers: ['reviewer-1'] }, { kind: 'rulepack' }]);

  const asked: string[] = [];
  const said = (ruleset: string, text: string): string | undefined =>
    asked.push(ruleset) && text.includes('file.open') ? 'it says too much' : undefined;
  const held = await verifyArchive({ ...archive, checkLine: said });
  expect(held.problems.at(-1)).toMatchObject({ code: 'not-released', message: 'line 1: it says too much' });
  expect(asked).toEqual([FIRST.ruleset]);
});

test('without a list of reviewers nothing is approved; a broken list is told with its file', () => {
  expect(readReviewers(home)).toBeUndefined();
  writeFileSync(join(home, 'reviewers'), 'quorum 2\n');
  expect(() => readReviewers(home)).toThrow(`${join(home, 'reviewers')}: a quorum of 2 out of 0 reviewers`);
});
