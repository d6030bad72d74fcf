/**
 * What the machine is and how busy it is, as events. `systeminformation` for what it reads from files; nothing here
 * starts a program, because the agent may not.
 */
import { existsSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { currentLoad, mem } from 'systeminformation';
import type { RawEvent } from '../event.ts';

const LOAD_EVERY_MS = 30_000;
const INVENTORY_EVERY = (6 * 3_600_000) / LOAD_EVERY_MS;

export async function* hostEvents(signal: AbortSignal): AsyncGenerator<readonly RawEvent[]> {
  for (let round = 0; !signal.aborted; round++) {
    yield round % INVENTORY_EVERY === 0 ? [inventory(), await load()] : [await load()];
    await sleep(LOAD_EVERY_MS, undefined, { signal }).catch(() => {});
  }
}

function inventory(): RawEvent {
  const release = osRelease();
  return {
    name: 'host.inventory',
    time: Date.now() * 1_000,
    attributes: {
      'host.arch': os.arch() === 'x64' ? 'amd64' : os.arch(),
      'host.cpu.model.name': os.cpus()[0]?.model,
      'host.cpu.count': os.cpus().length,
      'host.memory.size': os.totalmem(),
      'host.name': os.hostname(),
      'host.interfaces': Object.keys(os.networkInterfaces()),
      'os.name': release.get('NAME'),
      'os.version': release.get('VERSION_ID'),
      'os.kernel.release': os.release(),
    },
  };
}

async function load(): Promise<RawEvent> {
  const [memory, processor, root] = await Promise.all([mem(), currentLoad(), statfs('/')]);
  return {
    name: 'host.load',
    time: Date.now() * 1_000,
    attributes: {
      'system.cpu.utilization': processor.currentLoad / 100,
      'system.memory.utilization': 1 - memory.available / memory.total,
      'system.cpu.load_average.1m': os.loadavg()[0],
      'system.filesystem.utilization': 1 - root.bavail / root.blocks,
      'system.uptime': Math.round(os.uptime()),
    },
  };
}

const OS_RELEASE = '/etc/os-release';

/** Empty where the distribution does not say what it is. */
function osRelease(): ReadonlyMap<string, string> {
  const lines = existsSync(OS_RELEASE) ? readFileSync(OS_RELEASE, 'utf8').split('\n') : [];
  return new Map(
    lines
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).replaceAll('"', '')]),
  );
}
