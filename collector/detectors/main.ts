/**
 * `hushwatch detect`: try detection rules before they are deployed.
 *
 * Reads files, writes only to stdout and stderr. Exit 0 done, 1 a rule does not do what its examples say, 2 usage,
 * 3 a rule or ruleset that cannot be read.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { exposure } from '../../redaction-rules/exposure.ts';
import { parseRuleset } from '../../redaction-rules/ruleset.ts';
import { parseExamples, type Example, type Examples } from './examples.ts';
import { NoState, State } from '../state.ts';
import { failureOf, parseBaselineExamples, runBaselineExample, type BaselineExample } from './baseline-examples.ts';
import { curveOf, describeCurve, type KnownFinding } from './curve.ts';
import { DAY, HOUR } from './detector.ts';
import { describeKnobs } from './knobs.ts';
import { loadPack, STARTER_PACK, type Pack } from './pack.ts';
import { POINTS } from './points.ts';
import { compileRules } from './sigma/compile.ts';
import { clearOf, planRules, type PlannedRule } from './sigma/plan.ts';
import { planCorrelations } from './sigma/plan-correlation.ts';
import { LEVELS, type SigmaCorrelation, type SigmaRule } from './sigma/rule.ts';

const USAGE = `usage: hushwatch detect test [DIRECTORY]
       hushwatch detect plan [DIRECTORY] [--ruleset FILE] [--json]
       hushwatch detect knobs
       hushwatch detect budget [--home DIRECTORY] [--since 7d] [--most 20] [--json]

test   runs each rule's examples: tests/RULE.yaml beside the rules, tests/ordinary.yaml for all; and those of the baselines
knobs  lists what collector.yaml may say about the baselines under detectors, with defaults and units
budget says for budgets of 1 to --most stories a day what would have been shown, and which of the stories marked true
       and of the detectors' own examples are kept (collector.yaml: detectors.stories.alerts_per_day)
plan   says for each rule and correlation where it runs under a ruleset (without one: nothing is released): on the node,
       with what it reads that does not leave; on the collector; or nowhere, and why

DIRECTORY holds Sigma rules, SigmaHQ's as they are, and may hold mapping/NAME.yaml, laid over our mapping, and
placeholders/NAME.txt, the values of %NAME%. Without a directory it is the pack that comes along.

example: hushwatch detect plan --ruleset redaction-rules/rulesets/generic-linux.yaml
`;

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const HOME =
  process.env['HUSHWATCH_COLLECTOR'] ??
  join(process.env['HUSHWATCH_HOME'] ?? join(CHECKOUT, '.hushwatch'), 'collector');
const MAX_STORIES = 100_000;

/** What of the world the command touches. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

const STREAMS: Output = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

export function main(args: readonly string[], { out, err }: Output = STREAMS): Promise<number> {
  try {
    return Promise.resolve(run(args, { out, err }));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const isUsage = 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    err(`hushwatch detect: ${error.message}\n${isUsage ? USAGE : ''}`);
    if (isUsage) return Promise.resolve(2);
    return Promise.resolve(error instanceof NoState ? 1 : 3);
  }
}

function run(args: readonly string[], output: Output): number {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ruleset: { type: 'string' },
      home: { type: 'string', default: HOME },
      since: { type: 'string', default: '7d' },
      most: { type: 'string', default: '20' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [command, directory = STARTER_PACK, ...more] = positionals;
  if (values.help === true) {
    output.out(USAGE);
    return 0;
  }
  if (command === 'knobs' && positionals.length === 1) {
    output.out(`${describeKnobs()}\n`);
    return 0;
  }
  if (command === 'budget' && positionals.length === 1) return showBudget(values, output);
  if (more.length > 0 || (command !== 'test' && command !== 'plan')) {
    output.err(USAGE);
    return 2;
  }
  const pack = loadPack(directory);
  return command === 'test'
    ? Math.max(testPack(pack, directory, output), directory === STARTER_PACK ? testBaselines(output) : 0)
    : showPlan(pack, values.ruleset, values.json === true, output);
}

function testPack(pack: Pack, directory: string, { out }: Output): number {
  const failures = pack.rules.flatMap((rule) => {
    const examples = loadExamples(directory, rule.file);
    return examples === undefined ? [] : testRule(rule, examples, pack);
  });
  failures.push(...testOrdinary(pack, loadExamples(directory, 'ordinary.yml')));
  for (const failure of failures) out(`${failure}\n`);
  const untested = pack.rules.filter((rule) => loadExamples(directory, rule.file) === undefined).length;
  out(`${pack.rules.length} rules, ${failures.length} failures, ${untested} rules without examples\n`);
  return failures.length === 0 ? 0 : 1;
}

/** The baselines are no files of a pack; their examples are run with the pack that comes along. */
function testBaselines({ out }: Output): number {
  const examples = baselineExamples();
  const failures = examples.map(failureOf).filter((failure) => failure !== undefined);
  for (const failure of failures) out(`${failure}\n`);
  out(`${examples.length} examples of baselines, ${failures.length} failures\n`);
  return failures.length === 0 ? 0 : 1;
}

function baselineExamples(): readonly BaselineExample[] {
  const directory = fileURLToPath(new URL('examples', import.meta.url));
  return readdirSync(directory).flatMap((name) =>
    parseBaselineExamples(readFileSync(join(directory, name), 'utf8'), name.replace(/\.yaml$/, ''), name),
  );
}

interface BudgetAsked {
  readonly home: string;
  readonly since: string;
  readonly most: string;
  readonly json?: boolean | undefined;
}

function showBudget({ home, since, most, json }: BudgetAsked, { out, err }: Output): number {
  const [, n = '', unit = ''] = /^([0-9]{1,6})([hd])$/.exec(since) ?? [];
  if (n === '' || !/^[1-9][0-9]{0,2}$/.test(most)) {
    err(`hushwatch detect: --since is a number and h or d, such as 7d; --most is a number up to 999\n${USAGE}`);
    return 2;
  }
  using state = State.beside(home);
  const sinceUs = Date.now() * 1000 - Number(n) * (unit === 'd' ? DAY : HOUR);
  const stories = state.stories({ limit: MAX_STORIES, minSeverity: 'medium', sinceUs });
  const marks = new Map(state.verdicts().map(({ story, verdict }) => [story, verdict]));
  const budgets = [...Array.from({ length: Number(most) }, (_, i) => i + 1), 0];
  const curve = curveOf(stories, marks, knownFindings(), budgets);
  out(json === true ? `${JSON.stringify(curve)}\n` : describeCurve(curve));
  return 0;
}

/** What examples say must alert: each rule that has some that match, each example of a baseline. */
function knownFindings(): readonly KnownFinding[] {
  const pack = loadPack(STARTER_PACK);
  const rules = pack.rules.filter(({ file }) => (loadExamples(STARTER_PACK, file)?.match.length ?? 0) > 0);
  const stories = baselineExamples().flatMap((example) => runBaselineExample(example).stories);
  return [...rules.map(({ level }) => ({ score: POINTS[level], severity: level })), ...stories];
}

/** Examples of one rule file, or undefined when nobody wrote any. */
export function loadExamples(directory: string, ruleFile: string): Examples | undefined {
  const file = join('tests', ruleFile.replace(/\.yml$/, '.yaml'));
  const path = join(directory, file);
  return existsSync(path) ? parseExamples(readFileSync(path, 'utf8'), file) : undefined;
}

const placeOf = ({ file, line }: Example): string => `${file}:${line}`;

function testRule(rule: SigmaRule, { match, quiet }: Examples, pack: Pack): readonly string[] {
  const matcher = compileRules([rule], pack.mapping);
  const isMatched = (example: Example): boolean => matcher.match(example).length > 0;
  return [
    ...match
      .filter((example) => !isMatched(example))
      .map((example) => `${placeOf(example)}: ${rule.file} does not match`),
    ...quiet.filter(isMatched).map((example) => `${placeOf(example)}: ${rule.file} matches and should not`),
  ];
}

/** No rule of level medium or above may match what an ordinary machine does. */
function testOrdinary(pack: Pack, examples: Examples | undefined): readonly string[] {
  const loud = pack.rules.filter(({ level }) => LEVELS.indexOf(level) >= LEVELS.indexOf('medium'));
  const files = new Map(loud.map((rule) => [rule.id, rule.file]));
  const matcher = compileRules(loud, pack.mapping);
  return (examples?.quiet ?? []).flatMap((example) =>
    matcher.match(example).map((id) => `${placeOf(example)}: ${files.get(id) ?? id} matches an ordinary event`),
  );
}

function showPlan(pack: Pack, rulesetFile: string | undefined, json: boolean, { out }: Output): number {
  const rows = rulesetFile === undefined ? [] : exposure(parseRuleset(readFileSync(rulesetFile, 'utf8'), rulesetFile));
  const leaving = new Set(rows.filter(({ leaves }) => leaves).map((row) => `${row.event} ${row.attribute}`));
  const rules = planRules(pack.rules, pack.mapping, clearOf(rows));
  const correlations = planCorrelations(pack.correlations, rules, pack.mapping, leaving);
  if (json) {
    for (const { rule, runs, why, withheld, missing } of rules)
      out(`${JSON.stringify({ ...headOf(rule), runs, why, withheld, missing })}\n`);
    for (const { correlation, runs, why } of correlations)
      out(`${JSON.stringify({ ...headOf(correlation), runs, why })}\n`);
    return 0;
  }
  const lines = [
    ...rules.map(({ rule, runs, why }) => ({ file: rule.file, runs, why })),
    ...correlations.map(({ correlation, runs, why }) => ({ file: correlation.file, runs, why })),
  ];
  const width = Math.max(...lines.map(({ file }) => file.length));
  for (const { file, runs, why } of lines) out(`${runs.padEnd(9)}  ${file.padEnd(width)}  ${why}\n`);
  const count = (where: PlannedRule['runs']): number => lines.filter(({ runs }) => runs === where).length;
  out(`${count('node')} on the node, ${count('collector')} on the collector, ${count('blind')} blind\n`);
  return 0;
}

const headOf = ({ kind, id, file, line, level }: SigmaRule | SigmaCorrelation): object => ({
  kind,
  id,
  file,
  line,
  level,
});
