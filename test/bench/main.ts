/**
 * `npm run bench [-- PART…]`: what it costs, beside peers and a baseline measured in the same run. Wants root; what it compares
 * with is installed.
 *
 *     line        CPU of each process, slow-down and memory under a paced load, a burst, a spawn loop
 *     redis, compile, spawn   what these get slower by, in interleaved rounds
 *     classes     one event of each kind: in the kernel, and in each process
 *     collector   events a second through the collector
 *     detection   events a second through 50, 210 and 3,000 rules, on the node and on the collector
 *     backtest    a back-test of ten million events; what a thousand nodes cost in memory and to save
 *     redaction   events a second through redaction, beside other redactors
 *
 *     --json   --seconds N   --rounds N   --loads paced,burst,spawn   --only TOOL,…
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchApplications, WORKS } from './applications.ts';
import { benchBacktest, benchNodes } from './backtest.ts';
import { benchClasses } from './classes.ts';
import { benchCollector } from './collector.ts';
import { benchDetection } from './detection.ts';
import { benchLine } from './line.ts';
import { benchRedaction } from './redaction.ts';
import {
  applicationTable,
  backtestLines,
  classTable,
  collectorLines,
  detectionTable,
  lineTable,
  memoryTable,
  redactionTable,
} from './report.ts';
import { install } from './tools.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    loads: { type: 'string', default: 'paced,burst,spawn' },
    only: { type: 'string', default: '' },
  },
});
const PARTS = ['line', ...WORKS.map(({ name }) => name), 'classes', 'collector', 'detection', 'backtest', 'redaction'];
const unknown = positionals.filter((name) => !PARTS.includes(name));
const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
if (unknown.length > 0) {
  say(`bench: no such part: ${unknown.join(', ')}; there are ${PARTS.join(', ')}`);
  process.exit(2);
}

const wanted = (part: string): boolean => positionals.length === 0 || positionals.includes(part);
const list = (text: string): readonly string[] => text.split(',').filter(Boolean);
const works = WORKS.filter(({ name }) => wanted(name));
const home = mkdtempSync(join(tmpdir(), 'hushwatch-load-'));

function compileLoad(): string {
  const program = join(home, 'load');
  const source = fileURLToPath(new URL('load.c', import.meta.url));
  const built = spawnSync('cc', ['-O2', '-static', '-pthread', '-o', program, source], { stdio: 'inherit' });
  if (built.status !== 0) throw new Error('the load did not compile');
  return program;
}

/** What else the machine does gets in the way less of tools and loads alike. Sessions would each get a share of their own. */
function undisturbed(): void {
  if (process.getuid?.() !== 0) return;
  const file = '/proc/sys/kernel/sched_autogroup_enabled';
  const before = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  if (before !== undefined) {
    writeFileSync(file, '0');
    process.once('exit', () => writeFileSync(file, before));
  }
  setPriority(-10);
}

/** Every program at the exit of system calls costs each of them: a baseline with strangers there is not bare. */
function strangers(): number {
  const shown = spawnSync('/usr/sbin/bpftool', ['-j', 'prog', 'show'], { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (shown.status !== 0) return 0;
  const programs: readonly { readonly type?: string }[] = JSON.parse(shown.stdout);
  return programs.filter(({ type }) => type === 'tracing').length;
}

try {
  undisturbed();
  const others = strangers();
  if (others > 0) say(`bench: ${others} tracing programs of others run beside everything here, the baseline too`);
  const load = compileLoad();
  const compared = wanted('line') || works.length > 0 ? ['auditd', 'laurel'] : [];
  const redactors = wanted('redaction') ? ['rsyslog'] : [];
  install([...compared, ...redactors, ...works.flatMap(({ packages }) => packages)], say);
  const line = wanted('line')
    ? await benchLine(load, Number(values.seconds), list(values.loads), list(values.only), say)
    : [];
  const applications = works.length > 0 ? await benchApplications(load, works, Number(values.rounds), say) : [];
  const classes = wanted('classes') ? await benchClasses(load, say) : [];
  const collector = wanted('collector') ? await benchCollector() : undefined;
  const detection = wanted('detection') ? benchDetection(say) : [];
  const backtest = wanted('backtest')
    ? { backtest: benchBacktest(10_000_000, say), nodes: benchNodes(say) }
    : undefined;
  const redaction = wanted('redaction') ? await benchRedaction(say) : [];
  const tables = [
    lineTable(line),
    memoryTable(line),
    applicationTable(applications),
    classTable(classes),
    detectionTable(detection),
    redactionTable(redaction),
  ];
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ line, applications, classes, collector, detection, backtest, redaction }, null, 2)}\n`
      : `${[...tables, backtestLines(backtest), collectorLines(collector)].filter(Boolean).join('\n\n')}\n`,
  );
} finally {
  rmSync(home, { recursive: true, force: true });
}
