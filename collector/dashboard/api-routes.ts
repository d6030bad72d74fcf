/** The HTTP API about nodes, events and alerts. Everything that it says, the pages say too; both ask the same view. */
import { CLASSES } from '#protocol/vocabulary.ts';
import { SEVERITIES } from '../findings.ts';
import type { StateView } from '../view.ts';
import { IDENTIFIER, LIMIT, NODE } from './fields.ts';
import { LOOKS, WATCHES } from './roles.ts';
import { found, route, type Route } from './route.ts';
import { listOf } from './schema-parts.ts';
import { named } from './schemas.ts';

const ACTIVITY_SPAN_US = 3_600e6;
const ACTIVITY_BUCKET_US = 60e6;

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
