/**
 * `hushwatch detect backtest | diff | apply | changes | noise | explain | suggest`: why there was an alert, what is loud, what a change would
 * have done, out of a collector's own evidence; and putting it in force. Reads only, beside a running collector, except that `apply`
 * asks that one. All other verbs are those of the rules.
 */
import { join, resolve } from 'node:path';
import { Detection } from '../detectors/detection.ts';
import { DAY } from '../detectors/detector.ts';
import { makeDetectors } from '../detectors/detectors.ts';
import { main as rulesMain } from '../detectors/main.ts';
import type { Pack } from '../detectors/pack.ts';
import { spelled } from '../detectors/sigma/digest.ts';
import { clearOf, planRules } from '../detectors/sigma/plan.ts';
import { EvidenceStore } from '../evidence.ts';
import type { InForce } from '../in-force.ts';
import { narrowingIn } from '../narrowed.ts';
import { Rulesets } from '../rulesets.ts';
import type { AlertRow } from '../findings.ts';
import { NoState, State } from '../state.ts';
import { backtest, describeBacktest } from './backtest.ts';
import { candidateIn, inForceIn, NoCandidate } from './candidate.ts';
import { Misused, nowUs, parse, say, Unanswerable, type Values } from './command.ts';
import { explainAlert } from './explain.ts';
import { describeNoise, noiseOf } from './noise.ts';
import { applyFiles, showChanges, showDiff } from './putting-in-force.ts';
import { replay } from './replay.ts';
import { showMain, SHOW_USAGE, tryMain } from './show.ts';
import { suggestionFor } from './suggestion.ts';

const USAGE = `usage: hushwatch detect backtest [--with DIRECTORY] [--since 7d] [--home DIRECTORY] [--json]
       hushwatch detect diff [DIRECTORY | REVISION] [--home DIRECTORY] [--json]
       hushwatch detect apply --by NAME --reason TEXT [--home DIRECTORY]
       hushwatch detect changes [--home DIRECTORY] [--json]
       hushwatch detect noise [--since 7d] [--home DIRECTORY] [--json]
       hushwatch detect explain ALERT [--home DIRECTORY] [--json]
       hushwatch detect suggest ALERT [--author NAME] [--home DIRECTORY]

backtest alerts gained, lost and moved if the pack of rules were the one in DIRECTORY, with the knobs of its collector.yaml and
         its suppressions.yaml if they are there; without --with: what the rules and knobs in force make of it anew
diff     what is other, in words: new and gone, louder and quieter. Without more: in the files and not yet in force; of DIRECTORY: there
         and not in the files; of a REVISION of git: in the files and not then
apply    puts in force what lies in packs/, collector.yaml (detectors, silence_seconds) and suppressions.yaml, all or nothing, and
         writes into the log what changed, who did it and why; baselines keep what they learned
changes  every change of what detects, with the proof that it stands in the log, and what is not in force yet
noise    which rule is loud, about which node, what share, and what people said of it
explain  an alert with its events as they were released, its numbers, and what would have kept it quiet
suggest  the narrowest filter that would have kept a false alarm quiet; refused if it would hide what must be found

`;

const MAX_ALERTS = 1_000_000;

export async function main(args: string[]): Promise<number> {
  const [verb = '', ...rest] = args;
  if (verb === 'show') return await showMain(rest);
  if (verb === 'backtest' && rest.some((each) => /^--change(?:=|$)/.test(each))) return await tryMain(rest);
  const commands = {
    ...{ backtest: runBacktest, diff: showDiff, apply: applyFiles, changes: showChanges },
    ...{ noise: showNoise, explain: showAlert, suggest: showSuggestion },
  };
  if (!Object.hasOwn(commands, verb)) {
    if (args.includes('--help') || args.length === 0) process.stdout.write(USAGE + SHOW_USAGE);
    return rulesMain(args);
  }
  try {
    const command = Object.entries(commands).find(([name]) => name === verb)?.[1];
    return (await command?.(parse(rest))) ?? 2;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const isUsage = error instanceof Misused || ('code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
    process.stderr.write(`hushwatch detect ${verb}: ${error.message}\n${isUsage ? USAGE : ''}`);
    if (isUsage) return 2;
    return error instanceof Unanswerable || error instanceof NoState || error instanceof NoCandidate ? 1 : 3;
  }
}

function runBacktest({ home, with: candidate, spanUs, json }: Values): number {
  using state = State.beside(home);
  const now = inForceIn(home, nowUs());
  const other = candidate === undefined ? now : candidateIn(resolve(candidate), now, nowUs());
  const exposures = Rulesets.open(join(home, 'rulesets'));
  const detection = ({ rulepacks, tuning, suppressions }: InForce): Detection => {
    const clearFor = (digest: string): ReturnType<typeof clearOf> => clearOf(exposures.exposure(digest) ?? []);
    return new Detection({
      detectors: makeDetectors({
        ...{ pack: rulepacks.rules, alertFrom: 'informational', clearFor, tuning },
        ...narrowingIn(rulepacks, exposures),
      }),
      tuning,
      suppressions: () => suppressions,
    });
  };
  const result = backtest({
    evidence: replay(home, state),
    now: detection(now),
    candidate: detection(other),
    sinceUs: nowUs() - spanUs,
    onProgress: progress(),
  });
  const untried = other === now ? [] : changedOnNodes(now.rulepacks.rules, other.rulepacks.rules, exposures);
  say(json ? `${JSON.stringify(forMachines(result, untried))}\n` : describeBacktest(result, untried));
  return 0;
}

/** Rules that are other than those in force, and read what no ruleset here releases. */
function changedOnNodes(
  inForce: Pick<Pack, 'rules' | 'mapping'>,
  candidate: Pick<Pack, 'rules' | 'mapping'>,
  rulesets: Rulesets,
): readonly string[] {
  const before = new Map(inForce.rules.map((rule) => [rule.id, spelled(rule.condition)]));
  const changed = candidate.rules.filter((rule) => before.get(rule.id) !== spelled(rule.condition));
  const clear = rulesets.digests.flatMap((digest) => rulesets.exposure(digest) ?? []);
  return planRules(changed, candidate.mapping, clearOf(clear))
    .filter(({ runs }) => runs === 'node')
    .map(({ rule }) => `${rule.file}: ${rule.title}`);
}

function forMachines(result: ReturnType<typeof backtest>, untried: readonly string[]): object {
  const { batches, events, missing, milliseconds, now, candidate, gained, lost, moved } = result;
  const side = ({ alerts, stories, milliseconds }: typeof now): object => ({
    alerts: alerts.size,
    shown: [...stories.values()].filter(({ shown }) => shown).length,
    milliseconds,
  });
  return {
    batches,
    events,
    missing,
    milliseconds,
    now: side(now),
    candidate: side(candidate),
    gained,
    lost,
    moved,
    untried,
  };
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
  using state = State.beside(home);
  const alerts = state.alerts({ limit: MAX_ALERTS, sinceUs: nowUs() - spanUs });
  const verdicts = new Map(state.verdicts().map(({ story, verdict }) => [story, verdict]));
  const programs = new Map<string, string | undefined>();
  const programOf = (id: string): string | undefined => {
    if (!programs.has(id)) programs.set(id, state.story(id)?.program);
    return programs.get(id);
  };
  const rows = noiseOf(alerts, verdicts, spanUs / DAY, programOf);
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
  using state = State.beside(home);
  const alert = alertOf(state, subject);
  const evidence = EvidenceStore.reading(home);
  say(await explainAlert(alert, state, evidence, json));
  return 0;
}

async function showSuggestion({ home, subject, author }: Values): Promise<number> {
  using state = State.beside(home);
  const { rules } = inForceIn(home, nowUs()).rulepacks.rules;
  const evidence = EvidenceStore.reading(home);
  const answer = await suggestionFor(alertOf(state, subject), { state, evidence, rules, author });
  if ('refused' in answer) throw new Unanswerable(answer.refused);
  say(answer.filter);
  return 0;
}
