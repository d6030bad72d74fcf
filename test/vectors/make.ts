/**
 * Makes the vectors of protocol version 1 in `test/vectors/v1`: bytes in, decoded value or
 * error code out. Released vectors are frozen, so this writes only files that do not exist
 * yet: `node test/vectors/make.ts`. Keys are fixed and public, never use them for anything.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { encodeBatch, packBody } from '#protocol/batch.ts';
import { cosign } from '#protocol/cosignature.ts';
import { formatNote, formatVerifierKey, parseNote, signNote, type SigningKey } from '#protocol/note.ts';
import { formatReceipt, parseReceipt } from '#protocol/receipt.ts';
import { formatStatement, type Statement } from '#protocol/statement.ts';
import { archiveOf, receiptOf } from '../protocol/archive.ts';
import { FIRST, fixedKey, following, LINES, logKey, nodeKey, signedStatement, witnessKey } from '../protocol/sample.ts';
import { outcomeOf, type Vector } from './outcome.ts';

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

write('batch', { key: formatVerifierKey(nodeKey.verifier) }, batches);
write('receipt', { key: formatVerifierKey(logKey.verifier), note: base64(entries[1] ?? Buffer.of()) }, receipts);

function write(
  kind: 'batch' | 'receipt',
  given: Omit<Vector, 'name' | 'bytes' | 'outcome' | 'kind'>,
  inputs: Record<string, Uint8Array>,
): void {
  const file = new URL(`v1/${kind}.json`, import.meta.url);
  if (existsSync(file)) {
    process.stderr.write(`${kind}.json is frozen: left as it is\n`);
    return;
  }
  const vectors = Object.entries(inputs).map(([name, bytes]) => {
    const vector = { kind, name, ...given, bytes: base64(bytes) };
    return { ...vector, outcome: outcomeOf(vector) };
  });
  writeFileSync(file, `${JSON.stringify(vectors, null, 2)}\n`);
}
