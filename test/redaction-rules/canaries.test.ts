/**
 * Canaries: secrets and personal data of every kind, in every place of command lines that people wrote and in every text of
 * every event. They stand nowhere in what is released but where the rule says so. Recall by kind is printed.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ATTRIBUTES } from '#protocol/vocabulary.ts';
import { compileRuleset } from '../../redaction-rules/compile.ts';
import type { Rule } from '../../redaction-rules/rule.ts';
import { tokenizeShell } from '../../redaction-rules/shell.ts';
import { Chance, KINDS, POSITIONS, type Canary } from './canaries.ts';
import { SHIPPED } from './shipped.ts';
import { KEYS } from './small-ruleset.ts';

const DATA = new URL('../../../shared/data/commands/', import.meta.url);
const commands = ['malicious.cm', 'nl2bash.cm']
  .flatMap((name) => readFileSync(new URL(name, DATA), 'utf8').split('\n'))
  .flatMap((line) => {
    const words = tokenizeShell(line)?.map((token) => token.text) ?? [];
    return words.length > 0 && words.length < 20 ? [words] : [];
  });

/** A text as it is, and as somebody might write it down who wants it to come through. */
const spellings = (text: string): readonly string[] => [
  JSON.stringify(text).slice(1, -1),
  encodeURIComponent(text),
  Buffer.from(text).toString('base64').replace(/=+$/, ''),
  Buffer.from(text).toString('hex'),
  text.split('').toReversed().join(''),
];

const leaks = (line: string, { text, telling }: Canary): boolean => {
  const lower = line.toLowerCase();
  return [text, ...telling].some((part) => spellings(part).some((spelling) => lower.includes(spelling.toLowerCase())));
};

interface Tally {
  readonly tried: number;
  readonly missed: readonly string[];
}

/** How many canaries of each kind were kept back, of how many; the worst first, and all alike in one line. */
function report(name: string, tallies: ReadonlyMap<string, Tally>): void {
  const rows = [...tallies].map(([kind, { tried, missed }]) => ({ kind, tried, recall: 1 - missed.length / tried }));
  const leaky = rows.filter(({ recall }) => recall < 1).toSorted((a, b) => a.recall - b.recall);
  const tried = rows.reduce((sum, row) => sum + row.tried, 0);
  const lines = leaky.map((row) => `${(row.recall * 100).toFixed(2).padStart(7)} % of ${row.tried}: ${row.kind}`);
  lines.push(` 100.00 %: each of ${rows.length - leaky.length} kinds`);
  console.info(`${name}: ${tried} canaries of ${rows.length} kinds, recall by kind:\n${lines.join('\n')}`);
}

const SAMPLES = 4;

test('there are many kinds and places', () => {
  expect(Object.keys(KINDS).length).toBeGreaterThanOrEqual(40);
  expect(commands.length).toBeGreaterThan(10_000);
});

/** Leaves what is listed there and nothing else: a canary that happens to be a listed word is no miss. */
const saysSo = (rule: Rule): boolean => rule.do === 'keep' || rule.do === 'mask';

for (const { ruleset } of SHIPPED) {
  describe(ruleset.name, () => {
    const redactor = compileRuleset(ruleset, KEYS);

    test('in every place of a command line', { timeout: 60_000 }, () => {
      const tallies = new Map<string, { tried: number; missed: string[] }>();
      for (const [kind, make] of Object.entries(KINDS)) {
        const chance = new Chance(kind);
        const tally = { tried: 0, missed: [] as string[] };
        tallies.set(kind, tally);
        for (const [position, put] of Object.entries(POSITIONS)) {
          for (let sample = 0; sample < SAMPLES; sample++) {
            const canary = make(chance);
            const words = chance.pick(commands);
            const at = chance.below(words.length + 1);
            const args = [...words.slice(0, at), ...put(canary.text), ...words.slice(at)];
            const line = redactor.redact({
              name: 'process.exec',
              time: 0,
              attributes: { 'process.command_args': args },
            })?.line;
            tally.tried++;
            if (line === undefined || leaks(line, canary))
              tally.missed.push(`${kind}, ${position}: ${JSON.stringify(args)} -> ${line}`);
          }
        }
      }
      report(`${ruleset.name}, command lines`, tallies);
      expect([...tallies.values()].flatMap(({ missed }) => missed)).toEqual([]);
    });

    test('in every text of every event', { timeout: 60_000 }, () => {
      const tallies = new Map<string, { tried: number; missed: string[] }>();
      for (const [kind, make] of Object.entries(KINDS)) {
        const chance = new Chance(`${kind} in events`);
        const tally = { tried: 0, missed: [] as string[] };
        tallies.set(kind, tally);
        for (const [event, rules] of ruleset.events) {
          for (const [attribute, rule] of rules) {
            const { type } = ATTRIBUTES[attribute];
            if (saysSo(rule) || (type !== 'string' && type !== 'string[]')) continue;
            const canary = make(chance);
            const value = type === 'string' ? canary.text : [canary.text];
            const line = redactor.redact({ name: event, time: 0, attributes: { [attribute]: value } })?.line;
            tally.tried++;
            if (line === undefined || leaks(line, canary))
              tally.missed.push(`${kind}, ${event}, ${attribute}: ${line}`);
          }
        }
      }
      report(`${ruleset.name}, events`, tallies);
      expect([...tallies.values()].flatMap(({ missed }) => missed)).toEqual([]);
    });

    test('the search would notice', () => {
      const line = redactor.redact({
        name: 'process.exec',
        time: 0,
        attributes: { 'process.command_args': ['ls', '-x', 'tail'] },
      })?.line;
      expect(leaks(line ?? '', { text: 'tail', telling: ['tail'] })).toBe(true);
    });
  });
}
