/**
 * Written, then run: facts about the content of programs and scripts that came to this machine while we looked.
 *
 * Remembers which files were written, bounded, and when one of them runs (itself, as a script, or without a name) says
 * what it is: size, kind, entropy, SHA-256. It delays no event: what runs is put into a queue of bounded length, and read
 * aside, one after the other; a full queue is counted as loss. Each content is told once, until it is written again.
 */
import { posix } from 'node:path';
import { TextCache } from '../redaction-rules/texts.ts';
import type { Attributes, RawEvent } from './event.ts';
import { Digester, type Answer, type Wanted } from './inspect/digest.ts';
import { actorOf } from './derive/touch.ts';
import { LONG_NAME } from './enrich/path-memory.ts';

interface Written {
  readonly inode: number;
  readonly device: string;
  readonly key: string;
  wasTold: boolean;
}

interface Job {
  readonly event: RawEvent;
  readonly path: string;
  /** Undefined where it has no name to open it by. */
  readonly wanted: Wanted | undefined;
}

/** Places for files that were written; a quarter of so many fit for certain but for chance. */
const WRITTEN = 32_768;
/** The same for names that are long. */
const WRITTEN_LONG = 2_048;
const MOST_WAITING = 256;

export class Inspector {
  readonly #digester: Digester;
  /** Counts an event that could not be made. */
  readonly #lost: () => void;
  readonly #byInode = new TextCache<Written>(WRITTEN);
  readonly #byPath = new TextCache<Written>(WRITTEN);
  readonly #byLongPath = new TextCache<Written>(WRITTEN_LONG);
  readonly #waiting: Job[] = [];
  #wake: () => void = () => {};

  constructor(digester: Digester, lost: () => void) {
    this.#digester = digester;
    this.#lost = lost;
  }

  note(event: RawEvent): void {
    const { name, attributes } = event;
    if (attributes['error.type'] !== undefined) return;
    if (name === 'file.open' && attributes['file.open.access'] === 'write') this.#written(attributes);
    else if (name === 'file.rename') this.#renamed(attributes);
    else if (name === 'process.exec') this.#ran(event);
  }

  #written(attributes: Attributes): void {
    const path = attributes['file.path'];
    const inode = attributes['file.inode'];
    const device = attributes['file.device'];
    if (typeof path !== 'string' || typeof inode !== 'number' || typeof device !== 'string') return;
    const known = this.#named(path).get(path);
    // Most files are written again and again.
    if (known?.inode === inode && known.device === device && this.#byInode.get(known.key) === known) {
      known.wasTold = false;
      return;
    }
    const written: Written = { inode, device, key: keyOf(device, inode), wasTold: false };
    this.#byInode.set(written.key, written);
    this.#named(path).set(path, written);
  }

  #renamed(attributes: Attributes): void {
    const from = String(attributes['file.path']);
    const written = this.#named(from).get(from);
    if (written === undefined) return;
    this.#named(from).delete(from);
    const to = String(attributes['file.target.path']);
    this.#named(to).set(to, written);
  }

  #named(path: string): TextCache<Written> {
    return path.length > LONG_NAME ? this.#byLongPath : this.#byPath;
  }

  #ran(event: RawEvent): void {
    const { attributes } = event;
    const path = String(attributes['process.executable.path']);
    const key = keyOf(attributes['process.executable.device'], attributes['process.executable.inode']);
    if (attributes['process.executable.deleted'] === true) this.#ask({ event, path, wanted: undefined });
    else this.#askOnce(event, path, this.#byInode.get(key));
    const script = scriptOf(attributes);
    if (script !== undefined) this.#askOnce(event, script, this.#named(script).get(script));
  }

  #askOnce(event: RawEvent, path: string, written: Written | undefined): void {
    if (written === undefined || written.wasTold) return;
    written.wasTold = true;
    const { inode, device } = written;
    this.#ask({ event, path, wanted: { path, inode, device, ranUs: event.time } });
  }

  #ask(job: Job): void {
    if (this.#waiting.length >= MOST_WAITING) return this.#lost();
    this.#waiting.push(job);
    this.#wake();
  }

  /** What was found out, as it is found out. What still waits at the end is counted. */
  async *events(signal: AbortSignal): AsyncGenerator<readonly RawEvent[]> {
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      const job = this.#waiting.shift();
      if (job === undefined) {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      } else yield [told(job, job.wanted === undefined ? NAMELESS : await this.#digester.ask(job.wanted))];
    }
  }

  /** Nobody asks any more: what still waits is lost, and counted. */
  close(): void {
    for (const _ of this.#waiting.splice(0)) this.#lost();
  }
}

/** Shows every event to the inspector and passes it on. */
export async function* notice(
  chunks: AsyncIterable<readonly RawEvent[]>,
  inspector: Inspector,
): AsyncGenerator<readonly RawEvent[]> {
  for await (const chunk of chunks) {
    for (const event of chunk) inspector.note(event);
    yield chunk;
  }
}

const NAMELESS: Answer = { result: 'unreadable' };

function told({ event, path }: Job, answer: Answer): RawEvent {
  const isCode = answer.result === 'ok' && answer.kind === 'elf';
  return {
    name: 'file.inspect',
    time: event.time,
    attributes: {
      ...actorOf(event.attributes),
      'file.path': path,
      'file.inspect.result': answer.result,
      'file.size': answer.size,
      ...(answer.result === 'ok'
        ? {
            'file.content.type': answer.kind,
            'file.entropy': answer.entropy,
            // A digest of a short script can be guessed, content and all: another attribute, so that rules can differ.
            [isCode ? 'file.hash.sha256' : 'file.script.hash.sha256']: answer.sha256,
            'file.hashes': [`SHA256=${answer.sha256}`, ...(answer.md5 === undefined ? [] : [`MD5=${answer.md5}`])],
          }
        : {}),
    },
  };
}

const keyOf = (device: unknown, inode: unknown): string => `${String(device)} ${String(inode)}`;

const INTERPRETER = /^(?:a|ba|da|z|k|mk|fi)?sh$|^(?:python|perl|ruby|php|lua|node|nodejs|tclsh|guile)[\d.]*$/;
/** Options whose argument is the program itself, or a module's name. */
const INLINE = /^-(?:[a-zA-Z]*[ceEmr])$|^--(?:eval|command)/;

/** The script that an interpreter was given: its first argument that is no option. */
export function scriptOf(attributes: Attributes): string | undefined {
  const args = attributes['process.command_args'];
  const path = attributes['process.executable.path'];
  if (!Array.isArray(args) || typeof path !== 'string' || !INTERPRETER.test(posix.basename(path))) return undefined;
  const rest: readonly unknown[] = args.slice(1);
  const at = rest.findIndex((arg) => typeof arg === 'string' && !arg.startsWith('-'));
  const script = rest[at];
  if (typeof script !== 'string' || rest.slice(0, at).some((arg) => INLINE.test(String(arg)))) return undefined;
  return posix.resolve(String(attributes['process.working_directory'] ?? '/'), script);
}
