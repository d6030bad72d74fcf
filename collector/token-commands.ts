/** `hushwatch collector token create | list | revoke`: who may log in besides the owner. A token is shown once. */
import { resolve } from 'node:path';
import { becomeOwnerOf, commander, EXIT, HOME, parse, say, spanOf, UsageError } from './command.ts';
import { ACCESS_ROLES, type AccessRole } from './dashboard/roles.ts';
import { NoState, State } from './state.ts';
import { isGood, TOKEN_NAME, TokenFile, type Token } from './tokens.ts';

const OPTIONS = {
  home: { type: 'string', default: HOME },
  role: { type: 'string', multiple: true },
  name: { type: 'string' },
  expires: { type: 'string' },
  reason: { type: 'string', default: '' },
  json: { type: 'boolean', default: false },
} as const;

export function manageTokens(args: string[]): number {
  const { values, positionals } = parse(args, OPTIONS, 2);
  const [verb, id] = positionals;
  const home = resolve(values.home);
  if (verb === 'list' && id === undefined) return list(new TokenFile(home).all(), values.json);
  const who = commander();
  becomeOwnerOf(home);
  if (verb === 'create' && id === undefined) return create(home, who, values);
  if (verb === 'revoke' && id !== undefined) return revoke(home, who, id, values.reason);
  throw new UsageError('token create --role ROLE --name NAME, token list, or token revoke ID');
}

interface Asked {
  readonly role?: readonly string[] | undefined;
  readonly name?: string | undefined;
  readonly expires?: string | undefined;
  readonly reason: string;
}

function create(home: string, who: string, { role = [], name = '', expires, reason }: Asked): number {
  const roles = role.map(roleOf);
  if (roles.length === 0) throw new UsageError(`--role is one of ${ACCESS_ROLES.join(', ')}; give it again for more`);
  if (!TOKEN_NAME.test(name)) throw new UsageError('--name says whose it is: up to 64 letters, digits and . _ @ -');
  const now = new Date();
  const ends = expires === undefined ? undefined : new Date(now.getTime() + spanOf('expires', expires) / 1_000);
  const about = { name, roles, expires: ends?.toISOString() };
  const { token, id } = new TokenFile(home).create(about, now);
  record(home, who, `token create ${id} (${name}: ${roles.join(', ')})`, reason);
  process.stderr.write(`token ${id} of ${name} (${roles.join(', ')}); it is not shown again:\n`);
  say(token);
  return EXIT.done;
}

function roleOf(text: string): AccessRole {
  const role = ACCESS_ROLES.find((each) => each === text);
  if (role === undefined) throw new UsageError(`--role is one of ${ACCESS_ROLES.join(', ')}`);
  return role;
}

function list(tokens: readonly Token[], json: boolean): number {
  const now = Date.now();
  for (const token of tokens) {
    const { hash: _, ...about } = token;
    say(json ? JSON.stringify({ ...about, good: isGood(token, now) }) : textOf(token, now));
  }
  return EXIT.done;
}

function textOf(token: Token, now: number): string {
  const { id, name, roles, created, expires, revoked } = token;
  const state =
    revoked !== undefined ? `revoked ${revoked}` : expires === undefined ? 'does not end' : `ends ${expires}`;
  return `${id} ${name} (${roles.join(', ')}), made ${created}, ${state}${isGood(token, now) ? '' : ', worth nothing'}`;
}

function revoke(home: string, who: string, id: string, reason: string): number {
  const name = new TokenFile(home).revoke(id, new Date());
  record(home, who, `token revoke ${id} (${name})`, reason);
  say(`${id} of ${name} is worth nothing from now on`);
  return EXIT.done;
}

/** Tokens may be made before the collector ran for the first time; then `tokens.yaml` alone knows of them. */
function record(home: string, who: string, act: string, reason: string): void {
  try {
    using state = State.addingTo(home);
    state.record({ time: Date.now() * 1_000, who, act, reason });
  } catch (error) {
    if (!(error instanceof NoState)) throw error;
  }
}
