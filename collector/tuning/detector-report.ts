/**
 * A detector, told so that its operator can judge it: what it says and why, how often it spoke and about whom, what can be turned,
 * what is suppressed, and what people said of it. Answers as data; the page and the command show the same.
 */
import { join } from 'node:path';
import { describedDetector, CATALOGUE, type Described } from '../detectors/catalogue.ts';
import { DAY } from '../detectors/detector.ts';
import { comparable } from '../detectors/pseudonym.ts';
import { KNOBS, knobsOf, type Knob } from '../detectors/knobs.ts';
import { attackOf } from '../detectors/sigma.ts';
import { planRules } from '../detectors/sigma/plan.ts';
import type { SigmaCorrelation, SigmaRule } from '../detectors/sigma/rule.ts';
import type { Suppression } from '../detectors/suppressions.ts';
import { bucketOf } from '../explorer/search.ts';
import type { AlertRow, Findings, Origin, Speaker, Spoken, Verdict, Volume } from '../findings.ts';
import type { InForce } from '../in-force.ts';
import { clearEverywhere, type Rulesets } from '../rulesets.ts';
import type { State } from '../state.ts';
import { ruleFile } from './rule-file.ts';

/** A line of the list. */
export interface DetectorRow {
  readonly id: string;
  readonly kind: 'rule' | 'correlation' | Described['kind'];
  readonly title: string;
  readonly level: string;
  readonly attack: readonly string[];
  readonly alerts: number;
  readonly suppressed: number;
  /** Of all that was said. */
  readonly share: number;
  /** When it spoke last, µs; 0: not in this time. */
  readonly last: number;
}

export interface KnobValue {
  readonly name: string;
  readonly says: string;
  readonly value: number;
  readonly fallback: number;
  readonly least: number;
  readonly most: number;
  /** What a greater number does. */
  readonly more: Knob['more'];
}

export interface Share extends Origin {
  /** Of the detector's alerts. */
  readonly share: number;
}

export interface DetectorReport extends DetectorRow {
  readonly says: string;
  readonly why: string;
  readonly harmless: readonly string[];
  readonly file: { readonly path: string; readonly line: number; readonly text: string } | undefined;
  /** Of a rule, under the rulesets that nodes use now. */
  readonly runs: { readonly where: string; readonly why: string } | undefined;
  readonly sinceUs: number;
  readonly perDay: number;
  readonly bucketUs: number;
  readonly volume: readonly Volume[];
  readonly nodes: readonly Share[];
  /** What it was about: the deeds of its sentences, each pseudonym and number as `…`, of the newest. */
  readonly deeds: readonly Share[];
  /** What of it spoke, where it says several things. */
  readonly rules: readonly Share[];
  readonly knobs: readonly KnobValue[];
  /** The file in which knobs stand. */
  readonly knobsFile: string;
  readonly suppressions: readonly (Suppression & { readonly isInForce: boolean })[];
  readonly suppressionsFile: string;
  /** Of the stories that it spoke in: the last word on each. */
  readonly marked: { readonly true: number; readonly false: number; readonly acknowledged: number };
  readonly verdicts: readonly Verdict[];
  readonly latest: readonly AlertRow[];
}

type Asked = Pick<State, 'rulesInForce'> &
  Pick<Findings, 'spoken' | 'volume' | 'origins' | 'reasons' | 'alertsOf' | 'verdictsOn'>;

export interface ReportOptions {
  /** The collector's directory. */
  readonly home: string;
  readonly inForce: InForce;
  readonly rulesets: Pick<Rulesets, 'exposure'>;
  readonly state: Asked;
  readonly sinceUs: number;
  readonly nowUs: number;
}

const MOST_ORIGINS = 12;
const MOST_REASONS = 10_000;
const MOST_VERDICTS = 20;
const MOST_ALERTS = 20;

/** Every detector there is, and what spoke without being one any more; the loudest first. */
export function detectorRows({ inForce, state, sinceUs }: ReportOptions): readonly DetectorRow[] {
  const spoken = state.spoken(sinceUs);
  const all = spoken.reduce((sum, { alerts }) => sum + alerts, 0);
  const heads = [...headsOf(inForce.rulepacks.rules), ...CATALOGUE.map(headOf)];
  const rows = heads.map((head) => ({ ...head, ...countsOf(head.id, spoken, all) }));
  const known = new Set(heads.map(({ id }) => id));
  const gone = spoken.filter(({ detector, rule }) => !known.has(idOf({ detector, rule })));
  return [...rows, ...gone.map((each) => ({ ...goneHead(each), ...countsOf(idOf(each), spoken, all) }))].toSorted(
    (a, b) => b.alerts - a.alerts || (a.title < b.title ? -1 : 1),
  );
}

type Head = Pick<DetectorRow, 'id' | 'kind' | 'title' | 'level' | 'attack'>;

const headsOf = ({ rules, correlations }: InForce['rulepacks']['rules']): readonly Head[] => [
  ...rules.map(ruleHead),
  ...correlations.map(ruleHead),
];

const ruleHead = ({ id, kind, title, level, tags }: SigmaRule | SigmaCorrelation): Head => ({
  ...{ id, kind, title, level, attack: attackOf(tags) },
});

const headOf = ({ id, kind, title, level }: Described): Head => ({ id, kind, title, level, attack: [] });

const goneHead = ({ detector, rule, title, severity }: Spoken): Head => ({
  ...{ id: idOf({ detector, rule }), kind: 'rule', title: `${title} (no longer here)`, level: severity, attack: [] },
});

/** Rules have names of their own; what other detectors call rules are things that they say. */
const idOf = ({ detector, rule }: Speaker): string => (detector === 'sigma' && rule !== undefined ? rule : detector);

function countsOf(
  id: string,
  spoken: readonly Spoken[],
  all: number,
): Pick<DetectorRow, 'alerts' | 'suppressed' | 'share' | 'last'> {
  const own = spoken.filter((each) => idOf(each) === id);
  const alerts = own.reduce((sum, each) => sum + each.alerts, 0);
  return {
    alerts,
    suppressed: own.reduce((sum, each) => sum + each.suppressed, 0),
    share: all === 0 ? 0 : alerts / all,
    last: own.reduce((latest, { last }) => Math.max(latest, last), 0),
  };
}

export function detectorReport(id: string, options: ReportOptions): DetectorReport | undefined {
  const { home, inForce, state, sinceUs, nowUs } = options;
  const row = detectorRows(options).find((each) => each.id === id);
  if (row === undefined) return undefined;
  const described = describedDetector(id);
  const speaker = described === undefined ? { detector: 'sigma', rule: id } : { detector: id };
  const bucketUs = bucketOf(sinceUs, nowUs);
  const shares = (by: 'node' | 'rule'): readonly Share[] =>
    state.origins(speaker, sinceUs, by, MOST_ORIGINS).map((each) => ({ ...each, share: each.alerts / row.alerts }));
  const own = described === undefined ? [] : shares('rule');
  const verdicts = state.verdictsOn(speaker);
  return {
    ...row,
    ...wordsOf(id, options, described),
    runs: runsOf(id, options),
    sinceUs,
    perDay: (row.alerts / (nowUs - sinceUs)) * DAY,
    bucketUs,
    volume: filled(state.volume(speaker, sinceUs, bucketUs), sinceUs, nowUs, bucketUs),
    nodes: shares('node'),
    deeds: deedsIn(state.reasons(speaker, sinceUs, MOST_REASONS)),
    rules: own,
    knobs: knobValues(id, described, inForce),
    knobsFile: join(home, 'collector.yaml'),
    suppressions: inForce.suppressions
      .filter(({ detector, rule }) => isAbout(speaker, detector, rule, own))
      .map((each) => ({ ...each, isInForce: nowUs < each.expires })),
    suppressionsFile: join(home, 'suppressions.yaml'),
    marked: markedIn(verdicts),
    verdicts: verdicts.slice(-MOST_VERDICTS).toReversed(),
    latest: state.alertsOf(speaker, sinceUs, MOST_ALERTS),
  };
}

/** `own`: what the detector calls its rules; a suppression may name one of them alone. */
function isAbout(
  speaker: Speaker,
  detector: string | undefined,
  rule: string | undefined,
  own: readonly Share[],
): boolean {
  if (detector !== undefined && detector !== speaker.detector) return false;
  if (speaker.rule !== undefined) return rule === undefined || rule === speaker.rule;
  return detector !== undefined || own.some(({ name }) => name === rule);
}

function wordsOf(
  id: string,
  { home, inForce }: ReportOptions,
  described: Described | undefined,
): Pick<DetectorReport, 'says' | 'why' | 'harmless' | 'file'> {
  if (described !== undefined) return { ...pick(described), file: undefined };
  const { rules, correlations } = inForce.rulepacks.rules;
  const rule = [...rules, ...correlations].find((each) => each.id === id);
  if (rule === undefined)
    return {
      says: 'This rule is no longer here; what it said is still in the evidence.',
      why: '',
      harmless: [],
      file: undefined,
    };
  const found = ruleFile(home, rule);
  return {
    says: rule.title,
    why: rule.description,
    harmless: rule.falsepositives,
    file: found && { ...found, line: rule.line },
  };
}

const pick = ({ says, why, harmless }: Described): Pick<DetectorReport, 'says' | 'why' | 'harmless'> => ({
  ...{ says, why, harmless },
});

function runsOf(id: string, { inForce, rulesets, state }: ReportOptions): DetectorReport['runs'] {
  const rule = inForce.rulepacks.rules.rules.find((each) => each.id === id);
  if (rule === undefined) return undefined;
  const clear = clearEverywhere(rulesets, state.rulesInForce());
  const [planned] = planRules([rule], inForce.rulepacks.rules.mapping, clear);
  return planned && { where: planned.runs, why: planned.why };
}

function knobValues(
  id: string,
  described: Described | undefined,
  { tuning, silenceSeconds }: InForce,
): readonly KnobValue[] {
  if (id === 'silence') {
    const says = 'A node that sends nothing for longer alerts.';
    return [
      { name: 'silence_seconds', says, value: silenceSeconds, fallback: 300, least: 1, most: 2 ** 31, more: 'quieter' },
    ];
  }
  if (described?.knobs === undefined) return [];
  const table: Readonly<Record<string, Knob>> = KNOBS[described.knobs];
  const values: Readonly<Record<string, number>> = { ...knobsOf(described.knobs, tuning) };
  return Object.entries(table).map(([name, knob]) => ({ name, ...knob, value: values[name] ?? knob.fallback }));
}

/** Every bucket of the time, those in which it was quiet too. */
function filled(volume: readonly Volume[], sinceUs: number, nowUs: number, bucketUs: number): readonly Volume[] {
  const known = new Map(volume.map((each) => [each.time, each]));
  const first = Math.floor(sinceUs / bucketUs);
  const last = Math.floor(nowUs / bucketUs);
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const time = (first + i) * bucketUs;
    return known.get(time) ?? { time, alerts: 0, suppressed: 0 };
  });
}

function markedIn(verdicts: readonly Verdict[]): DetectorReport['marked'] {
  const last = [...new Map(verdicts.map(({ story, verdict }) => [story, verdict])).values()];
  const count = (wanted: Verdict['verdict']): number => last.filter((verdict) => verdict === wanted).length;
  return { true: count('true'), false: count('false'), acknowledged: count('acknowledged') };
}

/** `Title: on node, DEED.`: what is alike is one, whatever its names were replaced by. */
function deedsIn(reasons: readonly string[]): readonly Share[] {
  const counts = new Map<string, number>();
  for (const reason of reasons) {
    const deed = comparable(reason.replace(/^[^:]*: (?:on [^,]+, )?/, '').replace(/\.$/, '')).replaceAll(
      /\b\d[\d.,]*\b/g,
      '…',
    );
    counts.set(deed, (counts.get(deed) ?? 0) + 1);
  }
  const loudest = [...counts].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, MOST_ORIGINS);
  return loudest.map(([name, alerts]) => ({ name, alerts, share: alerts / reasons.length }));
}

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
const dated = (us: number): string => new Date(us / 1_000).toISOString().slice(0, 19).concat('Z');

/** For a terminal. */
export function describeRows(rows: readonly DetectorRow[]): string {
  const lines = rows.map(
    ({ id, title, level, alerts, share }) =>
      `${String(alerts).padStart(7)} ${percent(share).padStart(6)}  ${id.padEnd(36)}  ${title} (${level})\n`,
  );
  return `${'alerts'.padStart(7)} ${'share'.padStart(6)}  ${'detector'.padEnd(36)}\n${lines.join('')}`;
}

export function describeReport(report: DetectorReport): string {
  const { title, level, says, why, attack, harmless, runs, file, alerts, perDay, share, marked } = report;
  const line = (name: string, words: string): string => (words === '' ? '' : `${name.padEnd(12)}${words}\n`);
  const shares = (name: string, all: readonly Share[]): string =>
    all
      .map((each, i) => line(i === 0 ? name : '', `${percent(each.share).padStart(5)}  ${each.name ?? '(not known)'}`))
      .join('');
  return [
    line('detector', `${title} (${level})`),
    line('says', says === title ? '' : says),
    line('why', why),
    line('ATT&CK', attack.join(', ')),
    line('harmless', harmless.join('; ')),
    line('runs', runs === undefined ? '' : `${runs.where}: ${runs.why}`),
    line('file', file === undefined ? '' : `${file.path}:${file.line}`),
    line('alerts', `${alerts} since ${dated(report.sinceUs)}, ${perDay.toFixed(1)} a day, ${percent(share)} of all`),
    line('suppressed', report.suppressed === 0 ? '' : `${report.suppressed} of them`),
    shares('nodes', report.nodes),
    shares('about', report.deeds),
    shares('of which', report.rules),
    line('marked', `true ${marked.true}, false ${marked.false}, acknowledged ${marked.acknowledged}`),
    ...report.verdicts.slice(0, 5).map(({ who, verdict, reason }) => line('', `${verdict} by ${who}: ${reason}`)),
    ...report.knobs.map(({ name, value, fallback, says: meaning }) =>
      line('knob', `${name}: ${value}${value === fallback ? '' : ` (default ${fallback})`}  ${meaning}`),
    ),
    line('set in', report.knobs.length === 0 ? '' : report.knobsFile),
    ...report.suppressions.map(({ id, owner, reason, expires, isInForce }) =>
      line(
        'suppressed',
        `${id}, by ${owner}, ${isInForce ? 'until' : 'ENDED'} ${dated(expires).slice(0, 10)}: ${reason}`,
      ),
    ),
  ].join('');
}
