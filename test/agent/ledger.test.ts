/** The ledger against a simulated world: a sensor that merges and loses, agents that die, a spool that refuses. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkConservation, NO_PREVIOUS, type Statement } from '#protocol/statement.ts';
import { CLASSES, type EventClass } from '#protocol/vocabulary.ts';
import { Ledger, type SensorAccount, type Totals } from '../../agent/ledger.ts';
import type { ClassCounters } from '../../agent/sources/frame.ts';
import { FIRST } from '../protocol/sample.ts';
import { herald } from './sample.ts';

const COUNTED = ['file', 'network', 'process', 'privilege', 'kernel'] as const;
type Counted = (typeof COUNTED)[number];

const cls = fc.constantFrom(...COUNTED);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('emit' as const), cls, n: fc.nat(20) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('merge' as const, 'sample' as const, 'lose' as const), cls }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('deliver' as const), n: fc.nat(30), fate: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('count' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('own' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('sign' as const), refused: fc.integer({ min: 0, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('agent dies' as const, 'sensor dies' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

type Mutable = { -readonly [K in keyof ClassCounters]: ClassCounters[K] };

class Sensor {
  readonly instance: string;
  readonly counters: Record<Counted, Mutable>;
  /** Emitted, and not yet with the agent. */
  readonly pipe: Counted[] = [];

  constructor(instance: number) {
    this.instance = String(instance);
    const none = (): Mutable => ({ seen: 0, emitted: 0, merged: 0, sampled: 0, lost: 0 });
    this.counters = { file: none(), network: none(), process: none(), privilege: none(), kernel: none() };
  }

  emit(one: Counted, n: number): void {
    this.counters[one].emitted += n;
    this.counters[one].seen += n;
    this.pipe.push(...Array.from({ length: n }, () => one));
  }
}

const statementOf = (totals: Totals): Statement => ({
  ...herald,
  ...totals,
  sequence: 1,
  previous: NO_PREVIOUS,
  time: FIRST.time,
  events: {},
  body: FIRST.body,
});

/** The world: everything that happens is also counted here, by other means. */
class World {
  sensor = new Sensor(1);
  ledger = new Ledger();
  batch: EventClass[] = [];
  signed: { totals: Totals; sensor: SensorAccount | undefined } | undefined;
  /** Frames that the sensors emitted, that the agents took from the pipe, and those that statements say were lost. */
  emitted = 0;
  instances = 1;

  constructor() {
    this.ledger.meet(this.sensor.instance);
  }

  deliver(n: number, fate: number): void {
    for (const one of this.sensor.pipe.splice(0, n)) {
      this.ledger.received(one, true);
      if (fate === 0) this.ledger.withheld(one);
      else if (fate === 1) this.ledger.lost('oversize', one);
      else if (fate === 2) this.ledger.lost('spool', one);
      else this.batch.push(one);
    }
  }

  /** Counters come after the frames that they count. */
  count(): void {
    this.deliver(this.sensor.pipe.length, 9);
    this.ledger.counters({ kind: 'counters', atNs: 0, classes: structuredClone(this.sensor.counters) });
  }

  sign(refused: boolean): void {
    const held: Partial<Record<EventClass, number>> = {};
    for (const one of this.batch) held[one] = (held[one] ?? 0) + 1;
    this.batch = [];
    const before = this.ledger.totals;
    const released = Object.fromEntries(CLASSES.map((one) => [one, (before.released[one] ?? 0) + (held[one] ?? 0)]));
    const totals = { ...before, released };
    expect(checkConservation(statementOf(totals))).toBeUndefined();
    if (refused) {
      this.ledger.unreleased(held);
      return;
    }
    this.ledger.released(held);
    expectGrown(this.signed?.totals, totals);
    this.signed = { totals, sensor: this.ledger.sensor };
  }

  agentDies(): void {
    this.batch = [];
    this.sensor.pipe.length = 0;
    this.ledger = new Ledger(this.signed?.totals, this.signed?.sensor);
    this.ledger.meet(this.sensor.instance);
  }

  sensorDies(): void {
    // What it sent is still read to the end; what it never told is gone.
    this.deliver(this.sensor.pipe.length, 9);
    this.sensor = new Sensor(++this.instances);
    expect(this.ledger.meet(this.sensor.instance)).toBe(true);
    expect(this.ledger.meet(this.sensor.instance)).toBe(false);
  }

  take(step: Step): void {
    if (step.do === 'emit') {
      this.sensor.emit(step.cls, step.n);
      this.emitted += step.n;
    } else if (step.do === 'merge') this.bump(step.cls, 'merged');
    else if (step.do === 'sample') this.bump(step.cls, 'sampled');
    else if (step.do === 'lose') this.bump(step.cls, 'lost');
    else if (step.do === 'deliver') this.deliver(step.n, step.fate);
    else if (step.do === 'count') this.count();
    else if (step.do === 'own') {
      this.ledger.received('host');
      this.batch.push('host');
    } else if (step.do === 'sign') this.sign(step.refused === 0);
    else if (step.do === 'agent dies') this.agentDies();
    else this.sensorDies();
  }

  private bump(one: Counted, kind: 'merged' | 'sampled' | 'lost'): void {
    this.sensor.counters[one][kind] += 1;
    this.sensor.counters[one].seen += 1;
  }
}

function expectGrown(before: Totals | undefined, after: Totals): void {
  if (before === undefined) return;
  for (const one of CLASSES) {
    for (const kind of ['seen', 'released', 'merged', 'sampled', 'withheld'] as const)
      expect(after[kind][one] ?? 0).toBeGreaterThanOrEqual(before[kind][one] ?? 0);
    for (const place of ['ring', 'queue', 'spool', 'oversize'] as const)
      expect(after.lost[place]?.[one] ?? 0).toBeGreaterThanOrEqual(before.lost[place]?.[one] ?? 0);
  }
}

test('every statement adds up and nothing ever decreases, whatever dies when', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const world = new World();
      for (const one of steps) world.take(one);
      world.count();
      world.sign(false);
    }),
    { numRuns: 400 },
  );
});

test('with one sensor, what it says it saw is what is stated in the end: nothing twice, nothing forgotten', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const world = new World();
      for (const one of steps) if (one.do !== 'sensor dies') world.take(one);
      world.count();
      world.sign(false);
      const { totals } = world.signed ?? expect.fail('signed');
      for (const one of COUNTED) {
        expect(totals.seen[one] ?? 0).toBe(world.sensor.counters[one].seen);
        expect(totals.merged[one] ?? 0).toBe(world.sensor.counters[one].merged);
        expect(totals.sampled[one] ?? 0).toBe(world.sensor.counters[one].sampled);
        expect(totals.lost.ring?.[one] ?? 0).toBe(world.sensor.counters[one].lost);
      }
    }),
    { numRuns: 400 },
  );
});

test('what an agent that died held, signed for or not, is lost in the queue, exactly', () => {
  const world = new World();
  world.sensor.emit('file', 10);
  world.deliver(6, 9);
  world.sign(false);
  world.deliver(3, 9); // received, never signed for
  world.agentDies(); // and one still in the pipe
  world.sensor.emit('file', 5);
  world.count();
  world.sign(false);
  expect(world.signed?.totals).toMatchObject({
    seen: { file: 15 },
    released: { file: 11 },
    lost: { queue: { file: 4 } },
  });
  world.agentDies();
  world.count();
  world.sign(false);
  expect(world.signed?.totals.lost.queue).toEqual({ file: 4 });
});

test('counters that go backwards are not believed', () => {
  const ledger = new Ledger();
  ledger.meet('1');
  const counters = (n: number): void =>
    ledger.counters({
      kind: 'counters',
      atNs: 0,
      classes: { file: { seen: 3 * n, emitted: 0, merged: n, sampled: n, lost: n } },
    });
  counters(5);
  counters(2);
  counters(6);
  expect(ledger.totals).toMatchObject({ seen: { file: 18 }, merged: { file: 6 }, lost: { ring: { file: 6 } } });
});

test('counters before a sensor introduced itself count nothing', () => {
  const ledger = new Ledger();
  ledger.counters({
    kind: 'counters',
    atNs: 0,
    classes: { file: { seen: 1, emitted: 1, merged: 0, sampled: 0, lost: 0 } },
  });
  expect(ledger.totals.seen).toEqual({});
});

test('totals and account are copies: what was signed does not change afterwards', () => {
  const ledger = new Ledger();
  ledger.meet('1');
  ledger.received('file', true);
  const [totals, sensor] = [ledger.totals, ledger.sensor];
  ledger.received('file', true);
  expect(totals.seen).toEqual({ file: 1 });
  expect(sensor?.received).toEqual({ file: 1 });
});
