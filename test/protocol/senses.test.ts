/** The vocabulary's page is made, not written: `npx vitest run test/protocol/senses.test.ts -u` makes it anew. */
import { expect, test } from 'vitest';
import { vocabularyPage } from '#protocol/senses.ts';

test('VOCABULARY.md says what the vocabulary and the senses say', async () => {
  await expect(vocabularyPage()).toMatchFileSnapshot('../../protocol/VOCABULARY.md');
});
