/** Holes in chains: explained by the node's own later word, number by number, or not at all. */
import { expect, test } from 'vitest';
import { Holes, type Hole } from '#protocol/holes.ts';

const hole = (first: number, last = first, node = 'node-1'): Hole => ({
  ...{ node, first, last, events: 7 * (last - first + 1), where: 'entry', message: 'a gap' },
});
const says = (sequence: unknown): string =>
  JSON.stringify({ event: 'hushwatch.spool.damage', time: 1, 'hushwatch.batch.sequence': sequence });

const rows: readonly { name: string; hear: readonly [string, number, string][]; explained: boolean; of?: Hole }[] = [
  { name: 'nobody says anything', hear: [], explained: false },
  { name: 'the node says so later', hear: [['node-1', 9, says(3)]], explained: true },
  { name: 'another node says so', hear: [['node-2', 9, says(3)]], explained: false },
  { name: 'the node said so before it had that number', hear: [['node-1', 3, says(3)]], explained: false },
  { name: 'of another number', hear: [['node-1', 9, says(4)]], explained: false },
  { name: 'with no number', hear: [['node-1', 9, says('3')]], explained: false },
  { name: 'in another event', hear: [['node-1', 9, '{"event":"x","a":"hushwatch.spool.damage"}']], explained: false },
  {
    name: 'of all of several',
    hear: [
      ['node-1', 9, says(4)],
      ['node-1', 10, says(3)],
    ],
    of: hole(3, 4),
    explained: true,
  },
  { name: 'of a part of several', hear: [['node-1', 9, says(4)]], of: hole(3, 4), explained: false },
  { name: 'of one in a hole without end', hear: [['node-1', 9, says(1)]], of: hole(1, 2 ** 52), explained: false },
];
for (const { name, hear, explained, of = hole(3) } of rows) {
  test(name, () => {
    const holes = new Holes();
    holes.add(of);
    for (const [node, sequence, line] of hear) holes.hear(node, sequence, ['{"event":"y"}', line]);
    expect(holes.unexplained).toEqual(explained ? [] : [of]);
    expect(holes.explained('node-1')).toEqual(
      explained ? { batches: of.last - of.first + 1, events: of.events } : { batches: 0, events: 0 },
    );
  });
}
