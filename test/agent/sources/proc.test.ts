/** The weaker source on this very machine: what starts and ends while it looks. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ATTRIBUTES, EVENTS, isAttributeName } from '#protocol/vocabulary.ts';
import type { RawEvent } from '../../../agent/event.ts';
import { ProcessTable } from '../../../agent/process-table.ts';
import { procEvents } from '../../../agent/sources/proc.ts';
import { UserNames } from '../../../agent/users.ts';
import { isOfType } from '../../../redaction-rules/ruleset.ts';

let stop: AbortController;
let table: ProcessTable;
let seen: RawEvent[];
let looking: Promise<void>;

beforeEach(async () => {
  stop = new AbortController();
  table = new ProcessTable('/proc');
  table.scan();
  seen = [];
  looking = (async () => {
    for await (const events of procEvents(table, new UserNames(), stop.signal)) seen.push(...events);
  })();
  await sleep(50);
});
afterEach(async () => {
  stop.abort();
  await looking;
});

const of = (child: ChildProcess, name: RawEvent['name']): RawEvent | undefined =>
  seen.find((event) => event.name === name && event.attributes['process.pid'] === child.pid);

async function until<T>(found: () => T | undefined): Promise<T> {
  for (let i = 0; i < 300; i++) {
    const value = found();
    if (value !== undefined) return value;
    await sleep(20);
  }
  expect.fail('not seen');
}

test('a program is seen to start, with who and where, and to end', async () => {
  const child = spawn('/bin/sleep', ['61.25'], { cwd: '/tmp' });
  await once(child, 'spawn');
  const exec = await until(() => of(child, 'process.exec'));
  expect(exec.attributes).toMatchObject({
    'process.command_args': ['/bin/sleep', '61.25'],
    'process.user.id': process.geteuid?.(),
    'process.parent_pid': process.pid,
    'process.working_directory': '/tmp',
    'process.executable.deleted': false,
  });
  expect(exec.attributes['process.executable.path']).toMatch(/\/(?:sleep|coreutils|busybox)$/);
  expect(exec.attributes['process.entity.id']).toMatch(new RegExp(`^${child.pid}-\\d+$`));
  child.kill();
  const exit = await until(() => of(child, 'process.exit'));
  expect(exit.attributes['process.entity.id']).toBe(exec.attributes['process.entity.id']);
  expect(table.peek(child.pid ?? 0)?.endedAtNs).toBeGreaterThan(0);
});

test('a program whose file is gone is named without the remark, and marked', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hushwatch-gone-'));
  const file = join(directory, 'sleep');
  copyFileSync('/bin/sleep', file);
  const child = spawn(file, ['61.25'], { argv0: 'sleep' });
  await once(child, 'spawn');
  rmSync(directory, { recursive: true });
  const { attributes } = await until(() => of(child, 'process.exec'));
  child.kill();
  // Whether the first look comes before or after the removal is for the machine to say.
  expect(attributes['process.executable.path']).toBe(file);
  expect(table.peek(child.pid ?? 0)?.executable).toBe(file);
});

test('what ran before is not reported as started, and every event is as the vocabulary has it', async () => {
  const child = spawn('/bin/sleep', ['61.25']);
  await until(() => of(child, 'process.exec'));
  expect(seen.some((event) => event.attributes['process.pid'] === process.pid)).toBe(false);
  child.kill();
  for (const { name, attributes } of seen) {
    const listed: readonly string[] = EVENTS[name].attributes;
    for (const [attribute, value] of Object.entries(attributes)) {
      expect(listed).toContain(attribute);
      if (isAttributeName(attribute) && value !== undefined)
        expect(isOfType(value, ATTRIBUTES[attribute].type), attribute).toBe(true);
    }
  }
});
