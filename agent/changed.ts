/** Tells when something in a directory changed. What changes between two questions is not missed; a lost notification costs five seconds. */
import { watch, type FSWatcher } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 5_000;

export class DirectoryWatch implements Disposable {
  readonly #watcher: FSWatcher;
  #woken = new AbortController();

  /** Only names with such an ending count: a file in the making is not news. */
  constructor(directory: string, ...endings: readonly string[]) {
    this.#watcher = watch(directory, (_, name) => {
      if (endings.some((ending) => name?.endsWith(ending) === true)) this.#woken.abort();
    });
    this.#watcher.on('error', () => this.#woken.abort());
  }

  /** Returns once something changed since the last call, after five seconds at the latest, at once when the signal says stop. */
  async changed(signal: AbortSignal): Promise<void> {
    if (!signal.aborted && !this.#woken.signal.aborted) {
      await sleep(POLL_MS, undefined, { signal: AbortSignal.any([signal, this.#woken.signal]) }).catch(() => {});
    }
    this.#woken = new AbortController();
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
  }
}
