/**
 * `tokens.yaml` in the collector's directory: who may log in besides the owner. It holds hashes alone: a token is shown once, when it is
 * made, and whoever reads the file can log in with nothing of it. A token is 32 random bytes, which is why a plain hash is enough.
 * Read again when it changes, so that a revoked token is worth nothing from the next request on.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { stringify, type Node } from 'yaml';
import { ACCESS_ROLES, type AccessRole } from './dashboard/roles.ts';
import { replaceOwned } from './owned-file.ts';
import { readTrusted } from '../config/trusted.ts';
import { ConfigError, readList, readMap, readYaml, scalarOf, type Place } from '../config/yaml.ts';

export interface Token {
  readonly id: string;
  /** Whose it is; stands beside what is done with it. */
  readonly name: string;
  readonly roles: readonly AccessRole[];
  /** SHA-256 of the whole token, hex. */
  readonly hash: string;
  /** ISO times. A revoked one stays, so that old records still have a name. */
  readonly created: string;
  readonly expires?: string | undefined;
  readonly revoked?: string | undefined;
}

export interface TokenSource {
  /** Unless it is over or revoked. `now` in ms. */
  find(id: string, now: number): Token | undefined;
}

const KEYS = ['id', 'name', 'roles', 'hash', 'created', 'expires', 'revoked'];
const MAX_TOKENS = 1_000;
const MAX_BYTES = 1 << 20;
export const TOKEN_NAME = /^[\w.@-]{1,64}$/;

export const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/** `hushwatch_ID_SECRET` */
export const idIn = (token: string): string | undefined => /^hushwatch_([0-9a-f]{8})_[\w-]{43}$/.exec(token)?.[1];

export class TokenFile implements TokenSource {
  readonly #file: string;
  #stamp = '';
  #tokens: readonly Token[] = [];

  /** Throws ConfigError. */
  constructor(home: string) {
    this.#file = join(home, 'tokens.yaml');
    this.#refresh();
  }

  /** With a file that cannot be read, or is wrong, nobody but the owner gets in: a revoked token must not live on by it. */
  find(id: string, now: number): Token | undefined {
    try {
      this.#refresh();
    } catch {
      // Commands say what is wrong with it; here it must not end the collector, whatever it is.
      this.#tokens = [];
    }
    const known = this.#tokens.find((token) => token.id === id);
    return known !== undefined && isGood(known, now) ? known : undefined;
  }

  all(): readonly Token[] {
    this.#refresh();
    return this.#tokens;
  }

  #refresh(): void {
    const stat = existsSync(this.#file) ? statSync(this.#file) : undefined;
    // Not the time of writing: that stays the same when only who may read it changes, and can be set back.
    const stamp = stat === undefined ? 'none' : `${stat.ctimeMs} ${stat.size} ${stat.ino}`;
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    this.#tokens = stat === undefined ? [] : parseTokens(readTrusted(this.#file, MAX_BYTES), this.#file);
  }

  /** The token, which is nowhere afterwards, and its entry. */
  create(about: Pick<Token, 'name' | 'roles' | 'expires'>, now: Date): { readonly token: string; readonly id: string } {
    const before = this.all();
    if (before.length >= MAX_TOKENS) throw new ConfigError(`${this.#file}: holds ${MAX_TOKENS} tokens already`);
    const id = randomBytes(4).toString('hex');
    const token = `hushwatch_${id}_${randomBytes(32).toString('base64url')}`;
    this.#write([...before, { id, ...about, hash: hashOf(token), created: now.toISOString() }]);
    return { token, id };
  }

  /** Whose it was. */
  revoke(id: string, now: Date): string {
    const before = this.all();
    const known = before.find((token) => token.id === id);
    if (known === undefined) throw new ConfigError(`${this.#file}: there is no token ${id}`);
    const revoked = known.revoked ?? now.toISOString();
    this.#write(before.map((token) => (token === known ? { ...known, revoked } : token)));
    return known.name;
  }

  #write(tokens: readonly Token[]): void {
    const text = stringify({ tokens: tokens.map((token) => ({ ...token, roles: [...token.roles] })) });
    parseTokens(text, this.#file);
    replaceOwned(this.#file, text, 0o600);
  }
}

export const isGood = ({ expires, revoked }: Token, now: number): boolean =>
  revoked === undefined && (expires === undefined || Date.parse(expires) > now);

export function parseTokens(text: string, file: string): readonly Token[] {
  const yaml = readYaml(text, file);
  const items = readList(readMap(yaml.root, '', ['tokens'], yaml).get('tokens'), 'tokens', yaml);
  const tokens = items.flatMap((item) => parseOne(item, yaml) ?? []);
  const ids = tokens.map(({ id }) => id);
  if (new Set(ids).size < ids.length) yaml.tell('tokens.id', 'stands twice', yaml.root);
  if (yaml.problems.length > 0) throw new ConfigError(yaml.problems.join('\n'));
  return tokens;
}

function parseOne(item: Node, place: Place): Token | undefined {
  const values = readMap(item, 'tokens', KEYS, place);
  const textOf = (key: string, isRight: (text: string) => boolean): string | undefined => {
    const value = scalarOf(values.get(key));
    if (typeof value === 'string' && isRight(value)) return value;
    return place.tell(key, 'is missing or wrong', values.get(key) ?? item);
  };
  const timeOf = (key: string): string | undefined => (values.has(key) ? textOf(key, isTime) : undefined);
  const id = textOf('id', (text) => /^[0-9a-f]{8}$/.test(text));
  const name = textOf('name', (text) => TOKEN_NAME.test(text));
  const hash = textOf('hash', (text) => /^[0-9a-f]{64}$/.test(text));
  const created = textOf('created', isTime);
  const named = readList(values.get('roles'), 'roles', place).map((node) => scalarOf(node));
  const roles = ACCESS_ROLES.filter((role) => named.includes(role));
  if (roles.length === 0 || roles.length < named.length)
    place.tell('roles', `are some of ${ACCESS_ROLES.join(', ')}`, values.get('roles') ?? item);
  const [expires, revoked] = [timeOf('expires'), timeOf('revoked')];
  if (id === undefined || name === undefined || hash === undefined || created === undefined) return undefined;
  return { id, name, roles, hash, created, expires, revoked };
}

const isTime = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{3})?Z$/.test(text) && !Number.isNaN(Date.parse(text));
