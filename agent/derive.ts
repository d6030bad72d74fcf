/**
 * What file events mean: accounts, credentials, services and scheduled tasks that came, changed or went.
 *
 * Stands between enrichment and matching. A derived event is another fact beside the file events that it rests on; these
 * pass unchanged and first. One action tells one event, with the process that did it, within a second of its end. The
 * node's own files are asked, through a reader that tests can replace, so that what happens inside a container or a
 * chroot is not taken for the node's. State is bounded, holds no content of files but names and numbers, and is never
 * written.
 */
import { AccountState } from './derive/accounts.ts';
import { accountOf, AccountActors } from './derive/actors.ts';
import { placeOf } from './derive/places.ts';
import { Things } from './derive/things.ts';
import { actorOf, touchesOf, type Touch } from './derive/touch.ts';
import type { RawEvent } from './event.ts';
import type { NodeFiles } from './node-files.ts';

/** Longer than anything waits. */
const LAST_WORD_MS = 120_000;

/** Arguments of a living process, by pid. */
export type ArgsOf = (pid: number) => readonly string[] | undefined;

export class Deriver {
  readonly #accounts: AccountActors;
  readonly #things: Things;
  readonly #argsOf: ArgsOf;

  constructor(files: NodeFiles, argsOf: ArgsOf) {
    const state = new AccountState(files);
    this.#accounts = new AccountActors(state);
    this.#things = new Things(files, ({ home }, owner) => {
      const entry = state.livingIn(home);
      return entry === undefined ? { 'user.id': owner } : accountOf(entry);
    });
    this.#argsOf = argsOf;
  }

  /** Takes notice of one event. */
  note(event: RawEvent, nowMs: number): void {
    this.#accounts.heard(event.time);
    if (event.name === 'process.exit') {
      const key = String(event.attributes['process.entity.id']);
      this.#accounts.ended(key, nowMs);
      this.#things.ended(key);
      return;
    }
    for (const touch of touchesOf(event)) this.#noteTouch(event, touch, nowMs);
  }

  #noteTouch(event: RawEvent, touch: Touch, nowMs: number): void {
    const place = placeOf(touch.path);
    if (place === undefined) return;
    const actor = actorOf(event.attributes);
    const key = String(actor['process.entity.id']);
    if (place.kind === 'accounts') {
      const pid = actor['process.pid'];
      const args = typeof pid === 'number' ? this.#argsOf(pid) : undefined;
      this.#accounts.touch(key, event, actor, place.file, args ?? [], nowMs);
    } else this.#things.touch(key, actor, place, touch, event.time, nowMs);
  }

  /** What can be told by now. */
  ready(nowMs: number): readonly RawEvent[] {
    return [...this.#accounts.ready(nowMs), ...this.#things.ready(nowMs)];
  }
}

/** The stage. Chunks come at least once a second, with the sensor's counters, so no timer is needed. */
export async function* derive(
  chunks: AsyncIterable<readonly RawEvent[]>,
  deriver: Deriver,
  nowMs: () => number,
): AsyncGenerator<readonly RawEvent[]> {
  for await (const chunk of chunks) {
    yield chunk;
    const now = nowMs();
    for (const event of chunk) deriver.note(event, now);
    const told = deriver.ready(now);
    if (told.length > 0) yield told;
  }
  yield deriver.ready(nowMs() + LAST_WORD_MS);
}
