/**
 * What the machine is and how busy it is, as events. `systeminformation` for what it reads from files; what it starts a
 * program for is read here (`host/`), because the agent may start none.
 *
 *     every 30 s      host.load, host.disk and host.network for what did something since
 *     every 6 h       host.inventory; also when interfaces, disks, mounts or the kernel's command line are not what they were
 *
 * What cannot be read is left out, counted, and said in a hushwatch.source.report when that changes.
 */
import { existsSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { currentLoad, mem } from 'systeminformation';
import type { Attributes, RawEvent } from '../event.ts';
import { changes, disks, interfaces, type Change, type Table } from './host/counters.ts';
import { PlaceReader, pressure, processCount, type Places } from './host/places.ts';
import { changesOf, remember, shape, type Shape } from './host/shape.ts';

const LOAD_EVERY_MS = 30_000;
const INVENTORY_EVERY = (6 * 3_600_000) / LOAD_EVERY_MS;
const KERNEL: Places = { proc: '/proc', sys: '/sys' };

export async function* hostEvents(
  signal: AbortSignal,
  places = KERNEL,
  everyMs = LOAD_EVERY_MS,
): AsyncGenerator<readonly RawEvent[]> {
  const host = new Host(places);
  for (let round = 0; !signal.aborted; round++) {
    yield await host.look(round % INVENTORY_EVERY === 0);
    await sleep(everyMs, undefined, { signal }).catch(() => {});
  }
}

class Host {
  readonly #places: Places;
  readonly #reader = new PlaceReader();
  #shape: Shape | undefined;
  #interfaces: Table | undefined;
  #disks: Table | undefined;
  #lookedAt = performance.now();

  constructor(places: Places) {
    this.#places = places;
  }

  async look(isDue: boolean): Promise<readonly RawEvent[]> {
    const seconds = Math.round((performance.now() - this.#lookedAt) / 1_000);
    this.#lookedAt = performance.now();
    const nets = await this.#reader.attempt('interfaces', () => interfaces(this.#places));
    const drives = await this.#reader.attempt('disks', () => disks(this.#places));
    const inventories = await this.#inventory(isDue, nets, drives);
    const events = [
      ...inventories,
      await load(this.#places, this.#reader),
      ...did(this.#disks, drives, (change) => diskEvent(change, seconds)),
      ...did(this.#interfaces, nets, (change) => networkEvent(change, seconds)),
      ...this.#report(),
    ];
    this.#interfaces = nets ?? this.#interfaces;
    this.#disks = drives ?? this.#disks;
    return events;
  }

  async #inventory(isDue: boolean, nets?: Table, drives?: Table): Promise<RawEvent[]> {
    const now = await shape(this.#places, this.#reader, nets, drives);
    const changed = this.#shape === undefined ? [] : changesOf(this.#shape, now);
    this.#shape = remember(this.#shape, now);
    return isDue || changed.length > 0 ? [inventory(now, changed)] : [];
  }

  #report(): RawEvent[] {
    const report = this.#reader.report();
    if (report === undefined) return [];
    return [
      event('hushwatch.source.report', {
        'hushwatch.source': 'host',
        'hushwatch.source.state': report.failing.length === 0 ? 'reading' : 'unreadable',
        'hushwatch.source.unreadable': report.failing,
        'hushwatch.entries.unreadable': report.failed,
      }),
    ];
  }
}

const event = (name: RawEvent['name'], attributes: Attributes): RawEvent => ({
  name,
  time: Date.now() * 1_000,
  attributes,
});

function inventory(now: Shape, changed: readonly string[]): RawEvent {
  const release = osRelease();
  return event('host.inventory', {
    'host.arch': os.arch() === 'x64' ? 'amd64' : os.arch(),
    'host.cpu.model.name': os.cpus()[0]?.model,
    'host.cpu.count': os.cpus().length,
    'host.memory.size': os.totalmem(),
    'host.name': os.hostname(),
    'host.interfaces': now.interfaces,
    'host.disks': now.disks,
    'host.mountpoints': now.mountpoints,
    'host.changes': changed.length === 0 ? undefined : changed,
    'os.name': release.get('NAME'),
    'os.version': release.get('VERSION_ID'),
    'os.kernel.release': os.release(),
    'os.kernel.command_args': now.commandLine,
  });
}

async function load(places: Places, reader: PlaceReader): Promise<RawEvent> {
  const busy = await reader.attempt('load', async () => {
    const [memory, processor, root] = await Promise.all([mem(), currentLoad(), statfs('/')]);
    return { memory, processor, root };
  });
  const stalled = (of: 'cpu' | 'memory' | 'io'): Promise<number | undefined> =>
    reader.attempt('pressure', () => pressure(places, of));
  return event('host.load', {
    'system.cpu.utilization': busy && busy.processor.currentLoad / 100,
    'system.memory.utilization': busy && 1 - busy.memory.available / busy.memory.total,
    'system.paging.utilization':
      busy && (busy.memory.swaptotal === 0 ? 0 : busy.memory.swapused / busy.memory.swaptotal),
    'system.cpu.load_average.1m': os.loadavg()[0],
    'system.filesystem.utilization': busy && 1 - busy.root.bavail / busy.root.blocks,
    'system.pressure.cpu': await stalled('cpu'),
    'system.pressure.memory': await stalled('memory'),
    'system.pressure.io': await stalled('io'),
    'system.process.count': await reader.attempt('processes', () => processCount(places)),
    'system.uptime': Math.round(os.uptime()),
  });
}

const did = (before: Table | undefined, after: Table | undefined, told: (change: Change) => RawEvent): RawEvent[] =>
  before === undefined || after === undefined ? [] : changes(before, after).map(told);

const diskEvent = (change: Change, seconds: number): RawEvent =>
  event('host.disk', {
    'system.device': change.name === undefined ? undefined : `/dev/${change.name}`,
    'system.device.count': change.devices,
    'system.interval': seconds,
    'system.disk.io.read': change.bytesIn,
    'system.disk.io.write': change.bytesOut,
    'system.disk.operations.read': change.countIn,
    'system.disk.operations.write': change.countOut,
  });

const networkEvent = (change: Change, seconds: number): RawEvent =>
  event('host.network', {
    'network.interface.name': change.name,
    'system.device.count': change.devices,
    'system.interval': seconds,
    'system.network.io.receive': change.bytesIn,
    'system.network.io.transmit': change.bytesOut,
    'system.network.packet.receive': change.countIn,
    'system.network.packet.transmit': change.countOut,
  });

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
