/**
 * Stories as OpenTelemetry logs (OTLP over HTTP, JSON), by the exporter of the OpenTelemetry project. This
 * file is loaded when an `otlp` output is configured, and never otherwise. The exporter is called directly: its batch processor keeps what
 * it could not send in memory only, our cursor keeps it on the disk.
 */
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { Severity } from '../detectors/detector.ts';
import type { StoryRow } from '../findings.ts';
import { messageId, Undelivered, type Output } from './output.ts';

export interface OtlpTarget {
  /** With its path: `https://otel.example.org:4318/v1/logs`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly ca?: Uint8Array | undefined;
}

const TIMEOUT_MS = 10_000;
/** INFO, INFO2, WARN, ERROR, FATAL. */
const SEVERITIES: Readonly<Record<Severity, number>> = {
  informational: 9,
  low: 10,
  medium: 13,
  high: 17,
  critical: 21,
};

export function makeOtlp({ url, headers, ca }: OtlpTarget): Output {
  const exporter = new OTLPLogExporter({
    ...{ url, headers: { ...headers }, timeoutMillis: TIMEOUT_MS, concurrencyLimit: 1 },
    ...(ca === undefined ? {} : { httpAgentOptions: { ca: Buffer.from(ca) } }),
  });
  type LogRecord = Parameters<typeof exporter.export>[0][number];
  const instrumentationScope = { name: 'hushwatch.detect' };
  // One resource for each node: `host.name` belongs to what the log is about.
  const recordOf = (story: StoryRow): LogRecord => ({
    hrTime: timeOf(story.last),
    hrTimeObserved: timeOf(Date.now() * 1000),
    severityNumber: SEVERITIES[story.severity],
    severityText: story.severity,
    body: story.reason,
    eventName: 'hushwatch.story',
    resource: resourceFromAttributes({ 'service.name': 'hushwatch', 'host.name': story.node }),
    instrumentationScope,
    attributes: attributesOf(story),
    droppedAttributesCount: 0,
  });
  const { host, pathname } = new URL(url);
  return {
    name: `otlp ${host}${pathname}`,
    async deliver(stories, signal): Promise<void> {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const stop = (): void => reject(new Undelivered('stopped'));
      signal.addEventListener('abort', stop);
      // Code 0 is success; what failed for good is offered again too, since only an operator can mend it.
      exporter.export(stories.map(recordOf), ({ code }) =>
        code === 0 ? resolve() : reject(new Undelivered('the OTLP receiver took nothing')),
      );
      await promise.finally(() => signal.removeEventListener('abort', stop));
    },
  };
}

/** Seconds and nanoseconds. */
const timeOf = (us: number): [number, number] => [Math.floor(us / 1e6), Math.round((us % 1e6) * 1000)];

function attributesOf(story: StoryRow): Record<string, string | number | string[]> {
  const { id, revision, title, silencedBy, score, attack, alerts, loss, findings, first, program, session } = story;
  return {
    'hushwatch.message.id': messageId(story),
    'hushwatch.story.id': id,
    'hushwatch.story.revision': revision,
    'hushwatch.story.title': title,
    'hushwatch.story.silenced_by': silencedBy,
    'hushwatch.story.score': score,
    'hushwatch.story.first': new Date(first / 1000).toISOString(),
    'hushwatch.story.alerts': alerts,
    'hushwatch.story.loss': loss,
    'hushwatch.story.detectors': findings.map(({ detector, rule }) =>
      rule === undefined ? detector : `${detector}/${rule}`,
    ),
    'threat.technique.id': [...attack],
    ...(program === undefined ? {} : { 'process.executable.path': program }),
    ...(session === undefined ? {} : { 'process.audit.session.id': session }),
  };
}
