/**
 * `hushwatch rules`: what a reviewer asks of a ruleset. Reads the files it is given, writes nothing but text.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ATTRIBUTES } from '#protocol/vocabulary.ts';
import { ProtocolError } from '#protocol/error.ts';
import { oracleOf, totalsOf } from '../collector/detectors/oracle.ts';
import { loadPack, STARTER_PACK } from '../collector/detectors/pack.ts';
import { SigmaError } from '../collector/detectors/sigma/error.ts';
import { clearOf, planRules, type PlannedRule } from '../collector/detectors/sigma/plan.ts';
import { approve, ApproveUsage, makeKey, NotPublished, publish } from './approve.ts';
import { failingExamples } from './examples.ts';
import { diffRulesets } from './diff.ts';
import { CHANGES, type DiffRow } from './difference.ts';
import { explainRows, explainSums, explainText, shown } from './explain.ts';
import { exposure } from './exposure.ts';
import { oracleText } from './oracle.ts';
import { NotEvidence, releasedLines } from './released-lines.ts';
import { diffReport, explainReport } from './report.ts';
import { oracleReport, tablesReport } from './report-tables.ts';
import { changeTables, changeText, opening, riskTables, riskText } from './risk-text.ts';
import { changesOf, RiskMeter, type Risk } from './risk.ts';
import { rulesetSchema } from './ruleset-schema.ts';
import { parseRuleset, RulesetError, type Ruleset } from './ruleset.ts';
import { sizeInWords } from './sum-text.ts';
import { verifyApproval } from './verify.ts';

const USAGE = `usage: hushwatch rules check FILE... [--json]
       hushwatch rules explain FILE [--event NAME] [--pack DIRECTORY] [--html | --json]
       hushwatch rules diff BEFORE AFTER [--html | --json]
       hushwatch rules preview FILE [--frames FILE | --lines FILE --from EXPORTER] [--event NAME] [--each 3] [--limit 20]
       hushwatch rules oracle FILE [--pack DIRECTORY] [--html | --json]
       hushwatch rules risk [BEFORE] EVIDENCE [--k 5,20] [--before RULESET] [--after RULESET] [--html | --json]
       hushwatch rules schema
       hushwatch rules key NAME --out FILE
       hushwatch rules approve FILE --key KEY --name REVIEWER --out APPROVAL
       hushwatch rules approve --pack DIRECTORY --version N --key KEY --name REVIEWER --out APPROVAL
       hushwatch rules publish APPROVAL --collector DIRECTORY [--ruleset FILE] [--out DIRECTORY]
       hushwatch rules verify APPROVAL --reviewers FILE [--proof FILE --log FILE] [--ruleset FILE | --pack DIRECTORY]

check    is it a ruleset, does it cover every attribute, do its examples hold?
explain  a table for each event: what leaves, why, and who uses it; --html: a page that prints well
diff     what newly leaves, what no longer does, what is told or can be joined otherwise
preview  events as they are and what would leave of them: live, recorded, or another exporter's; sends nothing
oracle   what the detection rules that run on nodes can tell of what does not leave, the worst first
risk     of released lines (a collector's directory, or files of lines): what few processes or nodes share, how much is
         left to guess, what joins; with two, or with --before and --after to choose by ruleset, as a change
schema   JSON Schema of rulesets, for editors
key      a reviewer's key; prints the line for the list of reviewers
approve  sign a ruleset, or a pack of rules that run on nodes; a note that others signed gets one signature more
publish  hand an approval to a collector and wait until it is in the log; --out takes it, with its proof, for nodes
verify   from public keys alone: did enough reviewers sign, does it stand in the log, is this file what they signed?

example: hushwatch rules explain redaction-rules/rulesets/generic-linux.yaml --event process.exec
`;

const DONE = 0;
const FAILED = 1;
const WRONG_USAGE = 2;
const WRONG_CONFIGURATION = 3;
const VERIFICATION_SAYS_NO = 4;

export async function main(args: string[]): Promise<number> {
  const [verb, ...rest] = args;
  try {
    switch (verb) {
      case 'check':
        return check(rest);
      case 'explain':
        return explain(rest);
      case 'diff':
        return diff(rest);
      case 'oracle':
        return oracle(rest);
      case 'risk':
        return risk(rest);
      case 'schema':
        process.stdout.write(`${JSON.stringify(rulesetSchema(), undefined, 2)}\n`);
        return DONE;
      case 'key':
        makeKey(rest);
        return DONE;
      case 'approve':
        approve(rest);
        return DONE;
      case 'publish':
        await publish(rest);
        return DONE;
      case 'verify':
        return verify(rest);
      case '--help':
      case 'help':
        process.stdout.write(USAGE);
        return DONE;
      default:
        return usage(verb === undefined ? 'no command' : `no command ${verb}`);
    }
  } catch (error) {
    return failed(error);
  }
}

function usage(problem: string): number {
  process.stderr.write(`hushwatch rules: ${problem}\n${USAGE}`);
  return WRONG_USAGE;
}

function failed(error: unknown): number {
  if (error instanceof RulesetError) {
    for (const problem of error.problems) process.stderr.write(`${problem}\n`);
    const count = error.problems.length;
    process.stderr.write(
      `hushwatch rules: ${count === 1 ? 'one problem' : `${count} problems`}; nothing would be released\n`,
    );
    return WRONG_CONFIGURATION;
  }
  if (error instanceof ApproveUsage) return usage(error.message);
  const isAnswer = [ProtocolError, SigmaError, NotEvidence, NotPublished].some((kind) => error instanceof kind);
  if (isAnswer && error instanceof Error) {
    process.stderr.write(`hushwatch rules: ${error.message}\n`);
    return FAILED;
  }
  if (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')) {
    return usage(error.message.charAt(0).toLowerCase() + error.message.slice(1));
  }
  if (error instanceof Error && 'syscall' in error) {
    process.stderr.write(`hushwatch rules: ${error.message}\nhint: name a file that can be read\n`);
    return WRONG_CONFIGURATION;
  }
  throw error;
}

function verify(args: string[]): number {
  const { holds, text } = verifyApproval(args);
  process.stdout.write(text);
  return holds ? DONE : VERIFICATION_SAYS_NO;
}

/** For people, for tools, or to print. */
const FORMS = { json: { type: 'boolean', default: false }, html: { type: 'boolean', default: false } } as const;

const load = (file: string): Ruleset => parseRuleset(readFileSync(file, 'utf8'), file);

function check(args: string[]): number {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false } },
  });
  if (positionals.length === 0) return usage('check what?');
  return Math.max(...positionals.map((file) => checkFile(file, values.json)));
}

function checkFile(file: string, json: boolean): number {
  const ruleset = load(file);
  const failures = failingExamples(ruleset);
  const rows = exposure(ruleset);
  const unused = new Set(rows.filter((row) => row.leaves && row.for.length === 0).map((row) => row.attribute));
  const leaving = new Set(rows.filter((row) => row.leaves).map((row) => row.attribute)).size;
  const { name, version, role, digest, examples, sums } = ruleset;
  const [attributes, holding] = [Object.keys(ATTRIBUTES).length, examples.length - failures.length];
  if (json) {
    const failing = failures.map(({ example, problem }) => ({ name: example.name, line: example.line, problem }));
    const told = { leaving, attributes, examples: examples.length, failing, unused: [...unused] };
    writeLines([{ file, name, version, role, digest, ...told, sums: sums.map((sum) => sum.name) }]);
    return failures.length === 0 ? DONE : FAILED;
  }
  for (const { example, problem } of failures)
    process.stderr.write(`${file}:${example.line}: example "${example.name}": ${problem}\n`);
  for (const attribute of unused)
    process.stderr.write(`${file}: ${attribute} leaves, but nobody is named who uses it\n`);
  process.stdout.write(
    `${name} ${version}: ${leaving} of ${attributes} attributes leave in some form; ` +
      `${holding} of ${examples.length} examples hold\n` +
      sums.map((sum) => `sum ${sum.name}: ${sum.events.join(', ')}: ${sizeInWords(sum)}\n`).join('') +
      `sha256 ${digest}\n`,
  );
  return failures.length === 0 ? DONE : FAILED;
}

function explain(args: string[]): number {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...FORMS, event: { type: 'string' }, pack: { type: 'string', default: STARTER_PACK } },
  });
  const [file, more] = positionals;
  if (file === undefined || more !== undefined) return usage('explain one file');
  const ruleset = load(file);
  const plan = planOf(values.pack, ruleset);
  const rows = explainRows(ruleset, plan).filter((row) => values.event === undefined || row.event === values.event);
  if (rows.length === 0) return usage(`no event ${values.event ?? ''}`);
  if (values.json) writeLines([...rows, ...explainSums(ruleset, new Set(rows.map(({ event }) => event)))]);
  else
    process.stdout.write(
      values.html ? explainReport(ruleset, rows) : explainText(ruleset, rows, process.stdout.columns),
    );
  return DONE;
}

/** Where the rules of a pack run under a ruleset. */
function planOf(directory: string, ruleset: Ruleset): readonly PlannedRule[] {
  const { rules, mapping } = loadPack(directory);
  return planRules(rules, mapping, clearOf(exposure(ruleset)));
}

function writeLines(rows: readonly unknown[]): void {
  for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
}

function oracle(args: string[]): number {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...FORMS, pack: { type: 'string', default: STARTER_PACK } },
  });
  const [file, more] = positionals;
  if (file === undefined || more !== undefined) return usage('oracle wants one ruleset');
  const ruleset = load(file);
  const plan = planOf(values.pack, ruleset);
  const rows = oracleOf(plan, exposure(ruleset));
  if (values.json) writeLines(rows);
  else if (values.html) process.stdout.write(oracleReport(`${ruleset.name} ${ruleset.version}`, rows, totalsOf(plan)));
  else process.stdout.write(rows.length === 0 ? 'no rule runs on nodes\n' : oracleText(rows, totalsOf(plan)));
  return DONE;
}

function diff(args: string[]): number {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: FORMS,
  });
  const [before, after, more] = positionals;
  if (before === undefined || after === undefined || more !== undefined) return usage('diff needs two files');
  const [was, is] = [load(before), load(after)];
  const rows = diffRulesets(was, is);
  if (values.json) writeLines(rows);
  else if (values.html) process.stdout.write(diffReport(was, is, rows));
  else process.stdout.write(rows.length === 0 ? 'no difference in what leaves\n' : differences(rows));
  return DONE;
}

function risk(args: string[]): number {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...FORMS,
      k: { type: 'string', default: '5,20' },
      before: { type: 'string' },
      after: { type: 'string' },
    },
  });
  const [first, second, more] = positionals;
  const ks = values.k.split(',').map(Number);
  if (first === undefined || more !== undefined) return usage('risk of what?');
  if (!ks.every((k) => Number.isInteger(k) && k > 1 && k <= MAX_K)) return usage(`--k: numbers from 2 to ${MAX_K}`);
  const after = riskOf(second ?? first, ks, values.after);
  const before = second === undefined && values.before === undefined ? undefined : riskOf(first, ks, values.before);
  if (values.json) writeLines([before === undefined ? after : { before, after, changes: changesOf(before, after) }]);
  else if (values.html) process.stdout.write(riskReport(before, after, ks));
  else process.stdout.write(before === undefined ? riskText(after, ks) : changeText(before, after, ks));
  return DONE;
}

function riskReport(before: Risk | undefined, after: Risk, ks: readonly number[]): string {
  if (before === undefined) return tablesReport('What remains guessable', [opening(after)], riskTables(after, ks));
  const said = [`Before: ${opening(before)}`, `After: ${opening(after)}`];
  return tablesReport('What remains guessable, before and after', said, changeTables(before, after, ks));
}

const MAX_K = 1000;

/** Of all lines at a place, or of those that were released under a ruleset. */
function riskOf(place: string, ks: readonly number[], rulesetFile: string | undefined): Risk {
  const digest = rulesetFile === undefined ? undefined : load(rulesetFile).digest;
  const meter = new RiskMeter(ks);
  for (const { line, node, ruleset, epoch } of releasedLines(place)) {
    if (digest === undefined || ruleset === digest) meter.observe(line, node, epoch);
  }
  return meter.result();
}

function differences(rows: readonly DiffRow[]): string {
  return CHANGES.flatMap((change) => {
    const own = rows.filter((row) => row.change === change);
    return own.length === 0 ? [] : [`${change}\n${own.map(difference).join('')}`];
  }).join('\n');
}

function difference({ attribute, events, what, example }: DiffRow): string {
  const where = events.length > 3 ? `${events.length} events` : events.join(', ');
  const becomes = (value: unknown): string => (value === undefined ? 'nothing' : shown(value));
  return `  ${attribute}  (${where})\n    ${what}\n    ${shown(example.in)}: ${becomes(example.before)} -> ${becomes(example.after)}\n`;
}
