/** The HTTP API about nodes, events, alerts, stories. Everything that it says, the pages say too; both ask the same view. */
import { CLASSES } from '#protocol/vocabulary.ts';
import { SEVERITIES, VERDICTS } from '../findings.ts';
import type { StateView } from '../view.ts';
import { IDENTIFIER, NODE } from './page-routes.ts';
import { AUDITS, LOOKS, OPERATES, WATCHES } from './roles.ts';
import { found, route, type Route } from './route.ts';
import { listOf, named } from './schemas.ts';

const ACTIVITY_SPAN_US = 3_600e6;
const ACTIVITY_BUCKET_US = 60e6;

export const LIMIT = {
  ...({ type: 'integer', minimum: 1, maximum: 1_000, default: 200 } as const),
  description: 'At most so many.',
};
export const REASON = {
  ...({ type: 'string', minLength: 1, maxLength: 2_000, pattern: String.raw`\S` } as const),
  description: 'Why. Recorded, with the name of the token.',
};
const AFTER = {
  ...({ type: 'integer', minimum: 0, optional: true } as const),
  description: 'Those after this `seq`, oldest first; newest first without.',
};
const SEVERITY = {
  type: 'string',
  enum: SEVERITIES,
  default: 'informational',
  description: 'This or graver.',
} as const;
const STORY = { ...IDENTIFIER, description: 'Of the story.' } as const;

export const API: readonly Route[] = [
  route(
    {
      ...{ method: 'GET', path: '/api/v1/me', roles: LOOKS, operation: 'getMe' },
      about: 'Whose token this is, and its roles.',
      answer: named('Me'),
    },
    ({ caller }) => ({ json: { name: caller?.name, roles: caller?.roles } }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/nodes', roles: LOOKS, operation: 'listNodes' },
      about: 'All registered nodes, those that never sent included.',
      answer: listOf(named('Node')),
    },
    ({ view }) => ({ json: view.nodes() }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/activity', roles: LOOKS, operation: 'getActivity' },
      about: 'Events a minute by class, of the last hour.',
      answer: named('Activity'),
    },
    ({ view, now }) => ({ json: activity(view, now) }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/events', roles: WATCHES, operation: 'listEvents' },
      about: 'The latest released events, newest first.',
      parameters: { node: NODE, limit: LIMIT },
      answer: listOf(named('Event')),
    },
    async ({ view, parameters }) => ({ json: await view.recentEvents(parameters) }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/alerts', roles: WATCHES, operation: 'listAlerts' },
      about: 'Everything that detectors said.',
      parameters: { node: NODE, severity: SEVERITY, after: AFTER, limit: LIMIT },
      answer: listOf(named('Alert')),
    },
    ({ view, parameters: { node, severity, after, limit } }) => ({
      json: view.alerts({ node, limit, minSeverity: severity, afterSeq: after }),
    }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/alerts/{id}', roles: WATCHES, operation: 'getAlert' },
      about: 'One alert.',
      parameters: { id: { ...IDENTIFIER, description: 'Of the alert.' } },
      answer: named('Alert'),
    },
    ({ view, parameters: { id } }) => ({ json: found(view.alert(id), 'No such alert') }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/stories/{id}', roles: WATCHES, operation: 'getStory' },
      about: 'One story.',
      parameters: { id: STORY },
      answer: named('Story'),
    },
    ({ view, parameters: { id } }) => ({ json: found(view.story(id), 'No such story') }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/stories/{id}/alerts', roles: WATCHES, operation: 'listAlertsOfStory' },
      about: 'The alerts of a story, in the order in which they were found.',
      parameters: { id: STORY, limit: LIMIT },
      answer: listOf(named('Alert')),
    },
    ({ view, parameters: { id, limit } }) => ({
      json: view.alertsOfStory(found(view.story(id), 'No such story').id, limit),
    }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/stories/{id}/verdicts', roles: WATCHES, operation: 'listVerdicts' },
      about: 'What people said of a story, oldest first.',
      parameters: { id: STORY },
      answer: listOf(named('Verdict')),
    },
    ({ view, parameters: { id } }) => ({ json: view.verdicts(found(view.story(id), 'No such story').id) }),
  ),
  route(
    {
      ...{ method: 'POST', path: '/api/v1/stories/{id}/verdicts', roles: OPERATES, operation: 'giveVerdict' },
      about: 'Says of a story whether it was about something that mattered.',
      parameters: { id: STORY },
      body: {
        verdict: { type: 'string', enum: VERDICTS, description: '`acknowledged`: seen, not yet judged.' },
        reason: REASON,
      },
      answer: listOf(named('Verdict')),
    },
    ({ view, caller, now, parameters: { id }, body }) => {
      const story = found(view.story(id), 'No such story').id;
      view.judge({ story, time: now, who: caller?.name ?? '', ...body });
      return { status: 201, json: view.verdicts(story) };
    },
  ),
  route(
    {
      ...{ method: 'GET', path: '/api/v1/record', roles: AUDITS, operation: 'listRecord' },
      about: 'What was changed through this server and by commands: by whom, and why. Newest first.',
      parameters: { limit: LIMIT },
      answer: listOf(named('Act')),
    },
    ({ view, parameters: { limit } }) => ({ json: view.acts(limit) }),
  ),
];

/** Seconds, then one series a class, as the plot wants them; empty minutes are zeros. */
function activity(
  view: StateView,
  now: number,
): { readonly times: readonly number[]; readonly series: Readonly<Record<string, readonly number[]>> } {
  const last = Math.floor(now / ACTIVITY_BUCKET_US) * ACTIVITY_BUCKET_US;
  const first = last - ACTIVITY_SPAN_US;
  const times = Array.from(
    { length: ACTIVITY_SPAN_US / ACTIVITY_BUCKET_US + 1 },
    (_, i) => first + i * ACTIVITY_BUCKET_US,
  );
  const buckets = view.activity(first, ACTIVITY_BUCKET_US);
  const series = CLASSES.filter((name) => buckets.some((bucket) => bucket.class === name)).map((name) => {
    const counts = new Map(
      buckets
        .filter((bucket) => bucket.class === name)
        .map((bucket) => [Math.floor(bucket.time / ACTIVITY_BUCKET_US), bucket.events]),
    );
    return [name, times.map((time) => counts.get(Math.floor(time / ACTIVITY_BUCKET_US)) ?? 0)] as const;
  });
  return { times: times.map((time) => time / 1e6), series: Object.fromEntries(series) };
}
