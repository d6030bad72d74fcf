/** What the collector would not have: kept for people until the next receipt, and read as what a stranger wrote. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { forgetRefusal, lastRefusal, noteRefusal, remedyFor } from '../../../agent/shipper/refusal.ts';
import { Refused } from '../../../agent/shipper/uplink.ts';
import { REJECTION_CODES } from '#protocol/error.ts';

let receipts: string;
beforeEach(() => (receipts = mkdtempSync(join(tmpdir(), 'hushwatch-refusal-'))));
afterEach(() => rmSync(receipts, { recursive: true }));

test('noted, read, forgotten', () => {
  expect(lastRefusal(receipts)).toBeUndefined();
  noteRefusal(receipts, new Refused(7, 'unknown-version', 'a statement of version 3'));
  const message = 'batch 7 was refused: a statement of version 3';
  expect(lastRefusal(receipts)).toEqual({ sequence: 7, code: 'unknown-version', message });
  forgetRefusal(receipts);
  forgetRefusal(receipts);
  expect(lastRefusal(receipts)).toBeUndefined();
});

test('what a collector says does not draw on a terminal', () => {
  noteRefusal(receipts, new Refused(7, 'gap', '\u001b[2Jall is well\n'));
  expect(lastRefusal(receipts)?.message).toBe('batch 7 was refused: ?[2Jall is well?');
});

test.each(['', '{', '[]', 'null', '{"sequence":1,"code":"\u001b[2J","message":""}', '{"sequence":"1","code":"gap"}'])(
  'no refusal: %j',
  (text) => {
    writeFileSync(join(receipts, 'refusal'), text);
    expect(lastRefusal(receipts)).toBeUndefined();
  },
);

test('larger than any refusal', () => {
  noteRefusal(receipts, new Refused(7, 'gap', 'x'.repeat(5_000)));
  expect(lastRefusal(receipts)).toBeUndefined();
});

test('every code has words that say who must act', () => {
  for (const code of Object.keys(REJECTION_CODES)) expect(remedyFor(code)).toMatch(/\w{4}/);
  expect(remedyFor('unknown-version')).toMatch(/upgrade the collector/);
});
