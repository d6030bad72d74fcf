/**
 * Where a configuration lies when nobody names one: in HUSHWATCH_HOME, else in the directory of `npm start` in this checkout, else
 * where the packages put it.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Side = 'agent' | 'shipper' | 'collector';

export const OF_PACKAGES: Readonly<Record<Side, string>> = {
  agent: '/etc/hushwatch/agent.yaml',
  shipper: '/etc/hushwatch/shipper.yaml',
  collector: '/var/lib/hushwatch-collector/collector.yaml',
};
const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));

export function placeOf(side: Side, environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment['HUSHWATCH_HOME'];
  if (named !== undefined) return inHome(named, side);
  const started = inHome(join(CHECKOUT, '.hushwatch'), side);
  return existsSync(started) ? started : OF_PACKAGES[side];
}

const inHome = (home: string, side: Side): string => join(home, side, `${side}.yaml`);

/** What is configured on this machine. */
export const isHere = (side: Side): boolean => existsSync(placeOf(side));
