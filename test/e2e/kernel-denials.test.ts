/**
 * What the security modules of a real kernel do and say: SELinux with a policy of two domains, one enforced and one permissive,
 * and a seccomp filter that kills. The sensor tells the domain of each program, /proc the context that stands behind it, and
 * the kernel's log, read as journald reads it, the denials.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Frame } from '../../agent/sources/frame.ts';
import { FrameDecoder } from '../../agent/sources/frames.ts';
import { parseKernel } from '../../agent/sources/journal/audit.ts';
import type { Entry } from '../../agent/sources/journal/entry.ts';
import { boot, compile, fileEntry, kernelOf, type Entry as File, type Story } from './machine.ts';
import { unpacked } from './package.ts';
import { CHECKOUT } from './stack.ts';
import { buildSensor, framesOf, SENSOR } from './watched.ts';

const inMachine = (file: string): string => join(CHECKOUT, 'test/e2e/machine', file);
const DOMAIN = 'test_u:test_r';

const PLAN = [
  'do load root /bin/guard load /policy',
  'record',
  'start sensor sensor /bin/sensor --socket /run/agent.sock --merge-ms 0',
  'heard',
  'do free root /bin/guard read /proc/version',
  `do stopped root /bin/guard as ${DOMAIN}:stopped_t /bin/guard read /proc/version`,
  `do watched root /bin/guard as ${DOMAIN}:watched_t /bin/guard read /proc/version`,
  `do again root /bin/guard as ${DOMAIN}:stopped_t /bin/guard read /proc/version`,
  'do filter nobody /bin/guard filter',
  'stop sensor',
  'do log root /bin/guard log',
];

function files(): readonly File[] {
  const work = mkdtempSync(join(tmpdir(), 'hushwatch-denials-'));
  try {
    const policy = join(work, 'policy');
    const compiler = join(unpacked('secilc'), 'usr/bin/secilc');
    execFileSync(compiler, ['-c', '33', '-o', policy, '-f', '/dev/null', inMachine('policy.cil')]);
    return [
      fileEntry('policy', readFileSync(policy)),
      fileEntry('bin/guard', readFileSync(compile(join(work, 'guard'), inMachine('guard.c'))), 0o755),
      fileEntry('bin/sensor', readFileSync(SENSOR), 0o755),
    ];
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** The oldest that is promised; and one on which another module comes first and shifts what SELinux keeps. */
describe.each([
  ['6.1', 'linux-image-cloud-amd64', 'security=selinux'],
  ['6.12', 'linux-image-6.12-cloud-amd64', 'lsm=landlock,lockdown,yama,selinux,bpf'],
])('Linux %s', (_, name, append) => {
  let story: Story;
  let frames: readonly Frame[];
  beforeAll(async () => {
    buildSensor();
    story = await boot(kernelOf(name), files(), PLAN, append);
    frames = new FrameDecoder().push(story.frames);
  });

  /** Of the last program that a step ran. */
  const domainsOf = (step: string): unknown[] =>
    framesOf(frames, 'exec', story.step(step).pid).map(({ domain }) => domain);
  const domainOf = (step: string): unknown => domainsOf(step).at(-1);

  test('each program is told with its domain, each context has one number, and processes that lived before have theirs', () => {
    for (const domain of ['free', 'stopped', 'watched'])
      expect(story.step(domain).said).toContain(`context ${DOMAIN}:${domain}_t\n`);
    const [free, stopped, watched, again] = ['free', 'stopped', 'watched', 'again'].map(domainOf);
    expect(free).toBeGreaterThan(0);
    expect(again).toBe(stopped);
    expect(new Set([0, free, stopped, watched]).size).toBe(4);
    // Before it entered the domain, it ran in another.
    expect(domainsOf('stopped')).toEqual([free, stopped]);
    expect(frames.filter(({ kind }) => kind === 'process').map((frame) => 'domain' in frame && frame.domain)).toContain(
      1,
    );
  });

  /** journald takes the text behind the first semicolon, and knows no more of what the kernel says. */
  const entries = (): Entry[] =>
    [...story.step('log').said.matchAll(/^\d+,\d+,\d+,-;(audit: .*)$/gm)].map(([, message = '']) => ({
      ...{ cursor: 's=1;i=1', time: 1, message },
      fields: new Map([['_TRANSPORT', 'kernel']]),
    }));

  test('what SELinux denied, or would have', () => {
    expect(story.step('stopped').said).toContain('read 13\n');
    expect(story.step('watched').said).toContain('read 0\n');
    const denied = entries()
      .map(parseKernel)
      .filter((fact) => fact?.kind === 'denial');
    const common = { module: 'selinux', targetContext: 'test_u:object_r:secret_t', targetClass: 'file' };
    const stopped = { ...common, sourceContext: `${DOMAIN}:stopped_t`, permissive: false, name: 'version' };
    const watched = {
      ...common,
      sourceContext: `${DOMAIN}:watched_t`,
      permissive: true,
      pid: story.step('watched').pid,
    };
    expect(denied).toMatchObject([
      { ...stopped, pid: story.step('stopped').pid, permissions: ['read'] },
      { ...watched, permissions: ['read'] },
      { ...watched, permissions: ['open'], path: '/proc/version' },
      { ...stopped, pid: story.step('again').pid, permissions: ['read'] },
    ]);
  });

  test('what a seccomp filter stopped', () => {
    const { pid, status } = story.step('filter');
    expect(status).toBe(-31);
    expect(
      entries()
        .map(parseKernel)
        .filter((fact) => fact?.kind === 'seccomp'),
    ).toMatchObject([
      {
        ...{ pid, uid: 65_534, executable: '/bin/guard', signal: 31, syscall: 165 },
        ...{ architecture: 'amd64', action: 'kill-process', loginUid: undefined },
      },
    ]);
  });
});
