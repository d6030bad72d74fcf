/** What this machine is and how busy it is; and that asking starts no program. */
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import { cpus, hostname, totalmem } from 'node:os';
import { expect, test, vi } from 'vitest';
import { ATTRIBUTES, EVENTS, isAttributeName } from '#protocol/vocabulary.ts';
import type { RawEvent } from '../../../agent/event.ts';
import { isOfType } from '../../../redaction-rules/ruleset.ts';

/** Every way to start a program, replaced before the source is loaded. */
const started = vi.fn<() => never>(() => {
  throw new Error('a program was started');
});
const ways = ['spawn', 'spawnSync', 'exec', 'execSync', 'execFile', 'execFileSync', 'fork'] as const;
for (const way of ways) Reflect.set(childProcess, way, started);
syncBuiltinESMExports();
const { hostEvents } = await import('../../../agent/sources/host.ts');

async function firstRound(): Promise<readonly RawEvent[]> {
  const stop = new AbortController();
  for await (const events of hostEvents(stop.signal)) {
    stop.abort();
    return events;
  }
  return [];
}

test('inventory and load, as the vocabulary has them', async () => {
  const events = await firstRound();
  expect(events.map(({ name }) => name)).toEqual(['host.inventory', 'host.load']);
  for (const { name, time, attributes } of events) {
    expect(Math.abs(time / 1e6 - Date.now() / 1e3)).toBeLessThan(10);
    const listed: readonly string[] = EVENTS[name].attributes;
    for (const [attribute, value] of Object.entries(attributes)) {
      expect(listed).toContain(attribute);
      if (isAttributeName(attribute) && value !== undefined)
        expect(isOfType(value, ATTRIBUTES[attribute].type), attribute).toBe(true);
    }
  }
  const [inventory, load] = events;
  expect(inventory?.attributes).toMatchObject({
    'host.cpu.count': cpus().length,
    'host.memory.size': totalmem(),
    'host.name': hostname(),
  });
  expect(inventory?.attributes['os.kernel.release']).toMatch(/^\d+\.\d+/);
  for (const share of [
    'system.cpu.utilization',
    'system.memory.utilization',
    'system.filesystem.utilization',
  ] as const) {
    expect(load?.attributes[share]).toBeGreaterThanOrEqual(0);
    expect(load?.attributes[share]).toBeLessThanOrEqual(1);
  }
  expect(load?.attributes['system.uptime']).toBeGreaterThan(0);
});

test('no program is started, and the test would notice', async () => {
  await firstRound();
  expect(started).not.toHaveBeenCalled();
  const { spawn } = await import('node:child_process');
  expect(() => spawn('true')).toThrow('a program was started');
});

test('ends at once when told', async () => {
  const stop = new AbortController();
  const events = hostEvents(stop.signal);
  await events.next();
  const next = events.next();
  stop.abort();
  expect((await next).done).toBe(true);
});
