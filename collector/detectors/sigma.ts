/**
 * Alerts from Sigma rules: those that matched on the node, before redaction, and those that the collector
 * matches on what was released.
 *
 * One alert for a rule, a process and a minute. The sentence is made of the rule's title and of released
 * attributes, never of what the rule saw on the node.
 */
import { makeCorrelator, type Match, type Story } from './correlation.ts';
import {
  alertId,
  MINUTE,
  spoken,
  type Alert,
  type Detector,
  type EvidenceBatch,
  type ReleasedRecord,
  type Severity,
} from './detector.ts';
import { LossLedger } from './loss.ts';
import { memberOf, numbersOf } from './saved.ts';
import { describeEvent } from './sentence.ts';
import { locateField } from './sigma/bind.ts';
import type { Matcher } from './sigma/compile.ts';
import { readSource } from './sigma/fields.ts';
import type { Mapping } from './sigma/mapping.ts';
import { compileFor, type Clear } from './sigma/plan.ts';
import { LEVELS, type SigmaCorrelation, type SigmaRule } from './sigma/rule.ts';
import { WindowLoss } from './window-loss.ts';

export interface SigmaOptions {
  readonly rules: readonly SigmaRule[];
  readonly correlations?: readonly SigmaCorrelation[];
  readonly mapping: Mapping;
  /** What a ruleset, named by its digest, releases in clear. */
  readonly clearFor: (ruleset: string) => Clear;
  /** Rules below this level do not alert. */
  readonly alertFrom?: Severity;
  /** Whether what matched on the node would match there still. A back-test asks it; evidence keeps what nodes found by older rules. */
  readonly isStillMatched?: (ruleset: string, id: string, record: ReleasedRecord) => boolean;
  /** Rules that nodes did not have yet and that match what left of an event. Only a back-test has such. */
  readonly alsoMatched?: (ruleset: string, record: ReleasedRecord) => readonly string[];
}

const MAX_REMEMBERED = 10_000;

export function makeSigmaDetector(options: SigmaOptions, saved?: unknown): Detector {
  const { isStillMatched, alsoMatched } = options;
  const rules = new Map(options.rules.map((rule) => [rule.id, rule]));
  const least = LEVELS.indexOf(options.alertFrom ?? 'low');
  const recent = numbersOf(memberOf(saved, 'recent'));
  const losses = new LossLedger(memberOf(saved, 'losses'));
  const windows = new WindowLoss(memberOf(saved, 'windows'));
  const correlations = options.correlations ?? [];
  const correlator = makeCorrelator(correlations, memberOf(saved, 'correlations'));
  /** Rules that only serve correlations do not alert on their own. */
  const serving = new Set(correlations.filter(({ generate }) => !generate).flatMap(({ rules: wanted }) => wanted));
  const isServing = ({ id, name }: SigmaRule | SigmaCorrelation): boolean =>
    serving.has(id) || (name !== undefined && serving.has(name));
  const matchers = new Map<string, Matcher>();

  const matcherFor = (ruleset: string): Matcher => {
    let matcher = matchers.get(ruleset);
    if (matcher === undefined) {
      matcher = compileFor('collector', options.rules, options.mapping, options.clearFor(ruleset));
      matchers.set(ruleset, matcher);
    }
    return matcher;
  };

  /** True the first time; the memory is bounded, its oldest go first. */
  const isNew = (id: string, time: number): boolean => {
    if (recent.has(id)) return false;
    recent.set(id, time);
    for (const oldest of recent.keys()) {
      if (recent.size <= MAX_REMEMBERED) break;
      recent.delete(oldest);
    }
    return true;
  };

  /** `entity`: the process whose deed made it whole; what became true because nothing came has none. */
  const alertsOf = (stories: readonly Story[], entity: string | undefined): readonly Alert[] =>
    stories
      .filter(({ correlation }) => !isServing(correlation))
      .map((story) => storyAlert(story, entity, windows.since(story.node, story.first)));
  const isTold = ({ severity, id, time }: Alert): boolean => LEVELS.indexOf(severity) >= least && isNew(id, time);

  return {
    id: 'sigma',
    *observe(batch): Iterable<Alert> {
      const { last } = batch.statement.time;
      const loss = losses.observe(batch.statement);
      windows.add(batch.node, last || batch.receivedAt, loss);
      const matcher = matcherFor(batch.statement.ruleset);
      for (const [line, record] of batch.events.entries()) {
        const matched = matchesOf(record, matcher);
        const also = alsoMatched?.(batch.statement.ruleset, record) ?? [];
        for (const id of also.length === 0 ? matched : matched.union(new Set(also))) {
          if (isStillMatched?.(batch.statement.ruleset, id, record) === false) continue;
          const rule = rules.get(id);
          const found =
            rule === undefined ? [] : correlator.observe(matchOf(batch, record, line, rule, options.mapping));
          if (rule === undefined || !isServing(rule)) {
            const alert = alertOf(batch, record, line, id, rule, loss);
            if (isTold(alert)) yield alert;
          }
          yield* alertsOf(found, entityOf(record)).filter(isTold);
        }
      }
      yield* alertsOf(correlator.advance(batch.node, last), undefined).filter(isTold);
    },
    tick: () => [],
    save: () => ({
      recent: Object.fromEntries(recent),
      losses: losses.save(),
      windows: windows.save(),
      correlations: correlator.save(),
    }),
  };
}

function matchesOf(record: ReleasedRecord, matcher: Matcher): ReadonlySet<string> {
  const fromNode = record['detection.rules'];
  const here = matcher.match({ name: record.event, attributes: record });
  return new Set([...(typeof fromNode === 'object' ? fromNode : []), ...here]);
}

const entityOf = ({ 'process.entity.id': entity }: ReleasedRecord): string | undefined =>
  typeof entity === 'string' ? entity : undefined;

function matchOf(batch: EvidenceBatch, record: ReleasedRecord, line: number, rule: SigmaRule, mapping: Mapping): Match {
  const { 'event.repeats': repeats } = record;
  return {
    ids: rule.name === undefined ? [rule.id] : [rule.id, rule.name],
    node: batch.node,
    time: record.time,
    at: { logIndex: batch.logIndex, line },
    times: 1 + (typeof repeats === 'number' && repeats > 0 ? repeats : 0),
    fieldOf: (field): string | undefined => {
      if (field === 'Computer' || field === 'host.name') return batch.node;
      const source = locateField(rule, record.event, field, mapping);
      const text = source === undefined ? undefined : readSource(source, record);
      return typeof text === 'object' ? text.join(' ') : text;
    },
  };
}

function storyAlert(story: Story, entity: string | undefined, loss: number): Alert {
  const { correlation, node, group, measure, first, last, events } = story;
  const title = correlation.title.replace(/[.\s]+$/, '');
  const within = last > first ? ` within ${spoken(last - first)}` : '';
  return {
    id: alertId('sigma', correlation.id, node, JSON.stringify([group, events.at(-1)])),
    time: last,
    node,
    detector: 'sigma',
    rule: correlation.id,
    title,
    severity: correlation.level,
    reason: `${capital(title)}: on ${node}, ${counted(correlation, measure, events.length)}${within}.`,
    silencedBy: `another threshold or time span in ${correlation.file}`,
    attack: attackOf(correlation.tags),
    events,
    entity,
    loss,
  };
}

function counted({ type, rules, expression }: SigmaCorrelation, measure: number, events: number): string {
  if (expression !== undefined) return `${measure} of ${rules.length} steps happened, as its condition says`;
  if (type === 'event_count') return `${measure} matches came together`;
  if (type.startsWith('temporal')) return `${measure} of ${rules.length} steps happened`;
  return `the ${type.slice('value_'.length)} of ${events} matches came to ${measure}`;
}

function alertOf(
  batch: EvidenceBatch,
  record: ReleasedRecord,
  line: number,
  id: string,
  rule: SigmaRule | undefined,
  loss: number,
): Alert {
  const { node } = batch;
  const entity = entityOf(record);
  const minute = Math.floor(record.time / MINUTE);
  // Rules come with titles of their own punctuation; the sentence has one full stop, at its end.
  const title = rule?.title.replace(/[.\s]+$/, '') ?? 'A rule that the collector does not have matched on the node';
  return {
    id: alertId('sigma', id, node, `${entity ?? `line ${batch.logIndex} ${line}`} ${minute}`),
    time: record.time,
    node,
    detector: 'sigma',
    rule: id,
    title,
    severity: rule?.level ?? 'medium',
    reason: `${capital(title)}: on ${node}, ${describeEvent(record)}.`,
    silencedBy:
      rule === undefined ? 'the same rule pack on node and collector' : `a filter in ${rule.file}${knownCauses(rule)}`,
    attack: attackOf(rule?.tags ?? []),
    events: [{ logIndex: batch.logIndex, line }],
    entity,
    loss,
  };
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const knownCauses = (rule: SigmaRule): string =>
  rule.falsepositives.length === 0 ? '' : `; known harmless causes: ${rule.falsepositives.join('; ')}`;

/** `attack.t1059.004` -> `T1059.004`, `attack.execution` -> `execution`. */
export function attackOf(tags: readonly string[]): readonly string[] {
  return tags
    .filter((tag) => tag.startsWith('attack.'))
    .map((tag) => tag.slice('attack.'.length))
    .map((tag) => (/^[ts]\d/.test(tag) ? tag.toUpperCase() : tag));
}
