/**
 * What the product measures of itself: every metric once. From these tables come the instruments (telemetry.ts), the page
 * docs/metrics.md, and what the dashboard and the alerts in deploy/monitoring/ may ask for.
 *
 * Names are OpenTelemetry's where it has one (process.*, nodejs.*), else in its style under `hushwatch.`; units are UCUM.
 * Of a node nothing is told that a signed statement did not say already: telemetry is no second way out.
 */
export interface Metric {
  /** A counter only grows, from a start that may be long ago; a gauge is what is so now. */
  readonly kind: 'counter' | 'gauge';
  readonly unit: string;
  readonly says: string;
  readonly attributes?: readonly string[];
}

export interface Reading {
  readonly value: number;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** How each metric of a table is read, when somebody asks for it. */
export type Readings<T> = { readonly [name in keyof T]: () => readonly Reading[] };

const BY_CLASS = ['hushwatch.class'] as const;
const BY_NODE = ['hushwatch.node'] as const;
const counter = (unit: string, says: string, attributes: readonly string[] = []): Metric => ({
  ...{ kind: 'counter', unit, says, attributes },
});
const gauge = (unit: string, says: string, attributes: readonly string[] = []): Metric => ({
  ...{ kind: 'gauge', unit, says, attributes },
});

export const PROCESS_METRICS = {
  'process.cpu.time': counter('s', 'Processor time that this process used.', ['cpu.mode']),
  'process.memory.usage': gauge('By', 'Resident memory of this process.'),
  'process.uptime': gauge('s', 'How long this process has been running.'),
  'nodejs.eventloop.delay.p99': gauge(
    's',
    'How late timers were in 99 of 100 cases since the last time this was asked.',
  ),
};

export const AGENT_METRICS = {
  'hushwatch.events.seen': counter(
    '{event}',
    'Events that reached the node, by class, up to the last signed statement.',
    BY_CLASS,
  ),
  'hushwatch.events.released': counter('{event}', 'Events that left, redacted.', BY_CLASS),
  'hushwatch.events.merged': counter('{event}', 'Events that were told as a repetition of another.', BY_CLASS),
  'hushwatch.events.sampled': counter('{event}', 'Events of a flood that were counted instead of told.', BY_CLASS),
  'hushwatch.events.withheld': counter('{event}', 'Events that the rules keep on the node.', BY_CLASS),
  'hushwatch.events.lost': counter('{event}', 'Events that were lost, by class and place.', [
    ...BY_CLASS,
    'hushwatch.place',
  ]),
  'hushwatch.statements.signed': counter('{statement}', 'Number of the last signed statement.'),
  'hushwatch.statement.age': gauge('s', 'How long ago the last statement was signed.'),
  'hushwatch.spool.batches': gauge('{batch}', 'Signed batches that have no receipt yet.'),
  'hushwatch.spool.usage': gauge('By', 'Bytes of those batches.'),
  'hushwatch.spool.limit': gauge('By', 'Bytes that the spool may take; events are shed before.'),
  'hushwatch.receipts.accepted': counter('{receipt}', 'Receipts that proved a batch to be in the log.'),
  'hushwatch.receipts.refused': counter('{receipt}', 'Receipts that proved nothing.'),
  'hushwatch.release.allowed': gauge(
    '1',
    '1 while approved rules are in force and canaries stay in, else 0: nothing is released.',
  ),
};

export const COLLECTOR_METRICS = {
  'hushwatch.log.entries': counter('{entry}', 'Entries of the transparency log.'),
  'hushwatch.detection.pending': gauge('{entry}', 'Entries of the log that detection has not looked at.'),
  'hushwatch.batches.refused': counter('{batch}', 'Batches that were refused, by sender and code.', [
    ...BY_NODE,
    'hushwatch.code',
  ]),
  'hushwatch.stories': gauge('{story}', 'Stories on record, by severity.', ['hushwatch.severity']),
  'hushwatch.output.pending': gauge('{story}', 'Stories that an output has not been given yet.', ['hushwatch.output']),
  'hushwatch.disk.free': gauge('By', 'Room on the disk of the evidence.'),
  'hushwatch.node.statements': counter('{statement}', 'Number of the last statement of a node.', BY_NODE),
  'hushwatch.node.statement.age': gauge('s', 'How long ago a batch of a node came.', BY_NODE),
  'hushwatch.node.events.seen': counter('{event}', 'Events that reached a node.', BY_NODE),
  'hushwatch.node.events.released': counter('{event}', 'Events that a node released.', BY_NODE),
  'hushwatch.node.events.merged': counter('{event}', 'Events that a node told as repetitions.', BY_NODE),
  'hushwatch.node.events.sampled': counter('{event}', 'Events of floods that a node counted instead.', BY_NODE),
  'hushwatch.node.events.withheld': counter('{event}', 'Events that the rules kept on a node.', BY_NODE),
  'hushwatch.node.events.lost': counter('{event}', 'Events that a node lost.', BY_NODE),
};

/** As Prometheus shows it. */
export const prometheusName = (name: string, { kind }: Metric): string =>
  `${name.replaceAll(/[^a-zA-Z0-9]/g, '_')}${kind === 'counter' ? '_total' : ''}`;

const TABLES = [
  ['Every process that tells any', PROCESS_METRICS],
  ['The agent', AGENT_METRICS],
  ['The collector', COLLECTOR_METRICS],
] as const;

/** By the names that Prometheus shows. */
export const METRICS: ReadonlyMap<string, Metric> = new Map(
  TABLES.flatMap(([, metrics]) => Object.entries<Metric>(metrics)).map(([name, metric]) => [
    prometheusName(name, metric),
    metric,
  ]),
);

/** The page docs/metrics.md. */
export function metricsPage(): string {
  const tables = TABLES.map(([title, metrics]) => {
    const rows = Object.entries<Metric>(metrics).map(([name, metric]) => {
      const { kind, unit, says, attributes = [] } = metric;
      const by = attributes.map((attribute) => `\`${attribute}\``).join(', ') || '-';
      return `| \`${name}\` | \`${prometheusName(name, metric)}\` | ${kind} | ${unit} | ${by} | ${says} |\n`;
    });
    return `\n## ${title}\n\n| metric | for Prometheus | kind | unit | by | says |\n|---|---|---|---|---|---|\n${rows.join('')}`;
  });
  return `${PREFACE}${tables.join('')}`;
}

const PREFACE = `<!-- Made from telemetry/metrics.ts by \`npx vitest run test/telemetry/metrics.test.ts -u\`. -->

# What Hushwatch measures of itself

Nothing is measured for anybody until the configuration says for whom. The collector: \`metrics: HOST:PORT\` serves
\`/metrics\` for Prometheus, \`otlp_metrics: URL\` sends the same every minute by OTLP over HTTP. The agent, which has no
network: \`metrics_socket: PATH\` serves \`/metrics\` on a Unix socket (\`curl --unix-socket PATH http://localhost/metrics\`, or
a cron job that writes it where node_exporter's textfile collector looks), \`otlp_socket: PATH\` sends to an OpenTelemetry
collector that listens on one. The libraries are loaded only then.

Of events there are counts by class and place, as the last signed statement has them: they say nothing of a node that has not
left it already. The processor time, memory and delays of an agent do: they move with each event that it sees, those of sums
included. Who may not know when a sandbox begins (\`guestos\`) must read neither them nor the socket.

[operate.md](operate.md) says what to do when a number is wrong; deploy/monitoring/ has alerts and a dashboard made of these names.
`;
