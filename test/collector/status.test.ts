/** What `hushwatch status` makes of a collector, state by state. */
import { expect, test } from 'vitest';
import { judge, rowsOf, type CollectorFacts } from '../../collector/status.ts';
import { exitOf, screen } from '../../service/verdict.ts';

const WELL: CollectorFacts = {
  file: '/var/lib/hushwatch-collector/collector.yaml',
  problem: undefined,
  origin: 'logs.example.org/hushwatch',
  answers: true,
  nodes: [
    { name: 'node-1', receivedS: 3 },
    { name: 'node-2', receivedS: 5 },
  ],
  silentAfterS: 300,
  refused: [],
  freeBytes: 2 ** 40,
  configuration: undefined,
};
const silent = { name: 'node-3', receivedS: 301 };

test.each<readonly [string, Partial<CollectorFacts>, number, RegExp]>([
  ['all is well', {}, 0, /^every node is heard$/],
  ['it does not answer', { answers: false }, 2, /does not answer: systemctl start hushwatch-collector, or journalctl/],
  ['one node is silent', { nodes: [...WELL.nodes, silent] }, 1, /^1 of 3 nodes are silent .*: node-3$/],
  ['all nodes are silent', { nodes: [silent] }, 2, /^no node is heard: node-3$/],
  ['no node yet', { nodes: [] }, 1, /no node has sent/],
  ['batches are refused', { refused: ['unknown-ruleset (node-1)'] }, 1, /unknown-ruleset \(node-1\)/],
  [
    'a file that has become wrong',
    { problem: '/c:1:1 lisen: no such key' },
    1,
    /^\/c:1:1 lisen: .* it would not start again$/,
  ],
  ['a disk that fills up', { freeBytes: 2 ** 29 }, 1, /^512 MiB/],
  ['a full disk', { freeBytes: 2 ** 20 }, 2, /^1 MiB/],
  [
    'a configuration that was refused',
    {
      configuration: { file: 'c', since: 0, reloads: 0, refused: 1, waiting: [], problem: 'c:1:1 lisen: no such key' },
    },
    1,
    /lisen: no such key: mend it, then systemctl reload hushwatch-collector$/,
  ],
])('%s', (_, difference, exit, because) => {
  const facts = { ...WELL, ...difference };
  const [worst] = judge(facts);
  expect(exitOf(judge(facts))).toBe(exit);
  expect(worst?.because).toMatch(because);
  expect(screen(rowsOf(facts), judge(facts)).split('\n').length).toBeLessThan(12);
});
