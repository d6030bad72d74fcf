/**
 * One life of journalctl, as chunks of lines. Bounded before anything is parsed; nothing of a line is kept, logged or put into
 * an error. When nothing comes, an empty chunk says so, that the reader may look at what waits.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { realTimer, type Timer } from '../../batches.ts';
import { FIELDS } from './entry.ts';

export interface Lines {
  readonly lines: readonly string[];
  /** Lines beyond the bound; they are gone. */
  readonly tooLong: number;
}

/** What journalctl prints of a field ends at 4 KiB, in numbers at 16: a longer line holds what no speaker of ours says. */
const MAX_LINE_BYTES = 65_536;
const QUIET_MS = 500;

/** Only what could matter is read from the disk: authentication, the programs that we hear, kernel and audit. */
const MATCHES = [
  ['SYSLOG_FACILITY=4', 'SYSLOG_FACILITY=10'],
  ['sshd', 'sshd-session', 'sshd-auth', 'sudo', 'su', 'login', 'systemd-logind', 'kernel'].map(
    (name) => `SYSLOG_IDENTIFIER=${name}`,
  ),
  ['_TRANSPORT=audit'],
];

export interface Journalctl {
  readonly program: string;
  /** Undefined for the machine's own journal. */
  readonly directory: string | undefined;
}

const commonArguments = ({ directory }: Journalctl): readonly string[] => [
  '--output=json',
  `--output-fields=${FIELDS.join(',')}`,
  '--no-pager',
  '--quiet',
  ...(directory === undefined ? [] : [`--directory=${directory}`]),
];
const matchArguments = MATCHES.flatMap((terms, i) => (i === 0 ? terms : ['+', ...terms]));

/** From the entry with this cursor, itself included, or from the first; ends when journalctl does, or `signal` is aborted. */
export function follow(journalctl: Journalctl, cursor: string | undefined, signal: AbortSignal): AsyncGenerator<Lines> {
  const from = cursor === undefined ? [] : [`--cursor=${cursor}`];
  return run(journalctl, ['--follow', '--no-tail', ...from], signal);
}

/** The newest entry, if there is one. */
export async function newest(journalctl: Journalctl, signal: AbortSignal): Promise<string | undefined> {
  let last: string | undefined;
  for await (const { lines } of run(journalctl, ['--lines=1'], signal)) last = lines.at(-1) ?? last;
  return last;
}

async function* run(journalctl: Journalctl, args: readonly string[], signal: AbortSignal): AsyncGenerator<Lines> {
  const child = spawn(journalctl.program, [...commonArguments(journalctl), ...args, ...matchArguments], {
    // What it says on its error stream may quote what it read.
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' },
  });
  // It could not be started: then it says nothing, and has ended.
  child.on('error', () => {});
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    yield* linesOf(child.stdout);
  } finally {
    signal.removeEventListener('abort', stop);
    await ended(child);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** Lines as they come; a part of one that never ended is not a line. */
export async function* linesOf(stream: Readable, timer: Timer = realTimer): AsyncGenerator<Lines> {
  const splitter = new Splitter(MAX_LINE_BYTES);
  const chunks: AsyncIterator<unknown> = stream[Symbol.asyncIterator]();
  let next = chunks.next();
  for (;;) {
    const alarm = timer.alarm(QUIET_MS);
    // A stream that breaks has ended: who reads it starts again.
    const result = await Promise.race([next.catch(() => ({ done: true, value: undefined })), alarm.rings]);
    alarm.cancel();
    if (result === undefined) yield { lines: [], tooLong: 0 };
    else if (result.done === true) return;
    else {
      if (Buffer.isBuffer(result.value)) yield splitter.push(result.value);
      next = chunks.next();
    }
  }
}

/** Bytes to lines, of which those beyond the bound are counted and not kept. */
export class Splitter {
  readonly #limit: number;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes of the line that has no end yet. */
  get pending(): number {
    return this.#bytes;
  }

  push(chunk: Buffer): Lines {
    const lines: string[] = [];
    let tooLong = 0;
    let from = 0;
    for (let end; (end = chunk.indexOf(0x0a, from)) >= 0; from = end + 1) {
      this.#keep(chunk.subarray(from, end));
      if (this.#bytes > this.#limit) tooLong++;
      else lines.push(Buffer.concat(this.#parts).toString('utf8'));
      this.#parts = [];
      this.#bytes = 0;
    }
    this.#keep(chunk.subarray(from));
    return { lines, tooLong };
  }

  /** Counts on, and keeps nothing, once it is too long. */
  #keep(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#limit) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }
}
