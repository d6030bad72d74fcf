/**
 * Makes the vectors of the protocol, `test/vectors/v1` and `v2`: bytes in, decoded value or
 * error code out. Version 2 has another statement; receipts are those of version 1. Released vectors are frozen, so this writes only files that do not exist
 * yet: `node test/vectors/make.ts`. Keys are fixed and public, never use them for anything.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { encodeBatch, packBody } from '#protocol/batch.ts';
import { formatChange } from '#protocol/change.ts';
import { cosign } from '#protocol/cosignature.ts';
import { formatNote, formatVerifierKey, parseNote, signNote, type SigningKey } from '#protocol/note.ts';
import { formatReceipt, parseReceipt } from '#protocol/receipt.ts';
import { formatRestart } from '#protocol/restart.ts';
import { formatStatement, statementDigest, type Statement } from '#protocol/statement.ts';
import { archiveOf, receiptOf } from '../protocol/archive.ts';
import {
  FIRST,
  fixedKey,
  following,
  LINES,
  logKey,
  NAMED,
  nodeKey,
  RESTART,
  signedStatement,
  witnessKey,
} from '../protocol/sample.ts';
import { CHANGE } from '../protocol/changes.ts';
import { outcomeOf, type Vector } from './outcome.ts';
import { vocabularyShape } from './vocabulary-shape.ts';

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const body = packBody(LINES).bytes;
const batch = (text: string, key: SigningKey = nodeKey, packed = body): Uint8Array =>
  encodeBatch({ note: signNote(text, key), body: packed });
const TEXT = formatStatement(FIRST);
const golden = batch(TEXT);

const empty = packBody([]);
const quiet: Statement = following(FIRST, {
  time: { first: 0, last: 0 },
  events: {},
  seen: FIRST.seen,
  released: FIRST.released,
  body: empty.body,
});

const batches: Record<string, Uint8Array> = {
  'the first batch': golden,
  'a batch without events': batch(formatStatement(quiet), nodeKey, empty.bytes),
  'signed by another key': batch(TEXT, fixedKey('node-1', 9)),
  'signed in another name': batch(TEXT, fixedKey('node-2', 1)),
  'two signatures, one of them unknown': encodeBatch({
    note: signNote(TEXT, fixedKey('node-9', 9), parseNote(signedStatement(FIRST)).signatures),
    body,
  }),
  'cut in the body': golden.subarray(0, -1),
  'cut in the statement': golden.subarray(0, 100),
  'one byte more': Buffer.concat([golden, Buffer.of(0)]),
  'one bit of the body flipped': Buffer.concat([golden.subarray(0, -1), Buffer.of((golden.at(-1) ?? 0) ^ 1)]),
  'a leading zero': batch(TEXT.replace('sequence 1', 'sequence 01')),
  'counts out of order': batch(TEXT.replace('file=9,process=4', 'process=4,file=9')),
  'a line too many': batch(`${TEXT}more 1\n`),
  'a body of another length': batch(TEXT.replace(/ zstd (\d+) \d+/, ' zstd $1 9999')),
  'version 2': batch(TEXT.replace('batch/v1', 'batch/v2')),
  'no signature': Buffer.concat([Buffer.from(`${TEXT}\n`), body]),
};

const statements = [FIRST, following(FIRST), following(following(FIRST))];
const entries = statements.map((statement) => signedStatement(statement));
const receipt = await receiptOf(archiveOf(entries), 1, entries.length);
const { checkpoint, ...proof } = parseReceipt(receipt);
const note = parseNote(checkpoint);
const cosigned = formatNote(note.text, [...note.signatures, cosign(note.text, witnessKey, 1_790_000_000)]);
const text = Buffer.from(receipt).toString();

const receipts: Record<string, Uint8Array> = {
  'of the second of three': receipt,
  'with a cosignature': Buffer.from(formatReceipt({ ...proof, checkpoint: cosigned })),
  'of another entry': await receiptOf(archiveOf(entries), 0, entries.length),
  'a hash too few': Buffer.from(formatReceipt({ ...proof, proof: proof.proof.slice(1), checkpoint })),
  'extra data': Buffer.from(text.replace('index', 'extra eA==\nindex')),
  'an index with a leading zero': Buffer.from(text.replace('index 1', 'index 01')),
  'cut in the proof': receipt.subarray(0, 60),
};

const TEXT2 = formatStatement(NAMED);
const edited = (from: string | RegExp, to: string): Uint8Array => batch(TEXT2.replace(from, to));
const quiet2 = following(NAMED, { ...quiet, previous: statementDigest(NAMED), epochs: 'none' });

/** What version 1 has no word for. Everything else is read by the same lines. */
const batches2: Record<string, Uint8Array> = {
  'the first batch': batch(TEXT2),
  'after a batch of version 1': batch(formatStatement(following(FIRST, { epochs: 'none' }))),
  'a batch without events': batch(formatStatement(quiet2), nodeKey, empty.bytes),
  'two epochs': edited('20717 20717', '20717 20718'),
  'pseudonyms that never change': edited(/epochs .*/, 'epochs -'),
  'one bit of the body flipped': Buffer.concat([batch(TEXT2).subarray(0, -1), Buffer.of((body.at(-1) ?? 0) ^ 1)]),
  'no epochs': edited(/epochs .*\n/, ''),
  'epochs in version 1': edited('batch/v2', 'batch/v1'),
  'epochs before the events': edited('20717 20717', '20716 20717'),
  'epochs backwards': edited('20717 20717', '20718 20717'),
  'an epoch of no time': edited('24h', '0h'),
  'an epoch in days': edited('24h', '1d'),
  'epochs beyond all time': edited('20717 20717', '20717 9007199254740991'),
  'a leading zero': edited('24h', '024h'),
  'scopes out of order': edited('node,cohort', 'cohort,node'),
  'a scope twice': edited('node,cohort', 'node,node'),
  'an unknown scope': edited('node,cohort', 'node,world'),
  'no scope': edited(' node,cohort', ' '),
  'epochs of nothing': batch(
    formatStatement(quiet2).replace('epochs -', 'epochs 24h 20717 20717 node'),
    nodeKey,
    empty.bytes,
  ),
  'epochs after the counts': edited(/(epochs .*\n)(events .*\n)/, '$2$1'),
};

const CHANGED = formatChange(CHANGE);
const altered = (from: string | RegExp, to: string): Uint8Array => signNote(CHANGED.replace(from, to), logKey);
const changes: Record<string, Uint8Array> = {
  'two changes': signNote(CHANGED, logKey),
  'the first': altered(/before .*/, `before ${'0'.repeat(64)}`),
  'a name in other letters': altered('who alex', 'who Áléx of operations'),
  'signed by a node': signNote(CHANGED, nodeKey),
  'another version': altered('change/v1', 'change/v2'),
  'nobody did it': altered('who alex', 'who '),
  'no reason': altered(/reason .*\n/, ''),
  'a reason that ends with a space': altered(/(reason .*)/, '$1 '),
  'nothing changed': altered(/after .*/, `after ${'a'.repeat(64)}`),
  'one more than listed': altered('changes 3', 'changes 4'),
  'out of order': altered(/(changed knob .*\n)(removed rule .*\n)/, '$2$1'),
  'one twice': altered(/(changed knob .*\n)(removed rule .*\n)/, '$1$1'),
  'an unknown kind': altered('removed rule', 'removed rules'),
  'a name with a space': altered('nightly-backup', 'nightly backup'),
  'a leading zero': altered('time 1', 'time 01'),
};

const RESTARTED = formatRestart(RESTART);
const restart = (text: string, key: SigningKey = nodeKey): Uint8Array => signNote(text, key);
const restarts: Record<string, Uint8Array> = {
  'after the first batch': restart(RESTARTED),
  'with another key, the former one being lost': restart(RESTARTED.replace('state-lost', 'key-lost')),
  'signed by another key': restart(RESTARTED, fixedKey('node-1', 9)),
  'after nothing': restart(RESTARTED.replace('sequence 2', 'sequence 1')),
  'an unknown reason': restart(RESTARTED.replace('state-lost', 'because')),
  'lines out of order': restart(RESTARTED.replace(/(role .*\n)(cohort .*\n)/, '$2$1')),
  'a line too many': restart(`${RESTARTED}more 1\n`),
  'a leading zero': restart(RESTARTED.replace('index 0', 'index 00')),
  'a body behind it': Buffer.concat([restart(RESTARTED), body]),
  'one bit of the text flipped': Buffer.from(restart(RESTARTED)).fill(0x39, 26, 27),
};

write('v1', 'batch', { key: formatVerifierKey(nodeKey.verifier) }, batches);
write('v2', 'batch', { key: formatVerifierKey(nodeKey.verifier) }, batches2);
write('v1', 'change', { key: formatVerifierKey(logKey.verifier) }, changes);
write('v1', 'restart', { key: formatVerifierKey(nodeKey.verifier) }, restarts);
write('v1', 'receipt', { key: formatVerifierKey(logKey.verifier), note: base64(entries[1] ?? Buffer.of()) }, receipts);

const vocabulary = new URL('vocabulary.json', import.meta.url);
if (!existsSync(vocabulary)) writeFileSync(vocabulary, `${JSON.stringify(vocabularyShape(), null, 1)}\n`);

function write(
  version: 'v1' | 'v2',
  kind: Vector['kind'],
  given: Omit<Vector, 'name' | 'bytes' | 'outcome' | 'kind'>,
  inputs: Record<string, Uint8Array>,
): void {
  const file = new URL(`${version}/${kind}.json`, import.meta.url);
  if (existsSync(file)) {
    process.stderr.write(`${version}/${kind}.json is frozen: left as it is\n`);
    return;
  }
  const vectors = Object.entries(inputs).map(([name, bytes]) => {
    const vector = { kind, name, ...given, bytes: base64(bytes) };
    return { ...vector, outcome: outcomeOf(vector) };
  });
  writeFileSync(file, `${JSON.stringify(vectors, null, 2)}\n`);
}
