/**
 * Own telemetry: what a process measures of itself, for Prometheus to fetch (`/metrics`) or sent on by OTLP. Loaded when the
 * configuration asks for it, and never otherwise.
 *
 * Readings are taken when somebody asks. Where nobody can be asked for permission there is a Unix socket: the agent has no network.
 */
import { rmSync, statSync, chmodSync } from 'node:fs';
import { Agent, createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { cpuUsage, memoryUsage, uptime } from 'node:process';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { diag, DiagLogLevel } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader, type IMetricReader } from '@opentelemetry/sdk-metrics';
import { PROCESS_METRICS, type Metric, type Reading, type Readings } from './metrics.ts';

export interface Ways {
  /** Where `/metrics` is served: a path, or an address. */
  readonly listen?: string | { readonly host: string; readonly port: number } | undefined;
  /** Where metrics are sent every minute: an URL with its path, or the path of a Unix socket. */
  readonly otlp?: string | undefined;
  /** Told when they are not taken. */
  readonly tell: (problem: string) => void;
}

export interface Measured<T> {
  readonly service: string;
  readonly version: string;
  readonly metrics: T;
  readonly readings: Readings<T>;
}

export interface Telemetry extends AsyncDisposable {
  /** Of `/metrics`, where it is served at an address. */
  readonly port: number | undefined;
}

const EVERY_MS = 60_000;
const MAX_CONNECTIONS = 8;
const ASKED_WITHIN_MS = 5_000;

export async function startTelemetry<T extends Readonly<Record<string, Metric>>>(
  measured: Measured<T>,
  { listen, otlp, tell }: Ways,
): Promise<Telemetry> {
  // What the exporters have to say quotes addresses and answers of others; that they failed is enough.
  const failed = (): void => tell('telemetry was not taken');
  diag.setLogger(
    { error: failed, warn: failed, info: () => {}, debug: () => {}, verbose: () => {} },
    { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true },
  );
  const page = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true });
  const readers: IMetricReader[] = listen === undefined ? [] : [page];
  if (otlp !== undefined)
    readers.push(new PeriodicExportingMetricReader({ exporter: exporterTo(otlp), exportIntervalMillis: EVERY_MS }));
  const resource = resourceFromAttributes({ 'service.name': measured.service, 'service.version': measured.version });
  const provider = new MeterProvider({ resource, readers });
  const meter = provider.getMeter(measured.service, measured.version);
  observe(meter, PROCESS_METRICS, processReadings());
  observe(meter, measured.metrics, measured.readings);
  const server = listen === undefined ? undefined : await serve(page, listen);
  const at = server?.address();
  return {
    port: typeof at === 'object' ? at?.port : undefined,
    async [Symbol.asyncDispose]() {
      server?.closeAllConnections();
      await new Promise<void>((settle) => (server === undefined ? settle() : server.close(() => settle())));
      await provider.shutdown().catch(failed);
    },
  };
}

type Meter = ReturnType<MeterProvider['getMeter']>;

function observe<T extends Readonly<Record<string, Metric>>>(meter: Meter, metrics: T, readings: Readings<T>): void {
  for (const [name, { kind, unit, says }] of Object.entries(metrics)) {
    const read: (() => readonly Reading[]) | undefined = readings[name];
    const about = { unit, description: says };
    const instrument =
      kind === 'counter' ? meter.createObservableCounter(name, about) : meter.createObservableGauge(name, about);
    instrument.addCallback((result) => {
      for (const { value, attributes } of read?.() ?? []) result.observe(value, { ...attributes });
    });
  }
}

function processReadings(): Readings<typeof PROCESS_METRICS> {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  return {
    'process.cpu.time': () =>
      (['user', 'system'] as const).map((mode) => ({
        ...{ value: cpuUsage()[mode] / 1e6, attributes: { 'cpu.mode': mode } },
      })),
    'process.memory.usage': () => [{ value: memoryUsage.rss() }],
    'process.uptime': () => [{ value: uptime() }],
    'nodejs.eventloop.delay.p99': () => {
      const late = delay.percentile(99);
      delay.reset();
      return Number.isFinite(late) ? [{ value: late / 1e9 }] : [];
    },
  };
}

/** Every connection is one to the socket, whatever the URL says. */
class SocketAgent extends Agent {
  readonly #path: string;

  constructor(path: string) {
    super();
    this.#path = path;
  }

  override createConnection(): Socket {
    return connect(this.#path);
  }
}

function exporterTo(otlp: string): OTLPMetricExporter {
  if (!otlp.startsWith('/')) return new OTLPMetricExporter({ url: otlp });
  return new OTLPMetricExporter({
    url: 'http://localhost/v1/metrics',
    httpAgentOptions: async () => new SocketAgent(otlp),
  });
}

async function serve(page: PrometheusExporter, listen: NonNullable<Ways['listen']>): Promise<Server> {
  const server = createServer(
    { requestTimeout: ASKED_WITHIN_MS, headersTimeout: ASKED_WITHIN_MS },
    (request, response) => answer(page, request, response),
  );
  server.maxConnections = MAX_CONNECTIONS;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  if (typeof listen === 'string') {
    removeSocket(listen);
    server.listen(listen, resolve);
  } else {
    server.listen(listen.port, listen.host, resolve);
  }
  await promise;
  // Who is of the group may ask.
  if (typeof listen === 'string') chmodSync(listen, 0o660);
  return server;
}

function answer(page: PrometheusExporter, request: IncomingMessage, response: ServerResponse): void {
  if (request.url === '/metrics' && (request.method === 'GET' || request.method === 'HEAD')) {
    page.getMetricsRequestHandler(request, response);
    return;
  }
  response.writeHead(404, { 'content-type': 'text/plain' }).end('there is /metrics\n');
}

/** What a crash left of ours; nothing else is removed. */
function removeSocket(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isSocket() === true) rmSync(path);
}
