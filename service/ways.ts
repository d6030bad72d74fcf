/** What to do about a process depends on who runs it: the units of the packages, or `npm start` in the directory above. */
import { dirname, join } from 'node:path';
import { OF_PACKAGES, type Side } from './places.ts';

export interface Ways {
  readonly start: string;
  readonly restart: string;
  readonly reload: string;
  readonly log: string;
  /** The configuration of that process. */
  readonly file: string;
}

/** For the process of `side`, where `file` is the configuration of `of`. */
export function waysOf(side: Side, of: Side, file: string): Ways {
  const unit = `hushwatch-${side}`;
  if (file === OF_PACKAGES[of])
    return {
      start: `systemctl start ${side === 'collector' ? unit : 'hushwatch.target'}`,
      restart: `systemctl restart ${unit}`,
      reload: `systemctl reload ${unit}`,
      log: `journalctl -u ${unit}`,
      file: OF_PACKAGES[side],
    };
  const home = dirname(dirname(file));
  return {
    start: 'npm start',
    restart: 'npm start again',
    reload: `send SIGHUP to the ${side} of ${join(home, 'pids.json')}`,
    log: `see ${join(home, 'log', `${side}.log`)}`,
    file: side === of ? file : join(home, side, `${side}.yaml`),
  };
}
