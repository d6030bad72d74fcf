/** Sums that were told stand in the counters: of each chain, from its beginning. */
import { expect, test } from 'vitest';
import type { Statement } from '#protocol/statement.ts';
import { SumsTold } from '#protocol/sums-told.ts';

type Counters = Pick<Statement, 'node' | 'withheld' | 'merged' | 'sampled'>;
const statement = (counters: Partial<Counters>): Statement =>
  // oxlint-disable-next-line no-unsafe-type-assertion -- nothing else of it is looked at
  ({ node: 'node-1', withheld: {}, merged: {}, sampled: {}, ...counters }) as Statement;
const line = (of: unknown, count: unknown): string =>
  JSON.stringify({ event: 'hushwatch.sum', time: 0, 'hushwatch.sum.of': of, 'hushwatch.sum.count': count });

test('counters that hold what was told, or more, are well', () => {
  const sums = new SumsTold();
  expect(sums.hear(statement({ withheld: { process: 256 } }), [line('process.exec', 256)])).toBeUndefined();
  expect(sums.hear(statement({ withheld: { process: 600 } }), [line('process.exit', 320)])).toBeUndefined();
  expect(sums.hear(statement({ merged: { privilege: 64 } }), [line('merged.privilege', 64)])).toBeUndefined();
});

test('counters that hold less are not: over all lines of the chain', () => {
  const sums = new SumsTold();
  sums.hear(statement({ withheld: { process: 256 } }), [line('process.exec', 256)]);
  expect(sums.hear(statement({ withheld: { process: 500 } }), [line('process.exit', 256)])).toBe(
    'withheld process: 500 counted, sums told of 512',
  );
  expect(sums.hear(statement({}), [line('sampled.file', 1)])).toBe('sampled file: 0 counted, sums told of 1');
});

test('each node by itself, and a chain that begins anew from nothing', () => {
  const sums = new SumsTold();
  sums.hear(statement({ withheld: { process: 256 } }), [line('process.exec', 256)]);
  const other = statement({ node: 'node-2', withheld: { process: 64 } });
  expect(sums.hear(other, [line('process.exec', 64)])).toBeUndefined();
  sums.begin('node-1');
  expect(sums.hear(statement({ withheld: { process: 64 } }), [line('process.exec', 64)])).toBeUndefined();
});

test('what is no sum tells nothing', () => {
  const sums = new SumsTold();
  const lines = [
    line('canister', 64),
    line('lost.file', 64),
    line('merged.canister', 64),
    line('process.exec', -1),
    line('process.exec', '64'),
    JSON.stringify({ event: 'file.open', time: 0, 'file.path': '/hushwatch.sum' }),
  ];
  expect(sums.hear(statement({}), lines)).toBeUndefined();
});
