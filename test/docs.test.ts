/** What the documents show is what the code does: the README's event before and after, its commands, the links of every page. */
import { readFileSync, existsSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { configurationPage } from '../deploy/deb/configuration.ts';
import { compileRuleset } from '../redaction-rules/compile.ts';
import { parseRuleset } from '../redaction-rules/ruleset.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** The JSON block after a marker. */
function block(text: string, marker: string): unknown {
  const found = new RegExp(`<!-- ${marker} -->\\n+\`\`\`json\\n([^]*?)\\n\`\`\``).exec(text);
  if (found === null) throw new Error(`README.md has no block marked ${marker}`);
  return JSON.parse(found[1] ?? '');
}

test('the event of the README, before and after, is what generic-linux makes of it', () => {
  const readme = read('README.md');
  const file = 'redaction-rules/rulesets/generic-linux.yaml';
  const redactor = compileRuleset(parseRuleset(read(file), file), { node: new Uint8Array(32) });
  // oxlint-disable-next-line no-unsafe-type-assertion -- a document, checked by what comes out
  const { event, time, ...attributes } = block(readme, 'before') as Record<string, unknown>;
  const released = redactor.redact({ name: String(event), time: Number(time), attributes });
  expect(JSON.parse(released?.line ?? '{}')).toEqual(block(readme, 'after'));
  expect(JSON.stringify(block(readme, 'after'))).not.toMatch(/hunter2|alex|files\.example/);
});

test('links between pages lead somewhere', () => {
  const pages = execFileSync('git', ['ls-files', '*.md'], { cwd: root, encoding: 'utf8' }).split('\n').filter(Boolean);
  expect(pages.length).toBeGreaterThan(8);
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)]
      .map((match) => join(dirname(page), match[1] ?? ''))
      .filter((target) => !existsSync(join(root, target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(broken).toEqual([]);
});

test('docs/configuration.md is what the schemas say', async () => {
  await expect(configurationPage()).toMatchFileSnapshot(join(root, 'docs/configuration.md'));
});

test('pages speak of the project alone', () => {
  const pages = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((file) => /\.(md|ts|yaml|yml|c|h|json)$/.test(file));
  const foreign = pages.filter((file) => /\/work\/|registry\.npmjs/.test(read(file)) && file !== 'test/docs.test.ts');
  expect(foreign).toEqual([]);
});
