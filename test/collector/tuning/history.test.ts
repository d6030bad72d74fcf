/** What was in force when: a change is proven by the log of now; what the log does not say in that place is not. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  formatChange,
  formatLineup,
  lineupDigest,
  lineupPath,
  NOTHING_DETECTS,
  type Change,
} from '#protocol/change.ts';
import { formatVerifierKey, signNote } from '#protocol/note.ts';
import { loggedLineup } from '../../../collector/in-force.ts';
import { accept } from '../../../collector/pipeline.ts';
import type { ChangeRow } from '../../../collector/state.ts';
import { describeChanges, proveChanges, waitingIn } from '../../../collector/tuning/history.ts';
import { logKey } from '../../protocol/sample.ts';
import { line, openCollector, SampleNode, type OpenCollector } from '../sample.ts';

const DEVIATIONS = { kind: 'knob', name: 'rate.deviations' } as const;
const NOW_8 = new Map([['knob rate.deviations', '8']]);
const NOW_9 = new Map([['knob rate.deviations', '9']]);
const FIRST: Change = {
  ...{ time: 1_790_000_000_000_000, who: 'alex', reason: 'To begin.', changes: 1 },
  ...{ before: lineupDigest(NOTHING_DETECTS), after: lineupDigest(NOW_8), listed: [{ how: 'added', ...DEVIATIONS }] },
};
const SECOND: Change = {
  ...{ time: FIRST.time + 1, who: 'kim', reason: 'Quieter.', changes: 1 },
  ...{ before: FIRST.after, after: lineupDigest(NOW_9), listed: [{ how: 'changed', ...DEVIATIONS }] },
};

let home: string;
let collector: OpenCollector;
let rows: readonly ChangeRow[];

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-history-'));
  mkdirSync(join(home, 'lineups'));
  writeFileSync(join(home, lineupPath(SECOND.after)), formatLineup(NOW_9));
  writeFileSync(join(home, 'log.pub'), formatVerifierKey(logKey.verifier));
  const node = new SampleNode();
  collector = await openCollector(home, [node]);
  await collector.log.append(signNote(formatChange(FIRST), logKey));
  await accept(collector, node.next([line('process.exec', FIRST.time)]));
  await collector.log.append(signNote(formatChange(SECOND), logKey));
  await collector.state.follow(collector.log, () => 0);
  rows = collector.state.detectorChanges();
});
afterAll(async () => {
  await collector[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

const proven = async (asked: readonly ChangeRow[]): Promise<readonly boolean[]> =>
  (await proveChanges(home, asked)).map(({ isProven }) => isProven);

test('each change is proven, under one checkpoint', async () => {
  expect(rows.map(({ who, logIndex }) => [who, logIndex])).toEqual([
    ['alex', 0],
    ['kim', 2],
  ]);
  expect(await proven(rows)).toEqual([true, true]);
});

test('who, why, what, or a place that the log does not have is not', async () => {
  const [first, second] = rows;
  if (first === undefined || second === undefined) return expect.unreachable();
  const others: readonly ChangeRow[] = [
    { ...second, who: 'alex' },
    { ...second, reason: 'Because.' },
    { ...second, listed: [{ how: 'removed', ...DEVIATIONS }] },
    { ...second, logIndex: first.logIndex },
    { ...second, logIndex: 1 },
  ];
  expect(await proven(others)).toEqual(others.map(() => false));
  const [told] = await proveChanges(home, others);
  expect(describeChanges(told === undefined ? [] : [told], ({ name }) => name)).toMatch(
    /alex: Quieter\.\n {2}NOT PROVEN to be entry 2 of the log; [^]* changed knob rate\.deviations\n$/,
  );
});

test('what waits is what the last change does not name', () => {
  expect(loggedLineup(home, SECOND.after)).toEqual(NOW_9);
  expect(waitingIn(home, rows, NOW_9)).toEqual([]);
  expect(waitingIn(home, rows, NOW_8)).toEqual([{ how: 'changed', ...DEVIATIONS }]);
  expect(waitingIn(home, [], NOW_8)).toEqual([{ how: 'added', ...DEVIATIONS }]);
});
