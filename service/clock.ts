/** Whether the clock of this machine is synchronized, as its service manager knows; undefined where nobody can say. */
import { spawnSync } from 'node:child_process';
import { ok, warning, type Finding } from './finding.ts';

const WAIT_MS = 5_000;

export function isClockSynchronized(): boolean | undefined {
  const asked = spawnSync('timedatectl', ['show', '-p', 'NTPSynchronized', '--value'], {
    encoding: 'utf8',
    timeout: WAIT_MS,
  });
  const said = asked.status === 0 ? asked.stdout.trim() : '';
  return said === 'yes' ? true : said === 'no' ? false : undefined;
}

export function clockFindings(isSynchronized: boolean | undefined): Finding[] {
  if (isSynchronized === undefined)
    return [
      warning('clock', 'nobody here can say whether it is synchronized', 'look yourself: events carry this time'),
    ];
  if (isSynchronized) return [ok('clock', 'synchronized')];
  return [warning('clock', 'it is not synchronized', 'run systemd-timesyncd or chrony: events carry this time')];
}
