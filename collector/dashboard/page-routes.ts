/** Pages about nodes, events and single alerts, and what a browser needs to come to any page. */
import type { LocatedRecord, StateView } from '../view.ts';
import { LOGGED_OUT } from './access.ts';
import { IDENTIFIER, NODE } from './fields.ts';
import { loginPage, type Page } from './frame.ts';
import { LOOKS, WATCHES } from './roles.ts';
import { found, Refused, route, type Answer, type Asked, type Route } from './route.ts';
import { alertPage, leftPage, nodesPage } from './pages.ts';
import { STATIC_FILES } from './static-files.ts';

const EVENTS_SHOWN = 200;
const EVENTS_OF_ALERT = 20;
const OTHERS_OF_ALERT = 50;

export const PAGES: readonly Route[] = [
  route(
    { method: 'GET', path: '/nodes', roles: LOOKS, about: 'Each node, and every event accounted for.' },
    (asked) => ({
      page: nodesPage(asked.view.nodes(), asked.now),
    }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/left', roles: LOOKS, about: 'A released event beside what was withheld of it.' },
      parameters: {
        node: NODE,
        at: {
          type: 'string',
          pattern: '^\\d{1,15}\\.\\d{1,6}$',
          optional: true,
          description: 'Place in the log, and line.',
        },
      },
    },
    async ({ view, now, parameters }) => ({ page: await left(view, parameters, now) }),
  ),
  route(
    {
      ...{ method: 'GET', path: '/alerts/{id}', roles: WATCHES, about: 'One alert.' },
      parameters: { id: { ...IDENTIFIER, description: 'Of the alert.' } },
    },
    async ({ view, now, parameters }) => ({ page: found(await openAlert(view, parameters.id, now), 'No such page') }),
  ),
  route(
    { method: 'GET', path: '/live', roles: WATCHES, about: 'Server-sent events: what is new.' },
    ({ live, mayStill }) => ({
      stream: (response) => void (live.add(response, mayStill) || response.end()),
    }),
  ),
  route(
    {
      ...{ method: 'POST', path: '/login', roles: 'anyone', about: 'A cookie for a token.', takes: 'form' },
      body: { token: { type: 'string', maxLength: 200, default: '', description: 'As it was shown.' } },
    },
    (asked) => logIn(asked, asked.body.token),
  ),
  route({ method: 'POST', path: '/logout', roles: 'anyone', about: 'Forgets the cookie.', takes: 'form' }, () => ({
    ...{ seeOther: '/', cookie: LOGGED_OUT },
  })),
  STATIC_FILES,
  route({ method: 'GET', path: '/favicon.ico', roles: 'anyone', about: 'There is none.' }, () => ({ nothing: true })),
];

export function logIn({ access, now }: Pick<Asked, 'access' | 'now'>, token: string): Answer {
  const nowMs = now / 1_000;
  if (!access.mayTry(nowMs)) return { status: 429, html: loginPage('Too many attempts; wait a minute.') };
  const cookie = access.try(token, nowMs);
  return cookie === undefined ? { status: 401, html: loginPage('That is not the token.') } : { seeOther: '/', cookie };
}

async function openAlert(view: StateView, id: string, now: number): Promise<Page | undefined> {
  const alert = view.alert(id);
  if (alert === undefined) return undefined;
  const { node, entity, time } = alert;
  const [events, lineage, others] = await Promise.all([
    Promise.all(alert.events.slice(0, EVENTS_OF_ALERT).map(({ logIndex, line }) => view.eventAt(logIndex, line))),
    entity === undefined ? [] : view.lineage(node, entity, time),
    entity === undefined ? [] : view.eventsOfEntity(node, entity, time, OTHERS_OF_ALERT),
  ]);
  return alertPage({ alert, events, lineage, others }, now);
}

async function left(
  view: StateView,
  { node, at }: { readonly node: string | undefined; readonly at: string | undefined },
  now: number,
): Promise<Page> {
  const records = await view.recentEvents({ limit: EVENTS_SHOWN, node });
  const opened = at === undefined ? undefined : await eventAt(view, at);
  const from = (opened ?? records[0])?.node;
  const ruleset = view.nodes().find(({ name }) => name === from)?.ruleset;
  return leftPage(records, opened, ruleset === undefined ? undefined : view.exposure(ruleset), now);
}

/** `LOG_INDEX.LINE`, as links have it. */
async function eventAt(view: StateView, at: string): Promise<LocatedRecord | undefined> {
  const [logIndex, line] = at.split('.').map(Number);
  if (logIndex === undefined || line === undefined) throw new Refused(400, 'Not a place');
  return await view.eventAt(logIndex, line);
}
