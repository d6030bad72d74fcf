/** What is offered for a word that nobody knows. */
import { expect, test } from 'vitest';
import { didYouMean } from '../../config/suggest.ts';

const KNOWN = ['receipts', 'reviewers', 'ruleset', 'rule_pack', 'tls_key'];

test.each([
  ['reciepts', 'receipts'],
  ['RULESET', 'ruleset'],
  ['rule_pak', 'rule_pack'],
  ['rev', 'reviewers'],
  ['tls_key_file', 'tls_key'],
])('%s: %s', (word, meant) => expect(didYouMean(word, KNOWN)).toBe(`; did you mean \`${meant}\`?`));

test.each(['re', 'rule', 'xyz', '', 'x'.repeat(1_000)])('nothing for %s', (word) => {
  expect(didYouMean(word, KNOWN)).toBe('');
});
