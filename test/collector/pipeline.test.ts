/** accept(): what it takes, what it refuses and in which words, and that nothing is lost or doubled by a crash. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeBatch } from '#protocol/batch.ts';
import { verifyReceipt } from '#protocol/receipt.ts';
import { epochAt, NO_RULES, type Epochs } from '#protocol/statement.ts';
import { verifyArchive } from '#protocol/verify.ts';
import type { Disk } from '../../collector/disk.ts';
import { accept, type Accepted } from '../../collector/pipeline.ts';
import { logKey } from '../protocol/sample.ts';
import { checkLog } from './check-log.ts';
import { failingDisk } from './failing-disk.ts';
import { FORMER_VOCABULARY, line, openCollector, RULESET, SampleNode, TURNING, type OpenCollector } from './sample.ts';

const T = 1_790_000_000_000_000;
const exec = (time = T, path = '/usr/bin/curl'): string =>
  line('process.exec', time, { 'process.executable.path': path });
/** Of the pseudonyms at that time, as the ruleset of these tests has them. */
const DAYS: Epochs = { ...TURNING, first: epochAt(T, TURNING), last: epochAt(T, TURNING) };
const open = (time = T, path = '/tmp/x'): string => line('file.open', time, { 'file.path': path });

let home: string;
let node: SampleNode;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-collector-'));
  node = new SampleNode();
});
afterEach(() => rmSync(home, { recursive: true }));

function checkReceipt(bytes: Uint8Array, { sequence, receipt }: Accepted): number {
  const { noteBytes, statement } = decodeBatch(bytes);
  expect(sequence).toBe(statement.sequence);
  const proof = { noteBytes, receipt: Buffer.from(receipt), logKey: logKey.verifier };
  const index = verifyReceipt(proof)?.index;
  if (index === undefined) throw new Error('the receipt does not prove the batch');
  return index;
}

/** The stranger's oracle: signatures, chains, bodies, numbers, the log's root. */
async function problemsOf(nodes: readonly SampleNode[] = [node]): Promise<readonly string[]> {
  checkLog(join(home, 'log'), logKey.verifier);
  const readFile = (path: string): Promise<Uint8Array | undefined> =>
    Promise.resolve(existsSync(join(home, path)) ? readFileSync(join(home, path)) : undefined);
  const report = await verifyArchive({
    reader: { readFile },
    logKey: logKey.verifier,
    nodes: nodes.map(({ name, key }) => ({ name, key: key.verifier })),
  });
  return report.problems.map(({ code }) => code);
}

test('a batch becomes evidence, log entry and receipt', async () => {
  await using collector = await openCollector(home, [node]);
  const bytes = node.next([exec(), open()]);
  expect(checkReceipt(bytes, await accept(collector, bytes))).toBe(0);
  const row = collector.state.find('node-1', 1);
  expect(row).toMatchObject({ logIndex: 0, events: 2, timeFirst: T, timeLast: T });
  expect(Buffer.from(await collector.evidence.read(row?.body ?? '')).equals(decodeBatch(bytes).body)).toBe(true);
  expect(collector.state.nodes()).toMatchObject([{ name: 'node-1', lastSequence: 1, released: 2, weaker: false }]);
  expect(collector.state.activity(0, 10e6)).toEqual([
    { time: T, class: 'file', events: 1 },
    { time: T, class: 'process', events: 1 },
  ]);
  expect(await problemsOf()).toEqual([]);
});

test('the epochs of a batch are known by node and by batch, and verified with the rest', async () => {
  await using collector = await openCollector(home, [node]);
  for (const changes of [{}, { epochs: DAYS }, { epochs: 'none' as const, lines: [] }]) {
    const { lines = [exec()], ...more } = { lines: undefined, ...changes };
    const bytes = node.next(lines, more);
    checkReceipt(bytes, await accept(collector, bytes));
  }
  expect([1, 2, 3].map((sequence) => collector.state.epochsOf('node-1', sequence))).toEqual([
    undefined,
    DAYS,
    undefined,
  ]);
  expect(collector.state.nodes()).toMatchObject([{ name: 'node-1', epochs: DAYS }]);
  expect(await problemsOf()).toEqual([]);
});

test('a batch without events is a sign of life', async () => {
  await using collector = await openCollector(home, [node]);
  for (const bytes of [node.next([]), node.next([])]) checkReceipt(bytes, await accept(collector, bytes));
  expect(await problemsOf()).toEqual([]);
});

test('a batch that comes again, at once or after a restart, is logged once and receipted each time', async () => {
  const bytes = node.next([exec()]);
  {
    await using collector = await openCollector(home, [node]);
    const receipts = await Promise.all([accept(collector, bytes), accept(collector, bytes), accept(collector, bytes)]);
    expect(receipts.map((receipt) => checkReceipt(bytes, receipt))).toEqual([0, 0, 0]);
  }
  await using collector = await openCollector(home, [node]);
  expect(checkReceipt(bytes, await accept(collector, bytes))).toBe(0);
  expect(collector.log.size).toBe(1);
});

test('batches of many nodes at once share checkpoints, and keep the order of each node', async () => {
  const nodes = Array.from({ length: 8 }, (_, i) => new SampleNode(`node-${i}`));
  await using collector = await openCollector(home, nodes);
  const batches = Array.from({ length: 16 }, () => nodes.map((each) => each.next([exec()]))).flat();
  const receipts = await Promise.all(batches.map((bytes) => accept(collector, bytes)));
  const indexes = receipts.map((receipt, i) => checkReceipt(batches[i] ?? new Uint8Array(), receipt));
  expect(indexes.toSorted((a, b) => a - b)).toEqual(batches.map((_, i) => i));
  expect(await problemsOf(nodes)).toEqual([]);
});

const REFUSED: readonly { name: string; bytes: () => Uint8Array; code: string; says?: RegExp }[] = [
  {
    name: 'a node that nobody registered',
    bytes: () => new SampleNode('stranger').next([exec()]),
    code: 'unknown-node',
  },
  { name: 'a key that is not the registered one', bytes: () => new SampleNode().next([exec()]), code: 'bad-signature' },
  { name: 'another role', bytes: () => node.next([exec()], { role: 'guest' }), code: 'wrong-role' },
  { name: 'another cohort', bytes: () => node.next([exec()], { cohort: 'other' }), code: 'wrong-role' },
  {
    name: 'rules that we do not hold',
    bytes: () => node.next([exec()], { ruleset: '9'.repeat(64) }),
    code: 'unknown-ruleset',
  },
  {
    name: 'a rule pack that we do not hold',
    bytes: () => node.next([exec()], { rulepack: '9'.repeat(64) }),
    code: 'unknown-rulepack',
  },
  {
    name: 'a vocabulary with which nothing was approved',
    bytes: () => node.next([exec()], { vocabulary: '9'.repeat(64) }),
    code: 'unknown-vocabulary',
  },
  {
    name: 'another vocabulary, and an event that we do not know',
    bytes: () => node.next([exec(), line('canary.sing', T)], { vocabulary: FORMER_VOCABULARY }),
    code: 'unknown-vocabulary',
    says: /^line 2 names what this collector does not know yet$/,
  },
  {
    name: 'another vocabulary, and an attribute that we do not know',
    bytes: () => node.next([line('process.exec', T, { canary: 1 })], { vocabulary: FORMER_VOCABULARY }),
    code: 'unknown-vocabulary',
  },
  {
    name: 'another vocabulary, and an attribute that its rules do not release',
    bytes: () =>
      node.next([line('process.exec', T, { 'process.working_directory': '/home/alex' })], {
        vocabulary: FORMER_VOCABULARY,
      }),
    code: 'not-released',
  },
  {
    name: 'an attribute that is not released',
    bytes: () => node.next([exec(), line('process.exec', T, { 'process.working_directory': '/home/alex/canary' })]),
    code: 'not-released',
    says: /^line 2, process.working_directory: is not released$/,
  },
  {
    name: 'an attribute that nobody knows, its name being data',
    bytes: () => node.next([line('process.exec', T, { canary: 1 })]),
    code: 'not-released',
    says: /^line 1, an attribute outside the vocabulary: is not released$/,
  },
  {
    name: 'a key that stands twice, the first with a secret',
    bytes: () => node.next([`{"event":"file.open","time":${T},"file.path":"canary","file.path":"/tmp"}`]),
    code: 'not-released',
    says: /^line 1 is not JSON in its one spelling$/,
  },
  {
    name: 'a line that is not JSON',
    bytes: () => node.next([`{"event":"file.open","time":${T},canary`]),
    code: 'not-released',
  },
  { name: 'a line that is a list', bytes: () => node.next([`["canary",{"time":${T}}]`]), code: 'not-released' },
  {
    name: 'events of another class than stated',
    bytes: () => node.next([exec()], { events: { file: 1 }, seen: { file: 1 }, released: { file: 1 } }),
    code: 'wrong-events',
  },
  ...[
    { name: 'none', epochs: 'none' as const },
    { name: 'one that had not begun', epochs: { ...DAYS, last: DAYS.last + 1 } },
    { name: 'of another length', epochs: { ...DAYS, hours: 12, first: 2 * DAYS.first + 1, last: 2 * DAYS.last + 1 } },
    { name: 'of other scopes', epochs: { ...DAYS, scopes: ['fleet'] as const } },
  ].map(({ name, epochs }) => ({
    name: `epochs that its ruleset does not have: ${name}`,
    bytes: () => node.next([exec()], { epochs }),
    code: 'wrong-epochs',
  })),
  {
    name: 'numbers that do not add up',
    bytes: () => node.next([exec()], { seen: { process: 7 } }),
    code: 'conservation',
  },
];
for (const { name, bytes, code, says } of REFUSED) {
  test(`refused: ${name}`, async () => {
    await using collector = await openCollector(home, [node]);
    const refused = accept(collector, bytes());
    await expect(refused).rejects.toMatchObject({ name: 'Rejection', code });
    if (says !== undefined) await expect(refused).rejects.toThrow(says);
    await expect(refused).rejects.not.toThrow(/canary|alex/);
    expect(collector.log.size).toBe(0);
    expect(readdirSync(join(home, 'evidence'))).toEqual(['tmp']);
  });
}

test('what was released under a former vocabulary is taken for what it was', async () => {
  await using collector = await openCollector(home, [node]);
  const bytes = node.next([exec(), open()], { vocabulary: FORMER_VOCABULARY });
  checkReceipt(bytes, await accept(collector, bytes));
  expect(await problemsOf()).toEqual([]);
});

test('a node without rules says what it counts, whatever its vocabulary', async () => {
  await using collector = await openCollector(home, [node]);
  const none = { vocabulary: '9'.repeat(64), ruleset: NO_RULES, rulepack: NO_RULES };
  const bytes = node.next([], { ...none, seen: { process: 1 }, withheld: { process: 1 } });
  checkReceipt(bytes, await accept(collector, bytes));
});

test('rules of a later version are no reason for alarm, and neither is a statement of one', async () => {
  await using collector = await openCollector(home, [node]);
  const { rulesets } = collector;
  const older = { ...collector, rulesets: { ...rulesets, isUnreadable: (digest: string) => digest === RULESET } };
  await expect(accept(older, node.next([exec()]))).rejects.toMatchObject({ code: 'unknown-vocabulary' });
  const later = Buffer.from(node.next([exec()]));
  later.write('3', later.indexOf('/v') + 2);
  await expect(accept(collector, later)).rejects.toMatchObject({ name: 'ProtocolError', code: 'unknown-version' });
});

test('no single flipped bit, and no truncation, is accepted', { timeout: 120_000 }, async () => {
  await using collector = await openCollector(home, [node]);
  const bytes = node.next([exec()]);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    await expect(accept(collector, flipped), `bit ${bit}`).rejects.toMatchObject({
      name: expect.stringMatching(/^(ProtocolError|Rejection)$/),
    });
  }
  for (let length = 0; length < bytes.length; length++) {
    await expect(accept(collector, bytes.subarray(0, length)), `${length} bytes`).rejects.toThrow();
  }
  expect(collector.log.size).toBe(0);
});

describe('chains', () => {
  test('a fork is refused, kept, and the log keeps the first story', async () => {
    await using collector = await openCollector(home, [node]);
    const first = node.next([exec()]);
    checkReceipt(first, await accept(collector, first));
    node.rewindTo(undefined);
    const other = node.next([exec(T, '/bin/other')]);
    for (let i = 0; i < 2; i++) await expect(accept(collector, other)).rejects.toMatchObject({ code: 'fork' });
    const kept = readdirSync(join(home, 'evidence/forks/node-1'));
    expect(kept).toHaveLength(1);
    expect(readFileSync(join(home, 'evidence/forks/node-1', kept[0] ?? '')).equals(Buffer.from(other))).toBe(true);
    expect(await problemsOf()).toEqual([]);
  });

  test('a gap is logged as the evidence it is', async () => {
    await using collector = await openCollector(home, [node]);
    const first = node.next([exec()]);
    await accept(collector, first);
    node.next([exec()]);
    const third = node.next([exec()]);
    checkReceipt(third, await accept(collector, third));
    expect(await problemsOf()).toEqual(['gap']);
  });
});

test(
  'whichever step fails, every receipt holds after the restart and nothing is logged twice',
  { timeout: 120_000 },
  async () => {
    for (let failAt = 1; ; failAt++) {
      rmSync(home, { recursive: true, force: true });
      node = new SampleNode();
      const batches = [node.next([exec()]), node.next([open()]), node.next([exec(), open()])];
      const receipts = new Map<Uint8Array, Accepted>();
      const disk = failingDisk(failAt);
      await sendAll(batches, receipts, disk).catch((error: unknown) => expect(String(error)).toMatch(/injected/));
      await sendAll(batches, receipts);
      expect(receipts.size).toBe(3);
      for (const [bytes, receipt] of receipts) checkReceipt(bytes, receipt);
      expect(await problemsOf()).toEqual([]);
      if (!disk.failed()) break;
    }
  },
);

/** As a shipper does: all at once, again what has no receipt. */
async function sendAll(
  batches: readonly Uint8Array[],
  receipts: Map<Uint8Array, Accepted>,
  disk?: Disk,
): Promise<void> {
  await using collector: OpenCollector = await openCollector(home, [node], disk);
  const missing = batches.filter((bytes) => !receipts.has(bytes));
  const sent = await Promise.allSettled(
    missing.map(async (bytes) => void receipts.set(bytes, await accept(collector, bytes))),
  );
  for (const result of sent) if (result.status === 'rejected') throw result.reason;
}

test('a state that is lost is made again from the log', async () => {
  const batches = [node.next([exec()]), node.next([open()])];
  const rows = async (): Promise<unknown> => {
    await using collector = await openCollector(home, [node]);
    for (const bytes of batches) await accept(collector, bytes);
    return [collector.state.nodes(), collector.state.activity(0, 1e6), collector.state.find('node-1', 2)].map((row) =>
      JSON.stringify(row, (key, value: unknown) => (key.toLowerCase().includes('received') ? 0 : value)),
    );
  };
  const before = await rows();
  for (const name of readdirSync(home)) if (name.startsWith('state.sqlite')) rmSync(join(home, name));
  expect(await rows()).toEqual(before);
});

test('a batch that is logged and not indexed is not logged again: the collector refuses to work until it is opened again', async () => {
  const bytes = node.next([exec()]);
  {
    await using collector = await openCollector(home, [node]);
    using beside = new DatabaseSync(join(home, 'state.sqlite'));
    beside.exec("CREATE TRIGGER t BEFORE INSERT ON batches BEGIN SELECT RAISE(ABORT, 'injected'); END");
    await expect(accept(collector, bytes)).rejects.toThrow('injected');
    beside.exec('DROP TRIGGER t');
    await expect(accept(collector, bytes)).rejects.toThrow('injected');
    expect((await collector.state.broken).message).toBe('injected');
  }
  await using collector = await openCollector(home, [node]);
  expect(checkReceipt(bytes, await accept(collector, bytes))).toBe(0);
  expect(collector.log.size).toBe(1);
  expect(await problemsOf()).toEqual([]);
});
