/**
 * Server-sent events: stories at once, the nodes at most once a second. What is sent is HTML made here, escaped as the pages are. Who
 * may no longer look, or does not read what is sent, is let go; a browser that may comes back by itself.
 */
import type { ServerResponse } from 'node:http';
import type { StateView } from '../view.ts';
import { nodeStrip } from './pages.ts';
import { storyItem } from './story-pages.ts';

const MAX_LISTENERS = 64;
const NODES_EVERY_MS = 1_000;
/** Judged at once: more than a page shows, so that it is simpler to ask for it again. */
const MANY = 100;
const KEEP_ALIVE_MS = 15_000;
/** Of one listener: a laptop that was closed reads nothing for a quarter of an hour, and all of it would wait here. */
const MAX_UNREAD_BYTES = 1 << 20;

export class Live {
  readonly #view: StateView;
  /** Each with whether it may still look. */
  readonly #listeners = new Map<ServerResponse, () => boolean>();
  readonly #stop: () => void;
  readonly #checking: NodeJS.Timeout;
  #lastStory: number;
  #lastVerdict: number;
  #nodesDue: NodeJS.Timeout | undefined;

  constructor(view: StateView) {
    this.#view = view;
    this.#lastStory = view.lastStorySeq();
    this.#lastVerdict = view.verdicts().at(-1)?.seq ?? 0;
    this.#stop = view.onChange((what) => (what === 'alert' ? this.#stories() : this.#nodes()));
    this.#checking = setInterval(() => this.#keepAlive(), KEEP_ALIVE_MS);
    this.#checking.unref();
  }

  /** False when too many listen already. `mayStill` is asked again and again: a token may be revoked, or end, meanwhile. */
  add(response: ServerResponse, mayStill: () => boolean): boolean {
    if (this.#listeners.size >= MAX_LISTENERS) return false;
    response.write('retry: 1000\n\n');
    this.#listeners.set(response, mayStill);
    response.once('close', () => this.#listeners.delete(response));
    return true;
  }

  #keepAlive(): void {
    for (const [listener, mayStill] of this.#listeners) if (!mayStill()) listener.end();
    this.#send(': still here\n\n');
  }

  /** New revisions, and those that somebody judged: each as it is now, to stand in place of what was shown of it. */
  #stories(): void {
    const told = this.#view.stories({ limit: 100, afterSeq: this.#lastStory, shown: true });
    const judged = this.#view.verdicts(undefined, this.#lastVerdict);
    this.#lastStory = told.at(-1)?.seq ?? this.#lastStory;
    this.#lastVerdict = judged.at(-1)?.seq ?? this.#lastVerdict;
    if (this.#listeners.size === 0) return;
    if (judged.length > MANY) this.#event('many', String(judged.length));
    else
      for (const id of new Set([...told.map((story) => story.id), ...judged.map(({ story }) => story)])) {
        const story = this.#view.triage.one(id);
        if (story?.shown === true) this.#event('story', storyItem(story, Date.now() * 1_000).text);
      }
  }

  #nodes(): void {
    this.#nodesDue ??= setTimeout(() => {
      this.#nodesDue = undefined;
      if (this.#listeners.size > 0) this.#event('nodes', nodeStrip(this.#view.nodes(), Date.now() * 1_000).text);
    }, NODES_EVERY_MS);
  }

  /** A return ends a line here, too: a value that holds one must not begin a line of its own. */
  #event(name: string, markup: string): void {
    this.#send(
      `event: ${name}\n${markup
        .split(/\r\n|[\r\n]/)
        .map((line) => `data: ${line}\n`)
        .join('')}\n`,
    );
  }

  #send(text: string): void {
    for (const listener of this.#listeners.keys()) {
      if (listener.writableEnded) continue;
      if (listener.writableLength > MAX_UNREAD_BYTES) listener.destroy();
      else listener.write(text);
    }
  }

  close(): void {
    this.#stop();
    clearInterval(this.#checking);
    clearTimeout(this.#nodesDue);
    for (const listener of this.#listeners.keys()) listener.end();
  }
}
