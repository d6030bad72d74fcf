/**
 * The dashboard and its HTTP API: answers from the table in `routes.ts` and from nothing else. Every request passes the same gates in
 * the same order: our name, a route, a log-in, a role, for a POST where it comes from and a bounded body of the right kind, then what
 * the route says of its parameters. Listens on loopback unless told otherwise. Pages bring no script or style of their own and ask
 * nobody else for anything.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { TokenSource } from '../tokens.ts';
import type { StateView } from '../view.ts';
import { Access, mayDo, type Caller } from './access.ts';
import { errorPage, frame, loginPage } from './frame.ts';
import { Live } from './live.ts';
import { logIn } from './page-routes.ts';
import { Refused, type Answer, type Route } from './route.ts';
import { ROUTES } from './routes.ts';

export interface DashboardOptions {
  readonly host: string;
  readonly port: number;
  /** Other names than that of the host under which browsers may ask. */
  readonly names?: readonly string[];
  /** The owner's. */
  readonly token: string;
  readonly tokens: TokenSource;
}

export interface Dashboard {
  readonly port: number;
  close(): Promise<void>;
}

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  // Not `no-referrer`: with it, browsers say `Origin: null` for our own forms, and we could not tell them from strangers'.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};
const MAX_BODY_BYTES = 65_536;
/** Characters of an address that the record keeps. */
const MAX_ACT = 500;

interface Site {
  readonly view: StateView;
  readonly access: Access;
  readonly live: Live;
}

export async function startDashboard(view: StateView, options: DashboardOptions): Promise<Dashboard> {
  const { host, port, names = [], token, tokens } = options;
  const live = new Live(view);
  const site: Site = { view, live, access: new Access(token, [host, ...names], tokens) };
  const server = createServer((request, response) => {
    const asked = URL.parse(request.url ?? '/', 'http://localhost');
    const isProgram = asked?.pathname.startsWith('/api/') === true || asked?.pathname === '/live';
    const caller = site.access.callerOf(request, Date.now());
    answer(request, asked, caller, site).then(
      (found) => send(response, found, caller),
      // What broke may quote what was asked for; the answer says only that it broke.
      (error: unknown) => {
        const refused = error instanceof Refused ? error : new Refused(500, 'Something broke here');
        if (response.headersSent) response.destroy();
        else send(response, refusal(refused, isProgram, caller), caller);
      },
    );
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
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

async function answer(
  request: IncomingMessage,
  url: URL | null,
  caller: Caller | undefined,
  site: Site,
): Promise<Answer> {
  const now = Date.now() * 1_000;
  if (!site.access.isOurHost(request)) throw new Refused(421, 'Not a name of this server');
  if (url === null) throw new Refused(400, 'Not an address');
  const offered = url.searchParams.get('token');
  if (offered !== null && url.pathname === '/') return logIn({ ...site, now }, offered);
  const { route, inPath } = routeFor(request.method ?? '', url.pathname, caller);
  if (route.roles !== 'anyone' && !isAllowed(route, caller))
    throw caller === undefined ? new Refused(401, 'Log in first') : new Refused(403, 'Your role may not do this');
  if (route.method === 'POST' && !site.access.isFromHere(request, caller)) throw new Refused(403, 'From another site');
  const body = route.method === 'POST' ? await bodyOf(request, route) : undefined;
  // A field of a form that was left empty is one that was not sent.
  const query = [...url.searchParams].filter(([, text]) => text !== '');
  return await route.handle(
    { ...site, caller, now, mayStill: () => isAllowed(route, site.access.callerOf(request, Date.now())) },
    {
      parameters: { ...Object.fromEntries(query), ...inPath },
      body,
      record: (reason) => {
        if (route.method === 'POST' && caller !== undefined && route.roles !== 'anyone')
          site.view.record({
            time: now,
            who: caller.name,
            act: `POST ${url.pathname}${url.search}`.slice(0, MAX_ACT),
            reason,
          });
      },
    },
  );
}

const isAllowed = ({ roles }: Route, caller: Caller | undefined): boolean => roles === 'anyone' || mayDo(caller, roles);

function routeFor(
  method: string,
  pathname: string,
  caller: Caller | undefined,
): { readonly route: Route; readonly inPath: Readonly<Record<string, string>> } {
  const wanted = method === 'HEAD' ? 'GET' : method;
  const matching = ROUTES.flatMap((route) => {
    const inPath = route.match(pathname);
    return inPath === undefined ? [] : [{ route, inPath }];
  });
  const found = matching.find(({ route }) => route.method === wanted);
  if (found !== undefined) return found;
  if (matching.length > 0) throw new Refused(405, `Not by ${method}`);
  // Which addresses there are is not for strangers.
  throw caller === undefined ? new Refused(401, 'Log in first') : new Refused(404, 'No such page');
}

async function bodyOf(request: IncomingMessage, { takes = 'json' }: Route): Promise<unknown> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_BODY_BYTES) throw new Refused(413, `A body has at most ${MAX_BODY_BYTES} bytes`);
    chunks.push(bytes);
  }
  if (size === 0) return {};
  const text = Buffer.concat(chunks).toString('utf8');
  if (takes === 'form') {
    if (type !== 'application/x-www-form-urlencoded') throw new Refused(415, 'A form is wanted');
    return Object.fromEntries(new URLSearchParams(text));
  }
  if (type !== 'application/json') throw new Refused(415, 'application/json is wanted');
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused(400, 'Not JSON');
  }
}

function refusal({ status, message }: Refused, isProgram: boolean, caller: Caller | undefined): Answer {
  if (isProgram) return { status, json: { error: message } };
  if (status === 401 && caller === undefined) return { status, html: loginPage(undefined) };
  return { status, page: errorPage(status, message) };
}

function send(response: ServerResponse, answer: Answer, caller: Caller | undefined): void {
  const { status = 200, cookie } = answer;
  const headers = { ...HEADERS, ...(cookie === undefined ? {} : { 'set-cookie': cookie }) };
  const write = (type: string, body: string | Uint8Array, more: object = {}): void =>
    void response.writeHead(status, { ...headers, 'content-type': type, ...more }).end(body);
  const mayOpen = (path: string): boolean =>
    ROUTES.some((route) => route.method === 'GET' && route.path === path && isAllowed(route, caller));
  if ('page' in answer) write('text/html; charset=utf-8', frame(answer.page, mayOpen).text);
  else if ('html' in answer) write('text/html; charset=utf-8', answer.html.text);
  else if ('json' in answer) write('application/json; charset=utf-8', JSON.stringify(answer.json));
  else if ('text' in answer)
    write(
      answer.type ?? 'text/plain; charset=utf-8',
      answer.text,
      answer.cache === undefined ? {} : { 'cache-control': answer.cache },
    );
  else if ('seeOther' in answer) response.writeHead(303, { ...headers, location: answer.seeOther }).end();
  else if ('nothing' in answer) response.writeHead(204, headers).end();
  else {
    response.writeHead(status, { ...headers, 'content-type': 'text/event-stream' });
    answer.stream(response);
  }
}
