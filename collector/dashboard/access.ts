/**
 * Who asks, and whether from where they may. Whoever has a token logs in with it and gets a cookie, or sends it with each request as
 * `Authorization: Bearer`. The cookie names the token, ends by itself, and is made with a secret of the collector, so that it survives
 * a restart, says nothing, and is worth nothing once its token is revoked.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { hashOf, idIn, type Token, type TokenSource } from '../tokens.ts';
import { OWNER, type AccessRole } from './roles.ts';

const COOKIE = 'hushwatch';
const ATTRIBUTES = 'Path=/; HttpOnly; SameSite=Strict';
const SESSION_SECONDS = 604_800;
const MAX_FAILURES = 10;
const FORGIVEN_AFTER_MS = 60_000;
const OWNER_ID = 'owner';

export interface Caller {
  readonly name: string;
  readonly roles: readonly AccessRole[];
  /** A browser sends cookies on its own, whoever made it ask; a bearer token is sent on purpose. */
  readonly by: 'cookie' | 'bearer';
}

/** One of these roles is enough. */
export const mayDo = (caller: Pick<Caller, 'roles'> | undefined, roles: readonly AccessRole[]): boolean =>
  caller?.roles.some((role) => roles.includes(role)) === true;

type Asking = Pick<IncomingMessage, 'headers'>;
type Known = Pick<Token, 'id' | 'name' | 'roles' | 'hash'>;

/** Both are hex or base64url of one length, or the answer is no. */
const same = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'));

export class Access {
  readonly #secret: string;
  readonly #owner: Known;
  readonly #tokens: TokenSource;
  readonly #hosts: ReadonlySet<string>;
  #failures: number[] = [];

  /** `ownerToken`: of `dashboard.token`; it is also what cookies are made with. */
  constructor(ownerToken: string, hosts: readonly string[], tokens: TokenSource) {
    this.#secret = ownerToken;
    this.#owner = { id: OWNER_ID, name: 'owner', roles: OWNER, hash: hashOf(ownerToken) };
    this.#tokens = tokens;
    this.#hosts = new Set(['127.0.0.1', 'localhost', '[::1]', ...hosts]);
  }

  /** A name that somebody else's DNS points at us is refused: its page would share our cookie's origin. */
  isOurHost(request: Asking): boolean {
    return this.#hosts.has((request.headers.host ?? '').replace(/:\d+$/, ''));
  }

  callerOf(request: Asking, now: number): Caller | undefined {
    const { authorization } = request.headers;
    const known = authorization === undefined ? this.#ofCookie(request, now) : this.#ofBearer(authorization, now);
    return known && { name: known.name, roles: known.roles, by: authorization === undefined ? 'cookie' : 'bearer' };
  }

  /**
   * Whether a request that changes something comes from a page of ours. With a cookie it must say so itself: no Origin, or `null`, is
   * no. Without one nobody's log-in can be misused, so programs need not send any.
   */
  isFromHere({ headers }: Asking, caller: Caller | undefined): boolean {
    const { origin } = headers;
    if (caller?.by === 'bearer') return true;
    if (origin === undefined) return caller === undefined;
    return URL.parse(origin)?.host === headers.host;
  }

  /** Whether another attempt is allowed now. */
  mayTry(now: number): boolean {
    this.#failures = this.#failures.filter((at) => now - at < FORGIVEN_AFTER_MS);
    return this.#failures.length < MAX_FAILURES;
  }

  /** The cookie to set, or `undefined` for a wrong token. */
  try(token: string, now: number): string | undefined {
    const known = this.#ofToken(token, now);
    if (known === undefined) {
      this.#failures.push(now);
      return undefined;
    }
    const ends = Math.floor(now / 1_000) + SESSION_SECONDS;
    const ticket = `${known.id}.${ends}.${this.#seal(known, ends)}`;
    return `${COOKIE}=${ticket}; ${ATTRIBUTES}; Max-Age=${SESSION_SECONDS}`;
  }

  #seal({ id, hash }: Known, ends: number): string {
    return createHmac('sha256', this.#secret)
      .update(`hushwatch dashboard cookie\n${id}\n${ends}\n${hash}`)
      .digest('base64url');
  }

  #ofToken(token: string, now: number): Known | undefined {
    const hash = hashOf(token);
    if (same(hash, this.#owner.hash)) return this.#owner;
    const known = this.#tokens.find(idIn(token) ?? '', now);
    return known !== undefined && same(hash, known.hash) ? known : undefined;
  }

  #ofBearer(authorization: string, now: number): Known | undefined {
    const [, token] = /^Bearer ([\x21-\x7e]{1,200})$/i.exec(authorization) ?? [];
    return token === undefined ? undefined : this.#ofToken(token, now);
  }

  #ofCookie({ headers }: Asking, now: number): Known | undefined {
    const cookies = (headers.cookie ?? '').split(';').map((part) => part.trim());
    const ticket = cookies.find((part) => part.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
    const [, id = '', ends = '', seal = ''] = /^(\w{1,16})\.(\d{1,12})\.([\w-]{43})$/.exec(ticket ?? '') ?? [];
    if (Number(ends) * 1_000 <= now) return undefined;
    const known = id === OWNER_ID ? this.#owner : this.#tokens.find(id, now);
    return known !== undefined && same(seal, this.#seal(known, Number(ends))) ? known : undefined;
  }
}

export const LOGGED_OUT = `${COOKIE}=; ${ATTRIBUTES}; Max-Age=0`;
