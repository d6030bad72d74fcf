/**
 * Sums in the agent: two hours in which sandboxes began and ended at other moments leave the same bytes; hours in which others
 * began differ by numbers with noise, and by nothing else; and no count is lost or told twice, whenever the agent dies.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeBatch, unpackLines } from '#protocol/batch.ts';
import { checkSuccession, type Statement } from '#protocol/statement.ts';
import { SumsTold } from '#protocol/sums-told.ts';
import { realDisk } from '../../agent/disk.ts';
import type { RawEvent } from '../../agent/event.ts';
import { Ledger } from '../../agent/ledger.ts';
import { record, type Line } from '../../agent/pipeline.ts';
import { FileSpool } from '../../agent/spool.ts';
import { dueSums, parseSumCounts, Sums, type SumCount } from '../../agent/sums.ts';
import { compileBound } from '../../collector/detectors/sigma/compile.ts';
import { compileRuleset } from '../../redaction-rules/compile.ts';
import { compileReleasedValidator } from '../../redaction-rules/released-schema.ts';
import { turningOf } from '../../redaction-rules/turning.ts';
import { nodeKey } from '../protocol/sample.ts';
import { SHIPPED } from '../redaction-rules/shipped.ts';
import { KEYS } from '../redaction-rules/small-ruleset.ts';
import { herald } from './sample.ts';

const guestos = SHIPPED.find(({ ruleset }) => ruleset.name === 'guestos')?.ruleset;
if (guestos === undefined) throw new Error('guestos is shipped');
const SUMS = { sums: guestos.sums, keys: KEYS };
const GUEST = { ...herald, role: 'guest', turning: turningOf(guestos) } as const;

const HOUR = 3_600_000_000;
/** A whole hour. */
const START = 497_222 * HOUR;
const NEVER_MS = 1e9;
const SANDBOX = '/opt/ic/bin/canister_sandbox';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-sums-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const exec = (path: string, at: number): RawEvent => ({
  name: 'process.exec',
  time: START + at,
  fromSensor: true,
  attributes: { 'process.executable.path': path, 'process.user.id': 990, 'process.user.name': 'ic-replica' },
});

/** What is fed into the line, in order: an event, what the sensor merged so far, or the end of a window. */
type Step = { readonly event: RawEvent } | { readonly merged: number } | { readonly windowEnds: number };

const sumEvents = (sums: Sums, at: number): readonly RawEvent[] =>
  sums.counts.map(({ sum, of }) => ({
    name: 'hushwatch.sum',
    time: at,
    attributes: { 'hushwatch.sum.name': sum, 'hushwatch.sum.of': of },
  }));

interface Trace {
  readonly batches: readonly string[];
  readonly statements: readonly Statement[];
  readonly lines: readonly string[];
  readonly kept: readonly SumCount[];
}

/** The agent's line over these steps, from an empty spool or the one that is there. */
async function run(steps: readonly Step[], directory: string): Promise<Trace> {
  const spool = await FileSpool.open(directory, nodeKey, 1 << 28, realDisk);
  const sums = new Sums(SUMS, START, spool.sums);
  const ledger = new Ledger(spool.last, spool.sensor, undefined, undefined, sums);
  ledger.meet('1');
  const line: Line = {
    ...{ ledger, spool, matcher: compileBound([]) },
    redactor: compileRuleset(guestos ?? never(), KEYS),
  };
  const limits = { events: 5, bytes: 1 << 24, ageMs: NEVER_MS, heartbeatMs: NEVER_MS };
  await record(fed(steps, ledger, sums), line, GUEST, limits, (problem) => {
    if (problem !== undefined) throw problem;
  });
  return { ...leftIn(directory), kept: spool.sums };
}

const never = (): never => {
  throw new Error('never');
};

async function* fed(steps: readonly Step[], ledger: Ledger, sums: Sums): AsyncGenerator<readonly RawEvent[]> {
  for (const step of steps) {
    if ('event' in step) yield [step.event];
    else if ('windowEnds' in step) yield sumEvents(sums, START + step.windowEnds * HOUR);
    else
      ledger.counters({
        kind: 'counters',
        atNs: 0,
        classes: { privilege: { seen: step.merged, emitted: 0, merged: step.merged, sampled: 0, lost: 0 } },
      });
  }
}

function leftIn(directory: string): Omit<Trace, 'kept'> {
  const names = readdirSync(directory).filter((name) => name.endsWith('.batch'));
  const bytes = names.toSorted().map((name) => readFileSync(join(directory, name)));
  const batches = bytes.map((batch) => decodeBatch(batch));
  return {
    batches: bytes.map((batch) => batch.toString('base64')),
    statements: batches.map(({ statement }) => statement),
    lines: batches.flatMap(({ body, statement }) => unpackLines(body, statement.body.unpacked, statement.events)),
  };
}

const fresh = (): string => mkdtempSync(join(home, 'spool-'));

/** What else happens in two hours, the same in every run: what leaves, and the ends of the windows. */
const BACKGROUND: readonly Step[] = [
  ...Array.from({ length: 12 }, (_, i): Step => ({ event: exec('/usr/bin/curl', i * 1_000_000) })),
  { windowEnds: 1 },
  ...Array.from({ length: 12 }, (_, i): Step => ({ event: exec('/usr/bin/curl', HOUR + i * 1_000_000) })),
  { windowEnds: 2 },
];

/** Sandboxes begin at these places of the background; and so much did the sensor merge there. */
function withSandboxes(
  places: readonly number[],
  mergedAt: readonly number[],
  more: readonly number[],
): readonly Step[] {
  const steps: Step[] = [];
  let merged = 0;
  for (const [at, step] of BACKGROUND.entries()) {
    for (const place of places) if (place === at) steps.push({ event: exec(SANDBOX, at * 1_000_000) });
    for (const [i, place] of mergedAt.entries()) if (place === at) steps.push({ merged: (merged += more[i] ?? 0) });
    steps.push(step);
  }
  return steps;
}

/** Before the first window ends. */
const FIRST_HOUR = fc.nat(12);

describe('an observer who has every byte that leaves', () => {
  test(
    'cannot tell when within a window sandboxes began, nor when the sensor merged',
    { timeout: 60_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(FIRST_HOUR, FIRST_HOUR), { minLength: 1, maxLength: 400 }),
          fc.array(fc.tuple(FIRST_HOUR, FIRST_HOUR, fc.nat(500)), { maxLength: 5 }),
          async (sandboxes, merges) => {
            const amounts = merges.map(([, , amount]) => amount);
            const run1 = withSandboxes(
              sandboxes.map(([one]) => one),
              merges.map(([one]) => one),
              amounts,
            );
            const run2 = withSandboxes(
              sandboxes.map(([, two]) => two),
              merges.map(([, two]) => two),
              amounts,
            );
            const [one, two] = [await run(run1, fresh()), await run(run2, fresh())];
            expect(two).toEqual(one);
          },
        ),
        { numRuns: 25 },
      );
    },
  );

  test('can tell how many only by what the sums tell: everything else is the same', { timeout: 60_000 }, async () => {
    const few = await run(withSandboxes([], [], []), fresh());
    const isSum = (text: string): boolean => text.includes('"hushwatch.sum"');
    for (const n of [1, 300, 5_000]) {
      const places = Array.from({ length: n }, (_, i) => i % 12);
      const many = await run(withSandboxes(places, [3], [n]), fresh());
      expect(many.lines.filter((text) => !isSum(text))).toEqual(few.lines.filter((text) => !isSum(text)));
      expect(many.lines.map((text) => text.replace(/,"hushwatch.sum.(count|duration)":\d+/g, ''))).toEqual(
        few.lines.map((text) => text.replace(/,"hushwatch.sum.(count|duration)":\d+/g, '')),
      );
      for (const [i, statement] of many.statements.entries()) {
        const told = toldUpTo(many, i);
        expect(statement.withheld.process ?? 0).toBe(told('process.exec'));
        expect(statement.merged.privilege ?? 0).toBe(told('merged.privilege'));
        expect(statement.events).toEqual(few.statements[i]?.events);
        expect(statement.time).toEqual(few.statements[i]?.time);
      }
    }
  });
});

/** What the sums of the first batches told of something. */
function toldUpTo({ lines, statements }: Trace, last: number): (of: string) => number {
  const events = statements.slice(0, last + 1).flatMap(({ events }) => Object.values(events));
  const sofar = lines.slice(
    0,
    events.reduce((sum, n) => sum + n, 0),
  );
  return (of) => {
    const own = sofar.filter((text) => text.includes(`"hushwatch.sum.of":"${of}"`));
    return own.reduce((sum, text) => sum + Number(/"hushwatch.sum.count":(\d+)/.exec(text)?.[1]), 0);
  };
}

test('every statement adds up, and a collector takes every line', async () => {
  const { statements, lines } = await run(
    withSandboxes(
      Array.from({ length: 2_000 }, (_, i) => i % 24),
      [3, 9],
      [77, 400],
    ),
    fresh(),
  );
  let previous: Statement | undefined;
  for (const statement of statements) {
    expect(checkSuccession(previous, statement)).toEqual([]);
    previous = statement;
  }
  const accepts = compileReleasedValidator(guestos ?? never());
  expect(lines.filter((text) => accepts(text) !== undefined)).toEqual([]);
  expect(lines.some((text) => text.includes(SANDBOX))).toBe(false);
  expect(previous?.withheld.process).toBeGreaterThan(1_000);
  expect(previous && new SumsTold().hear(previous, lines)).toBeUndefined();
});

test('a rule of the node that matches lets the event leave at once', async () => {
  const directory = fresh();
  const spool = await FileSpool.open(directory, nodeKey, 1 << 28, realDisk);
  const ledger = new Ledger(undefined, undefined, undefined, undefined, new Sums(SUMS, START));
  const matcher = { ...compileBound([]), match: () => ['a-rule'] };
  const line: Line = { ledger, spool, matcher, redactor: compileRuleset(guestos ?? never(), KEYS) };
  const limits = { events: 5, bytes: 1 << 24, ageMs: NEVER_MS, heartbeatMs: NEVER_MS };
  await record(only([exec(SANDBOX, 0)]), line, GUEST, limits, () => {});
  expect(leftIn(directory).lines).toEqual([expect.stringContaining('"detection.rules":["a-rule"]')]);
});

async function* only<T>(chunk: T): AsyncGenerator<T> {
  yield chunk;
}

describe('an agent that dies', () => {
  test('goes on with what it had counted, and tells it once', async () => {
    const whole = fresh();
    const parts = fresh();
    const steps = withSandboxes(
      Array.from({ length: 3_000 }, (_, i) => i % 12),
      [3],
      [900],
    );
    const one = await run(steps, whole);
    let last: Trace | undefined;
    // Killed after each batch: what the spool promised is what the next life knows.
    for (let from = 0; from < steps.length; from += 601) last = await run(steps.slice(from, from + 601), parts);
    const [end, ended] = [one.statements.at(-1), last?.statements.at(-1)];
    expect(ended?.withheld).toEqual(end?.withheld);
    expect(ended?.merged).toEqual(end?.merged);
    expect(ended?.seen).toEqual(end?.seen);
    expect(last?.kept).toEqual(one.kept);
  });

  test('keeps its counts where nobody else reads', async () => {
    const directory = fresh();
    await run(withSandboxes([1, 2], [], []), directory);
    expect(statSync(join(directory, 'head')).mode & 0o777).toBe(0o600);
  });
});

describe('a count', () => {
  const due = (of: string, hour: number): RawEvent => ({
    name: 'hushwatch.sum',
    time: START + hour * HOUR,
    attributes: { 'hushwatch.sum.name': 'sandboxes', 'hushwatch.sum.of': of },
  });
  const counted = (n: number, before?: readonly SumCount[]): Sums => {
    const sums = new Sums(SUMS, START, before);
    for (let i = 0; i < n; i++) expect(sums.holds(exec(SANDBOX, i))).toBe(true);
    return sums;
  };

  test('below the floor is counted on, and told when it is reached, with the hours that it took', () => {
    const sums = counted(10);
    expect(sums.tell(due('process.exec', 1))?.event.attributes).toMatchObject({
      'hushwatch.sum.count': 0,
      'hushwatch.sum.duration': 3600,
    });
    for (let i = 0; i < 2_000; i++) sums.holds(exec(SANDBOX, HOUR));
    const told = sums.tell(due('process.exec', 2));
    expect(told?.event.attributes['hushwatch.sum.duration']).toBe(7200);
    const n = Number(told?.event.attributes['hushwatch.sum.count']);
    expect(Math.abs(n - 2_010)).toBeLessThan(64 * 22);
    expect(told?.movement).toEqual({ counter: 'withheld', class: 'process', n });
    expect(sums.tell(due('process.exec', 3))?.event.attributes).toMatchObject({
      'hushwatch.sum.count': 0,
      'hushwatch.sum.duration': 3600,
    });
  });

  test('is told the same again by who counted the same', () => {
    const [one, two] = [counted(700), counted(700)];
    expect(one.tell(due('process.exec', 1))).toEqual(two.tell(due('process.exec', 1)));
  });

  test('is not told for a window that is not over, even when the clock was set back', () => {
    const sums = counted(5_000);
    expect(sums.tell(due('process.exec', 0))?.movement.n).toBe(0);
    expect(sums.tell(due('process.exec', -3))?.event.attributes['hushwatch.sum.duration']).toBe(0);
  });

  test('of a sum that the rules no longer have is counted as what it was', () => {
    const before = counted(33).counts;
    const { orphans } = new Sums({ sums: [], keys: KEYS }, START, before);
    expect(orphans.filter(({ n }) => n > 0)).toEqual([{ counter: 'withheld', class: 'process', n: 33 }]);
    const ledger = new Ledger(
      undefined,
      undefined,
      undefined,
      undefined,
      new Sums({ sums: [], keys: KEYS }, START, before),
    );
    expect(ledger.totals).toMatchObject({ seen: { process: 33 }, withheld: { process: 33 } });
  });

  test('goes on when other rules come into force that sum the same', () => {
    const ledger = new Ledger(undefined, undefined, undefined, undefined, counted(33));
    ledger.sumBy(SUMS, START);
    expect(ledger.sums.reduce((sum, { count }) => sum + count, 0)).toBe(33);
    expect(ledger.totals.seen).toEqual({});
    ledger.sumBy({ sums: [], keys: KEYS }, START);
    expect(ledger.totals).toMatchObject({ seen: { process: 33 }, withheld: { process: 33 } });
    expect(ledger.tell(due('process.exec', 1))).toBeUndefined();
  });

  describe('whose window has another length under other rules', () => {
    const every = (window: number): { readonly sums: typeof SUMS.sums; readonly keys: typeof KEYS } => ({
      sums: SUMS.sums.map((sum) => ({ ...sum, window })),
      keys: KEYS,
    });
    const underway = (window: number, counts: readonly SumCount[], n: number): Sums => {
      const sums = new Sums(every(window), START, counts);
      for (let i = 0; i < n; i++) sums.holds(exec(SANDBOX, i));
      return sums;
    };
    const saved = (sums: Sums): readonly SumCount[] => parseSumCounts(JSON.parse(JSON.stringify(sums.counts)));

    test.each([
      [HOUR / 6, HOUR],
      [HOUR, HOUR / 6],
      [HOUR, 24 * HOUR],
    ])('is told at the end of the next one of these, with the time that it took: %i µs, then %i', (was, is) => {
      const sums = underway(is, saved(underway(was, [], 3_000)), 2_000);
      const end = (Math.floor(START / is) + 2) * is;
      const told = sums.tell({ ...due('process.exec', 0), time: end });
      expect(told?.movement.n).toBeGreaterThan(5_000 - 64 * 22);
      const seconds = Number(told?.event.attributes['hushwatch.sum.duration']);
      expect(seconds % (is / 1e6)).toBe(0);
      expect(seconds).toBeGreaterThan(0);
      expect(seconds).toBeLessThanOrEqual((2 * is) / 1e6);
    });

    test('begins in no window that was told before, however often the rules come and go', () => {
      const lengths = fc.array(fc.constantFrom(HOUR / 6, HOUR / 4, HOUR, 5 * HOUR, 24 * HOUR), { minLength: 1 });
      fc.assert(
        fc.property(lengths, fc.array(fc.nat(30)), (windows, waits) => {
          let now = START;
          let counts: readonly SumCount[] = [];
          const drawn = new Set<string>();
          for (const [i, window] of windows.entries()) {
            const sums = underway(window, counts, 1_000);
            now += (waits[i] ?? 1) * (HOUR / 6);
            const since = sums.counts.find(({ of }) => of === 'process.exec')?.since;
            if (sums.tell({ ...due('process.exec', 0), time: now })?.movement.n !== 0) {
              expect(drawn.has(`${window} ${since}`)).toBe(false);
              drawn.add(`${window} ${since}`);
            }
            counts = saved(sums);
          }
        }),
      );
    });
  });

  test('waits, untold, while no rules are in force', () => {
    const before = counted(33).counts;
    const sums = new Sums({ sums: undefined, keys: KEYS }, START, before);
    expect(sums.orphans).toEqual([]);
    expect(sums.counts).toEqual(before);
    expect(sums.holds(exec(SANDBOX, 0))).toBe(false);
  });

  test('is read from the head, and anything else is not', () => {
    const { counts } = counted(3);
    expect(parseSumCounts(JSON.parse(JSON.stringify(counts)))).toEqual(counts);
    const good = { sum: 'x', of: 'process.exec', since: 1, count: 2 };
    for (const bad of [undefined, 7, {}, 'x', Array.from({ length: 2_000 }, () => good)])
      expect(parseSumCounts(bad)).toEqual([]);
    expect(
      parseSumCounts([null, 1, {}, { ...good, count: -1 }, { ...good, since: 0.5 }, { ...good, of: 3 }, good]),
    ).toEqual([good]);
    expect(
      parseSumCounts([
        { ...good, window: 0 },
        { ...good, window: 'x' },
        { ...good, window: 5 },
      ]),
    ).toEqual([{ ...good, window: 5 }]);
  });
});

describe('when a number is told', () => {
  const stop = new AbortController();

  /** The times at which it was told while the clock went so, one step for each look. */
  async function toldAt(clock: readonly number[]): Promise<readonly number[]> {
    const stopped = new AbortController();
    let at = 0;
    const accounts = new Sums(SUMS, START).counts.length;
    const times: number[] = [];
    const now = (): number => START + (clock[Math.min(at, clock.length - 1)] ?? 0);
    const wait = async (): Promise<undefined> => {
      if (++at >= clock.length) stopped.abort();
      await breathe();
      return undefined;
    };
    // oxlint-disable-next-line no-unsafe-type-assertion -- the one form in which it is called
    for await (const events of dueSums(SUMS.sums, now, stopped.signal, wait as never)) {
      expect(new Set(events.map(({ time }) => time)).size).toBe(1);
      expect(events.length).toBe(accounts);
      times.push(((events[0]?.time ?? 0) - START) / HOUR);
    }
    return times;
  }

  test('is decided by the clock: at the end of each window, once', async () => {
    expect(await toldAt([0, 0.5 * HOUR, 0.99 * HOUR, HOUR, 1.2 * HOUR, 2.1 * HOUR])).toEqual([1, 2]);
  });

  test('after a sleep the last window tells for all; set back, the clock tells nothing twice', async () => {
    expect(await toldAt([0, 5.5 * HOUR, 1.5 * HOUR, 2.5 * HOUR, 5.9 * HOUR, 6 * HOUR])).toEqual([5, 6]);
  });

  test('without sums there is nothing to wait for', async () => {
    for await (const events of dueSums([], () => START, stop.signal)) expect(events).toEqual([]);
  });
});
