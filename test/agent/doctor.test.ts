/** The doctor's opinions, of facts that are given to it; what the sensor says is read as the sensor says it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { SENSES, tracepointsOf } from '#protocol/senses.ts';
import { statusOf, tell, type Finding } from '../../service/finding.ts';
import { examine } from '../../agent/doctor/checks.ts';
import {
  missingCapabilities,
  readRefusal,
  readReport,
  type Facts,
  type SensorReport,
} from '../../agent/doctor/facts.ts';

const SENSOR = fileURLToPath(new URL('../../agent/sensor', import.meta.url));
const TRACEPOINTS = [...new Set(Object.values(SENSES).flatMap(tracepointsOf))];

const WELL: Facts = {
  version: '0.1.0',
  release: '6.1.0-1-amd64',
  typed: true,
  missingCapabilities: [],
  sensor: {
    version: '0.1.0',
    access: 'fast',
    clock: 'synchronized',
    programs: TRACEPOINTS.map((tracepoint) => ({ name: `on_${tracepoint}`, tracepoint, loads: true })),
  },
  procConnector: true,
  journal: true,
  clockSynchronized: true,
  configuration: [{ says: '/etc/agent.yaml: good', problems: [] }],
  approvals: [
    {
      kind: 'ruleset',
      digest: 'a'.repeat(64),
      approved: { name: 'lab', version: 5, reviewers: ['ada', 'ben'], quorum: 2 },
      problem: undefined,
    },
  ],
  spool: {
    path: '/var/lib/hushwatch/spool',
    writable: true,
    readOnly: false,
    damaged: 0,
    freeBytes: 2 ** 40,
    limitBytes: 2 ** 28,
    waiting: 1,
    oldestWaitingS: 2,
    lastReceiptS: 3,
  },
  certificate: { file: '/etc/hushwatch/tls.crt', daysLeft: 400, readableBy: undefined },
  collector: { address: 'collector.example:443', error: undefined, pin: undefined },
};

/** What is not ok of these facts. */
const complaints = (facts: Partial<Facts>): Finding[] =>
  examine({ ...WELL, ...facts }).filter((finding) => finding.state !== 'ok');

/** The same sensor without these tracepoints. */
const without = (...lacking: readonly string[]): SensorReport => ({
  version: '0.1.0',
  access: 'fast',
  clock: undefined,
  programs: TRACEPOINTS.map((tracepoint) => ({
    name: `on_${tracepoint}`,
    tracepoint,
    loads: !lacking.includes(tracepoint),
  })),
});

test('where everything is well it complains of nothing', () => {
  expect(complaints({})).toEqual([]);
  expect(statusOf(examine(WELL))).toBe(0);
  expect(tell(examine(WELL))).toMatch(
    /^ok +kernel +Linux 6\.1\.0-1-amd64.*\n(?:ok .*\n)+\d+ ok, 0 warnings, 0 problems\n$/,
  );
});

test('every complaint says what to do', () => {
  const ill = complaints({
    typed: false,
    missingCapabilities: ['CAP_BPF'],
    sensor: undefined,
    procConnector: false,
    journal: false,
    clockSynchronized: false,
    configuration: [{ says: '/etc/agent.yaml', problems: ['/etc/agent.yaml:1 node: missing.'] }],
    spool: {
      path: '/spool',
      writable: false,
      readOnly: false,
      damaged: 0,
      freeBytes: 0,
      limitBytes: 1,
      waiting: 9,
      oldestWaitingS: 3_600,
      lastReceiptS: undefined,
    },
    certificate: { problem: '/etc/hushwatch/tls.key: cannot be read (ENOENT)' },
    collector: { address: 'collector.example:443', error: 'ECONNREFUSED', pin: undefined },
  });
  expect(ill.map((finding) => finding.topic)).toEqual([
    ...['kernel', 'capabilities', 'sensor', 'proc connector', 'journal', 'clock', 'configuration'],
    ...['spool', 'spool', 'receipts', 'certificate', 'collector'],
  ]);
  expect(ill.every((finding) => (finding.hint ?? '').length > 10)).toBe(true);
  expect(tell(ill).match(/hint: /g)).toHaveLength(ill.length);
});

test('a key that others may read, a certificate that ends, a collector that is another', () => {
  const certificate = { file: '/tls.crt', daysLeft: 400, readableBy: undefined };
  const said = (facts: Partial<Facts>): string[] => complaints(facts).map(({ state, says }) => `${state} ${says}`);
  expect(said({ certificate: { ...certificate, readableBy: '/tls.key' } })).toEqual([
    'problem /tls.key: others may read it',
  ]);
  expect(said({ certificate: { ...certificate, daysLeft: 29 } })).toEqual(['warning /tls.crt: 29 days are left']);
  expect(said({ certificate: { ...certificate, daysLeft: -1 } })).toEqual(['warning /tls.crt: expired']);
  expect(said({ collector: { address: 'c:443', error: undefined, pin: 'sha256/x' } })).toEqual([
    'problem c:443: shows the key sha256/x, not the pinned one',
  ]);
  expect(said({ clockSynchronized: undefined })).toEqual([expect.stringMatching(/^warning nobody here can say/)]);
});

test('what the kernel lacks is told event by event', () => {
  const complained = complaints({ sensor: without('sched_process_exit', 'module_load') });
  expect(complained.every(({ topic, state }) => topic === 'events' && state === 'warning')).toBe(true);
  expect(complained.map(({ says }) => says)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^process\.exit never: .* sched_process_exit$/),
      expect.stringMatching(/^file\.modify in part: .* sched_process_exit$/),
      expect.stringMatching(/^kernel\.module\.load in part: .* module_load$/),
    ]),
  );
});

test('a program that another replaces on this kernel is no loss, nor is its tracepoint', () => {
  const exit = { tracepoint: 'sched_process_exit', name: 'on_exit', loads: false };
  const older = { tracepoint: 'another_tracepoint', name: 'on_exit_before', loads: true };
  const programs = without().programs.filter((one) => one.tracepoint !== exit.tracepoint);
  const complained = (...more: SensorReport['programs']): string[] =>
    complaints({ sensor: { ...without(), programs: [...programs, ...more] } }).map(({ says }) => says);
  expect(complained(exit)).toContainEqual(expect.stringMatching(/^process\.exit never/));
  expect(complained(exit, older)).toEqual([]);
});

test('a refusal of the sensor is passed on with its hint; of another version it is a problem', () => {
  const said = 'libbpf: a long log\nhushwatch-sensor: Linux 5.10.0 is too old: it has no bpf_loop\nhint: use another\n';
  expect(complaints({ sensor: readRefusal(said) })).toEqual([
    { topic: 'sensor', state: 'problem', says: 'Linux 5.10.0 is too old: it has no bpf_loop', hint: 'use another' },
  ]);
  expect(readRefusal('')).toEqual({ refusal: 'it ended without a word', hint: 'run hushwatch-sensor --check' });
  expect(complaints({ version: '0.2.0' })).toMatchObject([{ topic: 'sensor', state: 'problem' }]);
});

test('exit status: a configuration that cannot be used is another thing than a machine that cannot', () => {
  expect(statusOf(complaints({ typed: false }))).toBe(1);
  expect(statusOf(complaints({ clockSynchronized: false }))).toBe(0);
  expect(statusOf(complaints({ typed: false, configuration: [{ says: 'f', problems: ['f:1 node: missing.'] }] }))).toBe(
    3,
  );
});

test('the report of the sensor, read', () => {
  const report =
    'clock\tfree\nsensor\t0.1.0\nkernel\t6.1\naccess\tslow\nprogram\ton_fork\tsched_process_fork\tabsent\n';
  expect(readReport(report)).toEqual({
    version: '0.1.0',
    access: 'slow',
    clock: 'free',
    programs: [{ name: 'on_fork', tracepoint: 'sched_process_fork', loads: false }],
  });
});

test('capabilities, as the kernel tells them', () => {
  expect(missingCapabilities('CapEff:\t000001ffffffffff\n')).toEqual([]);
  expect(missingCapabilities('CapEff:\t000000c000000000\n')).toEqual([]);
  expect(missingCapabilities('CapEff:\t0000008000000000\n')).toEqual(['CAP_PERFMON']);
  expect(missingCapabilities('CapEff:\t0000000000000000\n')).toEqual(['CAP_PERFMON', 'CAP_BPF']);
});

test('the page of senses names each tracepoint that the sensor attaches to, and no other', () => {
  const sources = readdirSync(SENSOR).filter((file) => /\.(h|c)$/.test(file));
  const attached = sources.flatMap((file) =>
    [...readFileSync(join(SENSOR, file), 'utf8').matchAll(/SEC\("tp_btf\/([a-z0-9_]+)"\)/g)].map(
      (match) => match[1] ?? '',
    ),
  );
  expect(TRACEPOINTS.toSorted()).toEqual([...new Set(attached)].toSorted());
});

test('who approved the rules, or what to do: rules that nobody approved release nothing', () => {
  expect(examine(WELL)).toContainEqual({
    topic: 'approval',
    state: 'ok',
    says: 'ruleset aaaaaaaaaaaa, lab version 5, approved by ada, ben (2 of the 2 that are needed), in the log',
  });
  const [found, ...more] = complaints({
    approvals: [
      {
        kind: 'rulepack',
        digest: 'b'.repeat(64),
        approved: undefined,
        problem: '/approvals/b.approval: no such file; ask the reviewers for it',
      },
    ],
  });
  expect(found).toMatchObject({
    topic: 'approval',
    state: 'problem',
    says: 'rule pack bbbbbbbbbbbb may not be used here, nothing is released: /approvals/b.approval: no such file',
    hint: expect.stringMatching(/^ask the reviewers for it: have .*rules approve.*/),
  });
  expect(more).toEqual([]);
});
