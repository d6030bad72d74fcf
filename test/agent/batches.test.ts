/** When a batch is closed: by count, bytes, age, heartbeat, and at the end. With a clock that only tests move. */
import { expect, test } from 'vitest';
import { inBatches, type Alarm, type BatchLimits, type Timer } from '../../agent/batches.ts';
import type { Body } from '../../agent/body.ts';
import type { ReleasedEvent } from '../../redaction-rules/compile.ts';
import { released } from './sample.ts';

const LIMITS: BatchLimits = { events: 4, bytes: 1_000, ageMs: 300, heartbeatMs: 15_000 };

class FakeTimer implements Timer {
  #now = 0;
  readonly #sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();

  now(): number {
    return this.#now;
  }

  alarm(ms: number): Alarm {
    const { promise: rings, resolve } = Promise.withResolvers<undefined>();
    const sleeper = { at: this.#now + ms, wake: () => resolve(undefined) };
    this.#sleepers.add(sleeper);
    return { rings, cancel: () => void this.#sleepers.delete(sleeper) };
  }

  get asleep(): number {
    return this.#sleepers.size;
  }

  async pass(ms: number): Promise<void> {
    this.#now += ms;
    for (const sleeper of this.#sleepers) if (sleeper.at <= this.#now) sleeper.wake();
    await settled();
  }
}

/** Lets everything happen that waits for nothing. */
const settled = (): Promise<void> => new Promise((settle) => setImmediate(settle));

/** A source that the test feeds, and that says how often it was asked. */
class Source implements AsyncIterable<readonly ReleasedEvent[]> {
  asked = 0;
  returned = false;
  readonly #given: (readonly ReleasedEvent[])[] = [];
  #ended = false;
  #wake: () => void = () => {};

  async give(...lines: string[]): Promise<void> {
    await this.#push(lines.map((path) => released('file', 1, { 'file.path': path })));
  }

  async giveMatched(path: string): Promise<void> {
    await this.#push([released('file', 1, { 'file.path': path }, true)]);
  }

  async #push(chunk: readonly ReleasedEvent[]): Promise<void> {
    this.#given.push(chunk);
    this.#wake();
    await settled();
  }

  async end(): Promise<void> {
    this.#ended = true;
    this.#wake();
    await settled();
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly ReleasedEvent[]> {
    return {
      next: async () => {
        this.asked++;
        while (this.#given.length === 0 && !this.#ended) await new Promise<void>((settle) => (this.#wake = settle));
        const value = this.#given.shift();
        return value === undefined ? { done: true, value: undefined } : { done: false, value };
      },
      return: async () => {
        this.returned = true;
        return { done: true, value: undefined };
      },
    };
  }
}

const pathsOf = (body: Body): readonly string[] =>
  Buffer.from(body.plain)
    .toString()
    .split('\n')
    .slice(0, -1)
    .map((line) => /"file.path":"([^"]*)"/.exec(line)?.[1] ?? '');

interface Running {
  readonly source: Source;
  readonly timer: FakeTimer;
  readonly batches: (readonly string[])[];
  readonly ended: Promise<void>;
}

async function run(limits: Partial<BatchLimits> = {}, consume: () => Promise<void> = async () => {}): Promise<Running> {
  const [source, timer, batches] = [new Source(), new FakeTimer(), [] as (readonly string[])[]];
  const ended = (async () => {
    for await (const batch of inBatches(source, { ...LIMITS, ...limits }, timer)) {
      batches.push(pathsOf(batch));
      await consume();
    }
  })();
  await settled();
  return { source, timer, batches, ended };
}

test('closed by count, between chunks only', async () => {
  const { source, batches } = await run();
  await source.give('a', 'b', 'c');
  expect(batches).toEqual([]);
  await source.give('d', 'e');
  expect(batches).toEqual([['a', 'b', 'c', 'd', 'e']]);
  await source.give('f');
  expect(batches).toHaveLength(1);
});

test('closed by bytes, newlines included', async () => {
  const size = released('file', 1, { 'file.path': 'ä' }).line.length + 2;
  const { source, batches } = await run({ bytes: 2 * size });
  await source.give('ä');
  expect(batches).toEqual([]);
  await source.give('ö');
  expect(batches).toEqual([['ä', 'ö']]);
});

test('closed by age: a sixth of it after a pause, then one a whole age', async () => {
  const { source, timer, batches } = await run();
  await timer.pass(5_000);
  await source.give('a');
  await timer.pass(40);
  await source.give('b');
  await timer.pass(9);
  expect(batches).toEqual([]);
  await timer.pass(1);
  expect(batches).toEqual([['a', 'b']]);
  await timer.pass(1);
  await source.give('c');
  await timer.pass(298);
  await source.give('d');
  expect(batches).toHaveLength(1);
  await timer.pass(1);
  expect(batches).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
});

test('no event waits longer than the age, whenever it comes', async () => {
  const { source, timer, batches } = await run();
  await source.give('first');
  await timer.pass(50);
  for (const pause of [1, 120, 249, 250, 251, 299, 300, 301, 1_000]) {
    const before = batches.length;
    await timer.pass(pause);
    await source.give('a');
    await timer.pass(300);
    expect(batches.length, `after ${pause} ms`).toBe(before + 1);
  }
});

test('what a rule matched does not wait, nor what came before it', async () => {
  const { source, timer, batches } = await run();
  await source.give('first');
  await timer.pass(50);
  await source.give('a');
  await timer.pass(100);
  await source.giveMatched('b');
  await timer.pass(49);
  expect(batches).toHaveLength(1);
  await timer.pass(1);
  expect(batches.at(-1)).toEqual(['a', 'b']);
});

test('a chunk without events does not start the age', async () => {
  const { source, timer, batches } = await run();
  await source.give();
  await timer.pass(14_999);
  expect(batches).toEqual([]);
  await timer.pass(1);
  expect(batches).toEqual([[]]);
});

test('with nothing to say, an empty batch for every heartbeat', async () => {
  const { timer, batches } = await run();
  for (let i = 1; i <= 3; i++) {
    await timer.pass(14_999);
    expect(batches).toHaveLength(i - 1);
    await timer.pass(1);
    expect(batches).toHaveLength(i);
  }
  expect(batches).toEqual([[], [], []]);
});

test('an event just before a heartbeat does not put it off', async () => {
  const { source, timer, batches } = await run();
  await timer.pass(14_900);
  await source.give('a');
  await timer.pass(100);
  expect(batches).toEqual([['a']]);
});

test('what is open at the end is the last batch, even when it is empty', async () => {
  const full = await run();
  await full.source.give('a');
  await full.source.end();
  await full.ended;
  expect(full.batches).toEqual([['a']]);

  const empty = await run();
  await empty.source.end();
  await empty.ended;
  expect(empty.batches).toEqual([[]]);
});

test('a consumer that is busy is not run over: the source is not asked meanwhile', async () => {
  let finish: () => void = () => {};
  const { source, batches } = await run({ events: 1 }, () => new Promise((settle) => (finish = settle)));
  await source.give('a');
  expect(source.asked).toBe(1);
  await source.give('b');
  await source.give('c');
  expect(batches).toEqual([['a']]);
  expect(source.asked).toBe(1);
  finish();
  await settled();
  expect(batches).toEqual([['a'], ['b']]);
  expect(source.asked).toBe(2);
});

test('no timer is left behind', async () => {
  const { source, timer, ended } = await run();
  for (let i = 0; i < 50; i++) await source.give('a');
  expect(timer.asleep).toBe(1);
  await source.end();
  await ended;
  expect(timer.asleep).toBe(0);
});

test('a consumer that gives up is not held by a source that waits', async () => {
  const { source, timer, ended } = await run({}, () => Promise.reject(new Error('disk')));
  const failed = expect(ended).rejects.toThrow('disk');
  await timer.pass(15_000);
  await failed;
  expect(source.returned).toBe(true);
});

test('an error of the source reaches the consumer', async () => {
  async function* broken(): AsyncGenerator<readonly ReleasedEvent[]> {
    yield [released('file', 1)];
    throw new Error('source');
  }
  const all = Array.fromAsync(inBatches(broken(), LIMITS));
  await expect(all).rejects.toThrow('source');
});
