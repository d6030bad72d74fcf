/** Real servers on loopback and on Unix sockets; what Prometheus and an OpenTelemetry collector would get. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, request, type RequestOptions } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PROCESS_METRICS, prometheusName, type Metric } from '../../telemetry/metrics.ts';
import { telemetryWhenAsked } from '../../telemetry/when-asked.ts';
import { startTelemetry, type Measured } from '../../telemetry/telemetry.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hushwatch-telemetry-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const METRICS = {
  'hushwatch.log.entries': { kind: 'counter', unit: '{entry}', says: 'Entries.' },
  'hushwatch.disk.free': { kind: 'gauge', unit: 'By', says: 'Room.' },
  'hushwatch.release.allowed': { kind: 'gauge', unit: '1', says: 'Allowed.' },
} as const satisfies Readonly<Record<string, Metric>>;
const measured: Measured<typeof METRICS> = {
  service: 'hushwatch-test',
  version: '1.2.3',
  metrics: METRICS,
  readings: {
    'hushwatch.log.entries': () => [{ value: 7, attributes: { 'hushwatch.node': 'n"1\n' } }],
    'hushwatch.disk.free': () => [{ value: 4096 }],
    'hushwatch.release.allowed': () => [{ value: 1 }],
  },
};
const tell = (problem: string): void => expect.fail(problem);

function get(options: RequestOptions): Promise<{ status: number; text: string }> {
  return new Promise((settle, fail) => {
    request(options, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => settle({ status: response.statusCode ?? 0, text }));
    })
      .on('error', fail)
      .end();
  });
}

test('Prometheus gets every metric by the name that the tables give it', async () => {
  await using telemetry = await startTelemetry(measured, { listen: { host: '127.0.0.1', port: 0 }, tell });
  const page = await get({ port: telemetry.port, path: '/metrics' });
  expect(page.status).toBe(200);
  const told = new Set([...page.text.matchAll(/^# HELP (\S+)/gm)].map(([, name]) => name));
  for (const [name, metric] of Object.entries({ ...METRICS, ...PROCESS_METRICS }))
    expect(told, name).toContain(prometheusName(name, metric));
  expect(page.text).toContain('hushwatch_log_entries_total{hushwatch_node="n\\"1\\n"} 7');
  expect(page.text).toMatch(/target_info\{service_name="hushwatch-test",service_version="1\.2\.3"/);
});

test('there is /metrics and nothing else', async () => {
  await using telemetry = await startTelemetry(measured, { listen: { host: '127.0.0.1', port: 0 }, tell });
  const { port } = telemetry;
  for (const options of [{ path: '/' }, { path: '/metrics/' }, { path: '/metrics', method: 'POST' }])
    expect((await get({ port, ...options })).status).toBe(404);
});

test('a Unix socket that a crash left is replaced, another file is not', async () => {
  const path = join(directory, 'metrics.sock');
  const left = createSocketServer().listen(path);
  await new Promise((settle) => left.once('listening', settle));
  await using _telemetry = await startTelemetry(measured, { listen: path, tell });
  expect(statSync(path).mode & 0o777).toBe(0o660);
  expect((await get({ socketPath: path, path: '/metrics' })).text).toContain('hushwatch_disk_free 4096');
  left.close();
  const file = join(directory, 'precious');
  writeFileSync(file, 'kept');
  await expect(startTelemetry(measured, { listen: file, tell })).rejects.toThrow('EADDRINUSE');
});

test.each(['address', 'socket'])(
  'an OpenTelemetry collector at an %s gets what was read last, at the end at the latest',
  async (kind) => {
    const got = Promise.withResolvers<string>();
    const server = createServer((incoming, response) => {
      let text = '';
      incoming.on('data', (chunk: Buffer) => (text += chunk.toString()));
      incoming.on('end', () => {
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
        got.resolve(`${incoming.method} ${incoming.url} ${text}`);
      });
    });
    const path = join(directory, 'otlp.sock');
    await new Promise<void>((settle) => (kind === 'socket' ? server.listen(path, settle) : server.listen(0, settle)));
    const at = server.address();
    const otlp = kind === 'socket' ? path : `http://127.0.0.1:${typeof at === 'object' ? at?.port : 0}/v1/metrics`;
    await (await startTelemetry(measured, { otlp, tell }))[Symbol.asyncDispose]();
    const text = await got.promise;
    expect(text).toMatch(/^POST \/v1\/metrics \{/);
    expect(text).toContain('"name":"hushwatch.disk.free"');
    server.close();
  },
);

test('metrics that nobody takes are told of, without the address', async () => {
  const told: string[] = [];
  const otlp = join(directory, 'nobody.sock');
  await (await startTelemetry(measured, { otlp, tell: (problem) => told.push(problem) }))[Symbol.asyncDispose]();
  expect(told).not.toHaveLength(0);
  expect(told.join()).not.toContain(otlp);
});

test('nothing is loaded when nobody asked', async () => {
  expect(await telemetryWhenAsked(measured, { tell })).toBeUndefined();
  await using telemetry = await telemetryWhenAsked(measured, { listen: { host: '127.0.0.1', port: 0 }, tell });
  expect(telemetry?.port).toBeGreaterThan(0);
});
