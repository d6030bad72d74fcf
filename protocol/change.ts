/**
 * A change of what detects: the collector says in its own log which rules, correlations, knobs and suppressions look at the
 * batches from here on, who changed them and why. A signed note like any other, by the log's key.
 *
 *     hushwatch/change/v1
 *     time 1790000000000000
 *     who alex
 *     reason The backup reads password hashes each night.
 *     before 6d1f…
 *     after 90ab…
 *     changes 2
 *     changed knob rate.deviations
 *     added suppression nightly-backup
 *
 * `after` is the hash of the line-up: a text that names everything that detects, each with its own hash or value. It lies
 * beside the log, so anybody can tell which rules were in force when a batch was looked at, and that the list of changes is
 * true. Who and why are what the collector was told; its operator's word, not a signature of theirs.
 */
import { encodeText, isSha256Hex, isText, parseDecimal, sha256Hex } from './encoding.ts';
import { ProtocolError } from './error.ts';
import { parseNote, verifyNote, type Note, type VerifierKey } from './note.ts';

export const CHANGE_HEADER = 'hushwatch/change/v1';
export const LINEUP_HEADER = 'hushwatch/lineup/v1';
/** `before` of the first change. */
export const NO_LINEUP = '0'.repeat(64);

export const ITEM_KINDS = ['correlation', 'knob', 'mapping', 'rule', 'suppression'] as const;
export type ItemKind = (typeof ITEM_KINDS)[number];
/** `expired` is a suppression whose day came; nobody removed it. */
export const CHANGE_HOWS = ['added', 'changed', 'expired', 'removed'] as const;

export interface ItemChange {
  readonly how: (typeof CHANGE_HOWS)[number];
  readonly kind: ItemKind;
  readonly name: string;
}

export interface Change {
  /** Microseconds since 1970, UTC. */
  readonly time: number;
  readonly who: string;
  readonly reason: string;
  /** SHA-256 of the line-up before, and of the one after. */
  readonly before: string;
  readonly after: string;
  /** How many there are; the first {@link MAX_LISTED} are listed. */
  readonly changes: number;
  readonly listed: readonly ItemChange[];
}

export const MAX_LISTED = 256;
export const MAX_WHO = 64;
export const MAX_REASON = 500;
const MAX_LINEUP_CHARACTERS = 4 * 1024 * 1024;
const WORD = /^[!-~]{1,128}$/;

const wrong = (what: string): ProtocolError => new ProtocolError('bad-change', what);

function oneOf<const T extends string>(of: readonly T[], text: string, what: string): T {
  const found = of.find((one) => one === text);
  if (found === undefined) throw wrong(`${what} is not one of ${of.join(', ')}`);
  return found;
}

/** Whether it is one line of at most so many characters, as names and reasons are. */
export const isPlain = (text: string, most: number): boolean =>
  text !== '' && text.length <= most && text === text.trim() && !text.includes('\n') && isText(text);

export function formatChange(change: Change): string {
  const text = write(change);
  parseChange(text);
  return text;
}

function write({ time, who, reason, before, after, changes, listed }: Change): string {
  return [
    CHANGE_HEADER,
    `time ${time}`,
    `who ${who}`,
    `reason ${reason}`,
    `before ${before}`,
    `after ${after}`,
    `changes ${changes}`,
    ...listed.map(({ how, kind, name }) => `${how} ${kind} ${name}`),
    '',
  ].join('\n');
}

export function parseChange(text: string): Change {
  const [header, ...lines] = text.split('\n', MAX_LISTED + 9);
  if (header !== CHANGE_HEADER) throw wrong(`the first line is not ${CHANGE_HEADER}`);
  const value = (at: number, key: string, fits: (text: string) => boolean): string => {
    const line = lines[at] ?? '';
    if (!line.startsWith(`${key} `)) throw wrong(`${key} is not on line ${at + 2}`);
    const found = line.slice(key.length + 1);
    if (!fits(found)) throw wrong(`${key} has another form`);
    return found;
  };
  const any = (): boolean => true;
  const change: Change = {
    time: parseDecimal(value(0, 'time', any)),
    who: value(1, 'who', (found) => isPlain(found, MAX_WHO)),
    reason: value(2, 'reason', (found) => isPlain(found, MAX_REASON)),
    before: value(3, 'before', isSha256Hex),
    after: value(4, 'after', isSha256Hex),
    changes: parseDecimal(value(5, 'changes', any)),
    listed: lines.slice(6, -1).map(parseItemChange),
  };
  if (change.before === change.after) throw wrong('nothing changed');
  if (change.listed.length !== Math.min(change.changes, MAX_LISTED)) throw wrong('the list has another length');
  if (!isAscending(change.listed.map(keyOf))) throw wrong('the list is not in order');
  if (write(change) !== text) throw wrong('the text is not in the one spelling');
  return change;
}

function parseItemChange(line: string): ItemChange {
  const [how = '', kind = '', name = '', more] = line.split(' ', 4);
  if (more !== undefined || !WORD.test(name)) throw wrong('a change is not: how, kind, name');
  return { how: oneOf(CHANGE_HOWS, how, 'how'), kind: oneOf(ITEM_KINDS, kind, 'kind'), name };
}

const keyOf = ({ kind, name }: Pick<ItemChange, 'kind' | 'name'>): string => `${kind} ${name}`;
const isAscending = (keys: readonly string[]): boolean => keys.every((key, i) => i === 0 || (keys[i - 1] ?? '') < key);

/** The form of a change, whoever signed it: throws when the bytes are something else. */
export function decodeChange(bytes: Uint8Array): { readonly note: Note; readonly change: Change } {
  const note = parseNote(bytes);
  return { note, change: parseChange(note.text) };
}

/** `undefined` unless the log itself says so. */
export function openChange(bytes: Uint8Array, logKey: VerifierKey): Change | undefined {
  const { note, change } = decodeChange(bytes);
  return verifyNote(note, [logKey]) === undefined ? undefined : change;
}

/** `kind name` -> value: a hash of what it says, or for a knob its number. */
export type Lineup = ReadonlyMap<string, string>;

export const NOTHING_DETECTS: Lineup = new Map();

/** Where the line-up of this hash lies in an archive. */
export const lineupPath = (digest: string): string => `lineups/${digest}`;

export const lineupDigest = (lineup: Lineup): string => sha256Hex(encodeText(formatLineup(lineup)));

export function formatLineup(lineup: Lineup): string {
  const lines = [...lineup].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key} ${value}`);
  const text = [LINEUP_HEADER, ...lines, ''].join('\n');
  parseLineup(text);
  return text;
}

export function parseLineup(text: string): Lineup {
  if (text.length > MAX_LINEUP_CHARACTERS) throw new ProtocolError('too-large', 'a line-up of more than 4 MiB');
  const [header, ...lines] = text.split('\n');
  if (header !== LINEUP_HEADER) throw wrong(`the first line is not ${LINEUP_HEADER}`);
  if (lines.pop() !== '') throw wrong('the last line has no end');
  const items = lines.map((line) => {
    const [kind = '', name = '', value = '', more] = line.split(' ', 4);
    if (more !== undefined || !WORD.test(name) || !WORD.test(value)) throw wrong('an item is not: kind, name, value');
    return [`${oneOf(ITEM_KINDS, kind, 'kind')} ${name}`, value] as const;
  });
  if (!isAscending(items.map(([key]) => key))) throw wrong('the line-up is not in order');
  return new Map(items);
}

/** What is other, in order. Of the suppressions that went, `expired` says which did by themselves. */
export function changesBetween(
  before: Lineup,
  after: Lineup,
  expired: (name: string) => boolean = () => false,
): readonly ItemChange[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])].toSorted((a, b) => (a < b ? -1 : 1));
  return keys.flatMap((key) => {
    if (before.get(key) === after.get(key)) return [];
    const [kind = '', name = ''] = key.split(' ', 2);
    const went = kind === 'suppression' && expired(name) ? 'expired' : 'removed';
    const how = !before.has(key) ? 'added' : after.has(key) ? 'changed' : went;
    return [{ how, kind: oneOf(ITEM_KINDS, kind, 'kind'), name }];
  });
}

/** Whether these are the changes from one line-up to the next; that a suppression expired is the log's word. */
export function isChange({ changes, listed }: Change, before: Lineup, after: Lineup): boolean {
  const told = new Map(listed.map((item) => [keyOf(item), item.how]));
  const found = changesBetween(before, after, (name) => told.get(`suppression ${name}`) === 'expired');
  return (
    found.length === changes &&
    listed.every((item, i) => keyOf(item) === keyOf(found[i] ?? item) && item.how === found[i]?.how)
  );
}
