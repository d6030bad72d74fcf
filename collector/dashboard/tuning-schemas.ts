/** What the API answers about detectors, cohorts, searches and back-tests. */
import { CLASSES } from '#protocol/vocabulary.ts';
import type { BacktestRun } from '../backtests.ts';
import type {
  Amount,
  CohortReport,
  GivenDifference,
  MemberReport,
  ToldDifference,
} from '../detectors/cohort-report.ts';
import type { Saved } from '../explorer/command.ts';
import type { Found, FoundEvent } from '../explorer/search.ts';
import type { Volume } from '../findings.ts';
import type { DetectorReport, DetectorRow, KnobValue, Share } from '../tuning/detector-report.ts';
import type { Tried, TriedAlert, TriedDetector, TriedSide } from '../tuning/try-change.ts';
import type { Schema } from './route.ts';
import {
  amount,
  count,
  listOf,
  measure,
  moment,
  object,
  severity,
  text,
  yesNo,
  type Properties,
} from './schema-parts.ts';

const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

const row: Properties<DetectorRow> = {
  id: text("A rule's id, or the name of a baseline."),
  kind: { type: 'string', enum: ['rule', 'correlation', 'baseline', 'watch'] },
  title: text('In few words.'),
  level: text('Of its alerts.'),
  attack: listOf(text('ATT&CK technique or tactic.')),
  alerts: count('In this time.'),
  suppressed: count('Of these.'),
  share: amount('Of all that was said, 0 to 1.'),
  last: moment('When it spoke last; 0: not in this time.'),
};

const share = object<Share>(
  'What a part of its alerts has in common.',
  { name: text('What.'), alerts: count('How many.'), share: amount('Of its alerts, 0 to 1.') },
  ['name'],
);

const knob = object<KnobValue>('What can be turned.', {
  name: text('As it stands in collector.yaml.'),
  says: text('What it does.'),
  value: amount('As it is.'),
  fallback: amount('Without being set.'),
  least: amount('It can be.'),
  most: amount('It can be.'),
  more: { type: 'string', enum: ['louder', 'quieter', 'other'], description: 'What a greater number does.' },
});

const volume = object<Volume>('A part of the time.', {
  time: moment('Its begin.'),
  alerts: count('In it.'),
  suppressed: count('Of these.'),
});

const report = object<DetectorReport>(
  'A detector with all that is known of it.',
  {
    ...row,
    says: text('What its alerts say.'),
    why: text('Why that matters.'),
    harmless: listOf(text('What looks the same and is harmless.')),
    file: object<NonNullable<DetectorReport['file']>>('Where its author wrote it.', {
      path: text('On the collector.'),
      line: count('In the file, from 1.'),
      text: text('All that stands there, up to 64 KiB.'),
    }),
    runs: object<NonNullable<DetectorReport['runs']>>('Where a rule runs, under the rulesets in force.', {
      where: { type: 'string', enum: ['node', 'collector', 'blind'] },
      why: text('Why there.'),
    }),
    sinceUs: moment('Begin of the time.'),
    perDay: amount('Alerts a day.'),
    bucketUs: count('Length of a part of the time, µs.'),
    volume: listOf(volume),
    nodes: listOf(share),
    deeds: listOf(share),
    rules: listOf(share),
    knobs: listOf(knob),
    knobsFile: text('In which knobs are set.'),
    suppressions: listOf(
      object<DetectorReport['suppressions'][number]>(
        'What somebody decided not to be told of.',
        {
          id: text('Its name.'),
          owner: text('Who answers for it.'),
          reason: text('Why.'),
          expires: moment('From then on it holds no more.'),
          detector: text('Only of this one.'),
          rule: text('Only of this one.'),
          node: text('Only of this one.'),
          program: text('Only of process trees of this one.'),
          isInForce: yesNo('Its day has not come.'),
        },
        ['detector', 'rule', 'node', 'program'],
      ),
    ),
    suppressionsFile: text('In which they stand.'),
    marked: object<DetectorReport['marked']>('Stories that it spoke in, by the last word on each.', {
      true: count('They mattered.'),
      false: count('They did not.'),
      acknowledged: count('Seen.'),
    }),
    verdicts: listOf(ref('Verdict')),
    latest: listOf(ref('Alert')),
  },
  ['file', 'runs'],
);

const given = object<GivenDifference>('A difference that is told no more.', {
  node: text('Whose.'),
  what: text('In which.'),
  last: moment('End of the hour in which it was there last.'),
});

const difference = object<ToldDifference>('In what a node differs.', {
  says: text('In words.'),
  isGrave: yesNo('A port, a module or a log-on, among enough peers.'),
  measure,
  isGiven: yesNo('Told before, or there while the cohort was learned.'),
});

const amountOf = object<Amount>(
  'How much of a class of events.',
  {
    class: { type: 'string', enum: CLASSES },
    events: amount('In the hour.'),
    normal: object<NonNullable<Amount['normal']>>(
      'By its peers.',
      { from: amount('At least.'), to: amount('At most.'), median: amount('Of the peers.') },
      ['to'],
    ),
  },
  ['normal'],
);

const member = object<MemberReport>('A node beside its peers.', {
  node: text('Which.'),
  standing: { type: 'string', enum: ['differs', 'alike', 'alone', 'apart', 'new', 'silent'] },
  release: text('The software that it runs.'),
  lastReceived: moment('Its last batch.'),
  peers: count('That it is compared with.'),
  differences: listOf(difference),
  amounts: listOf(amountOf),
});

const cohort = object<CohortReport>(
  'Nodes that should do the same.',
  {
    name: text('As registered.'),
    nodes: count('Registered.'),
    says: text('What can be said of a cohort of this size.'),
    hour: moment('Begin of the hour that is compared.'),
    isPartial: yesNo('The hour is not over.'),
    learningUntil: moment('Differences are taken as given until then.'),
    members: listOf(member),
    given: listOf(given),
  },
  ['hour', 'learningUntil'],
);

const foundEvent = object<FoundEvent>(
  'A released event and where it lies.',
  {
    node: text('Where.'),
    sequence: count('Number of its batch.'),
    logIndex: count('Of its batch, in the log.'),
    line: count('In the batch, from 0.'),
    epoch: count('Of its pseudonyms.'),
    record: {
      type: 'object',
      description: 'As it was released; attributes are those of the vocabulary.',
      properties: { event: text('Which.'), time: moment('When.') },
      required: ['event', 'time'],
    },
  },
  ['line', 'epoch'],
);

const foundEvents = object<Found>('What a question found.', {
  query: text('As it was asked.'),
  sinceUs: moment('From.'),
  untilUs: moment('To.'),
  total: count('Events.'),
  bucketUs: count('Length of a bucket, µs.'),
  buckets: listOf({
    type: 'object',
    properties: { time: moment('Its begin.'), events: count('In it.') },
    required: ['time', 'events'],
  }),
  kinds: listOf({
    type: 'object',
    properties: { event: text('Which.'), events: count('How many.') },
    required: ['event', 'events'],
  }),
  page: count('From 0.'),
  pageSize: count('Events of a page.'),
  events: listOf(foundEvent),
});

const saved = object<Saved>('A search as a detector, for git.', {
  name: text('For the files NAME.yml and tests/NAME.yaml.'),
  rule: text('Sigma, as YAML.'),
  examples: text('What it must match, as YAML.'),
  runs: listOf(
    object<Saved['runs'][number]>('Where a rule would run.', {
      title: text('Of the rule.'),
      runs: { type: 'string', enum: ['node', 'collector', 'blind'] },
      why: text('Why there.'),
    }),
  ),
});

const side = object<TriedSide>('What one side makes of the evidence.', {
  alerts: count('Found.'),
  shown: count('Stories that people are shown.'),
  microsecondsAnEvent: amount('Spent in detection.'),
});

const triedAlert = object<TriedAlert>(
  'An alert that differs.',
  {
    id: text('The same for the same finding.'),
    time: moment('When.'),
    node: text('Where.'),
    detector: text('Who.'),
    rule: text('By which rule.'),
    title: text('In few words.'),
    severity,
    was: severity,
    reason: text('In one sentence.'),
  },
  ['rule', 'was'],
);

const triedDetector = object<TriedDetector>(
  'Who says more, or less.',
  {
    detector: text('Who.'),
    rule: text('By which rule.'),
    title: text('In few words.'),
    before: count('Alerts now.'),
    after: count('Alerts with the change.'),
  },
  ['rule'],
);

const tried = object<Tried>('Before and after.', {
  belongs: text('Where the change is to be put.'),
  sinceUs: moment('What is older only counts for what is learned.'),
  ...{ batches: count('Looked at.'), events: count('Looked at.'), missing: count('Bodies no longer there.') },
  ...{ before: side, after: side },
  detectors: listOf(triedDetector),
  counts: object<Tried['counts']>('How many.', {
    ...{ gained: count('Only with the change.'), lost: count('Only without.'), moved: count('Of another severity.') },
  }),
  ...{ gained: listOf(triedAlert), lost: listOf(triedAlert), moved: listOf(triedAlert) },
  untried: listOf(text('A rule that runs on nodes: evidence cannot tell.')),
  partly: listOf(text('A rule of which this is the least.')),
});

const backtest = object<BacktestRun>(
  'A back-test that somebody asked for.',
  {
    id: text('Its name.'),
    change: text('As it was typed.'),
    hours: count('Back from its begin.'),
    detector: text('On whose page; may be empty.'),
    who: text('Whose token.'),
    state: { type: 'string', enum: ['running', 'done', 'failed', 'cancelled'] },
    began: moment('Its begin.'),
    ended: moment('Its end.'),
    done: amount('Of the log, 0 to 1.'),
    events: count('So far.'),
    result: tried,
    problem: text('Why there is no result.'),
  },
  ['ended', 'result', 'problem'],
);

export const TUNING_SCHEMAS = {
  ...{ Detector: object<DetectorRow>('A detector and how often it spoke.', row), DetectorReport: report },
  ...{ Cohort: cohort, Found: foundEvents, SavedSearch: saved, Backtest: backtest },
} as const;
