/**
 * `hushwatch detect backtest | noise | explain | suggest`: why there was an alert, what is loud, and what a change would have done, out of
 * a collector's own evidence. Reads only, beside a running collector. All other verbs are those of the rules.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readConfig } from '../config.ts';
import { Detection } from '../detectors/detection.ts';
import { DAY, HOUR } from '../detectors/detector.ts';
import { makeDetectors } from '../detectors/detectors.ts';
import type { Tuning } from '../detectors/knobs.ts';
import { loadExamples, main as rulesMain } from '../detectors/main.ts';
import { loadPack, STARTER_PACK, type Pack } from '../detectors/pack.ts';
import { clearOf, planRules } from '../detectors/sigma/plan.ts';
import { EvidenceStore } from '../evidence.ts';
import { loadRulepacks } from '../rulepacks.ts';
import { Rulesets } from '../rulesets.ts';
import type { AlertRow } from '../findings.ts';
import { State } from '../state.ts';
import { SuppressionFile } from '../suppressions.ts';
import { backtest, describeBacktest } from './backtest.ts';
import { eventOf, explainAlert } from './explain.ts';
import { describeNoise, noiseOf } from './noise.ts';
import { replay } from './replay.ts';
import { suggest } from './suggest.ts';

const USAGE = `usage: hushwatch detect backtest [--with DIRECTORY] [--since 7d] [--home DIRECTORY] [--json]
       hushwatch detect noise [--since 7d] [--home DIRECTORY] [--json]
       hushwatch detect explain ALERT [--home DIRECTORY] [--json]
       hushwatch detect suggest ALERT [--author NAME] [--home DIRECTORY]

backtest alerts gained, lost and moved if the pack of rules were the one in DIRECTORY, with the knobs of its collector.yaml and
         its suppressions.yaml if they are there; without --with: what the rules and knobs in force make of it anew
noise    which rule is loud, about which node, what share, and what people said of it
explain  an alert with its events as they were released, its numbers, and what would have kept it quiet
suggest  the narrowest filter that would have kept a false alarm quiet; refused if it would hide what must be found

`;

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const HOME =
  process.env['HUSHWATCH_COLLECTOR'] ??
  join(process.env['HUSHWATCH_HOME'] ?? join(CHECKOUT, '.hushwatch'), 'collector');
const MAX_ALERTS = 1_000_000;

/** Told in a line; exit 1. */
class Unanswerable extends Error {}

export async function main(args: string[]): Promise<number> {
  const [verb = '', ...rest] = args;
  const commands = { backtest: runBacktest, noise: showNoise, explain: showAlert, suggest: showSuggestion };
  if (!Object.hasOwn(commands, verb)) {
    if (args.includes('--help') || args.length === 0) process.stdout.write(USAGE);
    return rulesMain(args);
  }
  try {
    const command = Object.entries(commands).find(([name]) => name === verb)?.[1];
    return (await command?.(parse(rest))) ?? 2;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const isUsage = 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    process.stderr.write(`hushwatch detect ${verb}: ${error.message}\n${isUsage ? USAGE : ''}`);
    if (isUsage) return 2;
    return error instanceof Unanswerable ? 1 : 3;
  }
}

type Values = ReturnType<typeof parse>;

function parse(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      home: { type: 'string', default: HOME },
      since: { type: 'string', default: '7d' },
      with: { type: 'string' },
      author: { type: 'string', default: 'suggested by hushwatch detect' },
      json: { type: 'boolean', default: false },
    },
  });
  const [, n = '', unit = ''] = /^([0-9]{1,6})([hd])$/.exec(values.since) ?? [];
  if (n === '') throw new Unanswerable('--since is a number and h or d, such as 7d');
  const spanUs = Number(n) * (unit === 'd' ? DAY : HOUR);
  return { ...values, home: resolve(values.home), spanUs, subject: positionals[0] };
}

function openState(home: string): State {
  const file = join(home, 'state.sqlite');
  if (!existsSync(file)) throw new Unanswerable(`${file} is not there; has the collector run?`);
  return State.openReadOnly(file);
}

const nowUs = (): number => Date.now() * 1_000;
const say = (text: string): void => void process.stdout.write(text);

function runBacktest({ home, with: candidate, spanUs, json }: Values): number {
  using state = openState(home);
  const config = readConfig(join(home, 'collector.yaml'));
  const inForce = loadRulepacks(join(home, 'packs')).rules;
  const exposures = Rulesets.open(join(home, 'rulesets'));
  const detection = (
    pack: Pick<Pack, 'rules' | 'correlations' | 'mapping'>,
    tuning: Tuning,
    { inForce }: SuppressionFile,
  ): Detection => {
    const clearFor = (digest: string): ReturnType<typeof clearOf> => clearOf(exposures.exposure(digest) ?? []);
    return new Detection({
      detectors: makeDetectors({ pack, alertFrom: 'informational', clearFor, tuning }),
      tuning,
      suppressions: () => inForce,
    });
  };
  const suppressions = new SuppressionFile(home, nowUs());
  const other = candidate === undefined ? undefined : candidateIn(resolve(candidate), inForce, config.detectors);
  const result = backtest({
    evidence: replay(home, state),
    now: detection(inForce, config.detectors, suppressions),
    candidate: detection(
      other?.pack ?? inForce,
      other?.tuning ?? config.detectors,
      other?.suppressions ?? suppressions,
    ),
    sinceUs: nowUs() - spanUs,
    onProgress: progress(),
  });
  const untried = other === undefined ? [] : changedOnNodes(inForce, other.pack, exposures);
  say(json ? `${JSON.stringify(forMachines(result, untried))}\n` : describeBacktest(result, untried));
  return 0;
}

function candidateIn(
  directory: string,
  inForce: Pick<Pack, 'rules' | 'correlations' | 'mapping'>,
  tuning: Tuning,
): {
  readonly pack: Pick<Pack, 'rules' | 'correlations' | 'mapping'>;
  readonly tuning: Tuning;
  readonly suppressions: SuppressionFile | undefined;
} {
  if (!existsSync(directory)) throw new Unanswerable(`${directory} is not there`);
  const file = join(directory, 'collector.yaml');
  const hasRules = readdirSync(directory, { recursive: true, encoding: 'utf8' }).some((name) => name.endsWith('.yml'));
  const hasSuppressions = existsSync(join(directory, 'suppressions.yaml'));
  if (!hasRules && !hasSuppressions && !existsSync(file))
    throw new Unanswerable(`${directory} holds neither rules nor a collector.yaml nor a suppressions.yaml`);
  return {
    pack: hasRules ? loadPack(directory) : inForce,
    tuning: existsSync(file) ? readConfig(file).detectors : tuning,
    suppressions: hasSuppressions ? new SuppressionFile(directory, nowUs()) : undefined,
  };
}

/** Rules that are other than those in force, and read what no ruleset here releases. */
function changedOnNodes(
  inForce: Pick<Pack, 'rules' | 'mapping'>,
  candidate: Pick<Pack, 'rules' | 'mapping'>,
  rulesets: Rulesets,
): readonly string[] {
  const before = new Map(inForce.rules.map((rule) => [rule.id, JSON.stringify(rule.condition, spelled)]));
  const changed = candidate.rules.filter((rule) => before.get(rule.id) !== JSON.stringify(rule.condition, spelled));
  const clear = rulesets.digests.flatMap((digest) => rulesets.exposure(digest) ?? []);
  return planRules(changed, candidate.mapping, clearOf(clear))
    .filter(({ runs }) => runs === 'node')
    .map(({ rule }) => `${rule.file}: ${rule.title}`);
}

/** Conditions hold numbers and expressions that JSON does not know. */
const spelled = (_: string, value: unknown): unknown =>
  typeof value === 'bigint' || value instanceof RegExp ? String(value) : value;

function forMachines(result: ReturnType<typeof backtest>, untried: readonly string[]): object {
  const { batches, events, missing, now, candidate, gained, lost, moved } = result;
  const side = ({ alerts, stories, milliseconds }: typeof now): object => ({
    alerts: alerts.size,
    shown: [...stories.values()].filter(({ shown }) => shown).length,
    milliseconds,
  });
  return { batches, events, missing, now: side(now), candidate: side(candidate), gained, lost, moved, untried };
}

/** On a terminal, how far it is. */
function progress(): ((done: number, events: number) => void) | undefined {
  if (!process.stderr.isTTY) return undefined;
  let last = -1;
  return (done, events) => {
    const percent = Math.floor(done * 100);
    if (percent === last) return;
    last = percent;
    const bar = '#'.repeat(Math.round(done * 30)).padEnd(30);
    process.stderr.write(`\r[${bar}] ${percent} %, ${events} events${percent === 100 ? '\n' : ''}`);
  };
}

function showNoise({ home, spanUs, json }: Values): number {
  using state = openState(home);
  const alerts = state.alerts({ limit: MAX_ALERTS, sinceUs: nowUs() - spanUs });
  const verdicts = new Map(state.verdicts().map(({ story, verdict }) => [story, verdict]));
  const rows = noiseOf(alerts, verdicts, spanUs / DAY);
  say(json ? rows.map((row) => `${JSON.stringify(row)}\n`).join('') : describeNoise(rows));
  return 0;
}

function alertOf(state: State, id: string | undefined): AlertRow {
  if (id === undefined) throw new Unanswerable('name an alert; hushwatch alerts --json lists them');
  const alert = state.alert(id);
  if (alert === undefined) throw new Unanswerable(`there is no alert ${id}`);
  return alert;
}

async function showAlert({ home, subject, json }: Values): Promise<number> {
  using state = openState(home);
  const alert = alertOf(state, subject);
  const evidence = EvidenceStore.reading(home);
  say(await explainAlert(alert, state, evidence, json));
  return 0;
}

async function showSuggestion({ home, subject, author }: Values): Promise<number> {
  using state = openState(home);
  const alert = alertOf(state, subject);
  const { rules } = loadRulepacks(join(home, 'packs')).rules;
  const rule = rules.find(({ id }) => id === alert.rule);
  if (rule === undefined)
    throw new Unanswerable(`${alert.detector} is no rule; its knobs are what to turn: ${alert.silencedBy}`);
  const evidence = EvidenceStore.reading(home);
  const event = await eventOf(state, evidence, alert);
  if (event === undefined) throw new Unanswerable('the event of this alert is no longer in the evidence');
  const marked = new Set(state.verdicts().flatMap(({ story, verdict }) => (verdict === 'true' ? [story] : [])));
  const alike = state
    .alerts({ limit: MAX_ALERTS })
    .filter((other) => other.rule === rule.id && marked.has(other.story));
  const known = await Promise.all(
    alike.map(async (other) => ({
      where: `alert ${other.id}`,
      attributes: (await eventOf(state, evidence, other)) ?? {},
    })),
  );
  const examples = (loadExamples(STARTER_PACK, rule.file)?.match ?? []).map(({ file, line, attributes }) => ({
    where: `${file}:${line}`,
    attributes,
  }));
  const answer = suggest({ rule, event, mustAlert: [...known, ...examples], id: randomUUID(), author });
  if ('refused' in answer) throw new Unanswerable(answer.refused);
  say(answer.filter);
  return 0;
}
