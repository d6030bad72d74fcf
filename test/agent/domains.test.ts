/** SELinux: numbers of domains, and what /proc says of whom has them. The strings are those of `test/e2e/kernel-denials.test.ts`. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Domains } from '../../agent/domains.ts';

const SECOND = 1e9;
const SSHD = 'system_u:system_r:sshd_t:s0-s0:c0.c1023';
const STAFF = 'alex_u:staff_r:staff_t';

let proc = '';
beforeEach(() => (proc = mkdtempSync(join(tmpdir(), 'hushwatch-domains-'))));
afterEach(() => rmSync(proc, { recursive: true }));

const runs = (pid: number, context: string): void => {
  mkdirSync(join(proc, String(pid), 'attr'), { recursive: true });
  writeFileSync(join(proc, String(pid), 'attr/current'), context);
};

test('a number is looked up through any process that has it, and stays known when all have ended', () => {
  const domains = new Domains(proc);
  runs(1, `${SSHD}\0`);
  expect(domains.of(7, 404, 0)).toBeUndefined();
  expect(domains.of(7, 1, 0)).toBe(SSHD);
  expect(domains.of(7, 404, 5 * SECOND)).toBe(SSHD);
  expect(domains.of(0, 1, 0)).toBeUndefined();
});

test('who became another program before it was asked is found out by the second look', () => {
  const domains = new Domains(proc);
  runs(1, `${STAFF}\0`);
  runs(2, `${SSHD}\0`);
  expect(domains.of(7, 1, 0)).toBe(STAFF);
  expect(domains.of(7, 2, SECOND)).toBe(SSHD);
  expect(domains.of(7, 2, 2 * SECOND)).toBe(SSHD);
  runs(3, `${STAFF}\0`);
  expect(domains.of(7, 3, 9 * SECOND)).toBe(SSHD);
});

test('what is no context is not told: before a policy is loaded, of other security modules, of anybody else', () => {
  const domains = new Domains(proc);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.constantFrom('kernel', 'unconfined', '/usr/bin/man (enforce)', 'a:b', 'a:b:c\nd', 'ä:b:c'),
      ),
      (text) => {
        runs(1, text);
        const told = domains.of(9, 1, 0);
        expect(told === undefined || /^[\w.-]+:[\w.-]+:[\w.-]+/.test(told)).toBe(true);
      },
    ),
  );
  expect(new Domains().of(7, 1, 0)).toBeUndefined();
});
