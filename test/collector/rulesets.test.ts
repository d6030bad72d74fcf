/** The rulesets that a collector holds, those from before an upgrade among them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { Rulesets } from '../../collector/rulesets.ts';
import { parseRuleset, RulesetError, rulesetDigest } from '../../redaction-rules/ruleset.ts';
import { SHIPPED } from '../redaction-rules/shipped.ts';

const directory = mkdtempSync(join(tmpdir(), 'hushwatch-rulesets-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** As generic-linux was before the vocabulary had this attribute. */
const former = (attribute: string): string => {
  const text = SHIPPED.find(({ ruleset }) => ruleset.name === 'generic-linux')?.text ?? '';
  return text
    .split('\n')
    .filter((line) => !line.startsWith(`  ${attribute}:`))
    .join('\n');
};

test('rules of a later version, before we are upgraded: named, not used, and no reason not to start', () => {
  const other = mkdtempSync(join(directory, 'later-'));
  const text = SHIPPED[0]?.text.replace('attributes:\n', 'attributes:\n  canary.song: { do: drop, why: New. }\n') ?? '';
  writeFileSync(join(other, 'later.yaml'), text);
  const rulesets = Rulesets.open(other);
  expect(rulesets.digests).toEqual([]);
  expect(rulesets.problems.join()).toMatch(/later\.yaml:\d+:\d+: .*canary\.song.*no such attribute/);
  expect(rulesets.isUnreadable(rulesetDigest(text))).toBe(true);
  expect(rulesets.isUnreadable('9'.repeat(64))).toBe(false);
});

test('rules that an upgrade left behind are still held: what they did not know may not arrive under them', () => {
  const text = former('process.exit.code');
  expect(() => parseRuleset(text, 'former.yaml')).toThrow(RulesetError);
  writeFileSync(join(directory, 'former.yaml'), text);
  const rulesets = Rulesets.open(directory);
  const [digest = ''] = rulesets.digests;
  const line = { event: 'process.exit', time: 1_800_000_000_000_000, 'process.exit.signal': 0 };
  const validate = rulesets.validatorOf(digest);
  expect(validate?.(line)).toBeUndefined();
  expect(validate?.({ ...line, 'process.exit.code': 1 })).toBeDefined();
});

test('a file that was half written when it was looked at is read again when it is whole', () => {
  using now = vi.spyOn(performance, 'now').mockReturnValue(1e6);
  const other = mkdtempSync(join(directory, 'half-'));
  const text = SHIPPED[0]?.text ?? '';
  writeFileSync(join(other, 'new.yaml'), text.slice(0, 500));
  const rulesets = Rulesets.open(other);
  expect([rulesets.digests.length, rulesets.problems.length]).toEqual([0, 1]);
  writeFileSync(join(other, 'new.yaml'), text);
  now.mockReturnValue(1e6 + 2_000);
  expect(rulesets.validatorOf(rulesetDigest(text))).toBeDefined();
});
