/** The machine as it changes: counters between two looks, a fresh inventory, and what cannot be read is said. On files of our own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RawEvent } from '../../../agent/event.ts';
import { hostEvents } from '../../../agent/sources/host.ts';
import { changes, disks, interfaces, type Counters } from '../../../agent/sources/host/counters.ts';
import { Unreadable } from '../../../agent/sources/host/places.ts';
import { checkVocabulary } from '../sample.ts';

let root = '';
const stop = new AbortController();
let host: AsyncGenerator<readonly RawEvent[]>;
const places = (): { proc: string; sys: string } => ({ proc: join(root, 'proc'), sys: join(root, 'sys') });

function put(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}
const netDev = (rows: Readonly<Record<string, readonly [number, number, number, number]>>): string =>
  [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    ...Object.entries(rows).map(
      ([name, [rx, rxn, tx, txn]]) => `${name}: ${rx} ${rxn} 0 0 0 0 0 0 ${tx} ${txn} 0 0 0 0 0 0`,
    ),
    '',
  ].join('\n');
const diskstats = (reads: number, sectors: number): string =>
  [
    `   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0`,
    ` 254       0 vda ${reads} 0 ${sectors} 9 4 0 8 9 0 9 9 0 0 0 0 0 0`,
    ` 254       1 vda1 ${reads} 0 ${sectors} 9 4 0 8 9 0 9 9`,
    '',
  ].join('\n');
const MOUNTS = '/dev/vda1 / ext4 rw 0 0\nproc /proc proc rw 0 0\n/dev/vdb /srv/a\\040b xfs rw,nosuid 0 0\n';
const PRESSURE = 'some avg10=0.00 avg60=12.50 avg300=0.00 total=7\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hushwatch-host-'));
  put('proc/1/net/dev', netDev({ lo: [10, 1, 10, 1], eth0: [1_000, 10, 2_000, 20] }));
  put('proc/1/mounts', MOUNTS);
  put('proc/77/comm', 'x');
  put('proc/cmdline', 'quiet audit=1\n');
  put('proc/diskstats', diskstats(5, 40));
  for (const of of ['cpu', 'memory', 'io']) put(`proc/pressure/${of}`, PRESSURE);
  for (const disk of ['loop0', 'vda']) mkdirSync(join(root, 'sys/block', disk), { recursive: true });
  host = hostEvents(stop.signal, places(), 1);
});
afterEach(async () => {
  await host.return(undefined);
  rmSync(root, { recursive: true });
});

async function look(): Promise<readonly RawEvent[]> {
  const { value } = await host.next();
  const events: readonly RawEvent[] = value ?? [];
  events.forEach(checkVocabulary);
  return events;
}
const namesOf = (events: readonly RawEvent[]): string[] => events.map(({ name }) => name);

test('first what there is, then what it did since', async () => {
  const [inventory, load, ...more] = await look();
  expect(more).toEqual([]);
  expect(inventory?.attributes).toMatchObject({
    'host.interfaces': ['eth0', 'lo'],
    'host.disks': ['/dev/vda'],
    'host.mountpoints': ['/', '/srv/a b'],
    'os.kernel.command_args': ['quiet', 'audit=1'],
  });
  expect(load?.attributes).toMatchObject({ 'system.pressure.io': 0.125, 'system.process.count': 2 });

  put('proc/1/net/dev', netDev({ lo: [10, 1, 10, 1], eth0: [1_500, 12, 2_000, 20] }));
  put('proc/diskstats', diskstats(7, 48));
  const events = await look();
  expect(namesOf(events)).toEqual(['host.load', 'host.disk', 'host.network']);
  expect(events[1]?.attributes).toMatchObject({
    'system.device': '/dev/vda',
    'system.disk.io.read': 8 * 512,
    'system.disk.io.write': 0,
    'system.disk.operations.read': 2,
  });
  expect(events[2]?.attributes).toMatchObject({
    'network.interface.name': 'eth0',
    'system.network.io.receive': 500,
    'system.network.packet.receive': 2,
    'system.network.io.transmit': 0,
  });
  expect(namesOf(await look())).toEqual(['host.load']);
});

test.each([
  ['interfaces', 'proc/1/net/dev', netDev({ lo: [10, 1, 10, 1], eth0: [1_000, 10, 2_000, 20], wg0: [0, 0, 0, 0] })],
  ['interfaces', 'proc/1/net/dev', netDev({ lo: [10, 1, 10, 1] })],
  ['disks', 'proc/diskstats', diskstats(0, 0).replace('vda 0 0 0 9 4', 'vda 0 0 0 0 0')],
  ['mounts', 'proc/1/mounts', MOUNTS.replace('ext4 rw', 'ext4 ro')],
  ['command-line', 'proc/cmdline', 'quiet audit=0\n'],
])('%s that are not as they were give a fresh inventory, once', async (what, file, text) => {
  await look();
  put(file, text);
  const [inventory] = await look();
  expect(inventory).toMatchObject({ name: 'host.inventory', attributes: { 'host.changes': [what] } });
  expect(namesOf(await look())).toEqual(['host.load']);
});

test('what cannot be read is said once, told as missing, no change, and said again when it can', async () => {
  await look();
  rmSync(join(root, 'proc/pressure'), { recursive: true });
  put('proc/1/net/dev', 'header\nheader\n eth0 without a colon\n');
  const [load, report, ...more] = await look();
  expect(more).toEqual([]);
  expect(load?.attributes['system.pressure.cpu']).toBeUndefined();
  expect(report?.attributes).toEqual({
    'hushwatch.source': 'host',
    'hushwatch.source.state': 'unreadable',
    'hushwatch.source.unreadable': ['interfaces', 'pressure'],
    'hushwatch.entries.unreadable': 4,
  });
  expect(namesOf(await look())).toEqual(['host.load']);
  for (const of of ['cpu', 'memory', 'io']) put(`proc/pressure/${of}`, PRESSURE);
  put('proc/1/net/dev', netDev({ lo: [10, 1, 10, 1], eth0: [1_700, 13, 2_000, 20] }));
  const back = await look();
  expect(namesOf(back)).toEqual(['host.load', 'host.network', 'hushwatch.source.report']);
  expect(back[1]?.attributes['system.network.io.receive']).toBe(700);
  expect(back[2]?.attributes).toMatchObject({
    'hushwatch.source.state': 'reading',
    'hushwatch.entries.unreadable': 4,
  });
});

test('sixteen are told by name, the rest as one sum; nothing that moved is left out', () => {
  const counters = fc.record({ bytesIn: fc.nat(), bytesOut: fc.nat(), countIn: fc.nat(), countOut: fc.nat() });
  fc.assert(
    fc.property(fc.array(counters, { maxLength: 60 }), (did) => {
      const table = (of: (each: Counters) => Counters): Map<string, Counters> =>
        new Map(did.map((each, n) => [`veth${n}`, of(each)]));
      const nothing = { bytesIn: 5, bytesOut: 5, countIn: 5, countOut: 5 };
      const told = changes(
        table(() => nothing),
        table((each) => ({
          bytesIn: each.bytesIn + 5,
          bytesOut: each.bytesOut + 5,
          countIn: each.countIn + 5,
          countOut: each.countOut + 5,
        })),
      );
      const active = did.filter((each) => each.countIn + each.countOut > 0);
      expect(told.length).toBe(Math.min(active.length, 17));
      expect(told.reduce((sum, { devices }) => sum + devices, 0)).toBe(active.length);
      for (const key of ['bytesIn', 'bytesOut', 'countIn', 'countOut'] as const)
        expect(told.reduce((sum, each) => sum + each[key], 0)).toBe(active.reduce((sum, each) => sum + each[key], 0));
    }),
  );
});

test('a counter that went back is another device, not a negative number', () => {
  const before = new Map([['eth0', { bytesIn: 9, bytesOut: 9, countIn: 9, countOut: 9 }]]);
  expect(changes(before, new Map([['eth0', { bytesIn: 1, bytesOut: 9, countIn: 1, countOut: 12 }]]))).toEqual([]);
});

test('any text is a table or unreadable', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (text) => {
      put('proc/1/net/dev', text);
      put('proc/diskstats', text);
      for (const read of [interfaces, disks]) {
        try {
          for (const { bytesIn } of (await read(places())).values()) expect(bytesIn).toBeGreaterThanOrEqual(0);
        } catch (error) {
          expect(error).toBeInstanceOf(Unreadable);
        }
      }
    }),
  );
});
