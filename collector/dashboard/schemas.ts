/** What the API answers, as JSON Schema 2020-12. */
import type { Alert, StoryFinding } from '../detectors/detector.ts';
import { VERDICTS, type Act, type AlertRow, type Verdict } from '../findings.ts';
import type { NodeRow } from '../state.ts';
import { STATUSES, type TriageGroup, type TriageRow } from '../triage.ts';
import { ACCESS_ROLES } from './roles.ts';
import type { Schema } from './route.ts';
import {
  amount,
  count,
  listOf,
  measure,
  moment,
  object,
  reference,
  severity,
  text,
  yesNo,
  type Properties,
} from './schema-parts.ts';
import { TUNING_SCHEMAS } from './tuning-schemas.ts';

export const named = (name: keyof typeof SCHEMAS): Schema => ({ $ref: `#/components/schemas/${name}` });

const finding = object<StoryFinding>(
  'What one detector said, once or often.',
  {
    detector: text('Which.'),
    rule: text('Which of its rules.'),
    title: text('In few words.'),
    severity,
    points: amount('What it weighs.'),
    count: count('How often.'),
    alert: text('The first alert that said it.'),
  },
  ['rule'],
);

const ofAlert: Properties<Alert> = {
  id: text('The same for the same finding.'),
  time: moment('When.'),
  node: text('Where.'),
  detector: text('Who found it.'),
  rule: text('By which rule.'),
  title: text('In few words.'),
  severity,
  reason: text('In one sentence.'),
  silencedBy: text('What would have kept it quiet.'),
  attack: listOf(text('ATT&CK technique or tactic.')),
  events: listOf(reference),
  entity: text('Identifier of the process, on its node.'),
  loss: count('Events lost or sampled away in its window.'),
  measures: listOf(measure),
  session: text('Log-in session.'),
};

export const SCHEMAS = {
  Error: object<{ readonly error: string }>('What was wrong with a request.', { error: text('In words.') }),
  Me: object<{ readonly name: string; readonly roles: readonly string[] }>('Whose token this is.', {
    name: text('As given when the token was made.'),
    roles: listOf({ type: 'string', enum: ACCESS_ROLES }),
  }),
  Node: object<NodeRow>(
    'A node, and every event accounted for.',
    {
      name: text('As registered.'),
      role: text('What it is for.'),
      cohort: text('Its peers.'),
      lastSequence: count('Number of its last batch.'),
      lastTime: moment('Of its last event.'),
      lastReceived: moment('Of its last batch.'),
      ruleset: text('SHA-256 of its redaction rules.'),
      agentVersion: text('Of its agent.'),
      sources: text('What it sees with, separated by commas.'),
      epochs: { type: 'object', description: 'Of its pseudonyms.' },
      weaker: yesNo('It sees with a weaker source.'),
      seen: count('Events seen.'),
      released: count('Of these released.'),
      merged: count('Merged with others.'),
      sampled: count('Sampled out.'),
      withheld: count('Withheld by its rules.'),
      lost: count('Lost.'),
    },
    ['epochs'],
  ),
  Activity: object<{ readonly times: unknown; readonly series: unknown }>('Events a minute, of the last hour.', {
    times: listOf(amount('Seconds since 1970.')),
    series: {
      type: 'object',
      description: 'A list for each class of events.',
      additionalProperties: listOf(count('Events.')),
    },
  }),
  Event: {
    type: 'object',
    description: 'A released event and where it lies. Attributes are those of the vocabulary.',
    properties: {
      event: text('Which event.'),
      time: moment('When.'),
      node: text('Where.'),
      logIndex: count('Of its batch, in the log.'),
      line: count('In the batch, from 0.'),
    },
    required: ['event', 'time', 'node', 'logIndex', 'line'],
    additionalProperties: true,
  },
  Alert: object<AlertRow>(
    'One finding of one detector.',
    {
      ...ofAlert,
      seq: count('Its place in the order in which alerts were found.'),
      logIndex: {
        type: 'integer',
        minimum: -1,
        description: 'Of the batch with its first event; -1 when it is about none.',
      },
      story: text('The story it belongs to; empty when it was suppressed.'),
      points: amount('What it weighs there.'),
      suppressedBy: text('The suppression that kept it from being told.'),
    },
    ['rule', 'entity', 'measures', 'session', 'suppressedBy'],
  ),
  Story: object<TriageRow>(
    'What a person reads: the alerts of one process tree within a window, or of one node.',
    {
      id: text('The same for the same story.'),
      seq: count('Its place in the order in which stories changed.'),
      revision: count('Grows when something new was found.'),
      node: text('Where.'),
      root: text('Process at the root of the tree.'),
      program: text('Its program, if that was released.'),
      session: text('Log-in session.'),
      first: moment('Its first alert.'),
      last: moment('Its last alert.'),
      title: text('In few words.'),
      reason: text('In one sentence.'),
      silencedBy: text('What would have kept it quiet.'),
      severity,
      score: amount('Points of all findings.'),
      attack: listOf(text('ATT&CK technique or tactic.')),
      measures: listOf(measure),
      findings: listOf(finding),
      alerts: count('How many alerts.'),
      events: listOf(reference),
      loss: count('Events lost or sampled away in its window.'),
      shown: yesNo('It goes to the outputs and stands on the first page.'),
      status: { type: 'string', enum: STATUSES, description: 'Open again once something new was found.' },
    },
    ['root', 'program', 'session'],
  ),
  Verdict: object<Verdict>('What a person said of a story. The last one counts; those before stay.', {
    seq: count('In the order in which they were given.'),
    story: text('About which.'),
    time: moment('When.'),
    who: text("Whose token, or which user of the collector's machine."),
    verdict: { type: 'string', enum: VERDICTS },
    reason: text('Why.'),
    revision: count('Of the story as it was read.'),
  }),
  Group: object<TriageGroup>('Stories of one kind.', {
    key: text('What they have in common.'),
    stories: count('How many.'),
    severity,
    last: moment('Their last alert.'),
  }),
  Judged: object<{ readonly stories: number }>('What a verdict was given to.', { stories: count('How many stories.') }),
  Suggestion: {
    oneOf: [
      object<{ readonly filter: string }>('A filter.', { filter: text('Sigma, as YAML.') }),
      object<{ readonly refused: string }>('None.', { refused: text('Why.') }),
    ],
  },
  Act: object<Act>('Something that was changed, recorded before it was done.', {
    seq: count('In order.'),
    time: moment('When.'),
    who: text("Whose token, or which user of the collector's machine."),
    act: text('What: method and path.'),
    reason: text('Why.'),
  }),
  ...TUNING_SCHEMAS,
} as const satisfies Readonly<Record<string, Schema>>;
