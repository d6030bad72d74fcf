/** The shipper against a collector behind real TLS: what it sends to whom, what it keeps, how it goes on. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeBatch } from '#protocol/batch.ts';
import { verifyReceipt } from '#protocol/receipt.ts';
import { realDisk } from '../../../agent/disk.ts';
import { ship, type Ways } from '../../../agent/shipper/pipeline.ts';
import { Refused, Uplink } from '../../../agent/shipper/uplink.ts';
import { readTlsIdentity } from '../../../service/tls-identity.ts';
import { FileSpool } from '../../../agent/spool.ts';
import { makeTlsIdentity } from '../../../collector/keys.ts';
import { fixedKey, logKey, nodeKey, RESTART } from '../../protocol/sample.ts';
import { receiptFor } from '../receipt.ts';
import { herald, unsigned } from '../sample.ts';
import { FakeCollector } from './fake-collector.ts';

const keys = mkdtempSync(join(tmpdir(), 'hushwatch-tls-'));
const pins: Record<string, string> = {};
beforeAll(async () => {
  for (const name of ['collector', 'impostor', 'node-1']) pins[name] = await makeTlsIdentity(join(keys, name), name);
});
afterAll(() => rmSync(keys, { recursive: true }));

let root: string;
let ways: Ways;
let spool: FileSpool;
let collector: FakeCollector;
let stop: AbortController;
let told: string[];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'hushwatch-shipper-'));
  ways = { spool: join(root, 'spool'), receipts: join(root, 'receipts'), logKey: logKey.verifier };
  mkdirSync(ways.spool);
  spool = await FileSpool.open(ways.spool, nodeKey, 1 << 24, realDisk);
  collector = await FakeCollector.start(join(keys, 'collector'));
  stop = new AbortController();
  told = [];
});
afterEach(async () => {
  stop.abort();
  await collector[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

async function fill(batches: number): Promise<void> {
  for (let i = 0; i < batches; i++) await spool.append(herald, unsigned(1, spool.last?.released));
}

const makeUplink = (url = collector.url, pin = pins['collector'] ?? ''): Uplink =>
  new Uplink({
    url,
    pin,
    ...readTlsIdentity(join(keys, 'node-1/tls.key'), join(keys, 'node-1/tls.crt')),
    tell: (what, detail) => told.push(`${what} ${JSON.stringify(detail)}`),
  });

/** Runs until told to stop; what it ends with is for the test to look at. */
const shipping = (uplink = makeUplink()): Promise<unknown> =>
  ship(ways, uplink, stop.signal).then(
    () => undefined,
    (error: unknown) => error,
  );

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await sleep(10);
  expect(holds()).toBe(true);
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
const receipts = (): readonly number[] =>
  readdirSync(ways.receipts, { encoding: 'utf8' })
    .filter((name) => name.endsWith('.tlog-proof'))
    .map((name) => Number(name.slice(0, 16)))
    .toSorted((a, b) => a - b);
const received = (): number => {
  try {
    return receipts().length;
  } catch {
    return 0;
  }
};

test('batches go in order, byte for byte; each gets the receipt that proves it', async () => {
  await fill(40);
  const ended = shipping();
  await until(() => received() === 40);
  expect(collector.sequences).toEqual(upTo(40));
  for (const { sequence, bytes } of collector.arrived) {
    const name = String(sequence).padStart(16, '0');
    expect(Buffer.from(bytes).equals(readFileSync(join(ways.spool, `${name}.batch`)))).toBe(true);
    const receipt = readFileSync(join(ways.receipts, `${name}.tlog-proof`));
    const { noteBytes } = decodeBatch(bytes);
    expect(verifyReceipt({ noteBytes, receipt, logKey: logKey.verifier })).toBeDefined();
  }
  stop.abort();
  expect(await ended).toBeUndefined();
});

test('what comes while connected is sent, over the same connection; receipts that nobody needs are removed', async () => {
  await fill(2);
  void shipping();
  await until(() => received() === 2);
  await spool.forget(1);
  await fill(1);
  await until(() => receipts().join() === '2,3');
  expect(collector.connections).toBe(1);
});

test('the collector sees the key of the node', async () => {
  let fingerprint: string | undefined;
  collector.onConnection = (socket) => {
    const stream: unknown = Reflect.get(socket, '_socket');
    if (stream instanceof TLSSocket) fingerprint = stream.getPeerX509Certificate()?.subject;
  };
  void shipping();
  await until(() => fingerprint !== undefined);
  expect(fingerprint).toContain('node-1');
});

test('no batch goes to a collector with another key', async () => {
  await fill(3);
  const impostor = await FakeCollector.start(join(keys, 'impostor'));
  const ended = shipping(makeUplink(impostor.url));
  await until(() => told.length >= 2);
  expect(told.every((one) => one.includes('not the pinned one'))).toBe(true);
  expect(impostor.arrived).toEqual([]);
  stop.abort();
  await ended;
  await impostor[Symbol.asyncDispose]();
});

test('no batch goes over older TLS', async () => {
  await fill(1);
  const old = await FakeCollector.start(join(keys, 'collector'), 'TLSv1.2');
  const ended = shipping(makeUplink(old.url));
  await until(() => told.length >= 1);
  expect(told[0]).toMatch(/^cannot connect/);
  expect(old.connections).toBe(0);
  stop.abort();
  await ended;
  await old[Symbol.asyncDispose]();
});

test('at most sixteen are under way without an answer', async () => {
  await fill(20);
  collector.onBatch = () => {};
  void shipping();
  await until(() => collector.arrived.length === 16);
  await sleep(200);
  expect(collector.sequences).toEqual(upTo(16));
  const [first] = collector.arrived;
  if (first !== undefined) await collector.prove(first);
  await until(() => collector.arrived.length === 17);
  await sleep(100);
  expect(collector.sequences).toEqual(upTo(17));
});

test('a connection that breaks midway: the next one goes on with what has no receipt', async () => {
  await fill(30);
  const uplink = makeUplink();
  collector.onBatch = (batch) => {
    if (collector.log.length < 7) void collector.prove(batch);
    else batch.socket.terminate();
  };
  expect(await shipping(uplink)).toBeInstanceOf(Error);
  // Nothing is under way any more: receipts that came before the break are there, whole.
  const before = receipts();
  expect(readdirSync(ways.receipts)).toHaveLength(before.length);
  expect(before).toEqual(upTo(before.length));
  expect(before.length).toBeLessThanOrEqual(7);

  collector.arrived.length = 0;
  collector.onBatch = (batch) => void collector.prove(batch);
  void shipping(uplink);
  await until(() => received() === 30);
  expect(collector.sequences).toEqual(upTo(30).slice(before.length));
});

test('a batch that is refused stays where it is, and its code is told', async () => {
  await fill(3);
  collector.onBatch = (batch) => {
    if (batch.sequence === 2) batch.socket.send('refuse 2 unknown-ruleset\nno such ruleset here');
    else void collector.prove(batch);
  };
  const error = await shipping();
  expect(error).toBeInstanceOf(Refused);
  expect(error).toMatchObject({ code: 'unknown-ruleset', message: 'batch 2 was refused: no such ruleset here' });
  expect(readdirSync(ways.spool)).toContain('0000000000000002.batch');
  expect(receipts()).not.toContain(2);
});

const worthless: readonly { name: string; receipt: (notes: readonly Uint8Array[]) => Promise<string | Uint8Array> }[] =
  [
    { name: 'nonsense', receipt: async () => 'thanks' },
    { name: 'signed by another log', receipt: (notes) => receiptFor(notes, 0, fixedKey(logKey.verifier.name, 9)) },
    { name: 'for something else', receipt: () => receiptFor([Buffer.from('something else')], 0, logKey) },
  ];
for (const { name, receipt } of worthless) {
  test(`a receipt that proves nothing is not kept: ${name}`, async () => {
    await fill(1);
    collector.onBatch = ({ bytes, socket }) =>
      void receipt([decodeBatch(bytes).noteBytes]).then((answer) =>
        socket.send(`receipt 1\n${Buffer.from(answer).toString()}`),
      );
    expect(await shipping()).toBeInstanceOf(Error);
    expect(readdirSync(ways.receipts)).toEqual([]);
    expect(readdirSync(ways.spool)).toContain('0000000000000001.batch');
  });
}

for (const { name, say } of [
  { name: 'an answer to a question that was not asked', say: 'receipt 77\nx' },
  { name: 'a word that is none', say: 'hello' },
  { name: 'bytes', say: Buffer.from([1, 2, 3]) },
  { name: 'more than a receipt can be', say: 'x'.repeat(300_000) },
]) {
  test(`${name} ends the connection`, async () => {
    collector.onConnection = (socket) => setTimeout(() => socket.send(say), 50);
    expect(await shipping()).toBeInstanceOf(Error);
  });
}

test('after each failure a longer pause, whatever failed; none after a success', async () => {
  await fill(1);
  const uplink = makeUplink();
  collector.onBatch = ({ socket }) => socket.send('receipt 1\nnothing');
  const end = performance.now() + 1_500;
  while (performance.now() < end) expect(await shipping(uplink)).toBeInstanceOf(Error);
  // 0, then 0.1-0.2, 0.2-0.4, 0.4-0.8, 0.8-1.6 s after one another.
  expect(collector.connections).toBeGreaterThanOrEqual(3);
  expect(collector.connections).toBeLessThanOrEqual(6);

  collector.onBatch = (batch) => void collector.prove(batch).then(() => setTimeout(() => batch.socket.close(1013), 50));
  expect(await shipping(uplink)).toBeInstanceOf(Error);
  expect(received()).toBe(1);
  const before = collector.connections;
  const since = performance.now();
  void shipping(uplink);
  await until(() => collector.connections > before);
  expect(performance.now() - since).toBeLessThan(500);
});

test('a spool that is not there is no reason to ask the collector without end', async () => {
  rmSync(ways.spool, { recursive: true });
  const uplink = makeUplink();
  const end = performance.now() + 700;
  while (performance.now() < end) expect(await shipping(uplink)).toMatchObject({ code: 'ENOENT' });
  expect(collector.connections).toBeLessThanOrEqual(5);
});

test('stops at once while it waits for a collector that is not there', async () => {
  const ended = shipping(makeUplink('wss://127.0.0.1:1/v1/ship'));
  await until(() => told.length > 3);
  const since = performance.now();
  stop.abort();
  expect(await ended).toBeInstanceOf(Error);
  expect(performance.now() - since).toBeLessThan(500);
});

describe('an agent that has no chain', () => {
  const ask = (number: string): void => writeFileSync(join(ways.spool, 'ask'), number);
  const answers = (): string[] => readdirSync(ways.receipts).filter((name) => name.endsWith('.anchor'));

  test('asks the collector through us, as often as it likes; old answers go', async () => {
    collector.welcome = 'welcome 7\nhushwatch/anchor/v1 what the collector says';
    ask('0123456789abcdef');
    const shipped = shipping();
    await until(() => existsSync(ways.receipts) && answers().includes('0123456789abcdef.anchor'));
    expect(readFileSync(join(ways.receipts, '0123456789abcdef.anchor'), 'utf8')).toBe(
      'hushwatch/anchor/v1 what the collector says',
    );
    ask('fedcba9876543210');
    await until(() => answers().join() === 'fedcba9876543210.anchor');
    rmSync(join(ways.spool, 'ask'));
    await until(() => answers().length === 0);
    stop.abort();
    await shipped;
  });

  test('signs a restart, which is carried as a batch is', async () => {
    await spool.restart(RESTART);
    await spool.append(herald, unsigned(1));
    const shipped = shipping();
    await until(() => existsSync(ways.receipts) && receipts().length === 2);
    stop.abort();
    await shipped;
    expect(collector.sequences).toEqual([2, 3]);
  });

  test('is answered by a connection that has carried nothing yet', async () => {
    await fill(1);
    const uplink = makeUplink();
    const shipped = shipping(uplink);
    await until(() => existsSync(ways.receipts) && receipts().length === 1);
    ask('0123456789abcdef');
    expect(await shipped).toMatchObject({ message: expect.stringMatching(/asked again/) });
    const again = shipping(uplink);
    await until(() => answers().length === 1);
    stop.abort();
    await again;
  });

  test.each(['', '../../etc/passwd', '0123456789abcdef0', 'x'.repeat(16)])('is not asked for: %j', async (number) => {
    ask(number);
    const shipped = shipping();
    await until(() => collector.connections === 1);
    await sleep(100);
    stop.abort();
    await shipped;
    expect(existsSync(ways.receipts) ? answers() : []).toEqual([]);
  });
});
