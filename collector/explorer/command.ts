/**
 * `hushwatch events QUERY`, `--histogram` and `--save-as-detector`: what the events page does, for a terminal and for programs.
 * Everything is returned as text; nothing is written.
 */
import { randomUUID } from 'node:crypto';
import { parseExamples } from '../detectors/examples.ts';
import { parseSigmaFile } from '../detectors/sigma/parse.ts';
import { planRules, type Clear } from '../detectors/sigma/plan.ts';
import { LEVELS, type SigmaRule } from '../detectors/sigma/rule.ts';
import { compileRules } from '../detectors/sigma/compile.ts';
import type { Mapping } from '../detectors/sigma/mapping.ts';
import { parseQuery, QuestionError } from './query.ts';
import { fileNameOf, toExamples, toSigma } from './query-sigma.ts';
import type { Found, FoundEvent } from './search.ts';

export interface Saved {
  /** `NAME.yml` and `tests/NAME.yaml`, both for a directory of rules. */
  readonly name: string;
  readonly rule: string;
  readonly examples: string;
  /** Where each rule would run under the rules in force. */
  readonly runs: readonly {
    readonly title: string;
    readonly runs: 'node' | 'collector' | 'blind';
    readonly why: string;
  }[];
}

export interface SaveOptions {
  readonly query: string;
  readonly title: string;
  readonly level: string;
  readonly author: string;
  readonly nowUs: number;
  readonly mapping: Mapping;
  /** What every ruleset in force releases as it is. */
  readonly clear: Clear;
  /** Some of what the search found: they become examples. */
  readonly found: readonly FoundEvent[];
}

/** A rule that `hushwatch detect test` takes as it is; throws QuestionError where Sigma could not ask the same. */
export function saveAsDetector({ query, title, level, author, nowUs, mapping, clear, found }: SaveOptions): Saved {
  const known = LEVELS.find((each) => each === level);
  if (known === undefined) throw new QuestionError(`a level is one of ${LEVELS.join(', ')}`);
  const parsed = parseQuery(query);
  const day = new Date(nowUs / 1_000).toISOString().slice(0, 10);
  const rule = toSigma({ query: parsed, text: query, title, level: known, author, day, newId: randomUUID });
  const name = fileNameOf(title);
  const rules = parseSigmaFile(rule, `${name}.yml`).filter((each): each is SigmaRule => each.kind === 'rule');
  const plan = planRules(rules, mapping, clear);
  const examples = toExamples(
    parsed,
    matched(rules, mapping, found).map(({ record }) => record),
  );
  return { name, rule, examples, runs: plan.map(({ rule: { title: of }, runs, why }) => ({ title: of, runs, why })) };
}

/** Found events as the rule sees them once they were written down: those whose values were redacted may not be found again. */
function matched(rules: readonly SigmaRule[], mapping: Mapping, found: readonly FoundEvent[]): readonly FoundEvent[] {
  const matcher = compileRules(rules, mapping);
  return found.filter(({ record }) => matcher.match({ name: record.event, attributes: record }).length > 0);
}

export const describeSaved = ({ name, rule, examples, runs }: Saved): string =>
  [
    `# ${name}.yml`,
    ...runs.map(({ runs: where, why }) => `# runs ${where === 'blind' ? 'nowhere' : `on the ${where}`}: ${why}`),
    rule,
    ...(parseExamples(examples, name).match.length === 0 ? [] : [`# tests/${name}.yaml`, ...commented(examples)]),
  ].join('\n');

const commented = (text: string): readonly string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => `# ${line}`);

const BAR = 50;

export function describeHistogram({ total, buckets, kinds, bucketUs }: Found): string {
  const most = Math.max(1, ...buckets.map(({ events }) => events));
  const bars = buckets.map(({ time, events }) => {
    const bar = '#'.repeat(Math.ceil((events / most) * BAR)).padEnd(BAR);
    return `${new Date(time / 1_000).toISOString().slice(0, 19)}Z ${bar} ${events}\n`;
  });
  const named = kinds.map(({ event, events }) => `${String(events).padStart(10)} ${event}\n`);
  return `${total} events; a line is ${bucketUs / 1e6} s\n\n${bars.join('')}\n${named.join('')}`;
}

/** As `hushwatch events` has always printed them: JSON, with where it came from in front. Oldest first. */
export function linesOf({ events }: Found): readonly string[] {
  return events.toReversed().map(({ node, sequence, epoch, record }) => {
    const known = epoch === undefined ? {} : { epoch };
    return JSON.stringify({ node, sequence, ...known, ...record });
  });
}
