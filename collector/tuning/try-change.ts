/**
 * `hushwatch detect backtest --change FILE`: what a change that is only thought of would have made of the evidence, before and after.
 * The dashboard runs this command in a process of its own, so that neither its time nor its memory are the collector's.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Detection } from '../detectors/detection.ts';
import type { PlacedAlert, Severity } from '../detectors/detector.ts';
import { makeDetectors } from '../detectors/detectors.ts';
import { clearOf, planRules, type Clear } from '../detectors/sigma/plan.ts';
import type { SigmaRule } from '../detectors/sigma/rule.ts';
import { readInForce, type InForce } from '../in-force.ts';
import { narrowingIn } from '../narrowed.ts';
import { Rulesets } from '../rulesets.ts';
import type { State } from '../state.ts';
import { backtest, type Backtest, type BacktestOptions, type Side } from './backtest.ts';
import { Afterwards, changeOf, MAX_CHANGE, type Change } from './change.ts';
import { replay } from './replay.ts';

export interface TriedSide {
  readonly alerts: number;
  /** Stories that people would have been shown. */
  readonly shown: number;
  readonly microsecondsAnEvent: number;
}

export interface TriedAlert extends Pick<
  PlacedAlert,
  'id' | 'time' | 'node' | 'detector' | 'rule' | 'title' | 'severity' | 'reason'
> {
  /** Of those that moved: what it was. */
  readonly was?: Severity;
}

/** A detector or rule of which one side says more than the other. */
export interface TriedDetector {
  readonly detector: string;
  readonly rule: string | undefined;
  readonly title: string;
  readonly before: number;
  readonly after: number;
}

export interface Tried {
  readonly belongs: string;
  readonly sinceUs: number;
  readonly batches: number;
  readonly events: number;
  /** Bodies that are no longer there. */
  readonly missing: number;
  readonly before: TriedSide;
  readonly after: TriedSide;
  readonly detectors: readonly TriedDetector[];
  readonly counts: { readonly gained: number; readonly lost: number; readonly moved: number };
  /** The newest of each. */
  readonly gained: readonly TriedAlert[];
  readonly lost: readonly TriedAlert[];
  readonly moved: readonly TriedAlert[];
  /** Rules that run on nodes: nothing can be said of them from what was released. */
  readonly untried: readonly string[];
  /** Rules of which this is the least: what they or their filters read left in another form. */
  readonly partly: readonly string[];
}

export interface Trial {
  readonly home: string;
  readonly state: State;
  readonly change: string;
  readonly sinceUs: number;
  readonly nowUs: number;
  /** Alerts told of each kind. */
  readonly most: number;
  readonly onProgress?: BacktestOptions['onProgress'];
}

/** Standard input is `-`. Bounded before it is read as YAML. */
export function readChange(file: string): string {
  const text = readFileSync(file === '-' ? 0 : file, 'utf8');
  return text.slice(0, MAX_CHANGE + 1);
}

/** Throws ConfigError or SigmaError for a change that is none. */
export function tryChange({ home, state, change: text, sinceUs, nowUs, most, onProgress }: Trial): Tried {
  const now = readInForce(join(home, 'collector.yaml'), nowUs);
  const change = changeOf(text, now, nowUs);
  const rulesets = Rulesets.open(join(home, 'rulesets'));
  const clearFor = (digest: string): Clear => clearOf(rulesets.exposure(digest) ?? []);
  const leavingFor = (digest: string): Clear => leavingIn(rulesets, digest);
  const afterwards = new Afterwards({ ...change, mapping: change.candidate.rulepacks.rules.mapping }, leavingFor);
  const { isStillMatched: before } = narrowingIn(now.rulepacks, rulesets);
  const detection = (side: InForce, isCandidate: boolean): Detection =>
    new Detection({
      detectors: makeDetectors({
        ...{ pack: side.rulepacks.rules, alertFrom: 'informational', clearFor, tuning: side.tuning },
        isStillMatched: (ruleset, id, record) =>
          before?.(ruleset, id, record) !== false && (!isCandidate || afterwards.isStillMatched(ruleset, id, record)),
        ...(isCandidate ? { alsoMatched: afterwards.alsoMatched } : {}),
      }),
      tuning: side.tuning,
      suppressions: () => side.suppressions,
    });
  const result = backtest({
    evidence: replay(home, state),
    now: detection(now, false),
    candidate: detection(change.candidate, true),
    ...{ sinceUs, onProgress },
  });
  const used = new Set(state.rulesInForce().flatMap(({ kind, digest }) => (kind === 'ruleset' ? [digest] : [])));
  const digests = rulesets.digests.filter((digest) => used.has(digest));
  const tried = afterwards.triedUnder(digests);
  const clear = digests.map(clearFor);
  return { ...toldOf(result, most), belongs: change.belongs, sinceUs, ...limitsOf(now, change, tried, clear) };
}

function leavingIn(rulesets: Rulesets, digest: string): Clear {
  const rows = rulesets.exposure(digest) ?? [];
  return new Set(rows.flatMap((row) => (row.leaves ? [`${row.event} ${row.attribute}`] : [])));
}

function toldOf(result: Backtest, most: number): Omit<Tried, 'belongs' | 'sinceUs' | 'untried' | 'partly'> {
  const { batches, events, missing, now, candidate, gained, lost, moved } = result;
  const newest = (alerts: readonly TriedAlert[]): readonly TriedAlert[] =>
    alerts.toSorted((a, b) => b.time - a.time).slice(0, most);
  return {
    ...{ batches, events, missing, before: sideOf(now, events), after: sideOf(candidate, events) },
    detectors: detectorsOf(now, candidate),
    counts: { gained: gained.length, lost: lost.length, moved: moved.length },
    gained: newest(gained.map((alert) => briefly(alert))),
    lost: newest(lost.map((alert) => briefly(alert))),
    moved: newest(moved.map(({ alert, from }) => ({ ...briefly(alert), was: from }))),
  };
}

const briefly = ({ id, time, node, detector, rule, title, severity, reason }: PlacedAlert): TriedAlert => ({
  ...{ id, time, node, detector, rule, title, severity, reason },
});

const sideOf = ({ alerts, stories, milliseconds }: Side, events: number): TriedSide => ({
  alerts: alerts.size,
  shown: [...stories.values()].filter(({ shown }) => shown).length,
  microsecondsAnEvent: events === 0 ? 0 : (milliseconds * 1_000) / events,
});

function detectorsOf(now: Side, candidate: Side): readonly TriedDetector[] {
  const rows = new Map<string, TriedDetector>();
  const count = (alerts: Side['alerts'], before: number, after: number): void => {
    for (const { detector, rule, title } of alerts.values()) {
      const key = JSON.stringify([detector, rule ?? '']);
      const row = rows.get(key) ?? { detector, rule, title, before: 0, after: 0 };
      rows.set(key, { ...row, before: row.before + before, after: row.after + after });
    }
  };
  count(now.alerts, 1, 0);
  count(candidate.alerts, 0, 1);
  const differing = [...rows.values()].filter(({ before, after }) => before !== after);
  return differing.toSorted((a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before));
}

/** What the evidence cannot tell, and what it tells only in part. */
function limitsOf(
  now: InForce,
  { candidate, narrowed, added }: Change,
  tried: ReadonlySet<string>,
  clear: readonly Clear[],
): Pick<Tried, 'untried' | 'partly'> {
  const before = new Map(now.rulepacks.rules.rules.map((rule) => [rule.id, asked(rule)]));
  const { rules, mapping } = candidate.rulepacks.rules;
  const changed = rules.filter((rule) => before.get(rule.id) !== asked(rule));
  const onNodes = (each: typeof rules): ReadonlySet<string> => {
    const plans = clear.flatMap((one) => planRules(each, mapping, one));
    return new Set(plans.flatMap(({ runs, rule }) => (runs === 'node' ? [rule.id] : [])));
  };
  const named = (ids: ReadonlySet<string>): readonly string[] =>
    changed.filter(({ id }) => ids.has(id)).map(({ title, id }) => `${title} (${id})`);
  const running = onNodes(changed);
  return {
    untried: named(running.difference(tried)),
    partly: named(running.intersection(tried).intersection(onNodes([...narrowed, ...added]))),
  };
}

/** What a rule asks, to be compared: the networks in it are numbers that JSON does not know. */
const asked = ({ condition }: SigmaRule): string =>
  JSON.stringify(condition, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));

const SHOWN = 20;

/** For people. */
export function describeTried(tried: Tried): string {
  const { events, batches, missing, before, after, counts, untried, partly, detectors } = tried;
  const row = (name: string, a: string | number, b: string | number): string =>
    `${name.padEnd(18)}${String(a).padStart(10)}${String(b).padStart(12)}\n`;
  const list = (title: string, count: number, alerts: readonly TriedAlert[]): string =>
    count === 0 ? '' : `\n${title}: ${count}\n${alerts.slice(0, SHOWN).map(lineOf).join('')}`;
  const names = (title: string, each: readonly string[]): string =>
    each.length === 0 ? '' : `\n${title}\n${each.map((name) => `  ${name}\n`).join('')}`;
  return [
    `${batches} batches, ${events} events${missing > 0 ? `; ${missing} bodies are no longer there` : ''}\n\n`,
    row('', 'now', 'with this'),
    row('alerts', before.alerts, after.alerts),
    row('stories shown', before.shown, after.shown),
    row('µs an event', before.microsecondsAnEvent.toFixed(1), after.microsecondsAnEvent.toFixed(1)),
    ...detectors.slice(0, SHOWN).map((each) => `${each.before} -> ${each.after}  ${each.title}\n`),
    list('Gained', counts.gained, tried.gained),
    list('Lost', counts.lost, tried.lost),
    list('Moved', counts.moved, tried.moved),
    names('At least so much: what these read left in another form', partly),
    names('Run on nodes and differ; evidence cannot tell what they would find', untried),
    `\nNothing was written. To put it in force: ${tried.belongs}, in git.\n`,
  ].join('');
}

const lineOf = ({ time, severity, was, node, reason }: TriedAlert): string =>
  `  ${new Date(time / 1_000).toISOString()} ${severity}${was === undefined ? '' : `, was ${was},`} ${node}: ${reason}\n`;
