/** The specification says what the code does: its codes, its limits, its shell session, its receipt. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MAX_BATCH_NOTE_BYTES, MAX_LINE_BYTES } from '#protocol/batch.ts';
import { PROTOCOL_ERROR_CODES, REJECTION_CODES } from '#protocol/error.ts';
import { MAX_NOTE_BYTES, MAX_SIGNATURES } from '#protocol/note.ts';
import { MAX_RECEIPT_BYTES } from '#protocol/receipt.ts';
import { formatStatement, MAX_BODY_BYTES, MAX_EVENTS, MAX_UNPACKED_BYTES } from '#protocol/statement.ts';
import { MAX_ENTRY_BYTES } from '#protocol/tiles.ts';
import { ARCHIVE_PROBLEM_CODES } from '#protocol/verify.ts';
import type { Vector } from '../vectors/outcome.ts';
import { NAMED } from './sample.ts';

const readme = readFileSync(new URL('../../protocol/README.md', import.meta.url), 'utf8');
const vectors = (file: string): readonly Vector[] =>
  JSON.parse(readFileSync(new URL(`../vectors/${file}.json`, import.meta.url), 'utf8'));
const [batch] = vectors('v2/batch');
const [receipt] = vectors('v1/receipt');

test('every code is documented, in the words of the code', () => {
  const documented = [...readme.matchAll(/^\| `([a-z0-9-]+)` \| (.*) \|$/gm)].map(([, code, text]) => [code, text]);
  for (const codes of [PROTOCOL_ERROR_CODES, REJECTION_CODES, ARCHIVE_PROBLEM_CODES]) {
    for (const row of Object.entries(codes)) expect(documented).toContainEqual(row);
  }
});

test('the limits are those of the code', () => {
  const number = (n: number): string => n.toLocaleString('en');
  for (const row of [
    `| note of a batch, signatures included | ${number(MAX_BATCH_NOTE_BYTES)} bytes |`,
    `| signatures on a note | ${MAX_SIGNATURES} |`,
    `| body, packed / unpacked | ${MAX_BODY_BYTES >> 20} MiB / ${MAX_UNPACKED_BYTES >> 20} MiB |`,
    `| events in a batch / bytes in a line | ${number(MAX_EVENTS)} / ${number(MAX_LINE_BYTES)} |`,
    `| any other note / receipt | ${number(MAX_NOTE_BYTES)} bytes / ${number(MAX_RECEIPT_BYTES)} bytes |`,
    `| log entry | ${number(MAX_ENTRY_BYTES)} bytes |`,
  ]) {
    expect(readme).toContain(row);
  }
  const keys = formatStatement(NAMED)
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
  expect(keys).toHaveLength(22);
  for (const key of keys) expect(readme).toContain(`\`${key}\``);
});

test('the receipt shown is the first vector', () => {
  expect(readme).toContain(`\`\`\`\n${Buffer.from(receipt?.bytes ?? '', 'base64').toString()}\`\`\`\n`);
});

const missing = ['zstdcat', 'openssl', 'sha256sum', 'base64'].filter(
  (tool) => spawnSync(tool, ['--version']).error !== undefined,
);

test.skipIf(missing.length > 0)(
  `the shell session gives what it shows (needs ${missing.join(', ') || 'nothing more'})`,
  () => {
    const [, session = ''] = /```console\n([^]*?)```/.exec(readme) ?? [];
    const folder = mkdtempSync(join(tmpdir(), 'hushwatch-readme-'));
    try {
      writeFileSync(join(folder, 'batch'), Buffer.from(batch?.bytes ?? '', 'base64'));
      writeFileSync(join(folder, 'node.vkey'), `${batch?.key ?? ''}\n`);
      let shown = '';
      for (const [line, command = ''] of session.matchAll(/^\$ (.*)\n/gm)) {
        const run = spawnSync('sh', ['-c', command], { cwd: folder, encoding: 'utf8' });
        expect(run.stderr).toBe('');
        shown += `${line}${run.stdout}`;
      }
      expect(shown).toBe(session);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
