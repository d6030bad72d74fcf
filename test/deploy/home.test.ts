/** The directory of `npm start`: what this checkout holds is approved as this checkout reads it, whatever was approved before. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { decodeApproval, formatApproval } from '#protocol/approval.ts';
import { parseSigningKey, signNote } from '#protocol/note.ts';
import { vocabularyDigest } from '#protocol/vocabulary.ts';
import { writeHome } from '../../deploy/home.ts';
import { approvalOfRuleset } from '../../redaction-rules/approve.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));

test('rules that did not change are approved anew for another vocabulary, and the old proof is gone', async () => {
  const root = mkdtempSync(join(tmpdir(), 'hushwatch-home-'));
  try {
    const write = async (): Promise<void> => void (await writeHome({ root, checkout, port: 18_000, source: 'proc' }));
    await write();
    const approval = approvalOfRuleset(join(checkout, 'redaction-rules/rulesets/generic-linux.yaml'));
    const key = parseSigningKey('this-machine-reviewer', readFileSync(join(root, 'reviewer/reviewer.key'), 'utf8'));
    const before = signNote(formatApproval({ ...approval, vocabulary: 'a'.repeat(64) }), key);
    const files = ['agent', 'collector'].map((side) => join(root, side, 'approvals', approval.digest));
    for (const file of files) {
      writeFileSync(`${file}.approval`, before);
      writeFileSync(`${file}.tlog-proof`, 'of the one before');
    }
    await write();
    for (const file of files) {
      expect(decodeApproval(readFileSync(`${file}.approval`)).approval.vocabulary).toBe(vocabularyDigest());
      expect(existsSync(`${file}.tlog-proof`)).toBe(false);
    }
    for (const file of files) writeFileSync(`${file}.tlog-proof`, 'of this one');
    await write();
    for (const file of files) expect(existsSync(`${file}.tlog-proof`)).toBe(true);
  } finally {
    rmSync(root, { recursive: true });
  }
});
