/**
 * The dashboard: shows what the state holds and changes nothing. Listens on loopback unless told otherwise; whoever
 * looks has the token. Pages bring no script or style of their own and ask nobody else for anything.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CLASSES } from '#protocol/vocabulary.ts';
import type { LocatedRecord, StateView } from '../view.ts';
import { Access, LOGGED_OUT } from './access.ts';
import { Html } from './html.ts';
import { Live } from './live.ts';
import { answerPrivacy } from './privacy-answers.ts';
import { alertPage, errorPage, eventsPage, leftPage, loginPage, nodesPage, overview } from './pages.ts';

export interface DashboardOptions {
  readonly host: string;
  readonly port: number;
  readonly token: string;
}

export interface Dashboard {
  readonly port: number;
  close(): Promise<void>;
}

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

const STATIC = fileURLToPath(new URL('static/', import.meta.url));
const UPLOT = dirname(createRequire(import.meta.url).resolve('uplot/dist/uPlot.esm.js'));
/** The only files there are. */
const FILES: Readonly<Record<string, readonly [string, string]>> = {
  'style.css': [join(STATIC, 'style.css'), 'text/css; charset=utf-8'],
  'main.js': [join(STATIC, 'main.js'), 'text/javascript; charset=utf-8'],
  'plot.js': [join(STATIC, 'plot.js'), 'text/javascript; charset=utf-8'],
  'uplot.js': [join(UPLOT, 'uPlot.esm.js'), 'text/javascript; charset=utf-8'],
  'uplot.css': [join(UPLOT, 'uPlot.min.css'), 'text/css; charset=utf-8'],
};

const MAX_FORM_BYTES = 4_096;
const ALERTS_SHOWN = 200;
const EVENTS_SHOWN = 200;
const ACTIVITY_SPAN_US = 3_600e6;
const ACTIVITY_BUCKET_US = 60e6;

export async function startDashboard(view: StateView, { host, port, token }: DashboardOptions): Promise<Dashboard> {
  const live = new Live(view);
  const access = new Access(token, host);
  const server = createServer((request, response) => {
    answer(request, response, { view, access, live }).catch(() => {
      // What broke may quote what was asked for; the page says only that it broke.
      if (!response.headersSent) send(response, 500, errorPage(500, 'Something broke here'));
      else response.destroy();
    });
  });
  server.headersTimeout = 10_000;
  await new Promise<void>((settle, fail) => {
    server.once('error', fail);
    server.listen(port, host, settle);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: async () => {
      live.close();
      server.closeAllConnections();
      await new Promise((settle) => server.close(settle));
    },
  };
}

interface Site {
  readonly view: StateView;
  readonly access: Access;
  readonly live: Live;
}

async function answer(request: IncomingMessage, response: ServerResponse, site: Site): Promise<void> {
  const { access } = site;
  if (!access.isOurHost(request)) return send(response, 421, errorPage(421, 'Not a name of this server'));
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  if (url === null) return send(response, 400, errorPage(400, 'Not an address'));
  if (request.method === 'POST') return await post(request, response, url, access);
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return send(response, 405, errorPage(405, 'Only looking is possible'));
  if (url.pathname === '/favicon.ico') {
    response.writeHead(204, HEADERS).end();
    return;
  }
  if (url.pathname.startsWith('/static/')) return file(response, url.pathname.slice('/static/'.length));
  const offered = url.searchParams.get('token');
  if (offered !== null && url.pathname === '/') return login(response, offered, access);
  if (!access.isLoggedIn(request)) {
    return url.pathname.startsWith('/api/') || url.pathname === '/live'
      ? json(response, 401, { error: 'log in first' })
      : send(response, 401, loginPage(undefined));
  }
  await get(response, url, site);
}

async function post(request: IncomingMessage, response: ServerResponse, url: URL, access: Access): Promise<void> {
  // A form of another site may post here, but it cannot read the cookie and is refused by where it comes from.
  const { origin } = request.headers;
  if (origin !== undefined && origin !== 'null' && URL.parse(origin)?.host !== request.headers.host)
    return send(response, 403, errorPage(403, 'From another site'));
  if (url.pathname === '/login')
    return login(response, new URLSearchParams(await bodyOf(request)).get('token') ?? '', access);
  if (url.pathname === '/logout') return redirect(response, LOGGED_OUT);
  send(response, 405, errorPage(405, 'Only looking is possible'));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > MAX_FORM_BYTES) return '';
  }
  return text;
}

function login(response: ServerResponse, token: string, access: Access): void {
  const now = Date.now();
  if (!access.mayTry(now)) return send(response, 429, loginPage('Too many attempts; wait a minute.'));
  const cookie = access.try(token, now);
  if (cookie === undefined) return send(response, 401, loginPage('That is not the token.'));
  redirect(response, cookie);
}

function redirect(response: ServerResponse, cookie: string): void {
  response.writeHead(303, { ...HEADERS, 'set-cookie': cookie, location: '/' }).end();
}

async function get(response: ServerResponse, url: URL, { view, live }: Site): Promise<void> {
  const now = Date.now() * 1_000;
  const node = url.searchParams.get('node') ?? '';
  const ofNode = node === '' ? {} : { node };
  const recent = (): Promise<readonly LocatedRecord[]> => view.recentEvents({ limit: EVENTS_SHOWN, ...ofNode });
  switch (url.pathname) {
    case '/':
      return send(
        response,
        200,
        overview(view.alerts({ limit: ALERTS_SHOWN, minSeverity: 'medium' }), view.nodes(), now),
      );
    case '/nodes':
      return send(response, 200, nodesPage(view.nodes(), now));
    case '/left':
      return send(response, 200, await left(url, view, await recent(), now));
    case '/events':
      return send(
        response,
        200,
        eventsPage(await recent(), view.nodes(), { node, class: url.searchParams.get('class') ?? '' }, now),
      );
    case '/live':
      response.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream' });
      if (!live.add(response)) response.end();
      return;
    case '/api/alerts':
      return json(response, 200, view.alerts({ limit: ALERTS_SHOWN, ...ofNode }));
    case '/api/nodes':
      return json(response, 200, view.nodes());
    case '/api/activity':
      return json(response, 200, activity(view, now));
    case '/api/events':
      return json(response, 200, await recent());
  }
  if (url.pathname === '/privacy' || url.pathname.startsWith('/privacy/'))
    return await privacy(response, url, view, now);
  const id = /^\/alerts\/([0-9a-f]{1,64})$/.exec(url.pathname)?.[1];
  const opened = id === undefined ? undefined : await openAlert(view, id, now);
  if (opened === undefined) send(response, 404, errorPage(404, 'No such page'));
  else send(response, 200, opened);
}

async function openAlert(view: StateView, id: string, now: number): Promise<Html | undefined> {
  const alert = view.alert(id);
  if (alert === undefined) return undefined;
  const { node, entity, time } = alert;
  const [events, lineage, others] = await Promise.all([
    Promise.all(alert.events.slice(0, 20).map(({ logIndex, line }) => view.eventAt(logIndex, line))),
    entity === undefined ? [] : view.lineage(node, entity, time),
    entity === undefined ? [] : view.eventsOfEntity(node, entity, time, 50),
  ]);
  return alertPage({ alert, events, lineage, others }, now);
}

async function privacy(response: ServerResponse, url: URL, view: StateView, now: number): Promise<void> {
  const found = await answerPrivacy(url, view, now);
  if (found === undefined) send(response, 404, errorPage(404, 'No such page'));
  else if (found instanceof Html) send(response, 200, found);
  else response.writeHead(200, { ...HEADERS, 'content-type': 'text/plain; charset=utf-8' }).end(found);
}

async function left(url: URL, view: StateView, records: readonly LocatedRecord[], now: number): Promise<Html> {
  const [, logIndex, line] = /^(\d{1,15})\.(\d{1,6})$/.exec(url.searchParams.get('at') ?? '') ?? [];
  const opened = logIndex === undefined ? undefined : await view.eventAt(Number(logIndex), Number(line));
  const from = (opened ?? records[0])?.node;
  const ruleset = view.nodes().find(({ name }) => name === from)?.ruleset;
  return leftPage(records, opened, ruleset === undefined ? undefined : view.exposure(ruleset), now);
}

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

function file(response: ServerResponse, name: string): void {
  const known = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
  if (known === undefined) return send(response, 404, errorPage(404, 'No such file'));
  response
    .writeHead(200, { ...HEADERS, 'cache-control': 'private, max-age=300', 'content-type': known[1] })
    .end(readFileSync(known[0]));
}

function send(response: ServerResponse, status: number, body: Html): void {
  response.writeHead(status, { ...HEADERS, 'content-type': 'text/html; charset=utf-8' }).end(body.text);
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response
    .writeHead(status, { ...HEADERS, 'content-type': 'application/json; charset=utf-8' })
    .end(JSON.stringify(body));
}
