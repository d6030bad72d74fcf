/** Rulesets: those that are shipped hold what they promise, broken ones say what is wrong, where, and what to do. */
import { Ajv } from 'ajv';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ATTRIBUTES, EVENTS, isEventName } from '#protocol/vocabulary.ts';
import { failingExamples } from '../../redaction-rules/examples.ts';
import { exposure } from '../../redaction-rules/exposure.ts';
import { rulesetSchema } from '../../redaction-rules/ruleset-schema.ts';
import { parseRuleset, RulesetError } from '../../redaction-rules/ruleset.ts';
import { SHIPPED } from './shipped.ts';
import { smallRuleset, smallRulesetText } from './small-ruleset.ts';

const bySchema = new Ajv({ allowUnionTypes: true, strictRequired: false }).compile(rulesetSchema());

function problemsOf(text: string): string {
  try {
    parseRuleset(text, 'x.yaml');
    return '';
  } catch (error) {
    if (error instanceof RulesetError) return error.message;
    throw error;
  }
}

test('a ruleset is shipped for each role, and the role says which', () => {
  expect(SHIPPED.map(({ ruleset }) => [ruleset.name, ruleset.role])).toEqual([
    ['generic-linux', 'generic'],
    ['guestos', 'guest'],
    ['hostos', 'host'],
  ]);
});

for (const { file, text, ruleset } of SHIPPED) {
  describe(ruleset.name, () => {
    test('every attribute of every event has a rule and a sentence why', () => {
      const rows = exposure(ruleset);
      const pairs = Object.keys(EVENTS)
        .filter(isEventName)
        .flatMap((event) => EVENTS[event].attributes.map((attribute) => `${event} ${attribute}`));
      expect(rows.map((row) => `${row.event} ${row.attribute}`)).toEqual(pairs);
      for (const row of rows) expect(row.why, row.attribute).toMatch(/^[A-Z"].*[.]$/);
    });

    test('whatever leaves is used by somebody', () => {
      const unused = exposure(ruleset).filter((row) => row.leaves && row.for.length === 0);
      expect(unused.map((row) => row.attribute)).toEqual([]);
    });

    test('what is sensitive and near to clear names its reason', () => {
      const clear = exposure(ruleset).filter((row) => row.do === 'keep' && row.sensitivity !== 'system');
      for (const row of clear) expect(ruleset.reasons.get(row.reason ?? ''), row.attribute).toBeDefined();
    });

    test('nothing secret is kept', () => {
      const secrets = exposure(ruleset).filter((row) => row.sensitivity === 'secret');
      expect(secrets.map((row) => row.do).filter((name) => name !== 'drop' && name !== 'argv')).toEqual([]);
    });

    for (const example of ruleset.examples) {
      test(`example: ${example.name}`, () => {
        const failure = failingExamples(ruleset).find((failed) => failed.example === example);
        expect(failure?.problem).toBeUndefined();
      });
    }

    test('the schema for editors accepts it', () => {
      expect(bySchema(parse(text)), JSON.stringify(bySchema.errors?.slice(0, 3))).toBe(true);
      expect(file).toContain(ruleset.name);
    });

    test('whichever rules are missing, each is named', () => {
      const names = Object.keys(ATTRIBUTES);
      for (const missing of [0, 1].map((parity) => names.filter((_, index) => index % 2 === parity))) {
        const without = missing.reduce((rest, attribute) => {
          const shorter = rest.replace(new RegExp(`^  ${attribute.replaceAll('.', '\\.')}: .*\n`, 'm'), '');
          expect(shorter, attribute).not.toBe(rest);
          return shorter;
        }, text);
        const problems = problemsOf(without);
        for (const attribute of names)
          expect(problems.includes(` ${attribute}: has no rule`), attribute).toBe(missing.includes(attribute));
      }
    });
  });
}

test('the schema for editors is what `hushwatch rules schema` prints', () => {
  const written: unknown = JSON.parse(
    readFileSync(new URL('../../redaction-rules/ruleset.schema.json', import.meta.url), 'utf8'),
  );
  expect(written).toEqual(JSON.parse(JSON.stringify(rulesetSchema())));
});

describe('broken rulesets', () => {
  const directory = fileURLToPath(new URL('broken/', import.meta.url));
  const files = readdirSync(directory).filter((name) => name.endsWith('.yaml'));

  function problemsOf(text: string, file: string): readonly string[] {
    try {
      parseRuleset(text, file);
    } catch (error) {
      if (error instanceof RulesetError) return error.problems;
      throw error;
    }
    return [];
  }

  test('there are many', () => {
    expect(files.length).toBeGreaterThanOrEqual(100);
  });

  for (const file of files) {
    test(file, async () => {
      // None of them has a rule for every attribute, and all are told so; 07 shows it.
      const problems = problemsOf(readFileSync(directory + file, 'utf8'), file).filter(
        (problem) => !problem.includes('has no rule'),
      );
      expect(problems.length).toBeGreaterThan(0);
      for (const problem of problems) expect(problem).toMatch(/^[^:]+:[0-9]+:[0-9]+: .+; .+/);
      await expect(`${problems.join('\n')}\n`).toMatchFileSnapshot(`broken/${file.replace('.yaml', '.txt')}`);
    });
  }

  test('a ruleset that is too large is not even parsed', () => {
    expect(problemsOf(`name: x\n# ${'x'.repeat(300_000)}\n`, 'large.yaml')).toEqual([
      'large.yaml:1:1: larger than 262144 bytes; a ruleset this long cannot be reviewed; shorten it',
    ]);
  });

  test('what no rule uses is in the way', () => {
    const text = smallRulesetText({ top: { reasons: { health: 'A reason.' }, lists: { few: ['x'] } } });
    expect(problemsOf(text, 'unused.yaml').map((problem) => problem.replace(/:1:\d+:/, ':'))).toEqual([
      'unused.yaml: reasons: health: used by no rule; remove it',
      'unused.yaml: lists: few: used by no rule; remove it',
    ]);
  });

  test('an attribute without a rule is named', () => {
    const text = smallRulesetText({}).replace(/"host\.name":\{[^}]*\},/, '');
    expect(problemsOf(text, 'gap.yaml')).toEqual([
      expect.stringMatching(/^gap\.yaml:1:\d+: attributes: host\.name: has no rule; add one; /),
    ]);
  });
});

test('a rule for one event goes before the rule for all', () => {
  const ruleset = smallRuleset({
    attributes: { 'process.pid': { do: 'keep' } },
    events: { 'process.exit': { 'process.pid': { do: 'drop', why: 'Not here.' } } },
  });
  expect(ruleset.events.get('process.exit')?.get('process.pid')?.do).toBe('drop');
  expect(ruleset.events.get('process.exec')?.get('process.pid')?.do).toBe('keep');
});

test('the digest is that of the bytes', () => {
  const one = smallRuleset({});
  const two = smallRuleset({ top: { version: 2 } });
  expect(one.digest).toMatch(/^[0-9a-f]{64}$/);
  expect(one.digest).not.toBe(two.digest);
});

describe('examples that do not hold', () => {
  const failing = (example: Record<string, unknown>): string | undefined => {
    const ruleset = smallRuleset({
      attributes: { 'process.pid': { do: 'keep' }, 'process.user.name': { do: 'pseudonym', scope: 'node' } },
      events: {
        'process.exit': {
          examples: [{ name: 'x', in: { 'process.pid': 1, 'process.user.name': 'alex' }, ...example }],
        },
      },
    });
    return failingExamples(ruleset)[0]?.problem;
  };
  const rows: readonly (readonly [string, Record<string, unknown>, string | undefined])[] = [
    ['one that holds', { out: { 'process.pid': 1, 'process.user.name': '…' } }, undefined],
    ['another value', { out: { 'process.pid': 2, 'process.user.name': '…' } }, 'process.pid: expected 2, released 1'],
    ['something more', { out: { 'process.pid': 1 } }, 'process.user.name: expected nothing, released "p-'],
    [
      'something less',
      { out: { 'process.pid': 1, 'process.user.name': '…', 'error.type': 'x' } },
      'error.type: expected "x", released undefined',
    ],
    [
      'in clear',
      { out: { 'process.pid': 1, 'process.user.name': 'alex' } },
      'process.user.name: expected "alex", released "p-',
    ],
    [
      'a word that must not stand there',
      { out: { 'process.pid': 1, 'process.user.name': '…' }, never: ['p-'] },
      'released "p-", which must stand nowhere',
    ],
  ];
  for (const [name, example, problem] of rows) {
    test(name, () => {
      if (problem === undefined) expect(failing(example)).toBeUndefined();
      else expect(failing(example)).toContain(problem);
    });
  }
});
