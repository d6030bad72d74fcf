/** The door, with real TLS and real sockets: who gets in, what is answered, what ends a connection. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { decodeBatch } from '#protocol/batch.ts';
import { openCheckpoint } from '#protocol/checkpoint.ts';
import { verifyReceipt } from '#protocol/receipt.ts';
import { makeTlsIdentity } from '../../collector/keys.ts';
import { startReceiver, type Receiver } from '../../collector/receive.ts';
import { logKey } from '../protocol/sample.ts';
import { line, openCollector, SampleNode, type OpenCollector } from './sample.ts';

const keys = mkdtempSync(join(tmpdir(), 'hushwatch-tls-'));
const pins: Record<string, string> = {};
beforeAll(async () => {
  for (const name of ['collector', 'node-1', 'node-2', 'stranger'])
    pins[name] = await makeTlsIdentity(join(keys, name), name);
});
afterAll(() => rmSync(keys, { recursive: true }));

const identity = (name: string): { key: string; cert: string } => ({
  key: readFileSync(join(keys, name, 'tls.key'), 'utf8'),
  cert: readFileSync(join(keys, name, 'tls.crt'), 'utf8'),
});

let home: string;
let node: SampleNode;
let other: SampleNode;
let collector: OpenCollector;
let receiver: Receiver;

async function start(): Promise<void> {
  collector = await openCollector(home, []);
  for (const each of [node, other]) {
    collector.nodes.set(each.name, { ...each.registered, transportKey: pins[each.name] ?? '' });
  }
  const { nodes } = collector;
  receiver = await startReceiver({
    collector: {
      ...collector,
      registry: {
        node: (name) => nodes.get(name),
        ofTransportKey: (pin) => [...nodes.values()].find(({ transportKey }) => transportKey === pin),
      },
    },
    address: { host: '127.0.0.1', port: 0 },
    tls: identity('collector'),
    logDirectory: join(home, 'log'),
    logger: pino({ level: 'silent' }),
  });
}
async function stop(): Promise<void> {
  await receiver.close();
  await collector[Symbol.asyncDispose]();
}
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-receive-'));
  mkdirSync(home, { recursive: true });
  node = new SampleNode('node-1');
  other = new SampleNode('node-2');
  await start();
});
afterEach(async () => {
  await stop();
  rmSync(home, { recursive: true });
});

/** A shipper reduced to its socket. */
class Sender {
  readonly #socket: WebSocket;
  readonly #messages: string[] = [];
  #wake: () => void = () => {};
  closed: number | undefined;

  constructor(name: string, options: { path?: string; protocol?: string; maxVersion?: 'TLSv1.2' } = {}) {
    const { path = '/v1/ship', protocol = 'hushwatch.v1', ...tls } = options;
    this.#socket = new WebSocket(`wss://127.0.0.1:${receiver.port}${path}`, protocol, {
      ...(name === '' ? {} : identity(name)),
      ...tls,
      rejectUnauthorized: false,
    });
    this.#socket.on('message', (data: Buffer) => this.#note(data.toString()));
    this.#socket.on('error', (error) => this.#note(`error ${error.message}`));
    this.#socket.on('close', (code) => {
      this.closed = code;
      this.#wake();
    });
  }

  #note(message: string): void {
    this.#messages.push(message);
    this.#wake();
  }

  async next(): Promise<string> {
    while (this.#messages.length === 0) {
      if (this.closed !== undefined) return `closed ${this.closed}`;
      await new Promise<void>((settle) => (this.#wake = settle));
    }
    return this.#messages.shift() ?? '';
  }

  send(data: Uint8Array | string): void {
    this.#socket.send(data);
  }

  end(): void {
    this.#socket.terminate();
  }
}

const exec = (): string => line('process.exec', 1_790_000_000_000_000, { 'process.executable.path': '/bin/true' });

function proves(bytes: Uint8Array, message: string): boolean {
  const { noteBytes, statement } = decodeBatch(bytes);
  const [first = '', ...rest] = message.split('\n');
  const receipt = Buffer.from(rest.join('\n'));
  return (
    first === `receipt ${statement.sequence}` &&
    verifyReceipt({ noteBytes, receipt, logKey: logKey.verifier }) !== undefined
  );
}

test('batches get receipts that prove them; a resumed connection learns where it was', async () => {
  const batches = Array.from({ length: 20 }, () => node.next([exec()]));
  const sender = new Sender('node-1');
  expect(await sender.next()).toBe('welcome 0\nhushwatch/anchor/v1 none\n');
  for (const bytes of batches) sender.send(bytes);
  for (const bytes of batches) expect(proves(bytes, await sender.next())).toBe(true);
  sender.end();
  const again = new Sender('node-1');
  expect(await again.next()).toMatch(/^welcome 20\nhushwatch\/anchor\/v1 \d+\nhushwatch\/batch\/v1\n/);
  again.send(batches[7] ?? new Uint8Array());
  expect(proves(batches[7] ?? new Uint8Array(), await again.next())).toBe(true);
  expect(collector.log.size).toBe(20);
  again.end();
});

test('a batch that was sent before the collector stopped is receipted by the next one', async () => {
  const bytes = node.next([exec()]);
  const sender = new Sender('node-1');
  await sender.next();
  sender.send(bytes);
  await sender.next();
  await stop();
  await start();
  const again = new Sender('node-1');
  expect(await again.next()).toMatch(/^welcome 1\n/);
  again.send(bytes);
  expect(proves(bytes, await again.next())).toBe(true);
  again.end();
});

const SHUT_OUT: readonly [string, string, ConstructorParameters<typeof Sender>[1], RegExp][] = [
  ['a key that nobody registered', 'stranger', {}, /403/],
  ['no certificate', '', {}, /403/],
  ['another path', 'node-1', { path: '/v2/ship' }, /404/],
  ['another subprotocol', 'node-1', { protocol: 'hushwatch.v0' }, /400/],
  ['an older TLS', 'node-1', { maxVersion: 'TLSv1.2' }, /alert|version/],
];
for (const [name, who, options, message] of SHUT_OUT) {
  test(`shut out: ${name}`, async () => {
    expect(await new Sender(who, options).next()).toMatch(message);
  });
}

test('the batch of another node is refused, though its signature is right', async () => {
  const sender = new Sender('node-1');
  await sender.next();
  sender.send(other.next([exec()]));
  expect(await sender.next()).toMatch(/^refuse 1 unknown-node\n/);
  expect(await sender.next()).toBe('closed 4403');
  expect(collector.log.size).toBe(0);
});

test('a refusal ends the connection; what came before is receipted, what comes behind is not taken', async () => {
  const good = node.next([exec()]);
  const bad = node.next([line('process.exec', 1, { 'process.working_directory': 'canary' })]);
  const behind = node.next([exec()]);
  const sender = new Sender('node-1');
  await sender.next();
  for (const bytes of [good, bad, behind]) sender.send(bytes);
  expect(proves(good, await sender.next())).toBe(true);
  const refusal = await sender.next();
  expect(refusal).toMatch(/^refuse 2 not-released\nline 1, process\.working_directory: /);
  expect(refusal).not.toContain('canary');
  expect(await sender.next()).toBe('closed 4403');
  expect(collector.log.size).toBe(1);
  expect(collector.state.refusals()).toMatchObject([{ node: 'node-1', code: 'not-released', refused: 1 }]);
  const [alert] = collector.state.alerts({ limit: 10 });
  expect(alert).toMatchObject({ detector: 'refusal', rule: 'not-released', node: 'node-1' });
  expect(JSON.stringify(alert)).not.toContain('canary');
});

const WRONG: readonly [string, Uint8Array | string, string][] = [
  ['text', 'hello', 'closed 4400'],
  ['bytes that are no batch', Buffer.from('hello'), 'closed 4400'],
  ['nothing', Buffer.alloc(0), 'closed 4400'],
  ['more than any batch', Buffer.alloc(5 * 1024 * 1024), 'closed 1009'],
];
for (const [name, data, end] of WRONG) {
  test(`the connection ends: ${name}`, async () => {
    const sender = new Sender('node-1');
    await sender.next();
    sender.send(data);
    let last = await sender.next();
    if (last.startsWith('refuse 0 ')) last = await sender.next();
    expect(last).toMatch(end === 'closed 1009' ? /closed 1009|error/ : new RegExp(end));
  });
}

test('a node that is taken from the registry is refused at once', async () => {
  const sender = new Sender('node-1');
  await sender.next();
  collector.nodes.delete('node-1');
  sender.send(node.next([exec()]));
  expect(await sender.next()).toMatch(/^refuse 1 unknown-node/);
});

test('a second connection of a node ends the first', async () => {
  const first = new Sender('node-1');
  await first.next();
  const second = new Sender('node-1');
  expect(await second.next()).toMatch(/^welcome 0\n/);
  expect(await first.next()).toBe('closed 1013');
  second.end();
});

const request = (path: string, options: RequestOptions = {}): Promise<{ status: number; body: Buffer }> =>
  new Promise((settle, fail) => {
    const target = { host: '127.0.0.1', port: receiver.port, path, rejectUnauthorized: false, ...options };
    get(target, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => settle({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    }).on('error', fail);
  });

test('anyone may read the log, and nothing else', async () => {
  const sender = new Sender('node-1');
  await sender.next();
  sender.send(node.next([exec()]));
  await sender.next();
  const checkpoint = await request('/log/checkpoint');
  expect(openCheckpoint(checkpoint.body, logKey.verifier)?.size).toBe(1);
  expect((await request('/log/tile/0/000.p/1')).body).toHaveLength(32);
  expect((await request('/log/tile/entries/000.p/1')).status).toBe(200);
  for (const path of ['/', '/log/', '/log/lock', '/log/../state.sqlite', '/log/tile/0/../../lock', '/log/tile/0/000']) {
    expect((await request(path)).status, path).toBe(404);
  }
  expect((await request('/log/checkpoint', { method: 'POST' })).status).toBe(405);
  sender.end();
});
