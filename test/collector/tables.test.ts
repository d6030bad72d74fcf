/** Conditions: names of attributes are quoted for SQL, and what stands in quotes is left alone. */
import { expect, test } from 'vitest';
import { quoteAttributes } from '../../collector/tables.ts';

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
