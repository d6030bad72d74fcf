/**
 * Alerts about the evidence itself: a chain that does not continue, counters that run backwards or do not add up,
 * events lost or sampled away, times in which a source saw nothing, a node that sees with its weaker eye.
 */
import { linkOf, type Restart, type RestartReason } from '#protocol/restart.ts';
import {
  checkSuccession,
  epochStart,
  formatStatement,
  NO_RULES,
  parseStatement,
  PLACES,
  sumOf,
  type ChainProblem,
  type ChainProblemCode,
  type Statement,
  WEAKER_SOURCES,
} from '#protocol/statement.ts';
import { CLASSES } from '#protocol/vocabulary.ts';
import { alertId, MINUTE, spoken, type Alert, type Detector, type EvidenceBatch, type Severity } from './detector.ts';
import { memberOf, numbersOf, textsOf } from './saved.ts';

export interface ChainKnobs {
  /** A source that was blind for longer alerts. */
  readonly blindUs?: number;
  /** An epoch of pseudonyms that begins so much later than its batch came alerts. */
  readonly aheadUs?: number;
  /** Losses within this time are one alert. */
  readonly lossWindowUs?: number;
}

interface Finding {
  readonly rule: string;
  readonly key: string;
  readonly title: string;
  readonly severity: Severity;
  /** What follows `On <node>, `. */
  readonly says: string;
  readonly silencedBy: string;
  readonly loss?: number;
  readonly line?: number;
}

export function makeChainDetector(knobs: ChainKnobs = {}, saved?: unknown): Detector {
  const { blindUs = 60 * 1_000_000, aheadUs = 5 * MINUTE, lossWindowUs = 10 * MINUTE } = knobs;
  const last = new Map<string, Statement>();
  for (const [node, text] of textsOf(memberOf(saved, 'last'))) last.set(node, parseStatement(text));
  /** Kind and node -> the window it was last alerted in. */
  const lossWindows = numbersOf(memberOf(saved, 'lossWindows'));
  /** Node -> when the latest epoch of its pseudonyms began, µs. */
  const epochs = numbersOf(memberOf(saved, 'epochs'));

  const findings = function* (batch: EvidenceBatch): Iterable<Finding> {
    const { statement, restart } = batch;
    const known = last.get(batch.node);
    for (const problem of checkSuccession(restart === undefined ? known : linkOf(restart), statement)) {
      if (problem.code !== 'repeat') yield chainFinding(problem, statement);
    }
    if (known !== undefined && statement.sequence <= known.sequence) return;
    last.set(batch.node, statement);
    if (restart !== undefined) yield restartFinding(restart, known);
    // What a restart left behind is no measure for what follows it.
    const before = restart === undefined ? known : undefined;
    yield* lossFindings(batch, before, lossWindowUs, lossWindows);
    yield* weaknessFindings(before, statement);
    yield* withholdingFindings(before, statement);
    yield* epochFindings(batch, epochs, aheadUs);
    yield* blindFindings(batch, blindUs);
  };
  return {
    id: 'chain',
    *observe(batch): Iterable<Alert> {
      for (const finding of findings(batch)) yield alertOf(batch, finding);
    },
    tick: () => [],
    save: () => ({
      last: Object.fromEntries([...last].map(([node, statement]) => [node, formatStatement(statement)])),
      lossWindows: Object.fromEntries(lossWindows),
      epochs: Object.fromEntries(epochs),
    }),
  };
}

const CHAIN_TITLES: Readonly<Record<ChainProblemCode, readonly [string, Severity]>> = {
  gap: ['Evidence is missing', 'high'],
  fork: ['A node told two stories', 'critical'],
  rewind: ['A node went back to an earlier story', 'critical'],
  repeat: ['A batch came twice', 'informational'],
  'wrong-node': ['A batch stands in the chain of another node', 'critical'],
  'counter-decrease': ['Counters ran backwards', 'critical'],
  'released-mismatch': ['Released events do not match what was counted', 'high'],
  conservation: ['Events are not accounted for', 'high'],
};

function chainFinding(problem: ChainProblem, statement: Statement): Finding {
  const [title, severity] = CHAIN_TITLES[problem.code];
  return {
    rule: problem.code,
    key: `${statement.sequence} ${problem.message}`,
    title,
    severity,
    says: `the chain of batches breaks at ${statement.sequence}: ${problem.message}`,
    silencedBy: 'a batch that continues the chain',
  };
}

const LOST: Readonly<Record<RestartReason, string>> = {
  'state-lost': 'what it knew of its chain',
  'key-lost': 'what it knew of its chain, and its key',
};

/** Expected where the software changed too, as systems do that wipe their data at an upgrade; else somebody should ask why. */
function restartFinding(restart: Restart, known: Statement | undefined): Finding {
  const { agent, reason, sequence, time } = restart;
  const isUpgrade = known !== undefined && agent.build !== known.agent.build;
  const since = known === undefined || known.time.last === 0 ? 'its last event' : iso(known.time.last);
  return {
    rule: 'restart',
    key: String(sequence),
    title: 'A node lost its chain and went on from what the log has',
    severity: isUpgrade ? 'low' : 'medium',
    says: `${LOST[reason]} is gone${isUpgrade ? ', together with a change of its software' : ''}; it goes on after ${sequence - 1}, and what happened between ${since} and ${iso(time)} may be missing`,
    silencedBy: 'a spool directory that outlives upgrades',
  };
}

const iso = (us: number): string => new Date(us / 1_000).toISOString();

/** One alert for each kind of loss, node and window, however many batches it took. */
function* lossFindings(
  { node, receivedAt, statement: after }: EvidenceBatch,
  before: Statement | undefined,
  windowUs: number,
  windows: Map<string, number>,
): Iterable<Finding> {
  const window = Math.floor(receivedAt / windowUs);
  const isOpen = (rule: string): boolean => {
    if (windows.get(`${rule} ${node}`) === window) return false;
    windows.set(`${rule} ${node}`, window);
    return true;
  };
  const lost = PLACES.flatMap((place) =>
    CLASSES.map((name) => ({
      what: `${name} in the ${place}`,
      n: (after.lost[place]?.[name] ?? 0) - (before?.lost[place]?.[name] ?? 0),
    })),
  ).filter(({ n }) => n > 0);
  const sampled = sumOf(after.sampled) - sumOf(before?.sampled ?? {});
  const total = lost.reduce((sum, { n }) => sum + n, 0);
  if (total > 0 && isOpen('loss')) {
    yield {
      rule: 'loss',
      key: String(window),
      title: 'Events were lost',
      severity: 'medium',
      says: `${total} events were lost (${lost.map(({ what, n }) => `${n} ${what}`).join(', ')}), so that the absence of alerts says less`,
      silencedBy: 'a quieter node, or larger buffers',
      loss: total,
    };
  }
  if (sampled > 0 && isOpen('sampling')) {
    yield {
      rule: 'sampling',
      key: String(window),
      title: 'Events were sampled away',
      severity: 'low',
      says: `${sampled} events of a flood were counted but not kept`,
      silencedBy: 'a higher budget for each process',
      loss: sampled,
    };
  }
}

function* weaknessFindings(before: Statement | undefined, after: Statement): Iterable<Finding> {
  const isWeak = (statement: Statement): boolean =>
    statement.sources.some((source) => WEAKER_SOURCES.includes(source)) && !statement.sources.includes('ebpf');
  if (!isWeak(after) || (before !== undefined && isWeak(before) && before.boot === after.boot)) return;
  yield {
    rule: 'weaker-source',
    key: `${after.boot} ${after.sequence}`,
    title: 'A node sees with its weaker source',
    severity: 'low',
    says: 'events come from the proc connector or from scanning /proc, which miss what is short and all that is not a process, instead of from BPF',
    silencedBy: 'a sensor that may load BPF programs',
  };
}

function* withholdingFindings(before: Statement | undefined, after: Statement): Iterable<Finding> {
  if (after.ruleset !== NO_RULES || before?.ruleset === NO_RULES) return;
  yield {
    rule: 'nothing-released',
    key: `${after.boot} ${after.sequence}`,
    title: 'A node has no rules that it may use, and releases nothing',
    severity: 'high',
    says: 'events are counted and withheld: its ruleset or rule pack is missing, broken, not approved, or older than one before',
    silencedBy: 'rules that `hushwatch agent check` on the node is content with',
  };
}

/** Events come a little late: around the turn of an epoch both are made. Agents keep keys for as long. */
const LATE_US = 10 * MINUTE;

/**
 * Epochs follow the node's clock. A node that is ahead has forgotten keys that it still needs; one that went back makes
 * pseudonyms with keys of another time: either way nothing joins as it should, and somebody may have meant that.
 */
function* epochFindings(
  { node, receivedAt, statement: { epochs, time } }: EvidenceBatch,
  latest: Map<string, number>,
  aheadUs: number,
): Iterable<Finding> {
  if (epochs === undefined || epochs === 'none') return;
  const began = epochStart(epochs.last, epochs);
  const known = latest.get(node) ?? 0;
  latest.set(node, Math.max(known, began));
  const ahead = began - receivedAt;
  if (ahead > aheadUs) {
    yield {
      rule: 'epoch-ahead',
      key: String(epochs.last),
      title: 'Pseudonyms of an epoch that has not begun',
      severity: 'medium',
      says: `a batch names epoch ${epochs.last} of its pseudonyms, which begins in ${spoken(ahead)}; keys of earlier epochs are forgotten there, and its clock should be looked at`,
      silencedBy: 'a clock that is right',
    };
  }
  if (began >= known || known - time.last <= LATE_US) return;
  yield {
    rule: 'epoch-rewind',
    key: `${known} ${epochs.last}`,
    title: 'Pseudonyms of an epoch that was over',
    severity: 'low',
    says: `a batch holds pseudonyms of epoch ${epochs.last} after those of a later one; they need not join with what was made in that epoch, and its clock went back or it read old records`,
    silencedBy: 'a clock that does not go back',
  };
}

function* blindFindings({ events }: EvidenceBatch, blindUs: number): Iterable<Finding> {
  for (const [line, record] of events.entries()) {
    const seconds = record['hushwatch.blind.duration'];
    if (typeof seconds !== 'number' || seconds * 1_000_000 <= blindUs) continue;
    const component = record['hushwatch.component'];
    yield {
      rule: 'blind',
      key: `${record.time} ${line}`,
      title: 'A node was blind for a while',
      severity: 'medium',
      says: `${typeof component === 'string' ? `the ${component}` : 'a source'} saw nothing for up to ${spoken(seconds * 1_000_000)}; at most ${spoken(blindUs)} is normal`,
      silencedBy: `a restart that takes less than ${spoken(blindUs)}`,
      line,
    };
  }
}

function alertOf(batch: EvidenceBatch, finding: Finding): Alert {
  const { node, logIndex, receivedAt } = batch;
  return {
    id: alertId('chain', finding.rule, node, finding.key),
    time: receivedAt,
    node,
    detector: 'chain',
    rule: finding.rule,
    title: finding.title,
    severity: finding.severity,
    reason: `On ${node}, ${finding.says}.`,
    silencedBy: finding.silencedBy,
    attack: ['T1562.006', 'defense-evasion'],
    events: finding.line === undefined ? [] : [{ logIndex, line: finding.line }],
    entity: undefined,
    loss: finding.loss ?? 0,
  };
}
