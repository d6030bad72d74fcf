/** The frozen vectors: what was released must be read for ever as it was read then. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sha256Hex } from '#protocol/encoding.ts';
import { outcomeOf, type Vector } from './outcome.ts';

/** A new file is added here; a line that is here never changes. */
const FROZEN: Readonly<Record<string, string>> = {
  'v1/batch.json': 'c8cd9d97b6850f25995a3aa50543f9a5b4242bc8557b34b10841e8fdd8618a35',
  'v1/change.json': 'a6c938dd817d19b1cba24e1a1421555ad8a12390aca22d94b64c3d8db9619c83',
  'v1/receipt.json': 'a83c49e32ad0175d988bc41e9fc1a34e94ddf71ef95ec69df84b0e07e2f1c3a1',
  'v1/restart.json': '399f9564b2b3a7b98116dccbe2c940b89beb1842e2db15616ba4be9f9feb9c50',
  'v2/batch.json': 'b9f9cfa1614824e833048be70016927354190851d9ea9013ed775e9a71e8e308',
};
const at = (file: string): URL => new URL(file, import.meta.url);

test('no vector was changed, added or taken away', () => {
  const files = ['v1', 'v2'].flatMap((version) => readdirSync(at(version)).map((name) => `${version}/${name}`));
  expect(Object.fromEntries(files.map((file) => [file, sha256Hex(readFileSync(at(file)))]))).toEqual(FROZEN);
});

for (const file of Object.keys(FROZEN)) {
  const vectors: readonly Vector[] = JSON.parse(readFileSync(at(file), 'utf8'));
  for (const vector of vectors) {
    test(`${file}: ${vector.name}`, () => {
      expect(outcomeOf(vector)).toEqual(vector.outcome);
    });
  }
}
