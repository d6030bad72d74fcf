/** Who is who, with a /proc of our own making. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { entityOf, ProcessTable } from '../../agent/process-table.ts';

let proc: string;
beforeEach(() => {
  proc = mkdtempSync(join(tmpdir(), 'hushwatch-proc-'));
});
afterEach(() => rmSync(proc, { recursive: true }));

const NS = 1e7;

/** A process as /proc tells of it; `ticks` are hundredths of a second since boot. */
function live(pid: number, parentPid: number, ticks: number, args: readonly string[], comm = 'a b) (c'): void {
  mkdirSync(join(proc, String(pid)), { recursive: true });
  const after = ['S', parentPid, ...Array.from({ length: 17 }, () => 0), ticks, 0, 0].join(' ');
  writeFileSync(join(proc, String(pid), 'stat'), `${pid} (${comm}) ${after}\n`);
  writeFileSync(join(proc, String(pid), 'cmdline'), args.map((arg) => `${arg}\0`).join(''));
}

const end = (pid: number): void => rmSync(join(proc, String(pid)), { recursive: true });

function scanned(): ProcessTable {
  const table = new ProcessTable(proc);
  table.scan();
  return table;
}

test('a scan finds everybody, with ancestors, also where a child has the smaller number', () => {
  live(1, 0, 5, ['/sbin/init']);
  live(900, 1, 100, ['/usr/sbin/sshd', '-D']);
  live(20, 900, 200, ['/bin/bash']);
  live(10, 20, 300, ['/usr/bin/vi', 'x']);
  mkdirSync(join(proc, 'sys'));
  const table = scanned();
  expect(table.size).toBe(4);
  expect(table.peek(10)).toMatchObject({
    entity: entityOf(10, 300 * NS),
    executable: '/usr/bin/vi',
    args: ['/usr/bin/vi', 'x'],
    parentEntity: entityOf(20, 200 * NS),
    parentExecutable: '/bin/bash',
    parentArgs: ['/bin/bash'],
    ancestors: ['/bin/bash', '/usr/sbin/sshd', '/sbin/init'],
  });
});

test('argv[0] that is no path is not taken for an executable; no arguments are none', () => {
  live(1, 0, 5, ['-bash']);
  live(2, 0, 5, []);
  const table = scanned();
  expect(table.peek(1)).toMatchObject({ executable: undefined, args: ['-bash'] });
  expect(table.peek(2)).toMatchObject({ executable: undefined, args: undefined });
});

const TOLERANCE = [
  { name: 'the same hundredth', startNs: 123 * NS + 4_567_891, same: true },
  { name: 'its first nanosecond', startNs: 123 * NS, same: true },
  { name: 'its last nanosecond', startNs: 124 * NS - 1, same: true },
  { name: 'the next hundredth', startNs: 124 * NS, same: false },
  { name: 'the one before', startNs: 123 * NS - 1, same: false },
];
for (const { name, startNs, same } of TOLERANCE) {
  test(`scanned at 1.23 s, a frame says ${name}: ${same ? 'the same process' : 'another'}`, () => {
    live(7, 0, 123, ['/bin/a']);
    const table = scanned();
    const found = table.find(7, startNs);
    expect(found.executable).toBe(same ? '/bin/a' : undefined);
    expect(found.entity).toBe(entityOf(7, startNs));
    if (same) expect(table.find(7, startNs)).toBe(found);
  });
}

test('once a frame told the start exactly, another start in the same hundredth is another process', () => {
  live(7, 0, 123, ['/bin/a']);
  const table = scanned();
  const first = table.find(7, 123 * NS + 5);
  end(7);
  expect(table.find(7, 123 * NS + 6)).not.toBe(first);
});

test('a pid that is used again is another process', () => {
  const table = scanned();
  const first = table.fork(7, 1_000 * NS, 1, 5 * NS);
  first.executable = '/bin/first';
  const second = table.fork(7, 2_000 * NS, 1, 5 * NS);
  expect(second.entity).not.toBe(first.entity);
  expect(second.executable).toBeUndefined();
  expect(table.find(7, 2_000 * NS)).toBe(second);
  expect(table.size).toBe(2);
});

test('a frame for the process that had the pid before does not displace the living one', () => {
  live(7, 0, 2_000, ['/bin/living']);
  const table = scanned();
  const old = table.find(7, 1_500 * NS);
  expect(old).toMatchObject({ entity: entityOf(7, 1_500 * NS), executable: undefined });
  expect(table.peek(7)).toMatchObject({ executable: '/bin/living' });
  const exact = table.find(7, 2_000 * NS + 9);
  expect(exact.executable).toBe('/bin/living');
  table.find(7, 1_500 * NS);
  expect(table.find(7, 2_000 * NS + 9)).toBe(exact);
});

test('the same when the living one is only found in /proc', () => {
  const table = scanned();
  live(7, 0, 2_000, ['/bin/living']);
  expect(table.find(7, 1_500 * NS).executable).toBeUndefined();
  expect(table.find(7, 2_000 * NS + 9).executable).toBe('/bin/living');
});

test('a process whose fork was lost is looked up, with its parents', () => {
  const table = scanned();
  live(5, 0, 10, ['/sbin/init']);
  live(6, 5, 20, ['/bin/sh']);
  live(7, 6, 30, ['/bin/a']);
  expect(table.find(7, 30 * NS + 1).ancestors).toEqual(['/bin/sh', '/sbin/init']);
});

test('a process that nobody knows is bare, and known from then on', () => {
  const table = scanned();
  const found = table.find(99, 77);
  expect(found).toMatchObject({ entity: '99-77', executable: undefined, ancestors: [] });
  expect(table.find(99, 77)).toBe(found);
});

test('a child has what its parent had, and at most eight ancestors', () => {
  const table = new ProcessTable(proc);
  table.find(1, 1).executable = '/bin/0';
  for (let i = 1; i <= 12; i++) table.fork(i + 1, i + 1, i, i).executable = `/bin/${i}`;
  const last = table.find(13, 13);
  expect(last.ancestors).toEqual(Array.from({ length: 8 }, (_, i) => `/bin/${11 - i}`));
  expect(last.parentExecutable).toBe('/bin/11');
});

test('a long line of dead ancestors holds no memory', () => {
  const table = new ProcessTable(proc);
  let kept = 0;
  for (let i = 1; i <= 200_000; i++) {
    const record = table.fork(i + 1, i + 1, i, i);
    record.executable = '/bin/sh';
    table.exit(table.find(i, i), i * 1e8);
    if (i % 1_000 === 0) table.sweep(i * 1e8);
    kept = Math.max(kept, table.size);
  }
  expect(kept).toBeLessThan(1_400);
  // A record refers to no other record, so what was swept is gone.
  for (const value of Object.values(table.find(200_001, 200_001)))
    expect(typeof value === 'object' && !Array.isArray(value)).toBe(false);
});

test('what ended is remembered for half a minute, then forgotten', () => {
  const table = new ProcessTable(proc);
  table.exit(table.find(7, 1), 100e9);
  table.sweep(129e9);
  expect(table.peek(7)).toBeDefined();
  table.sweep(131e9);
  expect(table.peek(7)).toBeUndefined();
});

test('beyond the limit the oldest goes first', () => {
  const table = new ProcessTable(proc);
  for (let pid = 1; pid <= 131_072; pid++) table.find(pid, 1);
  table.fork(2, 2, 1, 1);
  table.find(200_000, 1);
  expect(table.size).toBe(131_072);
  expect(table.peek(1)).toBeUndefined();
  expect(table.peek(2)).toBeDefined();
  expect(table.peek(3)).toBeDefined();
});
