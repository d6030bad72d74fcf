/** The real sensor under a test's ear: what it says is kept, and must add up. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { openFrameSource } from '../../agent/sources/ebpf.ts';
import { CLASS_OF_FRAME, type CountersFrame, type Frame, type FrameKind } from '../../agent/sources/frame.ts';
import { CLASSES, type EventClass } from '#protocol/vocabulary.ts';
import { CHECKOUT, until } from './stack.ts';

export const SENSOR = join(CHECKOUT, 'agent/sensor/build/hushwatch-sensor');

export function buildSensor(): void {
  execFileSync('make', ['-s', '-C', join(CHECKOUT, 'agent/sensor')]);
}

/** A frame of one kind, its other fields by name. */
export type Seen = Frame & Readonly<Record<string, unknown>>;

/** Of one kind, and of one process when it is named. */
export function framesOf(frames: readonly Frame[], kind: FrameKind, pid?: number): Seen[] {
  // oxlint-disable-next-line no-unsafe-type-assertion -- a test looks at fields by name
  return frames.filter(
    (frame) => frame.kind === kind && (pid === undefined || ('pid' in frame && frame.pid === pid)),
  ) as Seen[];
}

/** The sensor, and everything it has said to us. */
export class Watched implements AsyncDisposable {
  readonly frames: Frame[] = [];
  readonly child: ChildProcess;
  stderr = '';
  readonly #home = mkdtempSync(join(tmpdir(), 'hushwatch-watched-'));
  #pauseMs: number;
  readonly #over = new AbortController();
  readonly #listening: Promise<void>;

  /** `pauseMs`: how long we think about each chunk; an agent that does not keep up. */
  constructor(options: readonly string[], command: readonly string[] = [SENSOR], pauseMs = 0) {
    this.#pauseMs = pauseMs;
    const path = join(this.#home, 'agent.sock');
    this.#listening = this.#listen(path);
    chmodSync(this.#home, 0o777);
    const [program = SENSOR, ...before] = command;
    this.child = spawn(program, [...before, '--socket', path, ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    setTimeout(() => spawnSync('chmod', ['666', path]), 100);
  }

  async #listen(path: string): Promise<void> {
    for await (const frames of openFrameSource(path, this.#over.signal)) {
      this.frames.push(...frames);
      if (this.#pauseMs > 0) await sleep(this.#pauseMs);
    }
  }

  async ready(): Promise<this> {
    await until(
      () => this.frames.some((frame) => frame.kind === 'counters') || this.child.exitCode !== null,
      90_000,
      'the sensor',
    );
    if (this.child.exitCode !== null) throw new Error(`the sensor ended: ${this.stderr}`);
    return this;
  }

  /** Ends the sensor; what it said at last are the counters of all that it did. */
  async stop(): Promise<CountersFrame> {
    const gone = once(this.child, 'close');
    this.#pauseMs = 0;
    this.child.kill('SIGTERM');
    const [code] = await gone;
    expect(this.stderr).toBe('');
    expect(code).toBe(0);
    await until(() => this.frames.at(-1)?.kind === 'counters', 20_000, 'the last words');
    await sleep(200);
    this.#over.abort();
    await this.#listening;
    const last = this.frames.at(-1);
    if (last?.kind !== 'counters') throw new Error('the sensor did not end with its counters');
    return last;
  }

  of(kind: FrameKind, pid?: number): Seen[] {
    return framesOf(this.frames, kind, pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null) this.child.kill('SIGKILL');
    this.#over.abort();
    await this.#listening;
    rmSync(this.#home, { recursive: true, force: true });
  }
}

/** Nothing is unaccounted for, and what was emitted is what we have. */
export function balanced(counters: CountersFrame, frames: readonly Frame[]): void {
  const received: Partial<Record<EventClass, number>> = {};
  for (const frame of frames) {
    if (frame.kind === 'hello' || frame.kind === 'counters' || frame.kind === 'process') continue;
    const name = CLASS_OF_FRAME[frame.kind];
    received[name] = (received[name] ?? 0) + 1;
  }
  for (const name of CLASSES) {
    const of = counters.classes[name];
    if (of === undefined) continue;
    expect({ name, seen: of.seen }).toEqual({ name, seen: of.emitted + of.merged + of.sampled + of.lost });
    expect({ name, emitted: of.emitted }).toEqual({ name, emitted: received[name] ?? 0 });
  }
}
