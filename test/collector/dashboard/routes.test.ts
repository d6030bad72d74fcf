/** Every route with every role and with none: who may do what is what the table says, and nothing else is there. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openApiOf } from '../../../collector/dashboard/openapi.ts';
import { ACCESS_ROLES, type AccessRole } from '../../../collector/dashboard/roles.ts';
import { inPath, type Route } from '../../../collector/dashboard/route.ts';
import { ROUTES } from '../../../collector/dashboard/routes.ts';
import { startDashboard, type Dashboard } from '../../../collector/dashboard/server.ts';
import { hashOf, type Token } from '../../../collector/tokens.ts';
import { AFTER, BEFORE } from './fake-privacy.ts';
import { alert, fakeView, type FakeView } from './fake-view.ts';

/** Something that is there, for what stands in paths. A new route with a parameter of another name adds it. */
const EXAMPLES: Readonly<Record<string, string>> = {
  ...{ digest: AFTER.digest, before: BEFORE.digest, after: AFTER.digest, entry: '812', form: 'approval' },
  ...{ name: 'main.js', detector: 'rate' },
};
const idFor = (path: string): string => (path.includes('/stories/') ? alert(6).story : alert(6).id);
const addressOf = ({ path }: Pick<Route, 'path'>): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    name === 'id' ? idFor(path) : (EXAMPLES[name] ?? `no example of ${name}`),
  );
/** What a query must hold, likewise. */
const QUERY: Readonly<Record<string, string>> = { title: 'A title' };
const queryOf = ({ parameters = {}, path }: Route): string => {
  const needed = Object.keys(parameters).filter((name) => QUERY[name] !== undefined && !inPath(path).includes(name));
  return needed.length === 0
    ? ''
    : `?${new URLSearchParams(needed.map((name) => [name, QUERY[name] ?? ''])).toString()}`;
};
/** What a body may hold, likewise. */
const BODY: Readonly<Record<string, string | number>> = {
  ...{ verdict: 'true', reason: 'because of this test', token: 'none', revision: 1 },
  ...{ change: 'detectors: {}', hours: 24, detector: 'rate' },
};
function bodyFor({ body = {} }: Route): Readonly<Record<string, unknown>> {
  const example = (name: string): unknown => (name === 'stories' ? openStories() : BODY[name]);
  return Object.fromEntries(Object.keys(body).map((name) => [name, example(name) ?? `no example of ${name}`]));
}
let added = 1_000;
/** There is always another one to judge. */
function openStories(): number {
  view.add(alert(added++));
  return view.triage.count({ shown: true, status: 'open' });
}

const OWNER = 'the-token-of-the-owner';
const tokenOf = (role: AccessRole): string => `hushwatch_0000000${ACCESS_ROLES.indexOf(role)}_${role.padEnd(43, 'x')}`;
const TOKENS: readonly Token[] = ACCESS_ROLES.map((role, i) => ({
  ...{ id: `0000000${i}`, name: `a-${role}`, roles: [role], hash: hashOf(tokenOf(role)) },
  created: '2026-11-01T00:00:00Z',
}));

let view: FakeView;
let dashboard: Dashboard;
let base: string;
beforeAll(async () => {
  view = fakeView();
  const tokens = { find: (id: string): Token | undefined => TOKENS.find((token) => token.id === id) };
  dashboard = await startDashboard(view, { host: '127.0.0.1', port: 0, token: OWNER, tokens });
  base = `http://127.0.0.1:${dashboard.port}`;
});
afterAll(() => dashboard.close());

const ask = async (route: Route, headers: Readonly<Record<string, string>>): Promise<Response> => {
  const isForm = route.takes === 'form';
  const fields = bodyFor(route);
  const form = new URLSearchParams(Object.entries(fields).map(([name, value]) => [name, String(value)]));
  const type = isForm ? 'application/x-www-form-urlencoded' : 'application/json';
  const aborting = new AbortController();
  const response = await fetch(base + addressOf(route) + queryOf(route), {
    method: route.method,
    headers: { ...headers, ...(route.method === 'POST' ? { 'content-type': type } : {}) },
    ...(route.method === 'POST' ? { body: isForm ? form.toString() : JSON.stringify(fields) } : {}),
    redirect: 'manual',
    signal: aborting.signal,
  });
  if (route.path === '/live') aborting.abort();
  return response;
};
const bearer = (token: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${token}` });
async function cookieOf(token: string): Promise<string> {
  const body = new URLSearchParams({ token });
  const login = await fetch(`${base}/login`, { method: 'POST', body, redirect: 'manual' });
  return (login.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
}

for (const route of ROUTES) {
  describe(`${route.method} ${route.path}`, () => {
    if (route.roles === 'anyone') {
      test('needs no log-in', async () => {
        expect([200, 204, 303].includes((await ask(route, {})).status) || route.path === '/login').toBe(true);
      });
      return;
    }
    const { roles } = route;
    test('not without a token, nor with a made-up one', async () => {
      expect((await ask(route, {})).status).toBe(401);
      expect((await ask(route, bearer(`hushwatch_00000000_${'y'.repeat(43)}`))).status).toBe(401);
      expect((await ask(route, { cookie: `hushwatch=00000000.9999999999.${'y'.repeat(43)}` })).status).toBe(401);
    });
    for (const role of ACCESS_ROLES) {
      const may = roles.includes(role);
      test(`${role}: ${may ? 'yes' : 'no'}`, async () => {
        const { status } = await ask(route, bearer(tokenOf(role)));
        if (may) expect(status).toBeLessThan(400);
        else expect(status).toBe(403);
      });
    }
    if (route.method !== 'POST') return;
    test('a reason is needed, and who did it is recorded with it', async () => {
      expect(Object.keys(route.body ?? {})).toContain('reason');
      const before = view.acts(1_000).length;
      await ask(route, bearer(OWNER));
      const [act] = view.acts(1_000);
      expect(view.acts(1_000)).toHaveLength(before + 1);
      expect(act).toMatchObject({ who: 'owner', act: `POST ${addressOf(route)}`, reason: BODY['reason'] });
    });
    test('with a cookie only from a page of ours', async () => {
      const cookie = await cookieOf(OWNER);
      const before = view.acts(1_000).length;
      expect((await ask(route, { cookie })).status).toBe(403);
      expect((await ask(route, { cookie, origin: 'null' })).status).toBe(403);
      expect((await ask(route, { cookie, origin: 'https://evil.example' })).status).toBe(403);
      expect((await ask(route, { cookie, origin: `${base}0` })).status).toBe(403);
      expect(view.acts(1_000)).toHaveLength(before);
      expect((await ask(route, { cookie, origin: base })).status).toBeLessThan(400);
    });
  });
}

test('a cookie is worth what its token is', async () => {
  const cookie = await cookieOf(tokenOf('reviewer'));
  expect((await fetch(`${base}/privacy`, { headers: { cookie } })).status).toBe(200);
  expect((await fetch(`${base}/events`, { headers: { cookie } })).status).toBe(403);
  const navigation = await (await fetch(`${base}/privacy`, { headers: { cookie } })).text();
  expect(navigation).toContain('href="/nodes"');
  expect(navigation).not.toContain('href="/events"');
});

const WRITE = ROUTES.find(({ operation }) => operation === 'giveVerdict');
const REFUSED: readonly (readonly [string, string, string, number])[] = [
  ['no JSON', '{', 'application/json', 400],
  ['a list', '[]', 'application/json', 400],
  ['a verdict that is none', '{"verdict":"maybe","reason":"x"}', 'application/json', 400],
  ['no reason', '{"verdict":"true"}', 'application/json', 400],
  ['a reason of spaces', '{"verdict":"true","reason":"  "}', 'application/json', 400],
  ['a reason that is a number', '{"verdict":"true","reason":7}', 'application/json', 400],
  ['something that nobody asked for', '{"verdict":"true","reason":"x","who":"somebody else"}', 'application/json', 400],
  ['a form', 'verdict=true&reason=x', 'application/x-www-form-urlencoded', 415],
  ['a text', '{"verdict":"true","reason":"x"}', 'text/plain', 415],
  ['too much', JSON.stringify({ verdict: 'true', reason: 'x'.repeat(70_000) }), 'application/json', 413],
];
for (const [name, body, type, status] of REFUSED) {
  test(`a write with ${name}: ${status}, and nothing is written`, async () => {
    const before = [view.acts(1_000).length, view.verdicts().length];
    const response = await fetch(base + addressOf(WRITE ?? { path: '' }), {
      ...{ method: 'POST', body, headers: { ...bearer(OWNER), 'content-type': type } },
    });
    expect(response.status).toBe(status);
    expect([view.acts(1_000).length, view.verdicts().length]).toEqual(before);
  });
}

test('a verdict on what is still to come is refused: it would keep the story quiet for good', async () => {
  const address = base + addressOf(WRITE ?? { path: '' });
  const headers = { ...bearer(OWNER), 'content-type': 'application/json' };
  const give = (revision: number): Promise<Response> =>
    fetch(address, { method: 'POST', headers, body: JSON.stringify({ verdict: 'false', reason: 'x', revision }) });
  const before = view.verdicts().length;
  const revision = view.story(alert(6).story)?.revision ?? 0;
  expect((await give(revision + 1)).status).toBe(409);
  expect(view.verdicts()).toHaveLength(before);
  expect((await give(revision)).status).toBe(201);
});

test('a verdict for many is refused when there are others than were seen', async () => {
  const ask = (stories: number): Promise<Response> =>
    fetch(`${base}/api/v1/stories/verdicts?node=alpha`, {
      ...{ method: 'POST', headers: { ...bearer(OWNER), 'content-type': 'application/json' } },
      body: JSON.stringify({ verdict: 'false', reason: 'a test', stories }),
    });
  const count = openStories();
  const before = view.verdicts().length;
  expect((await ask(count + 1)).status).toBe(409);
  expect(view.verdicts()).toHaveLength(before);
  expect(await (await ask(count)).json()).toEqual({ stories: count });
  expect(view.verdicts()).toHaveLength(before + count);
});

const document = openApiOf(ROUTES);
test('the document is OpenAPI 3.1, each operation has a name of its own and says its roles', async () => {
  const served: Record<string, unknown> = JSON.parse(await (await fetch(`${base}/api/v1/openapi.json`)).text());
  expect(served).toEqual(JSON.parse(JSON.stringify(document)));
  const result = await new Validator().validate(served);
  expect(result.errors ?? []).toEqual([]);
  expect(result.valid).toBe(true);
  const documented = ROUTES.filter(({ path }) => path.startsWith('/api/'));
  const names = documented.map(({ operation }) => operation);
  expect(names).not.toContain(undefined);
  expect(new Set(names).size).toBe(names.length);
  expect(documented.filter(({ answer }) => answer === undefined)).toEqual([]);
});

const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema({ ...document, $id: 'document' });
for (const route of ROUTES.filter(({ path }) => path.startsWith('/api/'))) {
  test(`${route.method} ${route.path} answers what the document says`, async () => {
    const answered: unknown = await (await ask(route, bearer(OWNER))).json();
    const place = [
      'paths',
      route.path,
      route.method.toLowerCase(),
      'responses',
      route.method === 'POST' ? '201' : '200',
    ];
    const pointer = [...place, 'content', 'application/json', 'schema'].map((step) =>
      encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')),
    );
    const validate = ajv.compile({ $ref: `document#/${pointer.join('/')}` });
    validate(answered);
    expect(validate.errors ?? []).toEqual([]);
  });
}

test('what stands in a path is declared, with a pattern', () => {
  for (const { path, parameters = {} } of ROUTES) {
    expect(Object.keys(parameters)).toEqual(expect.arrayContaining([...inPath(path)]));
  }
});
