/**
 * Sums: which events leave as numbers only, what such a number tells, and that a collector asks the same. What `guestos`
 * promises of its sandboxes is stated here apart from its rules, and each single weakening of a sum breaks it.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AttributeName } from '#protocol/vocabulary.ts';
import { compileRuleset } from '../../redaction-rules/compile.ts';
import { failingExamples } from '../../redaction-rules/examples.ts';
import { compileReleasedValidator } from '../../redaction-rules/released-schema.ts';
import type { Ruleset } from '../../redaction-rules/ruleset.ts';
import {
  accountsOf,
  holderOf,
  mayBeTold,
  noiseOf,
  told,
  type Asked,
  type Sum,
  type SumAccount,
} from '../../redaction-rules/sums.ts';
import { SHIPPED } from './shipped.ts';
import { KEYS } from './small-ruleset.ts';

const guestos = ruleset('guestos');
function ruleset(name: string): Ruleset {
  const found = SHIPPED.find((shipped) => shipped.ruleset.name === name)?.ruleset;
  if (found === undefined) throw new Error(`no ruleset ${name}`);
  return found;
}
const accountOf = (of: string): SumAccount => {
  const found = accountsOf(guestos.sums).find((account) => account.of === of);
  if (found === undefined) throw new Error(`nothing is told of ${of}`);
  return found;
};

const HOUR = 3_600_000_000;

const SANDBOX = '/opt/ic/bin/canister_sandbox';
const COMPILER = '/opt/ic/bin/compiler_sandbox';
const LAUNCHER = '/opt/ic/bin/sandbox_launcher';
const REPLICA = '/opt/ic/bin/replica';
const STATE = '/var/lib/ic/data/ic_state/page_deltas/0001.bin';
const CODE = '/var/lib/ic/data/ic_state/tip/code.so';

type Deed = readonly [event: string, attributes: Readonly<Partial<Record<AttributeName, unknown>>>];
const by = (path: string, more: Deed[1] = {}): Deed[1] => ({
  'process.executable.path': path,
  'process.user.id': 990,
  'process.user.name': 'ic-replica',
  ...more,
});

/** What happens whenever somebody uses a canister: none of it may leave by itself. */
const ROUTINE: readonly Deed[] = [
  ['process.fork', by(REPLICA)],
  ['process.fork', by(LAUNCHER)],
  ['process.fork', by(SANDBOX)],
  ['process.fork', by(COMPILER)],
  ['file.memory.create', by(REPLICA)],
  ['file.memory.create', by(LAUNCHER)],
  ['file.memory.create', by(SANDBOX)],
  ['file.memory.create', by(COMPILER)],
  ['process.exec', by(LAUNCHER)],
  ['process.exec', by(SANDBOX, { 'process.executable.deleted': false, 'process.executable.setuid': false })],
  ['process.exec', by(COMPILER, { 'process.executable.memfd': false })],
  ['process.exit', by(LAUNCHER, { 'process.exit.code': 0, 'process.exit.signal': 0 })],
  ['process.exit', by(SANDBOX, { 'process.exit.code': 1, 'process.exit.signal': 0 })],
  ['process.exit', by(SANDBOX, { 'process.exit.signal': 9 })],
  ['process.exit', by(SANDBOX, { 'process.exit.signal': 15 })],
  ['process.exit', by(COMPILER, { 'process.exit.signal': 0 })],
  ['process.image.load', by(SANDBOX, { 'file.path': CODE, 'file.path.origin': 'kernel' })],
  ['process.image.load', by(COMPILER, { 'file.path': '/var/lib/ic/data/x.so', 'file.path.origin': 'kernel' })],
  ['process.memory.executable', by(COMPILER)],
  ['file.open', by(REPLICA, { 'file.path': STATE, 'file.path.origin': 'kernel' })],
  ['file.modify', by(REPLICA, { 'file.path': STATE, 'file.path.origin': 'kernel' })],
];

/** What must be heard at once, because somebody broke in or something is broken. */
const ALARMING: readonly Deed[] = [
  ['process.exec', by('/usr/bin/sh', { 'process.parent.executable.path': SANDBOX })],
  ['process.exec', by(SANDBOX, { 'process.user.id': 0 })],
  ['process.exec', by(SANDBOX, { 'process.executable.deleted': true })],
  ['process.exec', by(SANDBOX, { 'process.executable.memfd': true })],
  ['process.exec', by(SANDBOX, { 'process.executable.setuid': true })],
  ['process.exec', by(SANDBOX, { 'error.type': 'EACCES' })],
  ['process.exec', by(REPLICA)],
  ['process.exit', by(REPLICA)],
  ...[4, 6, 7, 8, 11, 31].map((signal): Deed => ['process.exit', by(SANDBOX, { 'process.exit.signal': signal })]),
  ['process.image.load', by(SANDBOX, { 'file.path': '/tmp/x.so', 'file.path.origin': 'kernel' })],
  ['process.image.load', by('/usr/bin/gdb', { 'file.path': CODE, 'file.path.origin': 'kernel' })],
  ['process.memory.executable', by(SANDBOX)],
  ['network.connect', by(SANDBOX)],
  ['file.open', by(SANDBOX, { 'file.path': STATE, 'file.path.origin': 'kernel' })],
  ['file.open', by('/usr/bin/cp', { 'file.path': STATE, 'file.path.origin': 'kernel' })],
  ['file.open', by(REPLICA, { 'file.path': '/var/lib/ic/crypto/x', 'file.path.origin': 'kernel' })],
  ['file.open', by(REPLICA, { 'file.path': `${STATE}/../../../../crypto/x`, 'file.path.origin': 'argument' })],
  ['process.trace', by(SANDBOX)],
];

/** The first promise that a ruleset does not keep, in words. */
function brokenPromise({ sums }: Pick<Ruleset, 'sums'>): string | undefined {
  const holder = holderOf(sums);
  for (const [event, attributes] of ROUTINE) {
    const what = `${event} of ${String(attributes['process.executable.path'])}`;
    const sum = holder(event, attributes);
    if (sum === undefined) return `${what} leaves by itself`;
    const account = accountsOf([sum]).find(({ of }) => of === event);
    const broken = account === undefined ? 'not told' : brokenSize(account);
    if (broken !== undefined) return `${what}: ${broken}`;
  }
  return undefined;
}

/** Judged by what comes out, over many keys and counts; once for each size. */
function brokenSize(account: SumAccount): string | undefined {
  const { window, quantum, scale, floor } = account;
  const size = [window, quantum, scale, floor].join(' ');
  if (!judged.has(size)) judged.set(size, judge(account));
  return judged.get(size);
}

const judged = new Map<string, string | undefined>();

function judge(account: SumAccount): string | undefined {
  if (account.window < HOUR) return 'told more often than once an hour';
  const noises = Array.from({ length: 200 }, (_, n) => Math.abs(noiseOf(account, 1, manyKeys(n))));
  const usual = noises.toSorted((a, b) => a - b)[100] ?? 0;
  // The median of Laplace noise of scale 64 is 44.
  if (usual < 36) return `noise of about ${usual.toFixed(1)}`;
  const numbers = Array.from({ length: 600 }, (_, n) => told(account, n, 0)).filter((n) => n > 0);
  if ((numbers[0] ?? 0) < 256) return `told from ${numbers[0]}`;
  return numbers.every((n) => n % 64 === 0) ? undefined : 'told finer than by 64';
}

const manyKeys = (n: number): { readonly node: Buffer } => {
  const node = Buffer.alloc(32);
  node.writeUInt32BE(n);
  return { node };
};

describe('guestos', () => {
  test('what sandboxes do all day leaves as a number, coarse and rare', () => {
    expect(brokenPromise(guestos)).toBeUndefined();
  });

  for (const [event, attributes] of ALARMING) {
    test(`told at once: ${event} ${JSON.stringify(attributes)}`, () => {
      expect(holderOf(guestos.sums)(event, attributes)).toBeUndefined();
    });
  }

  test('every single weakening of every sum is noticed', () => {
    const survivors: string[] = [];
    let killed = 0;
    for (const [name, sums] of weakenings(guestos.sums)) {
      const weaker = { ...guestos, sums };
      if (brokenPromise(weaker) !== undefined || failingExamples(weaker).length > 0) killed++;
      else survivors.push(name);
    }
    console.info(`guestos: ${killed + survivors.length} weakenings of sums, ${killed} noticed`);
    expect(survivors).toEqual([]);
    expect(killed).toBeGreaterThan(60);
  });

  test('other rulesets have none', () => {
    expect(SHIPPED.filter((shipped) => shipped.ruleset.sums.length > 0).map(({ ruleset: { name } }) => name)).toEqual([
      'guestos',
    ]);
  });
});

/** All ways to make one sum tell more by one step. */
function* weakenings(sums: readonly Sum[]): Generator<readonly [name: string, sums: readonly Sum[]]> {
  for (const [at, sum] of sums.entries()) {
    yield [`${sum.name}: gone`, sums.toSpliced(at, 1)];
    for (const [name, weaker] of weakenedSum(sum)) yield [`${sum.name}: ${name}`, sums.with(at, weaker)];
  }
}

function* weakenedSum(sum: Sum): Generator<readonly [name: string, sum: Sum]> {
  for (const event of sum.events)
    yield [`events: -${event}`, { ...sum, events: sum.events.filter((one) => one !== event) }];
  for (const by of [2, 6, 60]) yield [`window: 1/${by}`, { ...sum, window: sum.window / by }];
  for (const by of [2, 8, 64]) {
    yield [`quantum: 1/${by}`, { ...sum, quantum: sum.quantum / by }];
    yield [`scale: 1/${by}`, { ...sum, scale: sum.scale / by }];
    yield [`floor: 1/${by}`, { ...sum, floor: sum.floor / by }];
  }
  for (const [attribute, asked] of sum.where) {
    for (const less of fewer(asked))
      yield [`where: ${attribute}`, { ...sum, where: new Map([...sum.where, [attribute, less]]) }];
  }
  // A condition that was not there, so that more leaves by itself.
  const none: Asked = { values: new Set(), below: [] };
  yield ['where: +error.type', { ...sum, where: new Map([...sum.where, ['error.type', none]]) }];
  yield ['unless: +any user', { ...sum, unless: new Map([...sum.unless, ['process.user.name', 'any']]) }];
  yield ['unless: +this user', { ...sum, unless: new Map([...sum.unless, ['process.user.id', oneOf(0, 990)]]) }];
  if (sum.events.includes('process.exit'))
    for (const signal of [0, 9, 15])
      yield [
        `unless: +signal ${signal}`,
        { ...sum, unless: new Map([...sum.unless, ['process.exit.signal', oneOf(signal)]]) },
      ];
}

const oneOf = (...values: readonly unknown[]): Asked => ({ values: new Set(values), below: [] });

function* fewer(asked: Asked): Generator<Asked> {
  if (asked === 'any') return;
  for (const value of asked.values)
    yield { ...asked, values: new Set([...asked.values].filter((one) => one !== value)) };
  for (const directory of asked.below) yield { ...asked, below: [`${directory}deeper/`] };
}

describe('a number that is told', () => {
  const account = accountOf('process.exec');

  test('is a whole number of quanta from the floor on, or 0, whatever was counted', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.nat(100_000), fc.nat(), (count, since, seed) => {
        const n = told(account, count, noiseOf(account, since, manyKeys(seed)));
        expect(mayBeTold(account, n)).toBe(true);
        expect(n === 0 || (n >= account.floor && n % account.quantum === 0)).toBe(true);
      }),
    );
  });

  test('has the same noise whenever it is asked for, another for each window, event, sum and node', () => {
    const base = noiseOf(account, 7, KEYS);
    expect(noiseOf(account, 7, KEYS)).toBe(base);
    const others = [
      noiseOf(account, 8, KEYS),
      noiseOf(accountOf('process.exit'), 7, KEYS),
      noiseOf({ ...account, sum: 'another' }, 7, KEYS),
      noiseOf({ ...account, window: HOUR * 2 }, 7, KEYS),
      noiseOf(account, 7, manyKeys(1)),
    ];
    expect(new Set([base, ...others]).size).toBe(6);
  });

  test('hides one among many: odds of at most e^(1/scale) for either answer', () => {
    // The chance that 300 is told as some number, against that of 301, over many keys: nowhere far apart.
    const tally = (count: number): Map<number, number> => {
      const seen = new Map<number, number>();
      for (let n = 0; n < 40_000; n++) {
        const answer = told(account, count, noiseOf(account, 3, manyKeys(n)));
        seen.set(answer, (seen.get(answer) ?? 0) + 1);
      }
      return seen;
    };
    const [one, two] = [tally(300), tally(301)];
    for (const [answer, n] of one) {
      if (n < 1_000) continue;
      const ratio = n / (two.get(answer) ?? 0);
      expect(Math.abs(Math.log(ratio)), `${answer}`).toBeLessThan(1 / account.scale + 0.06);
    }
  });
});

describe('a collector', () => {
  const accepts = compileReleasedValidator(guestos);
  const redactor = compileRuleset(guestos, KEYS);
  const lineOf = ([name, attributes]: Deed): string => redactor.redact({ name, time: HOUR, attributes })?.line ?? '';
  const sumLine = (more: Record<string, unknown> = {}, time = HOUR): string =>
    redactor.redact({
      name: 'hushwatch.sum',
      time,
      attributes: {
        'hushwatch.sum.name': 'sandboxes',
        'hushwatch.sum.of': 'process.exec',
        'hushwatch.sum.count': 4224,
        'hushwatch.sum.duration': 3600,
        ...more,
      },
    })?.line ?? '';

  for (const deed of ROUTINE) {
    test(`refuses what should have been held back: ${JSON.stringify(deed)}`, () => {
      expect(accepts(lineOf(deed))).toEqual({
        attribute: 'event',
        problem: 'an event that the ruleset releases in a sum only',
      });
    });
  }

  test('takes what a rule on the node matched, and what is told at once', () => {
    const [routine] = ROUTINE;
    if (routine === undefined) throw new Error('there is one');
    expect(accepts(lineOf([routine[0], { ...routine[1], 'detection.rules': ['x'] }]))).toBeUndefined();
    for (const deed of ALARMING) expect(accepts(lineOf(deed)), JSON.stringify(deed)).toBeUndefined();
  });

  test('takes a sum that the ruleset has, and no number that is finer or of something else', () => {
    expect(accepts(sumLine())).toBeUndefined();
    expect(accepts(sumLine({ 'hushwatch.sum.count': 0, 'hushwatch.sum.duration': 7200 }))).toBeUndefined();
    expect(accepts(sumLine({ 'hushwatch.sum.of': 'merged.process' }))).toBeUndefined();
    const refused: readonly (readonly [Record<string, unknown>, number, AttributeName])[] = [
      [{ 'hushwatch.sum.count': 4223 }, HOUR, 'hushwatch.sum.count'],
      [{ 'hushwatch.sum.count': 64 }, HOUR, 'hushwatch.sum.count'],
      [{ 'hushwatch.sum.count': undefined }, HOUR, 'hushwatch.sum.count'],
      [{ 'hushwatch.sum.name': 'canister rrkah' }, HOUR, 'hushwatch.sum.of'],
      [{ 'hushwatch.sum.of': 'process.fork' }, HOUR, 'hushwatch.sum.of'],
      [{ 'hushwatch.sum.duration': 61 }, HOUR, 'hushwatch.sum.duration'],
      [{}, HOUR + 1_000_000, 'hushwatch.sum.duration'],
    ];
    for (const [more, time, attribute] of refused)
      expect(accepts(sumLine(more, time))?.attribute, JSON.stringify(more)).toBe(attribute);
  });
});
