/** Who asks: what a cookie and a token are worth, and when no more. */
import { beforeEach, expect, test } from 'vitest';
import { Access } from '../../../collector/dashboard/access.ts';
import { hashOf, type Token } from '../../../collector/tokens.ts';

const OWNER = 'the-token-of-the-owner';
const TOKEN = `hushwatch_0000000a_${'x'.repeat(43)}`;
const NOW = Date.parse('2026-11-28T12:00:00Z');
const WEEK_MS = 7 * 86_400_000;
const VIEWER: Token = {
  ...{ id: '0000000a', name: 'wall', roles: ['viewer'], hash: hashOf(TOKEN), created: '2026-11-01T00:00:00Z' },
};

let known: readonly Token[];
let access: Access;
beforeEach(() => {
  known = [VIEWER];
  access = new Access(OWNER, ['127.0.0.1'], { find: (id) => known.find((token) => token.id === id) });
});

const cookieOf = (token: string, now = NOW): string => (access.try(token, now) ?? '').split(';')[0] ?? '';
const nameOf = (headers: Readonly<Record<string, string>>, now = NOW): string | undefined =>
  access.callerOf({ headers }, now)?.name;

test('a token is worth its roles, as a cookie and as a bearer', () => {
  expect(access.callerOf({ headers: { cookie: cookieOf(TOKEN) } }, NOW)).toEqual({
    ...{ name: 'wall', roles: ['viewer'], by: 'cookie' },
  });
  expect(access.callerOf({ headers: { authorization: `Bearer ${OWNER}` } }, NOW)).toMatchObject({
    ...{ name: 'owner', roles: ['operator', 'reviewer'], by: 'bearer' },
  });
});

test('a cookie ends after a week, and nobody can make it last longer', () => {
  const cookie = cookieOf(TOKEN);
  expect(nameOf({ cookie }, NOW + WEEK_MS - 1)).toBe('wall');
  expect(nameOf({ cookie }, NOW + WEEK_MS)).toBeUndefined();
  expect(nameOf({ cookie: cookie.replace(/\.(\d+)\./, (_, ends: string) => `.${Number(ends) + 1}.`) })).toBeUndefined();
});

test('the cookie of one token is none of another, nor of the owner', () => {
  const other = { ...VIEWER, id: '0000000b', hash: hashOf(`${TOKEN}y`) };
  known = [VIEWER, other];
  const cookie = cookieOf(TOKEN);
  expect(nameOf({ cookie: cookie.replace('0000000a', '0000000b') })).toBeUndefined();
  expect(nameOf({ cookie: cookie.replace('0000000a', 'owner') })).toBeUndefined();
});

test('it is worth nothing once its token is revoked, or was replaced by another of the same id', () => {
  const cookie = cookieOf(TOKEN);
  known = [{ ...VIEWER, hash: hashOf('another') }];
  expect(nameOf({ cookie })).toBeUndefined();
  known = [];
  expect(nameOf({ cookie })).toBeUndefined();
  expect(nameOf({ authorization: `Bearer ${TOKEN}` })).toBeUndefined();
});

test('another collector knows neither', () => {
  const elsewhere = new Access('another-owner', ['127.0.0.1'], { find: () => VIEWER });
  expect(elsewhere.callerOf({ headers: { cookie: cookieOf(TOKEN) } }, NOW)).toBeUndefined();
  expect(elsewhere.callerOf({ headers: { cookie: cookieOf(OWNER) } }, NOW)).toBeUndefined();
});

test('a wrong bearer is not made good by a cookie', () => {
  expect(nameOf({ cookie: cookieOf(TOKEN), authorization: 'Bearer guess' })).toBeUndefined();
});

const GARBAGE = ['hushwatch=', 'hushwatch=owner', 'hushwatch=owner.9999999999.', 'hushwatch=a.b.c', '; ;=', 'x=y'];
for (const cookie of GARBAGE) test(`no cookie of ours: ${cookie}`, () => expect(nameOf({ cookie })).toBeUndefined());

const HERE: readonly (readonly [string, string | undefined, 'cookie' | 'bearer' | undefined, boolean])[] = [
  ['a page of ours', 'http://127.0.0.1:8440', 'cookie', true],
  ['another site', 'https://evil.example', 'cookie', false],
  ['our name at another port', 'http://127.0.0.1:8441', 'cookie', false],
  ['no origin', undefined, 'cookie', false],
  ['an origin that is hidden', 'null', 'cookie', false],
  ['an origin that is none', '127.0.0.1:8440', 'cookie', false],
  ['a program with a token', undefined, 'bearer', true],
  ['a log-in by a program', undefined, undefined, true],
  ['a log-in from another site', 'https://evil.example', undefined, false],
  ['a log-in from a hidden one', 'null', undefined, false],
];
for (const [name, origin, by, isHere] of HERE) {
  test(`${name} may ${isHere ? '' : 'not '}post`, () => {
    const headers = { host: '127.0.0.1:8440', ...(origin === undefined ? {} : { origin }) };
    const caller = by === undefined ? undefined : { name: 'wall', roles: ['viewer'] as const, by };
    expect(access.isFromHere({ headers }, caller)).toBe(isHere);
  });
}
