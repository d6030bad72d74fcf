/**
 * Kinds of values that a configuration holds. Each says in a few words what is right, which is what the documentation prints and
 * what a mistake is answered with, and reads a value from its place in the file.
 */
import { resolve } from 'node:path';
import type { Node } from 'yaml';
import { ProtocolError } from '#protocol/error.ts';
import { parseVerifierKey } from '#protocol/note.ts';
import { didYouMean } from './suggest.ts';
import { readList, scalarOf, type Place, type Scalar } from './yaml.ts';

export interface Kind<T> {
  /** What stands behind "must be". */
  readonly says: string;
  /** Tells the place and gives `undefined` when the value is wrong. */
  readonly read: (node: Node, where: string, place: Place) => T | undefined;
  /** A value as one writes it. */
  write(value: T): string;
  /** Of a list: what each of it is. */
  readonly item?: Kind<unknown>;
}

/** A single value; `take` gives what it means, or `undefined`. */
export function plain<T extends Scalar | object>(
  says: string,
  take: (value: Scalar, directory: string) => T | undefined,
  write: (value: T) => string = String,
): Kind<T> {
  const read: Kind<T>['read'] = (node, where, place) => {
    const value = scalarOf(node);
    const taken = value === undefined ? undefined : take(value, place.directory);
    return taken ?? place.tell(where, `must be ${says}`, node);
  };
  return { says, read, write };
}

const isText = (value: Scalar): value is string => typeof value === 'string' && value !== '';

export const textLike = (says: string, isRight: (text: string) => boolean): Kind<string> =>
  plain(says, (value) => (isText(value) && isRight(value) ? value : undefined));

export const text = textLike('a text', () => true);
/** Relative to the file that names it. */
export const path: Kind<string> = plain('a path', (value, directory) =>
  isText(value) ? resolve(directory, value) : undefined,
);
export const name = textLike('lower-case letters, digits, dots and dashes, at most 63', (value) =>
  /^[a-z0-9][a-z0-9.-]{0,62}$/.test(value),
);
export const pin = textLike('sha256/ and 44 characters of base64', (value) =>
  /^sha256\/[A-Za-z0-9+/]{43}=$/.test(value),
);
export const url = (...schemes: readonly [string, ...string[]]): Kind<string> =>
  textLike(`a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`, (value) => {
    const found = /\s/.test(value) ? null : URL.parse(value);
    return found !== null && found.hostname !== '' && schemes.includes(found.protocol.slice(0, -1));
  });

export function isVerifierKey(value: string): boolean {
  try {
    parseVerifierKey(value);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

/** Kept as the text that it is: who uses it parses it. */
export const verifierKey = textLike('a verifier key, NAME+ID+BASE64', isVerifierKey);
export const verifierKeyOrNone = textLike(
  'a verifier key, NAME+ID+BASE64, or none',
  (value) => value === 'none' || isVerifierKey(value),
);

const within = (value: Scalar, least: number, most: number): value is number =>
  typeof value === 'number' && value >= least && value <= most;
export const count = (least: number, most: number): Kind<number> =>
  plain(`a whole number from ${least} to ${most}`, (value) =>
    within(value, least, most) && Number.isInteger(value) ? value : undefined,
  );
export const number = (least: number, most: number): Kind<number> =>
  plain(`a number from ${least} to ${most}`, (value) => (within(value, least, most) ? value : undefined));

export interface Address {
  readonly host: string;
  readonly port: number;
}

export const address: Kind<Address> = plain(
  'HOST:PORT, like 127.0.0.1:8441',
  (value) => {
    const [, host = '', port = ''] = /^(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})$/.exec(String(value)) ?? [];
    if (host === '' || Number(port) > 65_535) return undefined;
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
  },
  ({ host, port }) => (host.includes(':') ? `"[${host}]:${port}"` : `${host}:${port}`),
);

export function oneOf<const T extends readonly string[]>(allowed: T): Kind<T[number]> {
  const says = `one of ${allowed.join(', ')}`;
  const read: Kind<T[number]>['read'] = (node, where, place) => {
    const value = scalarOf(node);
    const found = allowed.find((one) => one === value);
    return found ?? place.tell(where, `must be ${says}${didYouMean(String(value ?? ''), allowed)}`, node);
  };
  return { says, read, write: String };
}

export const listOf = <T>(kind: Kind<T>): Kind<readonly T[]> & { readonly item: Kind<T> } => ({
  says: `a list; each is ${kind.says}`,
  read: (node, where, place) => readList(node, where, place).flatMap((item) => kind.read(item, where, place) ?? []),
  write: (values) => `[${values.map((value) => kind.write(value)).join(', ')}]`,
  item: kind,
});
