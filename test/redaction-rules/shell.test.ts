/** Shell words: as a shell splits them, or not at all. */
import fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { quoteWord, tokenizeShell } from '../../redaction-rules/shell.ts';

const words = (text: string): readonly string[] | undefined =>
  tokenizeShell(text)?.map((token) => (token.kind === 'word' ? token.text : `${token.kind} ${token.text}`));

describe('splitting', () => {
  const rows: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['', []],
    ['  \t ', []],
    ['a b', ['a', 'b']],
    ['\'a b\' "c d" e\\ f', ['a b', 'c d', 'e f']],
    ['a\'b\'"c"d', ['abcd']],
    ['\'\' ""', ['', '']],
    ['"a\\"b\\c"', ['a"b\\c']],
    ['a;b', ['a', 'operator ;', 'b']],
    ['a&&b||c|d&', ['a', 'operator &&', 'b', 'operator ||', 'c', 'operator |', 'd', 'operator &']],
    ['a>b 2>>c <d', ['a', 'operator >', 'b', 'operator 2>>', 'c', 'operator <', 'd']],
    ['a 2>&1', ['a', 'operator 2>&', '1']],
    ['a <<<b', ['a', 'operator <<<', 'b']],
    ['a <<b', undefined],
    ['(a)', ['operator (', 'a', 'operator )']],
    ['a\nb', ['a', 'operator \n', 'b']],
    ['a # b', ['a']],
    ['a#b', ['a#b']],
    ['$(a b)', ['substitution a b']],
    ['`a b`', ['substitution a b']],
    ['x$(a b)', ['expansion x$(a b)']],
    ['$a "$b" \'$c\'', ['expansion $a', 'expansion $b', '$c']],
    ['$(a "b)" c)', ['substitution a "b)" c']],
    ["'a", undefined],
    ['"a', undefined],
    ['$(a', undefined],
    ['`a', undefined],
    ['a\\', undefined],
    ["$'a'", undefined],
    ['a '.repeat(600), undefined],
  ];
  for (const [text, expected] of rows)
    test(JSON.stringify(text.slice(0, 40)), () => expect(words(text)).toEqual(expected));
});

test('words without expansions are split as the shell of this machine splits them', () => {
  const piece = fc.constantFrom('a', 'b', ' ', "'c d'", '"e f"', '\\ ', '"\\""', "''", '\\\\', '=', '-x', '/tmp');
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 8 }), (pieces) => {
      const text = pieces.join('');
      const split = words(text);
      if (split === undefined) return;
      const run = spawnSync('sh', ['-c', `printf '%s\\0' ${text}`], { encoding: 'utf8' });
      expect(run.stdout).toBe(split.length === 0 ? '\0' : split.map((word) => `${word}\0`).join(''));
    }),
    { numRuns: 40 },
  );
});

test('what is quoted reads back as one word', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (word) => {
      const quoted = quoteWord(word);
      if (quoted !== undefined) expect(words(quoted)).toEqual([word]);
      else expect(word).toContain("'");
    }),
  );
});
