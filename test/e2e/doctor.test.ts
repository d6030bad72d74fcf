/** `hushwatch doctor` on this machine, as a person runs it. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from '../../service/finding.ts';
import { makeTlsIdentity } from '../../collector/keys.ts';
import { formatVerifierKey } from '#protocol/note.ts';
import { approvalOfPack, approvalOfRuleset } from '../../redaction-rules/approve.ts';
import { writeApproved } from '../protocol/approved.ts';
import { logKey } from '../protocol/sample.ts';
import { CHECKOUT, isRoot, WHY_SKIPPED } from './stack.ts';
import { buildSensor } from './watched.ts';

let work = '';
beforeAll(() => {
  if (isRoot) buildSensor();
  work = mkdtempSync(join(tmpdir(), 'hushwatch-doctor-'));
  mkdirSync(join(work, 'spool'));
});
afterAll(() => rmSync(work, { recursive: true }));

interface Visit {
  readonly status: number | null;
  readonly findings: readonly Finding[];
}

function visit(...args: readonly string[]): Visit {
  const run = spawnSync(process.execPath, [join(CHECKOUT, 'hushwatch.ts'), 'doctor', '--json', ...args], {
    encoding: 'utf8',
  });
  const { findings }: { findings: readonly Finding[] } = JSON.parse(run.stdout);
  return { status: run.status, findings };
}

async function visitLater(...args: readonly string[]): Promise<Visit> {
  const child = spawn(process.execPath, [join(CHECKOUT, 'hushwatch.ts'), 'doctor', '--json', ...args]);
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const status = await new Promise<number | null>((settle) => child.once('close', settle));
  const { findings }: { findings: readonly Finding[] } = JSON.parse(said);
  return { status, findings };
}

function file(name: string, lines: readonly string[]): string {
  writeFileSync(join(work, name), `${lines.join('\n')}\n`);
  return join(work, name);
}

const RULESET = join(CHECKOUT, 'redaction-rules/rulesets/generic-linux.yaml');
const PACK = join(CHECKOUT, 'collector/detectors/rules');
const LOG_KEY = `log_key: ${formatVerifierKey(logKey.verifier)}`;
const agentYaml = (): string[] => [
  'node: node-1',
  `ruleset: ${RULESET}`,
  `rule_pack: ${PACK}`,
  `spool: ${join(work, 'spool')}`,
  `receipts: ${work}`,
  `approvals: ${join(work, 'approvals')}`,
  `reviewers: ${join(work, 'reviewers')}`,
  `log_key: ${formatVerifierKey(logKey.verifier)}`,
];

describe.skipIf(!isRoot)(`this machine${WHY_SKIPPED}`, () => {
  test('the sensor loads, and what is missing is listed', () => {
    const { status, findings } = visit('--config', file('agent.yaml', agentYaml()));
    expect(findings).toContainEqual({ topic: 'sensor', state: 'ok', says: expect.stringContaining('loads here') });
    expect(findings.some((finding) => finding.topic === 'events')).toBe(true);
    expect(findings).toContainEqual({
      topic: 'configuration',
      state: 'ok',
      says: expect.stringMatching(/agent\.yaml: good; ruleset generic-linux version \d+, \d+ detection rules$/),
    });
    // Everything is right but the rules, which nobody approved.
    expect(findings.filter(({ state }) => state === 'problem').map(({ topic }) => topic)).toEqual([
      'approval',
      'approval',
    ]);
    expect(status).toBe(1);
  });

  test('who approved the rules is said, and nothing is changed by looking', async () => {
    await writeApproved(work, [approvalOfRuleset(RULESET), approvalOfPack(PACK, 'rules', 3)]);
    const before = readdirSync(work, { recursive: true });
    const { status, findings } = visit('--config', file('agent.yaml', agentYaml()));
    const says = findings.filter(({ topic }) => topic === 'approval').map((finding) => finding.says);
    expect(says).toEqual([
      expect.stringMatching(/^ruleset [0-9a-f]{12}, generic-linux version \d+, approved by reviewer-1 \(1 of the 1/),
      expect.stringMatching(/^rule pack [0-9a-f]{12}, rules version 3, approved by reviewer-1 \(1 of the 1/),
    ]);
    expect(readdirSync(work, { recursive: true })).toEqual(before);
    expect(status).toBe(0);
  });

  test('a collector is reached, is another, or is not', async () => {
    const pin = await makeTlsIdentity(join(work, 'tls'), 'collector');
    const identity = [`tls_key: ${join(work, 'tls/tls.key')}`, `tls_cert: ${join(work, 'tls/tls.crt')}`];
    const [key, cert] = ['key', 'crt'].map((name) => readFileSync(join(work, `tls/tls.${name}`)));
    const server = createServer({ key, cert });
    await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const shipper = (to: number, pinned = pin): string =>
      file('shipper.yaml', [
        ...['node: node-1', `collector: wss://127.0.0.1:${to}/`, `collector_pin: ${pinned}`, LOG_KEY],
        ...identity,
      ]);
    // The server is in this process: the doctor is asked without waiting for it in one piece.
    const good = await visitLater('--shipper', shipper(port));
    expect(good.findings).toContainEqual({
      topic: 'collector',
      state: 'ok',
      says: `127.0.0.1:${port} takes connections, and is the one that is pinned`,
    });
    expect(good.findings).toContainEqual(
      expect.objectContaining({
        topic: 'certificate',
        state: 'ok',
        says: expect.stringContaining('belongs to its key'),
      }),
    );
    const other = await visitLater('--shipper', shipper(port, `sha256/${'A'.repeat(43)}=`));
    expect(other.findings).toContainEqual(
      expect.objectContaining({ topic: 'collector', state: 'problem', says: expect.stringContaining(pin) }),
    );
    server.close();
    expect(visit('--shipper', shipper(1))).toMatchObject({ status: 1 });
  });
});

test('a configuration that cannot be used: 3, with file, line and key', () => {
  const { status, findings } = visit('--config', file('broken.yaml', ['nod: node-1']));
  expect(status).toBe(3);
  expect(findings).toContainEqual(
    expect.objectContaining({
      topic: 'configuration',
      says: expect.stringMatching(/broken\.yaml:1:1 nod: no such key/),
    }),
  );
  expect(visit('--config', join(work, 'nowhere.yaml')).status).toBe(3);
});
