/** What the pages about transformations say is what happens: `npx vitest run test/redaction-rules/transformations.test.ts -u` writes the last column anew. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { TRANSFORM_NAMES } from '../../redaction-rules/rule.ts';
import { rulesetSchema } from '../../redaction-rules/ruleset-schema.ts';
import { rewritten, partsIn } from './transformation-pages.ts';

const directory = fileURLToPath(new URL('../../redaction-rules/transformations/', import.meta.url));
const read = (name: string): string => readFileSync(`${directory}${name}`, 'utf8');
const PAGES = readdirSync(directory).filter((name) => name.endsWith('.md'));
const PARTS = ['Hides', 'Still reveals', 'Costs detection', 'Parameters', 'Exactly'];

for (const page of PAGES) {
  test(`${page}: every row is what happens`, async () => {
    const text = read(page);
    expect(partsIn(text)).toBeGreaterThan(0);
    await expect(rewritten(text)).toMatchFileSnapshot(`${directory}${page}`);
  });

  test(`${page}: says what a reviewer asks`, () => {
    const headings = [...read(page).matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual(PARTS);
  });
}

test('there is a page for each transformation, for time, for sums, and for what is not there', () => {
  expect(PAGES.toSorted()).toEqual([...TRANSFORM_NAMES, 'seal', 'sum', 'time'].map((name) => `${name}.md`).toSorted());
});

test('each page names every parameter', () => {
  // oxlint-disable-next-line no-unsafe-type-assertion -- made by the same module that is asked here
  const { definitions } = rulesetSchema() as { definitions: Record<string, { properties: Record<string, unknown> }> };
  const missing = TRANSFORM_NAMES.flatMap((name) =>
    Object.keys(definitions[name]?.properties ?? {})
      .filter((parameter) => !['do', 'why', 'for', 'reason'].includes(parameter))
      .filter((parameter) => !read(`${name}.md`).includes(`| \`${parameter}\` |`))
      .map((parameter) => `${name}.md: ${parameter}`),
  );
  expect(missing).toEqual([]);
});

test('a row that lies would be noticed', () => {
  const page = read('length.md');
  const lie = page.replace(/\| `(\d+)` \|\n/, '| `4711` |\n');
  expect(lie).not.toBe(page);
  expect(rewritten(lie)).toBe(page);
});
