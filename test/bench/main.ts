/**
 * `npm run bench [-- --json] [--seconds N] [--only NAME,…] [--part line,collector]`: what it costs, as ratios against
 * peers and baselines measured in the same run. As root; auditd and laurel are installed for the comparison.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { benchLine } from './line.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '25' },
    only: { type: 'string', default: '' },
    part: { type: 'string', default: 'line,collector' },
  },
});
const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
const parts = values.part.split(',');

if (process.getuid?.() === 0) {
  const present = spawnSync('sh', ['-c', 'command -v auditd && command -v laurel'], { stdio: 'ignore' });
  if (present.status !== 0) {
    say('bench: installing auditd and laurel');
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'auditd', 'laurel'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
}

const results: Record<string, unknown> = {};
if (parts.includes('line')) {
  results['line'] = await benchLine(Number(values.seconds), values.only === '' ? [] : values.only.split(','), say);
}
process.stdout.write(values.json ? `${JSON.stringify(results, null, 2)}\n` : table(results));

function table(all: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(all, null, 2)}\n`;
}
