/**
 * A restart: a node that lost everything that it knew of its chain says where it goes on. It takes the number after the last
 * entry that the log has of it, names that entry by digest and place, and what follows counts from nothing.
 *
 *     hushwatch/restart/v1
 *     node node-1
 *     boot 5f0c8d1e-0d0a-4c57-9f5b-2f6f0c0f3a11
 *     sequence 43
 *     previous 6d1f…
 *     index 1234
 *     role generic
 *     cohort lab
 *     agent 0.1.0 90ab…
 *     reason state-lost
 *     time 1790000000000000
 *
 * What the node saw after the last event of entry 42 and before `time` may be missing, and nobody can say how much. The entry
 * comes from an anchor: the collector's word for it, with the proof that it is in the log.
 */
import { decodeText, encodeText, isSha256Hex, parseDecimal, sha256Hex } from './encoding.ts';
import { ProtocolError } from './error.ts';
import { parseNote, type Note } from './note.ts';
import { MAX_RECEIPT_BYTES } from './receipt.ts';
import { isAgent, isBoot, isNodeName, ROLES, type Link, type Role, type Statement } from './statement.ts';

export const RESTART_HEADER = 'hushwatch/restart/v1';

/** `state-lost`: the chain alone. `key-lost`: the key that signed it too; another one was registered. */
export const RESTART_REASONS = ['state-lost', 'key-lost'] as const;
export type RestartReason = (typeof RESTART_REASONS)[number];

export interface Restart {
  readonly node: string;
  readonly boot: string;
  /** One more than that of the entry that it follows. */
  readonly sequence: number;
  /** SHA-256 of the text of that entry: a statement, or another restart. */
  readonly previous: string;
  /** Where that entry stands in the log, from 0. */
  readonly index: number;
  readonly role: Role;
  readonly cohort: string;
  readonly agent: Statement['agent'];
  readonly reason: RestartReason;
  /** When it was signed, µs since 1970, by the node's clock. */
  readonly time: number;
}

export function formatRestart(restart: Restart): string {
  const text = write(restart);
  parseRestart(text);
  return text;
}

function write({ node, boot, sequence, previous, index, role, cohort, agent, reason, time }: Restart): string {
  return [
    RESTART_HEADER,
    `node ${node}`,
    `boot ${boot}`,
    `sequence ${sequence}`,
    `previous ${previous}`,
    `index ${index}`,
    `role ${role}`,
    `cohort ${cohort}`,
    `agent ${agent.version} ${agent.build}`,
    `reason ${reason}`,
    `time ${time}`,
    '',
  ].join('\n');
}

const wrong = (what: string): ProtocolError => new ProtocolError('bad-restart', what);
const KEYS = ['node', 'boot', 'sequence', 'previous', 'index', 'role', 'cohort', 'agent', 'reason', 'time'] as const;

export function parseRestart(text: string): Restart {
  const [header, ...lines] = text.split('\n', KEYS.length + 3);
  if (header !== RESTART_HEADER) throw wrong(`the first line is not ${RESTART_HEADER}`);
  const value = (key: (typeof KEYS)[number], fits: (text: string) => boolean = () => true): string => {
    const at = KEYS.indexOf(key);
    const line = lines[at] ?? '';
    if (!line.startsWith(`${key} `)) throw wrong(`${key} is not on line ${at + 2}`);
    const found = line.slice(key.length + 1);
    if (!fits(found)) throw wrong(`${key} has another form`);
    return found;
  };
  const [version = '', build = ''] = value('agent', isAgent).split(' ');
  const restart: Restart = {
    node: value('node', isNodeName),
    boot: value('boot', isBoot),
    sequence: parseDecimal(value('sequence')),
    previous: value('previous', isSha256Hex),
    index: parseDecimal(value('index')),
    role: oneOf(ROLES, value('role')),
    cohort: value('cohort', isNodeName),
    agent: { version, build },
    reason: oneOf(RESTART_REASONS, value('reason')),
    time: parseDecimal(value('time')),
  };
  if (restart.sequence < 2) throw wrong('it follows nothing');
  if (write(restart) !== text) throw wrong('the text is not in the one spelling');
  return restart;
}

function oneOf<const T extends string>(of: readonly T[], text: string): T {
  const found = of.find((one) => one === text);
  if (found === undefined) throw wrong(`not one of ${of.join(', ')}`);
  return found;
}

const BEGINS_RESTART = Buffer.from(`${RESTART_HEADER}\n`);

export const isRestart = (bytes: Uint8Array): boolean =>
  BEGINS_RESTART.equals(bytes.subarray(0, BEGINS_RESTART.length));

/** Throws when the bytes are something else. Nothing is verified yet. */
export function decodeRestart(bytes: Uint8Array): { readonly note: Note; readonly restart: Restart } {
  const note = parseNote(bytes);
  return { note, restart: parseRestart(note.text) };
}

/** What the next statement follows: nothing is counted yet. */
export function linkOf(restart: Restart): Link {
  return { node: restart.node, sequence: restart.sequence, digest: sha256Hex(encodeText(write(restart))) };
}

/** What is wrong with `restart` after that entry of its node's chain; `undefined` when nothing is. */
export function checkRestart(
  previous: (Link & { readonly index: number }) | undefined,
  restart: Restart,
): string | undefined {
  if (previous === undefined) return 'there is nothing that it could go on from';
  if (previous.node !== restart.node) return `${restart.node} in the chain of ${previous.node}`;
  if (previous.sequence + 1 !== restart.sequence) return `${restart.sequence} follows ${previous.sequence}`;
  if (previous.digest !== restart.previous) return `it follows another entry than this ${previous.sequence}`;
  return previous.index === restart.index ? undefined : `entry ${previous.index} is said to be ${restart.index}`;
}

/** The last entry of a node's chain, as its log's word: the entry as it stands in the log, and the proof that it does. */
export interface Anchor {
  readonly noteBytes: Uint8Array;
  readonly receipt: Uint8Array;
}

const ANCHOR_HEADER = 'hushwatch/anchor/v1';
const MAX_ENTRY_BYTES = 65_535;
export const MAX_ANCHOR_BYTES = MAX_ENTRY_BYTES + MAX_RECEIPT_BYTES + 64;

/** `none` where the log has nothing of the node. */
export function formatAnchor(anchor: Anchor | 'none'): string {
  if (anchor === 'none') return `${ANCHOR_HEADER} none\n`;
  return `${ANCHOR_HEADER} ${anchor.noteBytes.length}\n${decodeText(anchor.noteBytes)}${decodeText(anchor.receipt)}`;
}

export function parseAnchor(bytes: Uint8Array): Anchor | 'none' {
  if (bytes.length > MAX_ANCHOR_BYTES) throw new ProtocolError('too-large', `an anchor of ${bytes.length} bytes`);
  const newline = bytes.indexOf(0x0a);
  const [header, length = ''] = decodeText(bytes.subarray(0, Math.max(0, newline))).split(' ', 2);
  if (header !== ANCHOR_HEADER) throw wrong(`the first line does not begin with ${ANCHOR_HEADER}`);
  if (length === 'none' && newline === bytes.length - 1) return 'none';
  const end = newline + 1 + parseDecimal(length);
  if (end > bytes.length) throw new ProtocolError('truncated', 'the anchor is shorter than its entry');
  return { noteBytes: bytes.subarray(newline + 1, end), receipt: bytes.subarray(end) };
}
