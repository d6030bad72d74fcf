/**
 * How an operator asks a collector to put in force what lies in its files: a request in `apply/`, answered there. It waits for
 * a collector that does not run, which takes it up at its start.
 */
import {
  closeSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { isPlain, MAX_REASON, MAX_WHO, type ItemChange } from '#protocol/change.ts';
import { memberOf, textOf } from './detectors/saved.ts';

export interface Asked {
  readonly id: string;
  readonly who: string;
  readonly reason: string;
}

export type Answer =
  | { readonly changes: readonly ItemChange[] }
  /** What is wrong with which file. */
  | { readonly problem: string };

const MAX_REQUEST_BYTES = 16_384;
const fileIn = (home: string, name: 'request' | 'answer'): string => join(home, 'apply', name);

/** What is wrong with a name or a reason; undefined when nothing is. */
export function refusedWords(who: string, reason: string): string | undefined {
  if (!isPlain(who, MAX_WHO)) return `--by is a name in one line of at most ${MAX_WHO} characters`;
  if (!isPlain(reason, MAX_REASON)) return `--reason is one line of at most ${MAX_REASON} characters that says why`;
  return undefined;
}

/** Throws when the directory is not the collector's, or not ours to write. Follows no link that somebody put there. */
export function ask(home: string, who: string, reason: string): Asked {
  const directory = join(home, 'apply');
  if (!existsSync(directory)) {
    mkdirSync(directory, { mode: 0o750 });
    // Whoever asks is perhaps root; the collector, which never ran yet, answers here.
    const { uid, gid } = statSync(home);
    lchownSync(directory, uid, gid);
  }
  if (!lstatSync(directory).isDirectory()) throw new Error(`${directory} is not a directory`);
  const asked = { id: randomUUID(), who, reason };
  const file = fileIn(home, 'request');
  rmSync(fileIn(home, 'answer'), { force: true });
  rmSync(`${file}.new`, { force: true });
  const made = openSync(`${file}.new`, 'wx', 0o644);
  try {
    writeSync(made, JSON.stringify(asked));
  } finally {
    closeSync(made);
  }
  renameSync(`${file}.new`, file);
  return asked;
}

/** What waits for an answer. What is no request is thrown away. */
export function readAnswerable(home: string): Asked | undefined {
  const file = fileIn(home, 'request');
  if (!existsSync(file)) return undefined;
  const asked = lstatSync(file).size > MAX_REQUEST_BYTES ? undefined : askedIn(readFileSync(file, 'utf8'));
  if (asked === undefined) rmSync(file, { force: true });
  return asked;
}

function askedIn(text: string): Asked | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const [id, who, reason] = ['id', 'who', 'reason'].map((key) => textOf(memberOf(value, key)));
  if (id === undefined || who === undefined || reason === undefined) return undefined;
  return refusedWords(who, reason) === undefined ? { id, who, reason } : undefined;
}

/** The answer first: a request without one is asked again. */
export function writeAnswer(home: string, { id }: Asked, answer: Answer): void {
  const file = fileIn(home, 'answer');
  rmSync(`${file}.new`, { force: true });
  const made = openSync(`${file}.new`, 'wx', 0o644);
  try {
    writeSync(made, JSON.stringify({ id, ...answer }));
  } finally {
    closeSync(made);
  }
  renameSync(`${file}.new`, file);
  rmSync(fileIn(home, 'request'), { force: true });
}

/** The answer to that request, when it is there. */
export function answerTo(home: string, { id }: Asked): Answer | undefined {
  const file = fileIn(home, 'answer');
  if (!existsSync(file)) return undefined;
  const answer: Answer & { readonly id: string } = JSON.parse(readFileSync(file, 'utf8'));
  return answer.id === id ? answer : undefined;
}
