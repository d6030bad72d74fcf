/** An archive that is whole, and archives in which one thing is wrong: each is said, by its code and place. */
import { expect, test } from 'vitest';
import { decodeBatch, encodeBatch, packBody } from '#protocol/batch.ts';
import { signCheckpoint } from '#protocol/checkpoint.ts';
import { leafHash, rootOf } from '#protocol/merkle.ts';
import { NO_PREVIOUS, statementDigest, type Statement } from '#protocol/statement.ts';
import { bodyPath, verifyArchive, type Archive, type ArchiveReport } from '#protocol/verify.ts';
import { vocabularyDigest } from '#protocol/vocabulary.ts';
import { archiveOf, memoryArchive, readerOf, receiptOf, type Files } from './archive.ts';
import { FIRST, fixedKey, following, LINES, logKey, nodeKey, signedStatement } from './sample.ts';

const otherKey = fixedKey('node-2', 7);
const nodes = [
  { name: 'node-1', key: nodeKey.verifier, role: 'generic', cohort: 'lab' },
  { name: 'node-2', key: otherKey.verifier },
] as const;

function check(files: Files, changes: Partial<Archive> = {}): Promise<ArchiveReport> {
  return verifyArchive({ reader: readerOf(files), logKey: logKey.verifier, nodes, ...changes });
}

const first: Statement = { ...FIRST, vocabulary: vocabularyDigest() };
const chainOf = (length: number, start: Statement = first): Statement[] =>
  Array.from({ length: length - 1 }).reduce<Statement[]>((all) => [...all, following(all.at(-1) ?? start)], [start]);
const body = packBody(LINES).bytes;
const batchOf = (statement: Statement): Uint8Array => encodeBatch({ note: signedStatement(statement), body });
const batches = chainOf(5).map(batchOf);
const whole = (): Files => memoryArchive(batches);
const said = (report: ArchiveReport): readonly string[] =>
  report.problems.map(({ code, where }) => `${code} at ${where}`);

test('a whole archive', async () => {
  const report = await check(whole());
  expect(report).toEqual({
    ok: true,
    origin: 'localhost/hushwatch',
    entries: 5,
    bodies: { present: 5, expired: 0, missing: 0 },
    receipts: 0,
    changes: [],
    linesChecked: 0,
    nodes: [
      {
        name: 'node-1',
        batches: 5,
        first: 1,
        last: 5,
        events: 10,
        lost: 7,
        lostBy: FIRST.lost,
        restarts: [],
        damaged: { batches: 0, events: 0 },
        lastTime: FIRST.time.last,
      },
    ],
    problems: [],
  });
});

test('an empty log is whole', async () => {
  expect(await check(archiveOf([]))).toMatchObject({ ok: true, entries: 0, nodes: [] });
});

test('a log of several hundred entries from two nodes is whole', async () => {
  const other = chainOf(130, { ...first, node: 'node-2' }).map((each) => signedStatement(each, otherKey));
  const entries = chainOf(200).flatMap((statement, i) => [signedStatement(statement), ...other.slice(i, i + 1)]);
  const files = archiveOf(entries);
  files.set(bodyPath(FIRST.body.sha256), body);
  const report = await check(files, { receipts: [{ where: 'kept', bytes: await receiptOf(files, 300, 330) }] });
  expect(said(report)).toEqual([]);
  expect(report.nodes.map(({ name, last, events }) => [name, last, events])).toEqual([
    ['node-1', 200, 400],
    ['node-2', 130, 260],
  ]);
});

const entriesOf = (statements: readonly Statement[]): Files => {
  const files = archiveOf(statements.map((statement) => signedStatement(statement)));
  files.set(bodyPath(FIRST.body.sha256), body);
  return files;
};

const [one = first, two = first, three = first] = chainOf(3);
const chains: readonly { name: string; statements: readonly Statement[]; said: readonly string[] }[] = [
  { name: 'a gap', statements: [one, three], said: ['gap at entry 1 (node-1 #3)'] },
  { name: 'a beginning cut off', statements: [two, three], said: ['gap at entry 0 (node-1 #2)'] },
  { name: 'a repetition', statements: [one, two, two, three], said: ['repeat at entry 2 (node-1 #2)'] },
  {
    name: 'a fork',
    statements: [one, two, { ...two, time: { first: 1, last: 2 } }, three],
    said: ['fork at entry 2 (node-1 #2)'],
  },
  {
    name: 'a fork that is continued',
    statements: [one, two, { ...three, previous: statementDigest(one) }],
    said: ['fork at entry 2 (node-1 #3)'],
  },
  { name: 'a rewind', statements: [one, two, three, one], said: ['rewind at entry 3 (node-1 #1)'] },
  {
    name: 'a sum that does not add up',
    statements: [one, { ...two, seen: { ...two.seen, kernel: 1 } }],
    said: ['conservation at entry 1 (node-1 #2)'],
  },
  {
    name: 'a cohort that is not the registered one',
    statements: [{ ...one, cohort: 'elsewhere' }],
    said: ['wrong-role at entry 0 (node-1 #1)'],
  },
];
for (const row of chains) {
  test(`said: ${row.name}`, async () => {
    const report = await check(entriesOf(row.statements));
    expect(said(report)).toEqual(row.said);
    expect(report.ok).toBe(false);
  });
}

test('said: who is not registered, and who signs for another', async () => {
  const stranger = signedStatement({ ...first, node: 'node-9' }, fixedKey('node-9', 9));
  const impostor = signedStatement(first, fixedKey('node-1', 9));
  const crossed = signedStatement(first, fixedKey('node-2', 7));
  const files = archiveOf([stranger, impostor, crossed, Buffer.from('what is this?\n')]);
  expect(said(await check(files))).toEqual([
    'unknown-node at entry 0 (node-9 #1)',
    'bad-signature at entry 1 (node-1 #1)',
    'bad-signature at entry 2 (node-1 #1)',
    'bad-note at entry 3',
  ]);
});

const bodies: readonly { name: string; lines: readonly string[]; events?: Statement['events']; code: string }[] = [
  { name: 'other classes than stated', lines: [LINES[0] ?? '', LINES[0] ?? ''], code: 'wrong-events' },
  {
    name: 'an event that is not in the vocabulary',
    lines: ['{"event":"x","time":1}', LINES[0] ?? ''],
    code: 'bad-body',
  },
  { name: 'no JSON', lines: ['{"event":', LINES[0] ?? ''], code: 'bad-body' },
  { name: 'no JSON about damage', lines: ['now hushwatch.spool.damage', LINES[0] ?? ''], code: 'bad-body' },
  { name: 'no JSON about a sum', lines: ['now hushwatch.sum', LINES[0] ?? ''], code: 'bad-body' },
  { name: 'no event', lines: ['[]', LINES[0] ?? ''], code: 'bad-body' },
  { name: 'no time', lines: ['{"event":"file.open","time":"now"}', LINES[0] ?? ''], code: 'bad-body' },
  { name: 'a line too few', lines: [LINES[0] ?? ''], code: 'body-mismatch' },
];
for (const row of bodies) {
  test(`said: a body with ${row.name}`, async () => {
    const packed = packBody(row.lines);
    const files = memoryArchive([
      encodeBatch({ note: signedStatement({ ...first, body: packed.body }), body: packed.bytes }),
    ]);
    const report = await check(files);
    expect(said(report)).toEqual([`${row.code} at entry 0 (node-1 #1)`]);
    expect(JSON.stringify(report)).not.toContain('now');
  });
}

test('a body of another vocabulary is read, its events are not classed', async () => {
  const packed = packBody(['{"event":"new.thing","time":1}', LINES[0] ?? '']);
  const statement = { ...FIRST, body: packed.body };
  const report = await check(memoryArchive([encodeBatch({ note: signedStatement(statement), body: packed.bytes })]));
  expect(said(report)).toEqual([]);
});

test('a body may expire, not vanish, and not change', async () => {
  const files = whole();
  const path = bodyPath(FIRST.body.sha256);
  files.delete(path);
  const missing = await check(files);
  expect(missing.bodies).toEqual({ present: 0, expired: 0, missing: 5 });
  expect(said(missing)[0]).toBe('missing-body at entry 0 (node-1 #1)');
  const expired = await check(files, { bodiesSince: FIRST.time.last + 1 });
  expect(expired).toMatchObject({ ok: true, bodies: { present: 0, expired: 5, missing: 0 } });
  files.set(path, Buffer.concat([body.subarray(0, -1), Buffer.of(1)]));
  expect(said(await check(files))[0]).toBe('body-mismatch at entry 0 (node-1 #1)');
});

test('every byte of the log counts: any file changed, cut or gone is said', async () => {
  for (const [path, bytes] of whole()) {
    if (!path.startsWith('log/')) continue;
    const step = Math.max(1, Math.floor(bytes.length / 40));
    for (let at = 0; at < bytes.length; at += step) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 4;
      expect((await check(whole().set(path, changed))).ok, `${path} byte ${at}`).toBe(false);
    }
    expect((await check(whole().set(path, bytes.subarray(0, -1)))).ok, path).toBe(false);
    const files = whole();
    files.delete(path);
    expect((await check(files)).ok, path).toBe(false);
  }
});

test('tiles and bundles that agree with each other but not with the signed root', async () => {
  const files = memoryArchive(batches.slice(0, 4));
  files.set('log/checkpoint', signCheckpoint({ size: 4, root: Buffer.alloc(32) }, logKey));
  expect(said(await check(files))).toEqual(['root-mismatch at log/checkpoint']);
});

test('another log, or no witness: nothing else is looked at', async () => {
  const unsigned = await check(whole(), { logKey: fixedKey('localhost/hushwatch', 9).verifier });
  expect(said(unsigned)).toEqual(['unsigned-checkpoint at log/checkpoint']);
  expect(said(await check(new Map()))).toEqual(['no-checkpoint at log/checkpoint']);
});

test('receipts: kept ones show a log that was rewritten or cut off', async () => {
  const files = whole();
  const receipts = [0, 1, 2, 3, 4];
  const kept = await Promise.all(
    receipts.map(async (index) => ({ where: `receipt ${index}`, bytes: await receiptOf(files, index, 5) })),
  );
  expect(await check(files, { receipts: kept })).toMatchObject({ ok: true, receipts: 5 });

  const longer = memoryArchive(chainOf(9).map(batchOf));
  expect(await check(longer, { receipts: kept })).toMatchObject({ ok: true });

  const cut = memoryArchive(batches.slice(0, 4));
  expect(said(await check(cut, { receipts: kept.slice(1, 2) }))).toEqual(['rewritten at receipt 1']);

  const rewritten = memoryArchive(chainOf(6, { ...first, time: { first: 1, last: 2 } }).map(batchOf));
  expect(said(await check(rewritten, { receipts: kept.slice(1, 2) }))).toEqual(['rewritten at receipt 1']);

  const [foreign = Buffer.of()] = batches;
  const other = archiveOf([decodeBatch(foreign).noteBytes]);
  other.set('log/checkpoint', signCheckpoint({ size: 5, root: rootOf([leafHash(foreign)]) }, fixedKey('other', 5)));
  const wrong = [
    { where: 'another log', bytes: await receiptOf(other, 0, 1) },
    { where: 'nonsense', bytes: Buffer.from('nonsense') },
  ];
  expect(said(await check(files, { receipts: wrong }))).toEqual([
    'wrong-receipt at another log',
    'truncated at nonsense',
  ]);
});

test('a signed size that is only a number does not keep the verifier busy', async () => {
  const files: Files = new Map([['log/checkpoint', signCheckpoint({ size: 2 ** 52, root: Buffer.alloc(32) }, logKey)]]);
  const report = await check(files);
  expect(report.problems.length).toBeLessThan(1100);
  expect(report.problems.some((problem) => problem.code === 'too-many-problems')).toBe(true);
});

test('the first statement begins a chain with zeros', () => {
  expect(first.previous).toBe(NO_PREVIOUS);
});
