/** `hushwatch detect show`, `hushwatch cohort` and `hushwatch detect backtest --change`: what the pages of detectors and cohorts show. */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { HOME } from '../command.ts';
import { cohortReports, describeCohort } from '../detectors/cohort-report.ts';
import { DAY, HOUR } from '../detectors/detector.ts';
import { knobsOf } from '../detectors/knobs.ts';
import { readInForce } from '../in-force.ts';
import { Registry } from '../registry.ts';
import { Rulesets } from '../rulesets.ts';
import { NoState, State } from '../state.ts';
import { describeReport, describeRows, detectorReport, detectorRows, type ReportOptions } from './detector-report.ts';
import { describeTried, readChange, tryChange } from './try-change.ts';

export const SHOW_USAGE = `usage: hushwatch detect show [ID] [--since 7d] [--home DIRECTORY] [--json]
       hushwatch detect backtest --change FILE [--since 7d] [--most 100] [--progress] [--home DIRECTORY] [--json]
       hushwatch cohort [NAME] [--home DIRECTORY] [--json]

show     every detector with how often it spoke; of one (a rule's id, or the name of a baseline) all that is known: what it says and
         why, about whom, its knobs and where they are set, suppressions, what people said
backtest before and after of a change that is only a text: knobs as in collector.yaml (detectors:), suppressions, Sigma rules or
         filters; FILE may be - for the standard input. --progress says how far it is, a JSON object a line. Nothing is written
cohort   each node beside its peers in the last whole hour: which differs, in what, and what is normal

`;

/** Told in a line; exit 1. */
class NotThere extends Error {}

export const cohortMain = (args: string[]): Promise<number> => guarded('cohort', args, showCohorts);
export const showMain = (args: string[]): Promise<number> => guarded('detect show', args, showDetectors);
export const tryMain = (args: string[]): Promise<number> => guarded('detect backtest', args, showTrial);

type Values = ReturnType<typeof parse>;

function parse(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      home: { type: 'string', default: HOME },
      since: { type: 'string', default: '7d' },
      change: { type: 'string', default: '-' },
      most: { type: 'string', default: '100' },
      progress: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [, n = '', unit = ''] = /^([0-9]{1,6})([hd])$/.exec(values.since) ?? [];
  if (n === '') throw new NotThere('--since is a number and h or d, such as 7d');
  if (!/^[0-9]{1,6}$/.test(values.most)) throw new NotThere('--most is a whole number');
  if (positionals.length > 1) throw new NotThere(`what is ${positionals[1] ?? ''}?`);
  const nowUs = Date.now() * 1_000;
  const sinceUs = nowUs - Number(n) * (unit === 'd' ? DAY : HOUR);
  return { ...values, most: Number(values.most), home: resolve(values.home), nowUs, sinceUs, subject: positionals[0] };
}

function guarded(command: string, args: string[], work: (values: Values) => string): Promise<number> {
  try {
    process.stdout.write(work(parse(args)));
    return Promise.resolve(0);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const isUsage = 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    process.stderr.write(`hushwatch ${command}: ${error.message}\n${isUsage ? SHOW_USAGE : ''}`);
    return Promise.resolve(isUsage ? 2 : error instanceof NotThere || error instanceof NoState ? 1 : 3);
  }
}

const json = (value: unknown): string => `${JSON.stringify(value)}\n`;

function showDetectors({ home, subject, sinceUs, nowUs, json: isJson }: Values): string {
  using state = State.beside(home);
  const inForce = readInForce(join(home, 'collector.yaml'), nowUs);
  const options: ReportOptions = {
    ...{ home, inForce, rulesets: Rulesets.open(join(home, 'rulesets')), state, sinceUs, nowUs },
  };
  if (subject === undefined) {
    const rows = detectorRows(options);
    return isJson ? rows.map(json).join('') : describeRows(rows);
  }
  const report = detectorReport(subject, options);
  if (report === undefined) throw new NotThere(`there is no detector ${subject}; \`hushwatch detect show\` lists them`);
  return isJson ? json(report) : describeReport(report);
}

function showCohorts({ home, subject, nowUs, json: isJson }: Values): string {
  using state = State.beside(home);
  const { tuning } = readInForce(join(home, 'collector.yaml'), nowUs);
  const sent = new Map(state.nodes().map((node) => [node.name, node.lastReceived]));
  const nodes = Registry.open(join(home, 'nodes.yaml'))
    .nodes()
    .map(({ name, cohort }) => ({ name, cohort, lastReceived: sent.get(name) ?? 0 }));
  const reports = cohortReports(state.detectorState('cohort'), nodes, knobsOf('cohort', tuning));
  const shown = reports.filter(({ name }) => subject === undefined || name === subject);
  if (shown.length === 0) throw new NotThere(`there is no cohort ${subject ?? ''}`);
  return isJson ? shown.map(json).join('') : shown.map(describeCohort).join('\n');
}

function showTrial({ home, change, sinceUs, nowUs, most, progress, json: isJson }: Values): string {
  const text = readChange(change);
  using state = State.beside(home);
  const tried = tryChange({ home, state, change: text, sinceUs, nowUs, most, onProgress: progressOf(progress) });
  return isJson ? json(tried) : describeTried(tried);
}

/** For a program, or on a terminal; each percent once. */
function progressOf(forPrograms: boolean): ((done: number, events: number) => void) | undefined {
  if (!forPrograms && !process.stderr.isTTY) return undefined;
  let last = -1;
  return (done, events) => {
    const percent = Math.floor(done * 100);
    if (percent === last) return;
    last = percent;
    process.stderr.write(forPrograms ? json({ done: percent / 100, events }) : `\r${percent} %, ${events} events `);
  };
}
