/** The build that statements name covers all the code that runs on nodes. */
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { OF_NODES, sourceDigest } from '../../agent/build.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const IMPORT = /(?:from|import\() ?'(\.{1,2}\/[^']+|#protocol\/[^']+)'/g;

/** What a file loads, and what that loads; types, which are not there when it runs, included. */
function loadedBy(file: string, seen: Set<string>): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
    loadedBy(name.startsWith('#') ? join(ROOT, name.slice(1)) : resolve(dirname(file), name), seen);
  }
  return seen;
}

test.each(['agent/main.ts', 'agent/shipper/main.ts'])('everything that %s loads is in the build', (main) => {
  const loaded = [...loadedBy(join(ROOT, main), new Set())].map((file) => relative(ROOT, file));
  expect(loaded.length).toBeGreaterThan(20);
  expect(loaded.filter((file) => !OF_NODES.some((side) => file.startsWith(`${side}/`)))).toEqual([]);
});

test('the same sources are the same build', () => {
  expect(sourceDigest()).toMatch(/^[0-9a-f]{64}$/);
  expect(sourceDigest()).toBe(sourceDigest());
});
