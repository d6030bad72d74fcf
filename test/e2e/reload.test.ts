/** SIGHUP at an agent and a shipper that run: other rules are in force between two batches, bad ones are not, and nothing is lost. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { formatApproval } from '#protocol/approval.ts';
import { parseSigningKey, signNote } from '#protocol/note.ts';
import { approvalOfRuleset } from '../../redaction-rules/approve.ts';
import { readReport, type ReloadReport } from '../../service/reload.ts';
import { OneLine } from './one-line.ts';
import { CHECKOUT, until } from './stack.ts';

let line: OneLine;
beforeAll(async () => {
  line = await OneLine.start(18_980);
}, 120_000);
afterAll(() => line[Symbol.asyncDispose]());

const REPORTS = { agent: 'agent/spool/configuration.json', shipper: 'agent/receipts/configuration.json' } as const;

async function reload(name: keyof typeof REPORTS): Promise<ReloadReport> {
  const report = (): ReloadReport | undefined => readReport(line.at(REPORTS[name]));
  const asked = (): number => (report()?.reloads ?? 0) + (report()?.refused ?? 0);
  const before = asked();
  line.hangUp(name);
  await until(() => asked() > before, 30_000, `${name} to have read its configuration again`);
  const now = report();
  if (now === undefined) throw new Error('no report');
  return now;
}

/** Changes keys of a configuration that is in use. */
function edit(file: string, changes: Readonly<Record<string, unknown>>): void {
  const config: Record<string, unknown> = parse(readFileSync(line.at(file), 'utf8'));
  writeFileSync(line.at(file), stringify({ ...config, ...changes }));
}

/** The ruleset in force under the next version number; whether reviewers said yes to it. */
async function nextRuleset(name: string, isApproved: boolean): Promise<string> {
  const file = line.at('agent', name);
  const before = readFileSync(line.at('agent/ruleset.yaml'), 'utf8');
  writeFileSync(file, before.replace(/^version: \d+$/m, `version: ${isApproved ? 1_000 : 2_000}`));
  const approval = approvalOfRuleset(file);
  if (!isApproved) return approval.digest;
  copyFileSync(file, line.at('collector/rulesets', name));
  const key = parseSigningKey('this-machine-reviewer', readFileSync(line.at('reviewer/reviewer.key'), 'utf8'));
  for (const side of ['collector', 'agent'])
    writeFileSync(line.at(side, 'approvals', `${approval.digest}.approval`), signNote(formatApproval(approval), key));
  const proof = `approvals/${approval.digest}.tlog-proof`;
  await until(() => existsSync(line.at('collector', proof)), 30_000, 'the proof of the approval');
  copyFileSync(line.at('collector', proof), line.at('agent', proof));
  return approval.digest;
}

const status = (): { status: number | null; stdout: string } =>
  spawnSync(process.execPath, [join(CHECKOUT, 'hushwatch.ts'), 'status', '--config', line.at('agent/changed.yaml')], {
    encoding: 'utf8',
  });

test('rules that were approved are in force from one batch to the next; others are not, and status says so', async () => {
  await line.withAgent({ heartbeat_ms: 1_000 }, async () => {
    const signed = (digest: string): Promise<void> =>
      until(() => line.statement().get('ruleset') === digest, 30_000, `a statement under ${digest}`);
    await until(() => line.statement().has('ruleset'), 30_000, 'a first statement');
    const first = line.statement().get('ruleset') ?? '';
    await nextRuleset('unapproved.yaml', false);
    edit('agent/changed.yaml', { ruleset: 'unapproved.yaml' });
    const refused = await reload('agent');
    expect(refused).toMatchObject({
      reloads: 0,
      refused: 1,
      problem: expect.stringMatching(/\.approval: no such file/),
    });
    expect(status()).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^look +agent: a new configuration was refused/m),
    });
    const sequence = Number(line.statement().get('sequence'));
    await until(() => Number(line.statement().get('sequence')) > sequence + 1, 30_000, 'more statements');
    expect(line.statement().get('ruleset')).toBe(first);

    const next = await nextRuleset('next.yaml', true);
    edit('agent/changed.yaml', { ruleset: 'next.yaml', heartbeat_ms: 1_500, cohort: 'elsewhere' });
    expect(await reload('agent')).toMatchObject({ reloads: 1, refused: 1, waiting: ['cohort'] });
    await signed(next);
    expect(status().stdout).toMatch(/^look +agent: cohort in .*changed\.yaml take effect at the next start/m);
    // An older version than one that was in force stays out, as at a start.
    edit('agent/changed.yaml', { ruleset: 'ruleset.yaml', cohort: 'local' });
    expect(await reload('agent')).toMatchObject({
      refused: 2,
      problem: expect.stringMatching(/version 1000 was in force here before/),
    });
    edit('agent/changed.yaml', { ruleset: 'next.yaml' });
    expect(await reload('agent')).not.toHaveProperty('problem');
  });
  await line.shipped();
});

test('a shipper keeps its way until there is another that can be gone', async () => {
  await until(() => existsSync(line.at(REPORTS.shipper)), 30_000, 'the report of the shipper');
  const [key, pin] = ['collector/tls.key', 'shipper/shipper.yaml'].map((name) => readFileSync(line.at(name), 'utf8'));
  edit('shipper/shipper.yaml', { tls_key: '../collector/tls.key' });
  expect(key).not.toBe(pin);
  expect(await reload('shipper')).toMatchObject({
    refused: 1,
    problem: expect.stringMatching(/is not the certificate of/),
  });
  await line.withAgent({}, async () => {});
  await line.shipped();
  edit('shipper/shipper.yaml', { tls_key: 'tls.key', collector_pin: `sha256/${'A'.repeat(43)}=` });
  expect(await reload('shipper')).toMatchObject({ reloads: 1 });
  await line.withAgent({}, async () => {});
  writeFileSync(line.at('shipper/shipper.yaml'), pin ?? '');
  expect(await reload('shipper')).toMatchObject({ reloads: 2 });
  await line.shipped();
});

test('nothing was lost, and everything is proven', async () => {
  await line.stop();
  const args = [join(CHECKOUT, 'hushwatch.ts'), 'verify', line.at('collector')];
  expect(spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout).toMatch(/ 0 lost\b[^]*\nverified\n$/);
});
