/** An alert, told so that a person can judge it: what was said, on which numbers, from which events, and what would have kept it quiet. */
import { POINTS } from '../detectors/points.ts';
import type { Measure, ReleasedRecord } from '../detectors/detector.ts';
import type { EvidenceReader } from '../evidence.ts';
import type { AlertRow } from '../findings.ts';
import type { State } from '../state.ts';
import { parseRecord } from '../watch.ts';

const MAX_EVENTS = 20;

/** The event that the alert names first, while its body is there. */
export async function eventOf(
  state: State,
  evidence: EvidenceReader,
  { events: [first] }: Pick<AlertRow, 'events'>,
): Promise<ReleasedRecord | undefined> {
  return first === undefined ? undefined : await recordAt(state, evidence, first.logIndex, first.line);
}

async function recordAt(
  state: State,
  evidence: EvidenceReader,
  logIndex: number,
  line: number,
): Promise<ReleasedRecord | undefined> {
  const batch = state.batch(logIndex);
  if (batch === undefined) return undefined;
  try {
    const text = (await evidence.lines(batch.body))[line];
    return text === undefined ? undefined : parseRecord(text);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

export async function explainAlert(
  alert: AlertRow,
  state: State,
  evidence: EvidenceReader,
  json: boolean,
): Promise<string> {
  const events = await Promise.all(
    alert.events.slice(0, MAX_EVENTS).map(({ logIndex, line }) => recordAt(state, evidence, logIndex, line)),
  );
  const verdicts = state.verdicts(alert.story);
  if (json) return `${JSON.stringify({ ...alert, evidence: events, verdicts })}\n`;
  const story = state.story(alert.story);
  const rows: readonly (readonly [string, string])[] = [
    ['what', `${alert.title} (${alert.severity})`],
    ['why', alert.reason],
    ['when', `${new Date(alert.time / 1_000).toISOString()}, on ${alert.node}`],
    ['weight', weightOf(alert)],
    ['detector', `${alert.detector}${alert.rule === undefined ? '' : ` ${alert.rule}`}`],
    ['ATT&CK', alert.attack.join(', ')],
    ...(alert.measures ?? []).map((measure) => ['number', numberOf(measure)] as const),
    ['lost then', alert.loss === 0 ? 'nothing' : `${alert.loss} events were lost or sampled away in its window`],
    ['quiet by', alert.silencedBy],
    ['story', story === undefined ? alert.story : `${story.title}: ${story.alerts} alerts, score ${story.score}`],
    ...verdicts.map(({ who, verdict, reason }) => ['said', `${verdict} by ${who}: ${reason}`] as const),
  ];
  const told = rows.filter(([, words]) => words !== '').map(([name, words]) => `${name.padEnd(11)}${words}\n`);
  const shown = events.map((event) => (event === undefined ? '(its body is no longer there)' : JSON.stringify(event)));
  const more = alert.events.length > MAX_EVENTS ? `  … and ${alert.events.length - MAX_EVENTS} more\n` : '';
  return `${told.join('')}events, as they were released\n${shown.map((line) => `  ${line}\n`).join('')}${more}`;
}

/** What it weighs in its story, and why less than its severity would have it. */
function weightOf({ points, severity, suppressedBy }: AlertRow): string {
  if (suppressedBy !== undefined) return `none: ${suppressedBy} in suppressions.yaml keeps it quiet`;
  const full = POINTS[severity];
  return points >= full
    ? `${points} points`
    : `${points} points of ${full}: the same came there before, so it tells less`;
}

function numberOf({ what, value, normal: { from, to } }: Measure): string {
  const range =
    from === undefined ? `at most ${String(to)}` : to === undefined ? `at least ${from}` : `from ${from} to ${to}`;
  return `${what}: ${value}; normal is ${range}`;
}
