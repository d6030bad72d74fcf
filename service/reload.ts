/**
 * A configuration that is read again while its process runs, on SIGHUP.
 *
 *     read -> prepare (looks at all that the new one needs, and may say no) -> commit (cannot say no)
 *
 * So a new configuration takes effect as a whole or not at all. A bad one is told, counted, and shown by `hushwatch status` from the
 * report that lies on the disk, until a good one is read; the former one stays in force.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { readGiven } from './given.ts';
import { tellManager } from './manager.ts';

/** Puts into force what was prepared. */
export type Commit = () => void | Promise<void>;

export interface Reloading<C> {
  readonly file: string;
  /** File for the report. */
  readonly report: string;
  /** Throws when the file cannot be used. */
  readonly read: () => C;
  /** Throws when what the file names cannot be used; nothing has changed then. */
  readonly prepare: (config: C) => Promise<Commit> | Commit;
  /** Keys that differ and take effect at the next start only. */
  readonly waiting: (config: C) => readonly string[];
  readonly log: {
    info(detail: object, what: string): void;
    error(detail: object, what: string): void;
  };
}

/** What `hushwatch status` reads. */
export interface ReloadReport {
  readonly file: string;
  /** Since when what is in force is in force, milliseconds since 1970. */
  readonly since: number;
  readonly reloads: number;
  readonly refused: number;
  /** Why the last one was refused, where the last one was. */
  readonly problem?: string;
  readonly waiting: readonly string[];
}

const WRITE_AGAIN_MS = 5_000;
const MAX_REPORT_BYTES = 65_536;
const MAX_TOLD = 4_096;

export class Reloader<C> {
  readonly #reloading: Reloading<C>;
  #report: ReloadReport;
  #running: Promise<void> | undefined;
  #again = false;

  /** From here on SIGHUP reads the file again. */
  constructor(reloading: Reloading<C>) {
    this.#reloading = reloading;
    this.#report = { file: reloading.file, since: Date.now(), reloads: 0, refused: 0, waiting: [] };
    this.#write();
    process.on('SIGHUP', this.#onSignal);
  }

  readonly #onSignal = (): void => void this.reload();

  /** One at a time; whoever asks meanwhile is served by the next, which reads what is there then. */
  async reload(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#whileAsked().finally(() => (this.#running = undefined));
    await this.#running;
  }

  async #whileAsked(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      tellManager('RELOADING=1');
      await this.#once();
      tellManager('READY=1');
    }
  }

  async #once(): Promise<void> {
    const { file, read, prepare, waiting, log } = this.#reloading;
    const { reloads, refused } = this.#report;
    try {
      const config = read();
      const commit = await prepare(config);
      await commit();
      this.#report = { file, since: Date.now(), reloads: reloads + 1, refused, waiting: waiting(config) };
      log.info({ file, waiting: this.#report.waiting }, 'the configuration was read again and is in force');
    } catch (error) {
      const problem = (error instanceof Error ? error.message : String(error)).slice(0, MAX_TOLD);
      this.#report = { ...this.#report, refused: refused + 1, problem };
      log.error(
        { file, problem, refused: refused + 1 },
        'the new configuration cannot be used; the former one stays in force',
      );
    }
    this.#write();
  }

  #write(isAgain = false): void {
    const { report } = this.#reloading;
    try {
      rmSync(`${report}.new`, { force: true });
      writeFileSync(`${report}.new`, `${JSON.stringify(this.#report)}\n`, { mode: 0o640, flag: 'wx' });
      renameSync(`${report}.new`, report);
    } catch (error) {
      // A full disk must not end what works; when there is room, status must not be told what is no longer so.
      setTimeout(() => this.#write(true), WRITE_AGAIN_MS).unref();
      if (isAgain) return;
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
      this.#reloading.log.error({ code }, 'the report about the configuration could not be written');
    }
  }

  end(): void {
    process.off('SIGHUP', this.#onSignal);
  }
}

/** What a process wrote last, or `undefined`: it is less trusted than whoever reads this, perhaps. */
export function readReport(file: string): ReloadReport | undefined {
  try {
    return checked(JSON.parse(readGiven(file, MAX_REPORT_BYTES)?.toString() ?? ''));
  } catch {
    return undefined;
  }
}

function checked(value: unknown): ReloadReport | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { file, since, reloads, refused, problem, waiting }: Partial<Record<keyof ReloadReport, unknown>> = value;
  if (typeof file !== 'string' || !isCount(since) || !isCount(reloads) || !isCount(refused)) return undefined;
  if (!Array.isArray(waiting) || !waiting.every((key) => typeof key === 'string')) return undefined;
  return { file, since, reloads, refused, waiting, ...(typeof problem === 'string' ? { problem } : {}) };
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
