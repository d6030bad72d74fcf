/** What matching costs. The bounds are several times what an idle machine needs, so that a busy one passes; a lost pre-filter does not. */
import { expect, test } from 'vitest';
import { loadPack, STARTER_PACK } from '../../../../collector/detectors/pack.ts';
import { compileRules, type MatchableEvent } from '../../../../collector/detectors/sigma/compile.ts';

const pack = loadPack(STARTER_PACK);
const matcher = compileRules(pack.rules, pack.mapping);

const actor = { 'process.entity.id': '7-1', 'process.pid': 7, 'process.user.id': 1000, 'process.user.name': 'alex' };

const many = (make: (i: number) => MatchableEvent): readonly MatchableEvent[] =>
  Array.from({ length: 5000 }, (_, i) => make(i));

const rows: readonly (readonly [string, number, readonly MatchableEvent[]])[] = [
  [
    'file.open',
    5,
    many((i) => ({
      name: 'file.open',
      attributes: {
        ...actor,
        'process.executable.path': '/usr/bin/python3.11',
        'file.path': `/srv/data/project/build/objects/part-${i}.o`,
        'file.open.access': 'write',
        'file.open.created': true,
      },
    })),
  ],
  [
    'network.connect',
    5,
    many((i) => ({
      name: 'network.connect',
      attributes: {
        ...actor,
        'process.executable.path': '/usr/bin/node',
        'network.transport': 'tcp',
        'network.peer.address': `203.0.113.${i % 256}`,
        'network.peer.port': 443,
      },
    })),
  ],
  [
    'process.exec',
    60,
    many((i) => ({
      name: 'process.exec',
      attributes: {
        ...actor,
        'process.executable.path': '/usr/bin/x86_64-linux-gnu-gcc-12',
        'process.parent.executable.path': '/usr/bin/make',
        'process.command_args': [
          'gcc',
          '-O2',
          '-Wall',
          '-Iinclude',
          '-c',
          '-o',
          `build/part-${i}.o`,
          `src/part-${i}.c`,
        ],
      },
    })),
  ],
];

test.each(rows)('%s in less than %d µs', (_, limit, events) => {
  expect(events.filter((event) => matcher.match(event).length > 0)).toEqual([]);
  const times = Array.from({ length: 8 }, () => {
    const start = performance.now();
    for (const event of events) matcher.match(event);
    return performance.now() - start;
  });
  expect((Math.min(...times) * 1000) / events.length).toBeLessThan(limit);
});
