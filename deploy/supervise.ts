/** One process of ours: started with exactly its rights, restarted when it dies, stopped when asked. Its words go to a log file. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';

export interface Program {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly logFile: string;
  readonly environment: Readonly<Record<string, string>>;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** A process that lived this long is healthy again: the next pause is the first one. */
const HEALTHY_MS = 10_000;

export class Supervised implements AsyncDisposable {
  readonly #program: Program;
  readonly #log: WriteStream;
  readonly #say: (line: string) => void;
  #child: ChildProcess | undefined;
  #stopping = false;
  #pause = FIRST_PAUSE_MS;
  #restart: NodeJS.Timeout | undefined;
  #gone = Promise.withResolvers<void>();

  constructor(program: Program, say: (line: string) => void) {
    this.#program = program;
    this.#say = say;
    this.#log = createWriteStream(program.logFile, { flags: 'a', mode: 0o640 });
    this.#start();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  #start(): void {
    const { command, args, cwd, name, environment } = this.#program;
    const startedAt = Date.now();
    // Its own session: Ctrl-C reaches the supervisor alone, which stops everything in order.
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...environment },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stdout.pipe(this.#log, { end: false });
    child.stderr.pipe(this.#log, { end: false });
    child.once('error', (error) => this.#say(`${name}: cannot start: ${error.message}`));
    child.once('close', (code, signal) => {
      this.#child = undefined;
      if (this.#stopping) {
        this.#gone.resolve();
        return;
      }
      this.#pause = Date.now() - startedAt > HEALTHY_MS ? FIRST_PAUSE_MS : Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
      this.#say(`${name}: ended (${signal ?? String(code)}), starting it again; its log: ${this.#program.logFile}`);
      this.#restart = setTimeout(() => this.#start(), this.#pause);
    });
  }

  async stop(graceMs = 10_000): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child === undefined) this.#gone.resolve();
    else {
      child.kill('SIGTERM');
      const hard = setTimeout(() => {
        this.#say(`${this.#program.name}: did not stop in ${graceMs / 1000} s, killed`);
        child.kill('SIGKILL');
      }, graceMs);
      await this.#gone.promise;
      clearTimeout(hard);
    }
    this.#log.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
