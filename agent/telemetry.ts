/**
 * The agent's own metrics. Counts of events are those of the last signed statement, which has left already, so that they tell
 * nobody more than the collector knows; they go to a Unix socket, for the agent has no network. What every process tells beside them, its
 * processor time and memory, does move with each event.
 */
import type { Counts, Statement } from '#protocol/statement.ts';
import type { AGENT_METRICS, Reading, Readings } from '../telemetry/metrics.ts';
import type { ReceiptCounts } from './receipts.ts';

export interface Watched {
  readonly spool: {
    readonly last:
      Pick<Statement, 'sequence' | 'seen' | 'released' | 'merged' | 'sampled' | 'withheld' | 'lost'> | undefined;
    readonly waiting: readonly number[];
    readonly bytes: number;
  };
  readonly spoolLimit: number;
  readonly receipts: Readonly<ReceiptCounts>;
  /** False while nothing may be released. */
  readonly isReleasing: () => boolean;
}

export function agentReadings({ spool, spoolLimit, receipts, isReleasing }: Watched): Readings<typeof AGENT_METRICS> {
  let signed = { sequence: spool.last?.sequence, at: performance.now() };
  const age = (): readonly Reading[] => {
    const [sequence, now] = [spool.last?.sequence, performance.now()];
    if (sequence !== signed.sequence) signed = { sequence, at: now };
    return sequence === undefined ? [] : [{ value: (now - signed.at) / 1_000 }];
  };
  return {
    'hushwatch.events.seen': () => byClass(spool.last?.seen),
    'hushwatch.events.released': () => byClass(spool.last?.released),
    'hushwatch.events.merged': () => byClass(spool.last?.merged),
    'hushwatch.events.sampled': () => byClass(spool.last?.sampled),
    'hushwatch.events.withheld': () => byClass(spool.last?.withheld),
    'hushwatch.events.lost': () =>
      Object.entries(spool.last?.lost ?? {}).flatMap(([place, counts]) =>
        byClass(counts, { 'hushwatch.place': place }),
      ),
    'hushwatch.statements.signed': () => [{ value: spool.last?.sequence ?? 0 }],
    'hushwatch.statement.age': age,
    'hushwatch.spool.batches': () => [{ value: spool.waiting.length }],
    'hushwatch.spool.usage': () => [{ value: spool.bytes }],
    'hushwatch.spool.limit': () => [{ value: spoolLimit }],
    'hushwatch.receipts.accepted': () => [{ value: receipts.accepted }],
    'hushwatch.receipts.refused': () => [{ value: receipts.refused }],
    'hushwatch.release.allowed': () => [{ value: isReleasing() ? 1 : 0 }],
  };
}

const byClass = (counts: Counts | undefined, more: Readonly<Record<string, string>> = {}): readonly Reading[] =>
  Object.entries(counts ?? {}).map(([cls, value]) => ({ value, attributes: { 'hushwatch.class': cls, ...more } }));
