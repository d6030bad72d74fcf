/**
 * `npm run bench [-- --json] [--seconds N] [--loads paced,burst,spawn] [--only TOOL,…] [--part line,collector]`: what it
 * costs, beside peers and a baseline measured in the same run. Wants root; auditd and laurel are installed to compare.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { benchCollector, type CollectorCost } from './collector.ts';
import { benchLine, type LineRow } from './line.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '25' },
    loads: { type: 'string', default: 'paced,burst,spawn' },
    only: { type: 'string', default: '' },
    part: { type: 'string', default: 'line,collector' },
  },
});
const parts = values.part.split(',');
const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

if (
  parts.includes('line') &&
  process.getuid?.() === 0 &&
  spawnSync('sh', ['-c', 'command -v auditd && command -v laurel']).status !== 0
) {
  say('bench: installing auditd and laurel');
  spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'auditd', 'laurel'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

const line = parts.includes('line')
  ? await benchLine(
      Number(values.seconds),
      values.loads.split(','),
      values.only === '' ? [] : values.only.split(','),
      say,
    )
  : [];
const collector = parts.includes('collector') ? await benchCollector() : undefined;
process.stdout.write(values.json ? `${JSON.stringify({ line, collector }, null, 2)}\n` : text(line, collector));

function text(rows: readonly LineRow[], cost: CollectorCost | undefined): string {
  const table = rows.map((row) => [
    row.load.split(':')[0] ?? '',
    row.tool,
    row.totalMicroseconds.toFixed(1),
    row.toolMicroseconds.toFixed(1),
    row.slowdownMicroseconds.toFixed(1),
    `x${row.slowdownRatio.toFixed(2)}`,
    Object.entries(row.memory)
      .map(([name, megabytes]) => `${name} ${megabytes}`)
      .join(' '),
    row.lost,
  ]);
  const lines = [['load', 'tool', 'us/op', 'tool', 'slow-down', 'load', 'PSS MB', 'lost'], ...table].map((cells) =>
    cells.join('\t'),
  );
  const collecting =
    cost === undefined
      ? []
      : [
          `collector, accept(): ${Math.round(cost.accept.eventsPerCoreSecond)} events/s/core, ${cost.accept.microsecondsPerEvent.toFixed(1)} us an event`,
          `collector, detection: ${Math.round(cost.watch.eventsPerCoreSecond)} events/s/core, ${cost.watch.microsecondsPerEvent.toFixed(1)} us an event`,
        ];
  return `${[...(rows.length > 0 ? lines : []), ...collecting].join('\n')}\n`;
}
