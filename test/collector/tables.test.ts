/** Tables: conditions for SQL, and compacted days that answer as the evidence does. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { accept, nowUs } from '../../collector/pipeline.ts';
import { compact, queryEvents, quoteAttributes, type EventQuery } from '../../collector/tables.ts';
import { line, openCollector, SampleNode } from './sample.ts';

const ROWS: readonly (readonly [string, string])[] = [
  ['process.pid = 1', '"process.pid" = 1'],
  ['"process.pid" = 1', '"process.pid" = 1'],
  ["file.path = 'process.pid'", `"file.path" = 'process.pid'`],
  ["file.path = 'it''s process.pid'", `"file.path" = 'it''s process.pid'`],
  ['process.executable.path IS NULL OR event = 1.5', '"process.executable.path" IS NULL OR event = 1.5'],
  ['process.nothing = 1', 'process.nothing = 1'],
  ["list_contains(detection.rules, 'x')", `list_contains("detection.rules", 'x')`],
  ['', ''],
];
for (const [text, quoted] of ROWS)
  test(text === '' ? 'nothing' : text, () => expect(quoteAttributes(text)).toBe(quoted));

test('a compacted day answers as its evidence did, and what came since is not forgotten', async () => {
  const home = mkdtempSync(join(tmpdir(), 'hushwatch-tables-'));
  const node = new SampleNode();
  const T = 1_790_000_000_000_000;
  const day = 86_400_000_000;
  const all: EventQuery = { sinceUs: 0, untilUs: Number.MAX_SAFE_INTEGER, where: 'true', node: undefined, limit: 100 };
  try {
    await using collector = await openCollector(home, [node]);
    const send = async (number: number): Promise<void> => {
      const lines = [1, 2].map((i) => line('file.open', T + number * 10 + i, { 'file.path': `/tmp/${number}` }));
      await accept(collector, node.next(lines));
    };
    for (let i = 0; i < 3; i++) await send(i);
    await accept(collector, node.next([]));
    const before = await queryEvents(home, all);
    expect(before).toHaveLength(6);
    expect(await compact(home, nowUs())).toEqual([]);

    const made = await compact(home, nowUs() + day);
    expect(made).toEqual([expect.stringMatching(/^[0-9]{4}-[0-9]{2}-[0-9]{2}\.0-3\.parquet$/)]);
    expect(await compact(home, nowUs() + day)).toEqual([]);
    for (const name of readdirSync(join(home, 'evidence')))
      if (name !== 'tmp') rmSync(join(home, 'evidence', name), { recursive: true });
    expect(await queryEvents(home, all)).toEqual(before);

    await send(7);
    expect(await queryEvents(home, all)).toHaveLength(8);
    const some = await queryEvents(home, { ...all, where: "file.path IN ('/tmp/1', '/tmp/7')", sinceUs: T + 12 });
    expect(some.map((text) => Number(/"time":([0-9]+)/.exec(text)?.[1]) - T)).toEqual([12, 71, 72]);
    expect(await queryEvents(home, { ...all, node: 'node-2' })).toEqual([]);
    expect(await queryEvents(home, { ...all, limit: 3 })).toHaveLength(3);
  } finally {
    rmSync(home, { recursive: true });
  }
});
