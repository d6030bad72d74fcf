/** The numbers of `rules risk`, held against a count that remembers everything, and what it reads them from. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { releasedLines } from '../../redaction-rules/released-lines.ts';
import { changeText, riskText } from '../../redaction-rules/risk-text.ts';
import { changesOf, pseudonymsIn, RiskMeter, TUPLES, type Risk, type RiskLimits } from '../../redaction-rules/risk.ts';
import { main } from '../../redaction-rules/main.ts';
import { accept } from '../../collector/pipeline.ts';
import { openCollector, RULESET, SampleNode } from '../collector/sample.ts';

const directory = mkdtempSync(join(tmpdir(), 'hushwatch-risk-'));
afterAll(() => rmSync(directory, { recursive: true }));

const KS = [2, 5];

interface Sent {
  readonly node: string | undefined;
  readonly record: { readonly event: string; readonly [attribute: string]: unknown };
}

function measured(sent: readonly Sent[], limits?: RiskLimits): Risk {
  const meter = new RiskMeter(KS, limits);
  for (const { node, record } of sent) meter.observe(JSON.stringify(record), node);
  return meter.result();
}

const few = (of: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...of);
const record = fc.record(
  {
    event: few(['process.exec', 'file.open', 'network.connect']),
    'process.entity.id': few(['p-aaaaaaaaaaaa', 'p-bbbbbbbbbbbb', 'p-cccccccccccc', 'p-dddddddddddd']),
    'process.user.name': few(['root', 'p-abcdefghijklmnop', 'p-bcdefghijklmnopa']),
    'process.executable.path': few(['/usr/bin/cat', '/opt/p-abcdefghij', '/opt/p-abcdefghijklmnop']),
    'process.working_directory': few(['/', '/home/p-abcdefghijklmnop']),
    'process.command_args': fc.array(few(['-l', 'p-abcdefghij', 'p-203.0.113.7']), { maxLength: 2 }),
    'file.path': few(['/etc/passwd', '/srv/p-abcdefghij']),
    'network.peer.address': few(['127.0.0.1', 'p-203.0.113.7']),
    'network.peer.port': fc.integer({ min: 1, max: 3 }),
    'process.user.id': fc.constantFrom(0, 2 ** 40 + 5),
    'systemd.unit': few(['ssh.service', 'other']),
  },
  { requiredKeys: ['event'] },
);
const sentLines = fc.array(fc.record({ node: few(['n1', 'n2', 'n3']), record }), { minLength: 1, maxLength: 60 });

/** The definition, without thrift. */
function counted(sent: readonly Sent[], event: string, attributes: readonly string[]): object | undefined {
  const with_ = sent.filter(
    ({ record: one }) => one.event === event && attributes.every((name) => isCarried(event, name) && name in one),
  );
  if (with_.length === 0) return undefined;
  const groups = Map.groupBy(with_, ({ record: one }) => JSON.stringify(attributes.map((name) => one[name])));
  const processes = (group: readonly Sent[]): number =>
    new Set(
      group.flatMap(({ node, record: one }) =>
        'process.entity.id' in one ? [`${node} ${String(one['process.entity.id'])}`] : [],
      ),
    ).size;
  const entropy = [...groups.values()].reduce(
    (sum, { length }) => sum - (length / with_.length) * Math.log2(length / with_.length),
    0,
  );
  return {
    events: with_.length,
    distinct: groups.size,
    entropyBits: expect.closeTo(entropy, 9),
    below: KS.map((k) => {
      const small = [...groups.values()].filter((group) => processes(group) < k);
      const nodes = [...groups.values()].filter((group) => new Set(group.map(({ node }) => node)).size < k);
      return {
        k,
        processes: small.length / groups.size,
        nodes: nodes.length / groups.size,
        events: expect.closeTo(small.flat().length / with_.length, 9),
      };
    }),
    sampled: 1,
  };
}

/** Attributes that the events of this test do not have, in the vocabulary. */
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  'process.exec': ['file.path', 'network.peer.address', 'network.peer.port'],
  'file.open': [
    'network.peer.address',
    'network.peer.port',
    'process.command_args',
    'process.working_directory',
    'systemd.unit',
  ],
  'network.connect': ['file.path', 'process.command_args', 'process.working_directory', 'systemd.unit'],
};
const isCarried = (event: string, name: string): boolean => FOREIGN[event]?.includes(name) !== true;

test('every combination is counted as the definition says', () => {
  fc.assert(
    fc.property(sentLines, (sent) => {
      const risk = measured(sent);
      for (const event of ['process.exec', 'file.open', 'network.connect']) {
        for (const attributes of TUPLES) {
          const found = risk.tuples.find((one) => one.event === event && one.attributes === attributes);
          const wanted = counted(sent, event, attributes);
          if (wanted === undefined) expect(found).toBeUndefined();
          else expect(found).toMatchObject(wanted);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('attributes join exactly where both hold a pseudonym', () => {
  fc.assert(
    fc.property(sentLines, (sent) => {
      const sets = new Map<string, Set<string>>();
      for (const { record: one } of sent)
        for (const [name, value] of Object.entries(one))
          if (isCarried(one.event, name))
            for (const pseudonym of pseudonymsIn(value)) sets.set(name, (sets.get(name) ?? new Set()).add(pseudonym));
      const names = [...sets.keys()].toSorted();
      const wanted = names.flatMap((first, at) =>
        names.slice(at + 1).flatMap((second) => {
          const [one, other] = [sets.get(first) ?? new Set<string>(), sets.get(second) ?? new Set<string>()];
          const shared = one.intersection(other).size;
          return shared === 0 ? [] : [`${first} ${second} ${shared} ${shared / Math.min(one.size, other.size)}`];
        }),
      );
      const found = measured(sent).joins.map(
        ({ attributes, shared, share }) => `${attributes.join(' ')} ${shared} ${share}`,
      );
      expect(found.toSorted()).toEqual(wanted.toSorted());
    }),
    { numRuns: 60 },
  );
});

describe('pseudonyms in a value', () => {
  for (const [value, found] of [
    ['p-abcdefghijklmnop', ['p-abcdefghijklmnop']],
    ['/home/p-abcdefghij/.p-bcdefghijk.sh', ['p-abcdefghij', 'p-bcdefghijk']],
    [
      ['--host=p-abcdefghij', 'p-2001:db8::1'],
      ['p-abcdefghij', 'p-2001:db8::1'],
    ],
    [2 ** 40 + 1, [String(2 ** 40 + 1)]],
    [1000, []],
    ['/usr/bin/tp-abcdefghij', []],
    ['p-abc', []],
    ['/usr/lib/p-beef', []],
  ] as const) {
    test(JSON.stringify(value), () => expect(pseudonymsIn(value)).toEqual(found));
  }
});

test('with more combinations than are kept: bounded, said, and near', () => {
  const sent = Array.from({ length: 6000 }, (_, i) => ({
    node: `n${i % 7}`,
    record: {
      event: 'file.open',
      'process.entity.id': `p-${i}`,
      // A third is one file; of the rest every second file is seen once and the others twice.
      'file.path': i % 3 === 0 ? '/var/lib/one' : `/data/${i % 4 < 2 ? i : Math.floor(i / 8)}`,
    },
  }));
  const exact = measured(sent).tuples.find(({ attributes }) => attributes[0] === 'file.path');
  const rough = measured(sent, { kept: 256 }).tuples.find(({ attributes }) => attributes[0] === 'file.path');
  expect([exact?.sampled, rough?.events]).toEqual([1, 6000]);
  expect(rough?.sampled).toBeLessThan(0.2);
  const ratio = (of: (one: NonNullable<typeof exact>) => number): number =>
    exact === undefined || rough === undefined ? 0 : of(rough) / of(exact);
  for (const of of [
    (one: NonNullable<typeof exact>): number => one.distinct,
    (one: NonNullable<typeof exact>): number => one.entropyBits,
  ]) {
    expect(ratio(of)).toBeGreaterThan(0.8);
    expect(ratio(of)).toBeLessThan(1.25);
  }
  expect(riskText(measured(sent, { kept: 256 }), KS)).toMatch(/file\.open +file\.path +6000 +~/);
});

test('what is no released event is counted, and nothing of it is shown', () => {
  const meter = new RiskMeter(KS);
  for (const line of [
    '{',
    '7',
    '{"event":"secret.thing"}',
    `{"event":"file.open","file.path":"${'x'.repeat(70_000)}"}`,
  ])
    meter.observe(line, undefined);
  const risk = meter.result();
  expect(risk).toMatchObject({ events: 0, unreadable: 4, tuples: [], joins: [] });
  expect(riskText(risk, KS)).toContain('4 lines are no released event');
});

test('a change: what was, what is, what joins now', () => {
  const open = (user: string, file: string): Sent => ({
    node: 'n1',
    record: { event: 'file.open', 'process.entity.id': 'p-1', 'process.user.name': user, 'file.path': file },
  });
  const before = measured([open('p-abcdefghij', '/a'), open('p-abcdefghij', '/b')]);
  const after = measured([open('p-abcdefghij', '/home/p-abcdefghij')]);
  expect(changesOf(before, after).find(({ attributes }) => attributes.join(' ') === 'file.path')).toMatchObject({
    before: { distinct: 2, entropyBits: 1 },
    after: { distinct: 1, entropyBits: 0 },
  });
  const text = changeText(before, after, KS);
  expect(text).toMatch(/file\.open +file\.path +2 -> 1 +1\.0 -> 0\.0/);
  expect(text).toContain('file.path = process.user.name: joins now');
});

test('a directory of evidence: each line with the node and the ruleset of its statement', async () => {
  const home = join(directory, 'collector');
  const nodes = ['node-1', 'node-2'].map((name) => new SampleNode(name));
  {
    await using collector = await openCollector(home, nodes);
    for (const [at, node] of nodes.entries()) {
      const line = JSON.stringify({ event: 'file.open', time: 1_000 + at, 'file.path': '/srv/p-abcdefghij' });
      await accept(collector, node.next([line]));
    }
  }
  const lines = [...releasedLines(home)];
  expect(new Set(lines.map(({ node }) => node))).toEqual(new Set(['node-1', 'node-2']));
  expect(lines.every(({ ruleset }) => ruleset === RULESET)).toBe(true);
  expect([...releasedLines(join(home, 'evidence'))]).toEqual(lines);
  const meter = new RiskMeter(KS);
  for (const { line, node } of lines) meter.observe(line, node);
  expect(meter.result().acrossNodes).toEqual([
    { attribute: 'file.path', pseudonyms: 1, onSeveralNodes: 1, sampled: 1 },
  ]);
});

describe('epochs', () => {
  const HOUR = 3_600_000_000;
  const user = (epoch: string | undefined, name: string, entity: string): readonly [string, string | undefined] => [
    JSON.stringify({ event: 'process.exec', 'process.entity.id': entity, 'process.user.name': name }),
    epoch,
  ];
  const riskOfLines = (lines: readonly (readonly [string, string | undefined])[]): Risk => {
    const meter = new RiskMeter(KS);
    for (const [line, epoch] of lines) meter.observe(line, 'n1', epoch);
    return meter.result();
  };

  test('one user in two epochs is two, each with its own crowd, and no bits of choice', () => {
    const risk = riskOfLines([
      user('1h 7', 'p-aaaaaaaaaaaaaaaa', 'p-bbbbbbbbbbbb'),
      user('1h 7', 'p-aaaaaaaaaaaaaaaa', 'p-cccccccccccc'),
      user('1h 8', 'p-dddddddddddddddd', 'p-eeeeeeeeeeee'),
      user('1h 8', 'p-dddddddddddddddd', 'p-ffffffffffff'),
    ]);
    const tuple = risk.tuples.find(({ attributes }) => attributes.join() === 'process.user.name');
    expect(risk.epochs).toBe(2);
    expect(tuple).toMatchObject({ distinct: 2, entropyBits: 0, events: 4 });
    expect(tuple?.below[0]?.processes).toBe(0);
    expect(riskText(risk, KS)).toContain('4 events in 2 epochs. Pseudonyms of different epochs do not join');
    expect(riskText(risk, KS)).toContain('the same in more than one epoch: no pseudonym');
  });

  test('what is told in clear has the crowd of its epoch, not that of all epochs together', () => {
    const lines = ['7', '8', '9'].map((n) => user(`1h ${n}`, 'root', `p-aaaaaaaaaaa${n}`));
    const of = (all: typeof lines): number | undefined =>
      riskOfLines(all).tuples.find(({ attributes }) => attributes.join() === 'process.user.name')?.below[0]?.processes;
    expect([of(lines), of(lines.map(([line]) => [line, undefined] as const))]).toEqual([1, 0]);
  });

  test('within one epoch everything is as if nobody had said which', () => {
    fc.assert(
      fc.property(sentLines, (sent) => {
        const lines = sent.map(({ record: one }) => JSON.stringify(one));
        const { epochs, ...known } = riskOfLines(lines.map((line) => [line, '1h 7']));
        const { epochs: none, ...unknown } = riskOfLines(lines.map((line) => [line, undefined]));
        expect([epochs, none]).toEqual([1, 0]);
        expect(known).toEqual(unknown);
      }),
      { numRuns: 30 },
    );
  });

  test('equal in two attributes, but never in one epoch, is no join; equal in two epochs is one that lasts', () => {
    const record = (name: string): string => JSON.stringify({ event: 'process.exec', [name]: '/home/p-abcdefghij' });
    const risk = riskOfLines([
      [record('process.working_directory'), '1h 7'],
      [record('process.executable.path'), '1h 8'],
      [record('process.executable.path'), '1h 9'],
    ]);
    expect(risk.joins).toEqual([]);
    expect(risk.lasting).toEqual([
      { attribute: 'process.working_directory', pseudonyms: 1, inSeveralEpochs: 0, sampled: 1 },
      { attribute: 'process.executable.path', pseudonyms: 1, inSeveralEpochs: 1, sampled: 1 },
    ]);
    expect(riskText(risk, KS)).toMatch(
      /the same in more than one epoch\n +process\.executable\.path +1 of 1 pseudonyms/,
    );
  });

  test('of evidence, the statement says which: by the time of the line, from the first of its batch on', async () => {
    const home = join(directory, 'of-epochs');
    const node = new SampleNode('node-1');
    {
      await using collector = await openCollector(home, [node]);
      const lines = [23.5, 24.5].map((hour) =>
        JSON.stringify({ event: 'file.open', time: hour * HOUR, 'file.path': '/srv/p-abcdefghij' }),
      );
      await accept(collector, node.next(lines, { epochs: { hours: 24, first: 0, last: 1, scopes: ['node'] } }));
    }
    expect([...releasedLines(home)].map(({ epoch }) => epoch)).toEqual(['24h 0', '24h 1']);
  });
});

test('a file of lines, whole or cut off, and one that is none', async () => {
  const file = join(directory, 'lines.ndjson');
  writeFileSync(file, '{"event":"file.open"}\n\n{"event":"process.exec"}');
  expect([...releasedLines(file)]).toEqual([
    { line: '{"event":"file.open"}', node: undefined, ruleset: undefined, epoch: undefined },
    { line: '{"event":"process.exec"}', node: undefined, ruleset: undefined, epoch: undefined },
  ]);
  writeFileSync(file, 'x'.repeat(2 ** 21));
  expect(() => [...releasedLines(file)]).toThrow('a line longer than');
  const packed = join(directory, `${'0'.repeat(64)}.ndjson.zst`);
  writeFileSync(packed, 'x');
  expect(() => [...releasedLines(packed)]).toThrow('does not unpack');
  expect(await main(['risk', packed])).toBe(1);
  expect(await main(['risk'])).toBe(2);
  expect(await main(['risk', file, '--k', '1'])).toBe(2);
});
