/** Outputs: every story that is shown arrives at a real receiver, in its format, once or more, whatever happens in between. */
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { makeFile } from '../../../collector/outputs/file.ts';
import { feedOutput, type Output } from '../../../collector/outputs/output.ts';
import { makeOtlp } from '../../../collector/outputs/otlp.ts';
import { makeOutputs } from '../../../collector/outputs/outputs.ts';
import { makeSyslog, messageOf } from '../../../collector/outputs/syslog.ts';
import { State } from '../../../collector/state.ts';
import { httpReceiver, syslogReceiver } from './receivers.ts';
import { certificate, Home, raise, until } from './stories.ts';

const logger = pino({ level: 'silent' });

function feed(state: State, output: Output): AsyncDisposable {
  const ending = new AbortController();
  const done = feedOutput(state, output, logger, ending.signal);
  return {
    async [Symbol.asyncDispose]() {
      ending.abort();
      await done;
    },
  };
}

const jsonIn = (message: string): Record<string, unknown> => JSON.parse(message.slice(message.indexOf('{')));

test('syslog: RFC 5424 over TLS, framed by octet counting; refused ones come again', async () => {
  using home = new Home();
  const pair = certificate(home.path);
  await using receiver = await syslogReceiver(pair);
  using state = State.open(home.file);
  receiver.refuses = true;
  await using _ = feed(state, makeSyslog({ host: 'localhost', port: receiver.port, ca: pair.cert }));
  raise(state, 'node-1', 'critical', 'Größe – a long\nsentence.');
  raise(state, 'node-2', 'low');
  raise(state, 'node-3', 'medium');
  await new Promise((settle) => setTimeout(settle, 100));
  expect(receiver.taken).toEqual([]);
  receiver.refuses = false;
  await until(() => receiver.taken.length >= 2);
  expect(receiver.taken[0]).toMatch(
    /^<82>1 2026-09-21T14:13:20\.000Z node-1 hushwatch - story - @cee: \{"message":"[0-9a-f]{32}\.2","id":"[0-9a-f]{32}","revision":2,"node":"node-1","severity":"critical",/,
  );
  expect(receiver.taken[0]).toMatch(/^[\x20-\x7e]+$/);
  expect(jsonIn(receiver.taken[0] ?? '')).toMatchObject({ reason: 'Größe – a long\nsentence.', loss: 3 });
  // What is low is not shown, and goes nowhere.
  expect(receiver.taken.map((message) => jsonIn(message)['node'])).toEqual(['node-1', 'node-3']);
  expect(receiver.broken).toEqual([]);
});

test('syslog: a receiver that somebody else vouches for gets nothing', async () => {
  using home = new Home();
  const pair = certificate(home.path);
  await using receiver = await syslogReceiver(pair);
  using state = State.open(home.file);
  const output = makeSyslog({ host: 'localhost', port: receiver.port });
  raise(state, 'node-1');
  const stories = state.stories({ limit: 1 });
  await expect(output.deliver(stories, new AbortController().signal)).rejects.toThrow(/self-signed certificate/);
  expect(receiver.taken).toEqual([]);
});

test('syslog: no message is longer than receivers take, whatever it says', () => {
  using home = new Home();
  using state = State.open(home.file);
  raise(state, 'n', 'high', '€'.repeat(100_000));
  const [story] = state.stories({ limit: 1 });
  const message = story === undefined ? '' : messageOf(story);
  expect(message.length).toBeLessThanOrEqual(8_192);
  expect(jsonIn(message)['reason']).toMatch(/^€{100,}$/);
});

test('OTLP: log records with their severity, resource and ids; refused ones come again', async () => {
  using home = new Home();
  const pair = certificate(home.path);
  await using receiver = await httpReceiver(pair);
  using state = State.open(home.file);
  const url = `https://localhost:${receiver.port}/v1/logs`;
  await using _ = feed(state, makeOtlp({ url, headers: { authorization: 'Bearer x' }, ca: pair.cert }));
  raise(state, 'node-1');
  raise(state, 'node-2', 'medium');
  const records = (): readonly Record<string, unknown>[] =>
    receiver.taken.flatMap(({ body }) => {
      const message: { resourceLogs: { scopeLogs: { logRecords: Record<string, unknown>[] }[] }[] } = JSON.parse(body);
      return message.resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords));
    });
  await until(() => records().length >= 2);
  expect(receiver.taken[0]).toMatchObject({ path: '/v1/logs', headers: { authorization: 'Bearer x' } });
  expect(receiver.taken[0]?.body).toContain('{"key":"host.name","value":{"stringValue":"node-1"}}');
  expect(records()[0]).toMatchObject({
    severityNumber: 17,
    severityText: 'high',
    timeUnixNano: '1790000000000000000',
    eventName: 'hushwatch.story',
    body: { stringValue: 'Something happened.' },
  });
  receiver.refuses = true;
  raise(state, 'node-3');
  await new Promise((settle) => setTimeout(settle, 100));
  receiver.refuses = false;
  await until(() => receiver.taken.some(({ body }) => body.includes('node-3')));
});

test('file: appended, readable by its owner and group alone, moved away at any time, torn lines ended', async () => {
  using home = new Home();
  using state = State.open(home.file);
  const path = join(home.path, 'stories.ndjson');
  await using _ = feed(state, makeFile(path));
  const nodesIn = (file: string): readonly unknown[] => {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    return lines.filter((line) => line.endsWith('}')).map((line) => jsonIn(line)['node']);
  };
  raise(state, 'node-1');
  await until(() => nodesIn(path).length === 1);
  appendFileSync(path, '{"message":"torn');
  raise(state, 'node-2');
  await until(() => nodesIn(path).length === 2);
  expect(statSync(path).mode & 0o007).toBe(0);
  renameSync(path, `${path}.1`);
  raise(state, 'node-3');
  await until(() => nodesIn(path).length === 1);
  expect([nodesIn(`${path}.1`), nodesIn(path)]).toEqual([['node-1', 'node-2'], ['node-3']]);
});

test('what is missing or wrong is told when the configuration is checked, by file and line, never by its text', async () => {
  using home = new Home();
  const none = { webhooks: [], syslog: [], otlp: [], files: [] };
  const url = 'https://example.org/';
  const missing = join(home.path, 'missing');
  await expect(makeOutputs({ ...none, webhooks: [{ url, secret_file: missing }] })).rejects.toThrow(
    `${missing}: cannot be read (ENOENT)`,
  );
  const headersFile = join(home.path, 'headers');
  writeFileSync(headersFile, 'authorization: Bearer x\n\nhunter2\n');
  const wrong = makeOutputs({ ...none, otlp: [{ url, headers_file: headersFile, ca_file: undefined }] });
  await expect(wrong).rejects.toThrow(/^(?!.*hunter2).*headers:3 is no header/);
  writeFileSync(headersFile, 'authorization: Bearer x\n');
  const made = await makeOutputs({
    ...{ ...none, otlp: [{ url, headers_file: headersFile, ca_file: undefined }], files: ['/x'] },
    webhooks: [{ url: 'https://user:hunter2@example.org/hook?token=hunter2', secret_file: undefined }],
  });
  await expect(makeOutputs({ ...none, files: ['/x', '/x'] })).rejects.toThrow('file /x: named twice');
  // Names stand in logs and in the state: no secret of an address is part of them.
  expect(made.map(({ name }) => name)).toEqual(['webhook example.org/hook', 'file /x', 'otlp example.org/']);
});

test('killed again and again, every story arrives at every output', { timeout: 60_000 }, async () => {
  using home = new Home();
  const pair = certificate(home.path);
  await using hooks = await httpReceiver(pair);
  await using otel = await httpReceiver(pair);
  await using syslog = await syslogReceiver(pair);
  const caFile = join(home.path, 'server.crt');
  const path = join(home.path, 'stories.ndjson');
  const config = {
    webhooks: [{ url: `https://localhost:${hooks.port}/hook`, secret_file: undefined }],
    syslog: [
      { address: { host: 'localhost', port: syslog.port }, ca_file: caFile, cert_file: undefined, key_file: undefined },
    ],
    otlp: [{ url: `https://localhost:${otel.port}/v1/logs`, headers_file: undefined, ca_file: caFile }],
    files: [path],
  };
  const program = fileURLToPath(new URL('feeding.ts', import.meta.url));
  let raised = 0;
  for (let round = 0; round < 4; round++) {
    const told = JSON.stringify({ file: home.file, from: raised + 1, config });
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: caFile };
    const child = spawn(process.execPath, [program, told], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const ended = new Promise((settle) => child.once('close', settle));
    // The last round is given time to send what is left.
    const enough = raised + 25;
    await until(() => Number(/([0-9]+)\n$/.exec(output)?.[1] ?? 0) >= enough, 30_000);
    raised = enough;
    if (round === 3) await until(() => isAll(raised), 30_000);
    child.kill('SIGKILL');
    await ended;
    raised = Math.max(raised, Number(/([0-9]+)\n[0-9]*$/.exec(output)?.[1] ?? 0));
  }

  function isAll(n: number): boolean {
    return Object.values(arrived()).every((nodes) =>
      Array.from({ length: n }, (_, i) => `node-${i + 1}`).every((node) => nodes.has(node)),
    );
  }
  function arrived(): Readonly<Record<string, ReadonlySet<string>>> {
    const namesIn = (text: string): ReadonlySet<string> => new Set(text.match(/(?<=")node-[0-9]+(?=")/g));
    return {
      webhook: namesIn(hooks.taken.map(({ body }) => body).join('\n')),
      otlp: namesIn(otel.taken.map(({ body }) => body).join('\n')),
      syslog: namesIn(syslog.taken.join('\n')),
      file: namesIn(existsSync(path) ? readFileSync(path, 'utf8') : ''),
    };
  }
  // The same revision has the same id each time it comes.
  const ids = hooks.taken.map(
    ({ headers, body }) => [headers['webhook-id'], /"node":"([^"]*)"/.exec(body)?.[1]] as const,
  );
  expect(new Map(ids).size).toBe(new Set(ids.map(([, node]) => node)).size);
});
