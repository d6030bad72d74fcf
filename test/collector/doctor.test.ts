/** What the doctor finds at a collector that was made but never started, and after each thing that can be wrong. */
import { appendFileSync, chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatVerifierKey } from '#protocol/note.ts';
import { collectorFindings } from '../../collector/doctor.ts';
import { initCollector, makeTlsIdentity } from '../../collector/keys.ts';
import type { Finding } from '../../service/finding.ts';
import { fixedKey } from '../protocol/sample.ts';

let home: string;
const at = (name: string): string => join(home, name);
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-collector-doctor-'));
  await initCollector({ home, origin: 'localhost/test', listen: '127.0.0.1:1', dashboard: '127.0.0.1:1' });
  writeFileSync(at('reviewers'), `quorum 1\n${formatVerifierKey(fixedKey('ada', 3).verifier)}\n`);
});
afterEach(() => rmSync(home, { recursive: true }));

const visit = (): Promise<readonly Finding[]> => collectorFindings(at('collector.yaml'));
const problems = async (): Promise<string[]> =>
  (await visit()).filter(({ state }) => state === 'problem').map(({ topic, says }) => `${topic}: ${says}`);

test('made, not started: what is there is good, what is missing is said with what to do', async () => {
  const findings = await visit();
  const good = findings.filter(({ state }) => state === 'ok').map(({ topic }) => topic);
  expect(good).toEqual(expect.arrayContaining(['configuration', 'keys', 'certificate']));
  expect(await problems()).toEqual([
    expect.stringMatching(/^approval: 0 rulesets and packs are approved/),
    expect.stringMatching(/^reachable: neither 127\.0\.0\.1:1 nor port 443/),
    expect.stringMatching(/^status: the collector does not answer/),
  ]);
  for (const { state, hint = '' } of findings) if (state !== 'ok') expect(hint.length).toBeGreaterThan(10);
});

test.each<readonly [string, () => void | Promise<void>, RegExp]>([
  [
    'a slip of the pen',
    () => appendFileSync(at('collector.yaml'), 'lisen: a:1\n'),
    /^configuration: .*lisen: no such key; did you mean `listen`/,
  ],
  ['a node twice', () => writeFileSync(at('nodes.yaml'), 'nodes: 1\n'), /^configuration: .*nodes: must be a list/],
  ['a key for everybody', () => chmodSync(at('log.key'), 0o644), /^keys: .*log\.key: others may read it/],
  ['another log', () => copyFileSync(at('tls.key'), at('log.key')), /^keys: .*is not the key of localhost\/test/],
  ['nobody to say yes', () => rmSync(at('reviewers')), /^approval: there are no reviewers/],
  [
    "another's certificate",
    async () => {
      await makeTlsIdentity(at('other'), 'other');
      copyFileSync(at('other/tls.crt'), at('tls.crt'));
    },
    /^(?:certificate|configuration): .*is not the certificate of/,
  ],
])('%s', async (_, spoil, problem) => {
  await spoil();
  expect(await problems()).toContainEqual(expect.stringMatching(problem));
});
