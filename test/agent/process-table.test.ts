/** Who is who, with a /proc of our own making. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { entityOf, ProcessTable, type Told } from '../../agent/process-table.ts';

let proc: string;
beforeEach(() => {
  proc = mkdtempSync(join(tmpdir(), 'hushwatch-proc-'));
});
afterEach(() => rmSync(proc, { recursive: true }));

const NS = 1e7;

/** A process as /proc tells of it; `ticks` are hundredths of a second since boot. */
function live(pid: number, parentPid: number, ticks: number, executable: string, args: readonly string[] = []): void {
  mkdirSync(join(proc, String(pid)), { recursive: true });
  const after = ['S', parentPid, ...Array.from({ length: 17 }, () => 0), ticks, 0, 0].join(' ');
  writeFileSync(join(proc, String(pid), 'stat'), `${pid} (a b) (c) ${after}\n`);
  writeFileSync(join(proc, String(pid), 'cmdline'), args.map((arg) => `${arg}\0`).join(''));
  if (executable !== '') symlinkSync(executable, join(proc, String(pid), 'exe'));
}

const end = (pid: number): void => rmSync(join(proc, String(pid)), { recursive: true });

function scanned(): ProcessTable {
  const table = new ProcessTable(proc);
  table.scan();
  return table;
}

const described = (pid: number, parentPid: number, executable: string, more: Partial<Told> = {}): Told => ({
  pid,
  startNs: pid * 1_000,
  atNs: 1e12,
  parentPid,
  parentStartNs: parentPid * 1_000,
  executable: executable === '' ? undefined : executable,
  kernel: executable === '',
  args: [executable],
  auditSession: undefined,
  ...more,
});

test('a scan finds everybody, with ancestors, also where a child has the smaller number', () => {
  live(1, 0, 5, '/sbin/init');
  live(900, 1, 100, '/usr/sbin/sshd', ['/usr/sbin/sshd', '-D']);
  live(20, 900, 200, '/bin/bash');
  live(10, 20, 300, '/usr/bin/vi', ['vi', 'x']);
  mkdirSync(join(proc, 'sys'));
  const table = scanned();
  expect(table.size).toBe(4);
  expect(table.peek(10)).toMatchObject({
    entity: entityOf(10, 300 * NS),
    executable: '/usr/bin/vi',
    args: ['vi', 'x'],
    parentEntity: entityOf(20, 200 * NS),
    ancestors: ['/bin/bash', '/usr/sbin/sshd', '/sbin/init'],
    ancestorsComplete: true,
  });
});

test('what argv[0] claims is not taken for an executable: it is unknown, and marked; no arguments are none', () => {
  live(1, 0, 5, '', ['/sbin/init']);
  live(2, 1, 5, '/bin/a');
  const table = scanned();
  expect(table.peek(1)).toMatchObject({ executable: undefined, args: ['/sbin/init'], ancestorsComplete: true });
  expect(table.peek(2)).toMatchObject({ args: undefined, ancestors: [], ancestorsComplete: false });
});

test('who lives is described in any order; a child of theirs has all ancestors', () => {
  const table = new ProcessTable();
  table.describe(described(10, 20, '/usr/bin/vi'));
  expect(table.fork(11, 11_000, 10, 10_000)).toMatchObject({ ancestors: ['/usr/bin/vi'], ancestorsComplete: false });
  table.describe(described(20, 1, '/bin/bash'));
  table.describe(described(1, 0, '/sbin/init'));
  expect(table.fork(12, 12_000, 10, 10_000)).toMatchObject({
    executable: '/usr/bin/vi',
    ancestors: ['/usr/bin/vi', '/bin/bash', '/sbin/init'],
    ancestorsComplete: true,
  });
});

test('what was described keeps its ancestors when they end and are forgotten', () => {
  const table = new ProcessTable();
  table.describe(described(1, 0, '/sbin/init'));
  table.describe(described(20, 1, '/bin/bash'));
  table.describe(described(30, 20, '/bin/daemon'));
  table.exit(table.find(20, 20_000), 1e12);
  table.sweep(1e12 + 1);
  table.sweep(2e12);
  expect(table.peek(20)).toBeUndefined();
  expect(table.peek(30)?.ancestors).toEqual(['/bin/bash', '/sbin/init']);
});

test('threads of the kernel run no program and are no gap', () => {
  const table = new ProcessTable();
  table.describe(described(2, 0, ''));
  table.describe(described(9, 2, ''));
  const helper = table.fork(50, 50_000, 9, 9_000);
  table.exec(helper, described(50, 9, '/sbin/modprobe'), table.find(9, 9_000));
  expect(helper).toMatchObject({ executable: '/sbin/modprobe', ancestors: [], ancestorsComplete: true });
  expect(table.fork(51, 51_000, 50, 50_000).ancestors).toEqual(['/sbin/modprobe']);
});

test('a description does not undo what happened after it was made', () => {
  const table = new ProcessTable();
  const record = table.fork(7, 7_000, 1, 1_000);
  table.exec(record, described(7, 1, '/bin/new', { atNs: 500 }), table.find(1, 1_000));
  table.describe(described(7, 1, '/bin/old', { atNs: 400 }));
  expect(record.executable).toBe('/bin/new');
  table.describe(described(7, 1, '/bin/newer', { atNs: 600 }));
  expect(table.find(7, 7_000).executable).toBe('/bin/newer');
  table.describe(described(7, 1, '/bin/dead', { startNs: 6_000 }));
  expect(table.find(7, 7_000).executable).toBe('/bin/newer');
});

test('of whom /proc shows no more, the exit was lost; where /proc hides others, nothing is concluded', () => {
  live(1, 0, 1, '/sbin/init');
  live(7, 1, 123, '/bin/a');
  const table = scanned();
  end(7);
  table.sweep(1e12);
  expect(table.peek(7)?.endedAtNs).toBe(1e12);
  live(8, 1, 123, '/bin/b');
  table.scan();
  end(8);
  end(1);
  table.sweep(1e12);
  expect(table.peek(8)?.endedAtNs).toBeUndefined();
});

test('arguments are remembered in part, and much less of them on a machine with very many processes', () => {
  const table = new ProcessTable();
  const long = ['x'.repeat(5_000)];
  table.describe(described(1, 0, '/bin/a', { args: long }));
  for (let pid = 2; pid < 16_390; pid++) table.describe(described(pid, 1, '/bin/a', { args: [] }));
  table.describe(described(20_000, 1, '/bin/a', { args: long }));
  expect([table.peek(1)?.args?.[0]?.length, table.peek(20_000)?.args?.[0]?.length]).toEqual([2_048, 256]);
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
    live(7, 0, 123, '/bin/a');
    const table = scanned();
    const found = table.find(7, startNs);
    expect(found.executable).toBe(same ? '/bin/a' : undefined);
    expect(found.entity).toBe(entityOf(7, startNs));
    if (same) expect(table.find(7, startNs)).toBe(found);
  });
}

test('once a frame told the start exactly, another start in the same hundredth is another process', () => {
  live(7, 0, 123, '/bin/a');
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
  live(7, 0, 2_000, '/bin/living');
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
  live(7, 0, 2_000, '/bin/living');
  expect(table.find(7, 1_500 * NS).executable).toBeUndefined();
  expect(table.find(7, 2_000 * NS + 9).executable).toBe('/bin/living');
});

test('a process whose fork was lost is looked up, with its parents', () => {
  const table = scanned();
  live(5, 0, 10, '/sbin/init');
  live(6, 5, 20, '/bin/sh');
  live(7, 6, 30, '/bin/a');
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
});

test('what ended is remembered for half a minute, then forgotten', () => {
  const table = new ProcessTable(proc);
  table.exit(table.find(7, 1), 100e9);
  table.sweep(129e9);
  expect(table.peek(7)).toBeDefined();
  table.sweep(131e9);
  expect(table.peek(7)).toBeUndefined();
});

test('beyond the limit those that ended go first, then the oldest', () => {
  const table = new ProcessTable();
  for (let pid = 1; pid <= 131_072; pid++) table.find(pid, 1);
  for (let pid = 50; pid < 3_050; pid++) table.exit(table.find(pid, 1), 1);
  table.find(200_000, 1);
  expect(table.size).toBe(131_072 - 3_000 + 1);
  expect([table.peek(1), table.peek(50)].map((found) => found !== undefined)).toEqual([true, false]);
  for (let pid = 300_000; pid < 303_000; pid++) table.find(pid, 1);
  expect(table.size).toBeLessThanOrEqual(131_072);
  expect([table.peek(1), table.peek(10_000), table.peek(200_000)].map((found) => found !== undefined)).toEqual([
    false,
    true,
    true,
  ]);
});
