/**
 * Mutation: each shipped ruleset keeps its promises, and every single weakening of every rule breaks a promise or an example.
 * A weakening that nothing notices is a promise that nobody made; its name is printed.
 */
import { describe, expect, test } from 'vitest';
import { failingExamples } from '../../redaction-rules/examples.ts';
import type { Ruleset } from '../../redaction-rules/ruleset.ts';
import { brokenPromise, marksOfAll, type Marks, type RulesetPromises } from './promises.ts';
import { PROMISED } from './promised.ts';
import { SHIPPED } from './shipped.ts';
import { narrowed, rulesOf, weakenings, type Weakening } from './weakenings.ts';

/** Which attribute's pseudonyms belong to which family, under the ruleset as it is. */
function marksOf(ruleset: Ruleset, promises: RulesetPromises): Marks {
  const parts = rulesOf(ruleset).flatMap(({ attribute, rule, events }) => {
    const promise = promises.attributes[attribute];
    return promise === undefined ? [] : [[narrowed(ruleset, attribute, rule, events), attribute, promise] as const];
  });
  return marksOfAll(parts);
}

type Killer = 'promise' | 'example' | undefined;

function killerOf({ ruleset, attribute }: Weakening, promises: RulesetPromises, marks: Marks): Killer {
  if (brokenPromise(ruleset, attribute, promises, marks) !== undefined) return 'promise';
  return failingExamples(ruleset).length > 0 ? 'example' : undefined;
}

for (const { ruleset } of SHIPPED) {
  const promises = PROMISED[ruleset.name];
  if (promises === undefined) continue;
  describe(ruleset.name, () => {
    const marks = marksOf(ruleset, promises);

    test('something is promised of every attribute', () => {
      const attributes = new Set(rulesOf(ruleset).map(({ attribute }) => attribute));
      expect([...attributes].filter((attribute) => promises.attributes[attribute] === undefined)).toEqual([]);
    });

    test('the promises are kept', () => {
      const broken = rulesOf(ruleset).flatMap(({ attribute, rule, events }) => {
        const words = brokenPromise(narrowed(ruleset, attribute, rule, events), attribute, promises, marks);
        return words === undefined ? [] : [`${attribute}: ${words}`];
      });
      expect(broken).toEqual([]);
    });

    test('every weakening of every rule is noticed', { timeout: 120_000 }, () => {
      const killed = { promise: 0, example: 0 };
      const survivors: string[] = [];
      for (const weakening of weakenings(ruleset)) {
        const killer = killerOf(weakening, promises, marks);
        if (killer === undefined) survivors.push(weakening.name);
        else killed[killer]++;
      }
      const all = killed.promise + killed.example + survivors.length;
      const score = ((100 * (all - survivors.length)) / all).toFixed(2);
      console.info(
        `${ruleset.name}: ${all} weakenings, ${killed.promise} break a promise, ${killed.example} an example; score ${score} %`,
      );
      expect(survivors).toEqual([]);
    });
  });
}
