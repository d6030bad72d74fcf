/** Frames, events, statements and clocks with which the agent is tested. */
import { expect } from 'vitest';
import type { Counts } from '#protocol/statement.ts';
import { ATTRIBUTES, EVENTS, type AttributeName, type EventClass } from '#protocol/vocabulary.ts';
import { Body } from '../../agent/body.ts';
import type { Clock } from '../../agent/clock.ts';
import type { RawEvent } from '../../agent/event.ts';
import { NOTHING, type Totals } from '../../agent/ledger.ts';
import type { Actor, Credentials, Inode, ObservedFrame } from '../../agent/sources/frame.ts';
import type { Herald, Unsigned } from '../../agent/spool.ts';
import type { ReleasedEvent } from '../../redaction-rules/compile.ts';
import { isOfType } from '../../redaction-rules/ruleset.ts';
import { FIRST, nodeKey } from '../protocol/sample.ts';

export const herald: Herald = {
  node: nodeKey.verifier.name,
  boot: FIRST.boot,
  role: FIRST.role,
  cohort: FIRST.cohort,
  ruleset: FIRST.ruleset,
  rulepack: FIRST.rulepack,
  vocabulary: FIRST.vocabulary,
  agent: FIRST.agent,
  sources: FIRST.sources,
  turning: { hours: 24, scopes: ['node'] },
};

/** A released event that no rules made. */
export function released(cls: EventClass, time: number, attributes: object = {}, matched = false): ReleasedEvent {
  const line = JSON.stringify({ event: 'file.open', time, ...attributes });
  // oxlint-disable-next-line no-unsafe-type-assertion -- the one place a test makes what only rules may make
  return { class: cls, time, epoch: 0, matched, line } as ReleasedEvent;
}

/** What would be signed for `n` file events more than `before`. */
export function unsigned(n: number, before: Counts = {}, text = 'x'): Unsigned {
  const counts = { file: (before.file ?? 0) + n };
  const totals: Totals = { ...NOTHING, seen: counts, released: counts };
  const body = new Body();
  for (let i = 0; i < n; i++) body.add(released('file', i + 1, { 'file.path': `/${text}/${i}` }));
  return {
    body,
    totals,
    sensor: { instance: '7', received: counts, merged: {}, sampled: {}, lost: {}, missing: {} },
  };
}

/** A clock that stands still: boot was at 1,700,000,000 s. */
export const stillClock: Clock = {
  utc: (bootNs) => 1_700_000_000_000_000 + Math.round(bootNs / 1_000),
  bootNs: () => 0,
};

export const actor = (pid = 4711, startNs = 88_123_456_789, changes: Partial<Actor> = {}): Actor => ({
  atNs: 90_000_000_000,
  pid,
  tid: pid,
  startNs,
  uid: 1000,
  gid: 1000,
  errno: 0,
  repeats: 0,
  ...changes,
});

export const inode = (changes: Partial<Inode> = {}): Inode => ({
  inode: 131_077,
  major: 254,
  minor: 0,
  mode: 0o100644,
  uid: 0,
  gid: 0,
  links: 1,
  ...changes,
});

export const credentials: Credentials = {
  realUid: 1000,
  effectiveUid: 0,
  savedUid: 0,
  effectiveGid: 1000,
  effectiveCapabilities: 0x1ff_ffff_ffffn,
  loginUid: 1000,
  auditSession: 3,
};

type ExecFrame = Extract<ObservedFrame, { kind: 'exec' }>;
type OpenFrame = Extract<ObservedFrame, { kind: 'open' }>;

export const execFrame = (changes: Partial<ExecFrame>): ExecFrame => ({
  kind: 'exec',
  parentPid: 4700,
  parentStartNs: 88_000_000_000,
  executable: '/usr/bin/curl',
  file: inode({ mode: 0o100755 }),
  args: ['curl', 'https://example.org/'],
  argsCount: 2,
  argsTruncated: false,
  workingDirectory: '/home/alex',
  cgroup: '/system.slice/ssh.service',
  namespaces: { mnt: 1, pid: 2, net: 3, user: 4 },
  credentials,
  script: '',
  domain: 0,
  ...actor(),
  ...changes,
});

export const openFrame = (changes: Partial<OpenFrame>): OpenFrame => ({
  kind: 'open',
  path: '/etc/passwd',
  origin: 'kernel',
  write: false,
  created: false,
  truncated: false,
  file: inode(),
  ...actor(),
  ...changes,
});

/** An event carries nothing that the vocabulary does not list for it, and each value is of its type. */
export function checkVocabulary({ name, attributes }: RawEvent): void {
  const listed: readonly string[] = EVENTS[name].attributes;
  for (const [attribute, value] of Object.entries(attributes)) {
    expect(listed, name).toContain(attribute);
    if (value === undefined) continue;
    const { type } = ATTRIBUTES[attribute as AttributeName]; // oxlint-disable-line no-unsafe-type-assertion -- it is listed
    expect(isOfType(value, type), `${name} ${attribute} is ${type}`).toBe(true);
  }
}
