/**
 * Runs the examples of a ruleset: what goes in, what must come out, what must stand nowhere.
 *
 * An event that must be part of a sum names the sum instead. In what must come out, `…` stands for a pseudonym, for a mapped address or for what was taken away.
 */
import type { Value } from '#protocol/vocabulary.ts';
import { compileRuleset, type PseudonymKeys, type Redactor } from './compile.ts';
import type { Example, Ruleset } from './ruleset.ts';
import { GONE } from './shapes.ts';
import { holderOf, type Sum } from './sums.ts';

/** Keys that anybody may know: examples show form, not values. */
export const EXAMPLE_KEYS: PseudonymKeys = {
  node: Buffer.alloc(32, 1),
  cohort: Buffer.alloc(32, 2),
  fleet: Buffer.alloc(32, 3),
};

export interface ExampleFailure {
  readonly example: Example;
  readonly problem: string;
}

/** What an event becomes, as attributes. */
export function releasedOf(
  redactor: Redactor,
  event: string,
  attributes: Readonly<Record<string, unknown>>,
  time = 0,
): Readonly<Record<string, unknown>> {
  const line = redactor.redact({ name: event, time, attributes })?.line;
  const parsed: unknown = line === undefined ? {} : JSON.parse(line);
  const entries = typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : [];
  return Object.fromEntries(entries.filter(([name]) => name !== 'event' && name !== 'time'));
}

export function failingExamples(ruleset: Ruleset): readonly ExampleFailure[] {
  const redactor = compileRuleset(ruleset, EXAMPLE_KEYS);
  const holder = holderOf(ruleset.sums);
  return ruleset.examples.flatMap((example) => {
    const problem =
      summedProblem(example, holder(example.event, example.in)) ??
      (example.sum === undefined ? problemOf(example, releasedOf(redactor, example.event, example.in)) : undefined);
    return problem === undefined ? [] : [{ example, problem }];
  });
}

function summedProblem({ sum }: Example, held: Sum | undefined): string | undefined {
  if (held?.name === sum) return undefined;
  return held === undefined ? `expected in the sum ${sum}, leaves by itself` : `leaves in the sum ${held.name} only`;
}

function problemOf(example: Example, out: Readonly<Record<string, unknown>>): string | undefined {
  for (const [name, wanted] of Object.entries(example.out)) {
    const got = out[name];
    if (!matches(wanted, got)) return `${name}: expected ${JSON.stringify(wanted)}, released ${JSON.stringify(got)}`;
  }
  const extra = Object.keys(out).find((name) => !Object.hasOwn(example.out, name));
  if (extra !== undefined) return `${extra}: expected nothing, released ${JSON.stringify(out[extra])}`;
  const line = JSON.stringify(out);
  const leaked = example.never.find((text) => line.includes(text));
  return leaked === undefined ? undefined : `released ${JSON.stringify(leaked)}, which must stand nowhere`;
}

function matches(wanted: Value, got: unknown): boolean {
  if (typeof wanted === 'string') return typeof got === 'string' && matchesText(wanted, got);
  if (typeof wanted === 'object') {
    if (!Array.isArray(got) || got.length !== wanted.length) return false;
    const items: readonly unknown[] = got;
    return wanted.every((item, at) => matches(item, items[at]));
  }
  return wanted === got;
}

/** One pseudonym, mapped address or mark of removal; the letters in front of an address may be written out. */
const ANYTHING = '(?:…|p-[a-z2-7]{8,52}|(?:p-)?[0-9a-f.:]{2,45})';

function matchesText(wanted: string, got: string): boolean {
  if (!wanted.includes(GONE)) return wanted === got;
  const pattern = wanted
    .split(GONE)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join(ANYTHING);
  return new RegExp(`^${pattern}$`, 'u').test(got);
}
