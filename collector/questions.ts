/**
 * Questions that take long or need much memory: each is our own command, in a process of its own, below the collector's priority, with
 * a limit on its time, its memory and what it may say. So what a page can ask is what a command can, and a question that goes wrong
 * takes nothing with it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';

/** A checkout, and a package, where all is beside the collector's own file. */
const COMMANDS = ['hushwatch.js', '../hushwatch.ts'].map((path) => fileURLToPath(new URL(path, import.meta.url)));

export interface Asking {
  readonly timeoutMs: number;
  readonly input?: string;
  readonly signal?: AbortSignal;
  /** Lines of standard error that are JSON. */
  readonly onNote?: (note: unknown) => void;
}

/** `busy`: others are asking. `refused`: the question is wrong, in words for whoever asked. */
export class QuestionFailed extends Error {
  override readonly name = 'QuestionFailed';
  readonly code: 'busy' | 'refused' | 'too-long' | 'too-much' | 'cancelled' | 'broken';

  constructor(code: QuestionFailed['code'], message: string) {
    super(message);
    this.code = code;
  }
}

const MAX_ANSWER = 16 << 20;
const MAX_COMPLAINT = 4_096;
const MAX_MEGABYTES = 1_024;
const BELOW_US = 10;
/** What a command needs of our environment; it finds its data by `--home`. */
const PASSED_ON = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG', 'NODE_COMPILE_CACHE', 'MALLOC_ARENA_MAX'];

export class Questions {
  readonly #atOnce: number;
  #asking = 0;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** What the command printed. Throws {@link QuestionFailed}. */
  async ask(args: readonly string[], asking: Asking): Promise<string> {
    // No system passes it on.
    if (args.some((arg) => arg.includes('\0'))) throw new QuestionFailed('refused', 'A question holds no NUL');
    if (this.#asking >= this.#atOnce)
      throw new QuestionFailed('busy', 'Others are asking; try again when they have their answer');
    this.#asking++;
    try {
      return await run(args, asking);
    } finally {
      this.#asking--;
    }
  }
}

async function run(args: readonly string[], { timeoutMs, input = '', signal, onNote }: Asking): Promise<string> {
  const command = COMMANDS.find(existsSync);
  if (command === undefined) throw new QuestionFailed('broken', 'The command is not where it should be');
  const env = Object.fromEntries(PASSED_ON.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
  const child = spawn(process.execPath, [`--max-old-space-size=${MAX_MEGABYTES}`, command, ...args], { env });
  let failure: QuestionFailed | undefined;
  const end = (code: QuestionFailed['code'], message: string): void => {
    failure ??= new QuestionFailed(code, message);
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => end('too-long', `No answer within ${Math.round(timeoutMs / 1_000)} s`), timeoutMs);
  const cancel = (): void => end('cancelled', 'Cancelled');
  signal?.addEventListener('abort', cancel);
  try {
    const ended = ending(child);
    if (signal?.aborted === true) cancel();
    if (child.pid !== undefined) lower(child.pid);
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
    const [answer, complaint, status] = await Promise.all([
      answerOf(child, () => end('too-much', 'The answer is too large; ask for less')),
      complaintOf(child, onNote),
      ended,
    ]);
    if (failure !== undefined) throw failure;
    if (status !== 0) throw new QuestionFailed(status === null ? 'broken' : 'refused', inWords(complaint));
    return answer;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cancel);
  }
}

const ending = (child: ChildProcess): Promise<number | null> =>
  new Promise((settle) => {
    child.once('error', () => settle(null));
    child.once('close', (status) => settle(status));
  });

/** It may have ended already, or the system may not let us. */
function lower(pid: number): void {
  try {
    setPriority(pid, BELOW_US);
  } catch {
    // Asked at our own priority.
  }
}

async function answerOf(child: ChildProcess, tooMuch: () => void): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of child.stdout ?? []) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_ANSWER) tooMuch();
    else chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function complaintOf(child: ChildProcess, onNote: Asking['onNote']): Promise<string> {
  let complaint = '';
  let rest = '';
  for await (const chunk of child.stderr ?? []) {
    const lines = `${rest}${String(chunk)}`.slice(-MAX_COMPLAINT).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const note = line.startsWith('{') ? noteIn(line) : undefined;
      if (note !== undefined) onNote?.(note);
      else complaint = `${complaint}${line}\n`.slice(0, MAX_COMPLAINT);
    }
  }
  return `${complaint}${rest}`;
}

function noteIn(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** `hushwatch events: file.path is …` -> what is said. The usage that may follow is for a terminal. */
function inWords(complaint: string): string {
  const [said = ''] = complaint.split(/\n(?:usage: |\n)/);
  return said.replace(/^hushwatch [a-z ]+: /, '').trim() || 'It was not answered';
}
