/** Who may look: whoever has the token. A cookie stands for it; it is made from the token, so that it survives a restart and says nothing. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const COOKIE = 'hushwatch';
const MAX_FAILURES = 10;
const FORGIVEN_AFTER_MS = 60_000;

const same = (a: string, b: string): boolean =>
  timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());

export class Access {
  readonly #token: string;
  readonly #ticket: string;
  readonly #hosts: ReadonlySet<string>;
  #failures: number[] = [];

  constructor(token: string, host: string) {
    this.#token = token;
    this.#ticket = createHmac('sha256', token).update('hushwatch dashboard cookie').digest('base64url');
    this.#hosts = new Set(['127.0.0.1', 'localhost', '[::1]', host]);
  }

  /** A name that somebody else's DNS points at us is refused: its page would share our cookie's origin. */
  isOurHost(request: IncomingMessage): boolean {
    return this.#hosts.has((request.headers.host ?? '').replace(/:\d+$/, ''));
  }

  isLoggedIn(request: IncomingMessage): boolean {
    const cookies = (request.headers.cookie ?? '').split(';').map((part) => part.trim());
    const ticket = cookies.find((part) => part.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
    return ticket !== undefined && same(ticket, this.#ticket);
  }

  /** Whether another attempt is allowed now. */
  mayTry(now: number): boolean {
    this.#failures = this.#failures.filter((at) => now - at < FORGIVEN_AFTER_MS);
    return this.#failures.length < MAX_FAILURES;
  }

  /** The cookie to set, or `undefined` for a wrong token. */
  try(token: string, now: number): string | undefined {
    if (same(token, this.#token)) return `${COOKIE}=${this.#ticket}; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800`;
    this.#failures.push(now);
    return undefined;
  }
}

export const LOGGED_OUT = `${COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0`;
