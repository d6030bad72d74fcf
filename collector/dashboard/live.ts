/** Server-sent events: new alerts at once, the nodes at most once a second. What is sent is HTML made here, escaped as the pages are. */
import type { ServerResponse } from 'node:http';
import type { StateView } from '../view.ts';
import { alertItem, nodeStrip } from './pages.ts';

const MAX_LISTENERS = 64;
const NODES_EVERY_MS = 1_000;
const KEEP_ALIVE_MS = 15_000;

export class Live {
  readonly #view: StateView;
  readonly #listeners = new Set<ServerResponse>();
  readonly #stop: () => void;
  readonly #keepAlive: NodeJS.Timeout;
  #lastSeq: number;
  #nodesDue: NodeJS.Timeout | undefined;

  constructor(view: StateView) {
    this.#view = view;
    this.#lastSeq = view.alerts({ limit: 1 })[0]?.seq ?? 0;
    this.#stop = view.onChange((what) => (what === 'alert' ? this.#alerts() : this.#nodes()));
    this.#keepAlive = setInterval(() => this.#send(': still here\n\n'), KEEP_ALIVE_MS);
    this.#keepAlive.unref();
  }

  /** False when too many listen already. */
  add(response: ServerResponse): boolean {
    if (this.#listeners.size >= MAX_LISTENERS) return false;
    response.write('retry: 1000\n\n');
    this.#listeners.add(response);
    response.once('close', () => this.#listeners.delete(response));
    return true;
  }

  #alerts(): void {
    const fresh = this.#view.alerts({ limit: 100, afterSeq: this.#lastSeq, minSeverity: 'medium' });
    for (const alert of fresh) {
      this.#lastSeq = Math.max(this.#lastSeq, alert.seq);
      this.#event('alert', alertItem(alert, Date.now() * 1_000).text);
    }
  }

  #nodes(): void {
    this.#nodesDue ??= setTimeout(() => {
      this.#nodesDue = undefined;
      if (this.#listeners.size > 0) this.#event('nodes', nodeStrip(this.#view.nodes(), Date.now() * 1_000).text);
    }, NODES_EVERY_MS);
  }

  #event(name: string, markup: string): void {
    this.#send(
      `event: ${name}\n${markup
        .split('\n')
        .map((line) => `data: ${line}\n`)
        .join('')}\n`,
    );
  }

  #send(text: string): void {
    for (const listener of this.#listeners) listener.write(text);
  }

  close(): void {
    this.#stop();
    clearInterval(this.#keepAlive);
    clearTimeout(this.#nodesDue);
    for (const listener of this.#listeners) listener.end();
  }
}
