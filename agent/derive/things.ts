/**
 * Services, scheduled tasks and credentials that came, changed or went: what one process did to one of them, once.
 *
 * What is there is known from directories that were listed at the start and from events since. A change counts only
 * where the node's own file of that path changed then; where the agent may not look, the event says so, because the file
 * could be a container's. Bounded: beyond the limit the oldest is told at once, and the oldest name forgotten.
 */
import { posix } from 'node:path';
import type { Attributes, RawEvent } from '../event.ts';
import type { Look, NodeFiles } from '../node-files.ts';
import { LISTED, placeOf, type Place } from './places.ts';
import type { Touch } from './touch.ts';

type Thing = Exclude<Place, { kind: 'accounts' }>;

interface Story {
  readonly thing: Thing;
  readonly actor: string;
  readonly attributes: Attributes;
  readonly changes: Set<string>;
  /** What it began with. */
  readonly first: Touch;
  /** A path each, and whether it stands now. */
  readonly paths: Map<string, boolean>;
  owner: number | undefined;
  isWriting: boolean;
  hasEnded: boolean;
  time: number;
  firstMs: number;
  lastMs: number;
}

const QUIET_MS = 1_000;
const LONGEST_MS = 5_000;
const WRITING_LONGEST_MS = 60_000;
const MOST_STORIES = 1_024;
const MOST_NAMES = 32_768;
/** File systems keep times a little behind the clock. */
const SLACK_MS = 1_000;

export type OwnerOf = (thing: Extract<Thing, { kind: 'credential' }>, owner: number | undefined) => Attributes;

export class Things {
  readonly #files: NodeFiles;
  readonly #ownerOf: OwnerOf;
  readonly #stories = new Map<string, Story>();
  /** Where each thing stands: its paths. */
  readonly #standing = new Map<string, Set<string>>();
  readonly #overdue: RawEvent[] = [];

  constructor(files: NodeFiles, ownerOf: OwnerOf) {
    this.#files = files;
    this.#ownerOf = ownerOf;
    for (const directory of LISTED) {
      for (const name of files.list(directory)) {
        const path = `${directory}/${name}`;
        const place = placeOf(path);
        if (place !== undefined && place.kind !== 'accounts') this.#stands(place, path);
      }
    }
  }

  touch(actor: string, attributes: Attributes, thing: Thing, touch: Touch, time: number, nowMs: number): void {
    const key = `${actor} ${keyOf(thing)}`;
    const story = this.#stories.get(key) ?? this.#begin(key, actor, attributes, thing, touch, nowMs);
    const isThere = touch.deed !== 'removed';
    story.paths.delete(touch.path);
    story.paths.set(touch.path, isThere);
    story.changes.add(changeOf(thing, touch.deed));
    story.owner ??= touch.owner;
    if (touch.deed === 'opened' || touch.deed === 'made') story.isWriting = true;
    story.time = time;
    story.lastMs = nowMs;
  }

  ended(actor: string): void {
    for (const story of this.#stories.values()) if (story.actor === actor) story.hasEnded = true;
  }

  ready(nowMs: number): RawEvent[] {
    const told = this.#overdue.splice(0);
    for (const [key, story] of this.#stories) {
      const isQuiet = nowMs - story.lastMs >= QUIET_MS || nowMs - story.firstMs >= LONGEST_MS;
      if (!isQuiet && !story.hasEnded) continue;
      const event = this.#tell(story);
      // A file that is open for writing and not yet written may still be.
      if (event === undefined && story.isWriting && !story.hasEnded && nowMs - story.firstMs < WRITING_LONGEST_MS)
        continue;
      this.#stories.delete(key);
      if (event !== undefined) told.push(event);
    }
    return told;
  }

  #begin(key: string, actor: string, attributes: Attributes, thing: Thing, touch: Touch, nowMs: number): Story {
    const [oldest] = this.#stories;
    if (oldest !== undefined && this.#stories.size >= MOST_STORIES) {
      this.#stories.delete(oldest[0]);
      const event = this.#tell(oldest[1]);
      if (event !== undefined) this.#overdue.push(event);
    }
    const story: Story = {
      thing,
      actor,
      attributes,
      changes: new Set(),
      first: touch,
      paths: new Map(),
      owner: undefined,
      isWriting: false,
      hasEnded: false,
      time: 0,
      firstMs: nowMs,
      lastMs: nowMs,
    };
    this.#stories.set(key, story);
    return story;
  }

  /** Whether the thing was there before; undefined where nobody could know. Asked in the order in which stories are told. */
  #was({ thing, first: { deed, path } }: Story): boolean | undefined {
    if (this.#standing.has(keyOf(thing))) return true;
    if ('part' in thing && thing.part !== 'unit') return true;
    if (deed === 'made') return false;
    if (deed !== 'placed') return true;
    return LISTED.some((directory) => path.startsWith(`${directory}/`)) ? false : undefined;
  }

  /** Undefined where nothing of the node changed, or what came is gone again. */
  #tell(story: Story): RawEvent | undefined {
    const { thing, attributes, time } = story;
    const was = this.#was(story);
    let path: string | undefined;
    let isVerified = true;
    for (const [touched, isThere] of story.paths) {
      const seen = this.#isTrue(touched, isThere, time);
      if (seen === false) continue;
      // The thing itself is told rather than what hangs on it.
      if (path === undefined || isUnit(touched)) path = touched;
      isVerified &&= seen === true;
      if (isThere) this.#stands(thing, touched);
      else this.#fell(thing, touched);
    }
    const how = path === undefined ? undefined : this.#verb(thing, was, path);
    if (how === undefined) return undefined;
    return {
      name: nameOf(thing, how),
      time,
      attributes: {
        ...attributes,
        'file.path': path,
        'file.path.verified': isVerified,
        ...this.#said(thing, story),
      },
    };
  }

  #verb(thing: Thing, was: boolean | undefined, path: string): 'create' | 'change' | 'delete' | undefined {
    const is = this.#standing.has(keyOf(thing));
    if (thing.kind === 'credential') return 'change';
    if (!is && isUnit(path)) return was === false ? undefined : 'delete';
    return was === false ? 'create' : 'change';
  }

  #said(thing: Thing, story: Story): Attributes {
    switch (thing.kind) {
      case 'credential':
        return this.#ownerOf(thing, story.owner);
      case 'service':
        return { 'service.name': thing.name, 'service.changes': [...story.changes] };
      case 'task':
        return {
          'task.name': thing.user === undefined ? thing.name : undefined,
          'task.scheduler': thing.scheduler,
          'task.changes': [...story.changes],
          'user.name': thing.user,
        };
    }
  }

  /** Whether the node's file of this path is as the event says since then; undefined where we may not look. */
  #isTrue(path: string, isThere: boolean, time: number): boolean | undefined {
    const look = this.#files.look(path);
    if (look === 'hidden') return undefined;
    if (look !== 'absent' && !isThere) return false;
    // What came may be gone by now: then too the directory has changed.
    const witness = look === 'absent' ? this.#standingAbove(path) : look;
    return witness === undefined ? undefined : witness.changedMs >= time / 1_000 - SLACK_MS;
  }

  /** What is gone cannot be asked; the directory from which it went can. */
  #standingAbove(path: string): Look | undefined {
    for (let above = posix.dirname(path); ; above = posix.dirname(above)) {
      const look = this.#files.look(above);
      if (look !== 'absent') return look === 'hidden' ? undefined : look;
      if (above === '/') return undefined;
    }
  }

  #stands(thing: Thing, path: string): void {
    if (!isUnit(path)) return;
    const key = keyOf(thing);
    const paths = this.#standing.get(key) ?? new Set();
    this.#standing.delete(key);
    if (this.#standing.size >= MOST_NAMES) {
      const [oldest] = this.#standing.keys();
      if (oldest !== undefined) this.#standing.delete(oldest);
    }
    this.#standing.set(key, paths.add(path));
  }

  #fell(thing: Thing, path: string): void {
    const key = keyOf(thing);
    const paths = this.#standing.get(key);
    if (paths?.delete(path) === true && paths.size === 0) this.#standing.delete(key);
  }
}

function isUnit(path: string): boolean {
  const place = placeOf(path);
  return place !== undefined && 'part' in place && place.part === 'unit';
}

const keyOf = (thing: Thing): string =>
  thing.kind === 'credential'
    ? `credential ${thing.home}`
    : thing.kind === 'task'
      ? `task ${thing.scheduler} ${thing.user === undefined ? '' : 'of '}${thing.name}`
      : `service ${thing.name}`;

function nameOf(thing: Thing, how: 'create' | 'change' | 'delete'): RawEvent['name'] {
  if (thing.kind === 'credential') return 'user.credential.change';
  return thing.kind === 'task' ? `task.schedule.${how}` : `service.${how}`;
}

function changeOf(thing: Thing, deed: Touch['deed']): string {
  if (deed === 'permitted') return 'permissions';
  const part = 'part' in thing ? thing.part : 'unit';
  if (part === 'unit') return 'definition';
  if (part === 'drop-in') return 'drop-in';
  return deed === 'removed' ? 'disabled' : 'enabled';
}
