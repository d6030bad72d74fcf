/** The dashboard from outside: who may look, what every answer carries, and that data stays data. */
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDashboard, type Dashboard } from '../../../collector/dashboard/server.ts';
import { AFTER, BEFORE } from './fake-privacy.ts';
import { alert, fakeView, NO_TOKENS, HOSTILE, type FakeView } from './fake-view.ts';

const TOKEN = 'a-token-of-this-test';
const CRON = 'cbd5ba78-859d-47e3-964c-ea25bbd12400';
let view: FakeView;
let dashboard: Dashboard;
let base: string;
let cookie: string;

beforeAll(async () => {
  view = fakeView();
  dashboard = await startDashboard(view, {
    host: '127.0.0.1',
    port: 0,
    token: TOKEN,
    tokens: NO_TOKENS,
    names: ['hushwatch.example.org'],
  });
  base = `http://127.0.0.1:${dashboard.port}`;
  const login = await fetch(`${base}/?token=${TOKEN}`, { redirect: 'manual' });
  cookie = login.headers.get('set-cookie') ?? '';
});
afterAll(() => dashboard.close());

const get = (
  path: string,
  headers: Record<string, string> = { cookie: cookie.split(';')[0] ?? '' },
): Promise<Response> => fetch(base + path, { headers, redirect: 'manual' });

test('the token in the address becomes a cookie and leaves the address', async () => {
  const login = await fetch(`${base}/?token=${TOKEN}`, { redirect: 'manual' });
  expect(login.status).toBe(303);
  expect(login.headers.get('location')).toBe('/');
  expect(cookie).toMatch(/; HttpOnly; SameSite=Strict;/);
  expect(cookie).not.toContain(TOKEN);
});

const PAGES = [
  '/',
  '/nodes',
  '/left',
  '/left?at=7.1',
  '/events',
  '/events?query=event+%3D+process.exec&since=6h&page=2',
  '/events?query=nonsense',
  '/events/detector?query=event+%3D+process.exec+and+process.executable.path+%3D+/x&title=A+title',
  '/detectors',
  '/detectors?hours=720',
  `/detectors/${CRON}`,
  `/detectors/${CRON}?start=suppression`,
  '/detectors/rate',
  '/cohorts',
  `/backtests/${'cd'.repeat(16)}`,
  `/alerts/${alert(6).id}`,
  `/alerts/${alert(6).id}/suggestion`,
  `/stories/${alert(6).story}`,
  '/?status=any&severity=medium&sort=score',
  '/?group=title',
  '/record',
  '/privacy',
  `/privacy/rules/${AFTER.digest}`,
  `/privacy/rules/${AFTER.digest}?event=file.open`,
  `/privacy/differences/${BEFORE.digest}/${AFTER.digest}`,
  '/api/v1/alerts',
  '/api/v1/nodes',
  '/api/v1/activity',
  '/api/v1/events',
];

for (const path of PAGES) {
  test(`${path}: for those who logged in only, and with every header`, async () => {
    expect((await get(path, {})).status).toBe(401);
    expect((await get(path, { cookie: 'hushwatch=guess' })).status).toBe(401);
    const response = await get(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(response.headers.get('content-security-policy')).not.toMatch(/unsafe|\*/);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('cache-control')).toBe('no-store');
  });
}

for (const path of PAGES.filter((each) => !each.startsWith('/api/'))) {
  test(`${path}: what attackers write stays text`, async () => {
    const text = await (await get(path)).text();
    expect(text).not.toContain('<script>document');
    expect(text).not.toContain('<img');
    expect(text).not.toContain('\u202e');
    expect(text.match(/<(?:script|style)\b[^>]*>/g) ?? []).toEqual(['<script type="module" src="/static/main.js">']);
    expect(text).not.toMatch(/<[a-z][^>]*\s(?:style|on\w+)=/);
    expect(text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  });
}

test('the hostile alert is shown, escaped, and huge values are cut', async () => {
  expect(await (await get(`/alerts/${alert(6).id}`)).text()).toContain('&lt;script&gt;document.title=');
  const left = await (await get('/left?at=7.1')).text();
  expect(left).toContain('(5,0');
  expect(left).toContain('Carries passwords.');
  expect(HOSTILE).toContain('<script>');
});

test('an alert about a node has no events and says so', async () => {
  expect(await (await get(`/alerts/${alert(7).id}`)).text()).toContain('about the node itself');
});

test('a weaker source and losses are marked', async () => {
  const text = await (await get('/nodes')).text();
  expect(text).toContain('weaker source');
  expect(text).toContain('1,234');
});

test('an empty collector teaches', async () => {
  const empty = await startDashboard(fakeView({ empty: true }), {
    host: '127.0.0.1',
    port: 0,
    token: TOKEN,
    tokens: NO_TOKENS,
  });
  const response = await fetch(`http://127.0.0.1:${empty.port}/`, { headers: { cookie: cookie.split(';')[0] ?? '' } });
  expect(await response.text()).toContain('chmod +x /tmp/x');
  await empty.close();
});

test('who approved which rules, since when they are in force, and whether canaries came out', async () => {
  const text = await (await get('/privacy')).text();
  expect(text).toContain(`<a href="/privacy/rules/${AFTER.digest}">generic-linux 2</a>`);
  expect(text).toContain('approved by reviewer-1, reviewer-2');
  expect(text).toContain('everything is counted and nothing leaves');
  expect(text).toContain('none of 1,728 made-up secrets came out');
  expect(text).toContain('2 of 1,728 came out');
  expect(text).toContain('no longer leaves: 1');
});

test('what a ruleset lets out, and what a change of it means', async () => {
  const exposed = await (await get(`/privacy/rules/${AFTER.digest}?event=file.open`)).text();
  expect(exposed).toContain('file.open: ');
  expect(exposed).toContain('<s>process.pid</s>');
  const changed = await (await get(`/privacy/differences/${BEFORE.digest}/${AFTER.digest}`)).text();
  expect(changed).toMatch(/no longer leaves[^]*process\.pid[^]*was: as it is/);
});

test('an approval and its proof are files to take away, byte for byte', async () => {
  const files = `/privacy/approvals/812/${AFTER.digest}`;
  const note = await get(`${files}.approval`);
  expect(note.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  expect(await note.text()).toContain('\u2014 reviewer-1 AAAA\n');
  expect(await (await get(`${files}.tlog-proof`)).text()).toContain('index 812\n');
  expect((await get(`${files}.tlog-proof`, {})).status).toBe(401);
});

const REFUSED: readonly (readonly [string, string, Record<string, string>, number])[] = [
  ['no such page', '/nothing', {}, 404],
  ['no such alert', '/alerts/00', {}, 404],
  ['no such ruleset', `/privacy/rules/${'0'.repeat(64)}`, {}, 404],
  ['a batch asked for as an approval', `/privacy/approvals/7/${'0'.repeat(64)}.approval`, {}, 404],
  ['an alert id that is none', '/alerts/..%2f..%2fetc', {}, 404],
  ['a file that is not ours', '/static/..%2f..%2fserver.ts', {}, 404],
  ['a prototype for a file', '/static/constructor', {}, 404],
  ["somebody else's name for us", '/', { host: 'evil.example:80' }, 421],
];
for (const [name, path, headers, status] of REFUSED) {
  test(`${name}: ${status}`, async () => {
    expect(await statusOf('GET', path, { cookie: cookie.split(';')[0] ?? '', ...headers })).toBe(status);
  });
}

test('methods that change something are not known', async () => {
  for (const method of ['PUT', 'DELETE', 'PATCH']) expect(await statusOf(method, '/', {})).toBe(405);
});

test('behind a proxy, under the name that it was given', async () => {
  const host = { cookie: cookie.split(';')[0] ?? '', host: 'hushwatch.example.org' };
  expect(await statusOf('GET', '/nodes', host)).toBe(200);
  expect(await statusOf('POST', '/logout', { ...host, origin: 'https://hushwatch.example.org' })).toBe(303);
  expect(await statusOf('POST', '/logout', { ...host, origin: 'https://example.org' })).toBe(403);
});

test('another site may not post', async () => {
  expect(await statusOf('POST', '/logout', { origin: 'https://evil.example' })).toBe(403);
});

/** Through node:http, which sends the Host header and the path that it is told to. */
function statusOf(method: string, path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((settle, fail) => {
    const sent = httpRequest({ host: '127.0.0.1', port: dashboard.port, method, path, headers }, (response) => {
      response.resume();
      settle(response.statusCode ?? 0);
    });
    sent.once('error', fail);
    sent.end();
  });
}

test('a new alert reaches whoever listens', async () => {
  const abort = new AbortController();
  const response = await fetch(`${base}/live`, {
    headers: { cookie: cookie.split(';')[0] ?? '' },
    signal: abort.signal,
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  await reader?.read();
  view.add(alert(99, { title: 'Brand new' }));
  let text = '';
  while (!text.includes('\n\n')) text += (await reader?.read())?.value ?? '';
  abort.abort();
  expect(text).toMatch(/^event: story\ndata: <li data-id="f+63" data-status="open"/);
  expect(text).toContain('Brand new');
});

test('a return in what an attacker wrote begins no event of its own', async () => {
  const abort = new AbortController();
  const headers = { cookie: cookie.split(';')[0] ?? '' };
  const response = await fetch(`${base}/live`, { headers, signal: abort.signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  await reader?.read();
  view.add(alert(98, { title: 'One\r\revent: many\rretry: 999999999\r\nid: 7' }));
  let text = '';
  while (!text.includes('\n\n')) text += (await reader?.read())?.value ?? '';
  abort.abort();
  expect(text).toContain('data: event: many\n');
  expect(text.split(/\r\n|[\r\n]/).filter((each) => !/^(?:data: |$)/.test(each))).toEqual(['event: story']);
});

test('guessing is slowed down, and the right token then waits too', async () => {
  const guarded = await startDashboard(fakeView(), { host: '127.0.0.1', port: 0, token: TOKEN, tokens: NO_TOKENS });
  const login = (token: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${guarded.port}/login`, {
      method: 'POST',
      body: new URLSearchParams({ token }),
      redirect: 'manual',
    });
  for (let i = 0; i < 10; i++) expect((await login(`guess ${i}`)).status).toBe(401);
  expect((await login(TOKEN)).status).toBe(429);
  await guarded.close();
});
