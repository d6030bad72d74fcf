/**
 * The data directory of `npm start`: keys and configurations of one node and its collector on one machine.
 *
 *     agent/       identity.key pseudonym.key agent.yaml agent.sock spool/ receipts/ reviewers approvals/ ruleset.yaml rules/
 *     reviewer/    reviewer.key, which says yes to the rules of this checkout
 *     shipper/     tls.key tls.crt shipper.yaml
 *     collector/   see collector/README
 *     log/         what each process says
 *
 * What is there is kept: keys, and what a person changed in collector.yaml. Only the addresses are written anew.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { openIdentity } from '../agent/identity.ts';
import { Keyring } from '../agent/keyring.ts';
import { formatApproval } from '#protocol/approval.ts';
import { equalBytes } from '#protocol/encoding.ts';
import { formatSigningKey, formatVerifierKey, generateSigningKey, parseSigningKey, signNote } from '#protocol/note.ts';
import { loadPack } from '../collector/detectors/pack.ts';
import { approvalOfPack, approvalOfRuleset } from '../redaction-rules/approve.ts';
import { initCollector, makeTlsIdentity } from '../collector/keys.ts';

export interface Home {
  readonly root: string;
  readonly fresh: boolean;
  readonly spool: string;
  readonly receipts: string;
  readonly socket: string;
  readonly agentConfig: string;
  readonly shipperConfig: string;
  readonly collectorConfig: string;
  readonly token: string;
}

export interface HomeOptions {
  readonly root: string;
  readonly checkout: string;
  /** Of the dashboard; batches go to the port above it. */
  readonly port: number;
  readonly source: 'ebpf' | 'proc-connector' | 'proc';
  /** Those for any server, unless somebody wants to see what others would release here. */
  readonly rules?: keyof typeof ROLE_OF;
}

const ROLE_OF = { 'generic-linux': 'generic', guestos: 'guest', hostos: 'host' } as const;

const NODE = 'this-machine';
const REVIEWER = 'this-machine-reviewer';
const ORIGIN = 'localhost/hushwatch';

export async function writeHome({ root, checkout, port, source, rules = 'generic-linux' }: HomeOptions): Promise<Home> {
  const at = (...parts: string[]): string => join(root, ...parts);
  const fresh = !existsSync(at('agent/identity.key'));
  for (const directory of ['agent/spool', 'agent/receipts', 'shipper', 'collector', 'log'])
    mkdirSync(at(directory), { recursive: true, mode: 0o750 });

  const collector = await initCollector({ home: at('collector'), origin: ORIGIN });
  const shipperPin = await makeTlsIdentity(at('shipper'), NODE);
  const identity = openIdentity(at('agent/identity.key'), NODE);
  Keyring.open(at('agent/pseudonym.key'), Date.now() * 1_000);

  const ruleset = join(checkout, `redaction-rules/rulesets/${rules}.yaml`);
  const rulePack = join(checkout, 'collector/detectors/rules');
  // Under their digests: batches signed under an earlier version, or by an earlier pack, wait in the spool perhaps.
  copyFileSync(ruleset, at(`collector/rulesets/${rules}-${digestOf(ruleset)}.yaml`));
  const pack = at(`collector/packs/${loadPack(rulePack).digest.slice(0, 16)}`);
  cpSync(rulePack, pack, { recursive: true, filter: (file) => !file.endsWith('/tests') });
  copyFileSync(join(rulePack, '../mapping.yaml'), join(pack, 'mapping.yaml'));
  approveHere(root, ruleset, rulePack);
  const write = (file: string, content: unknown): string => {
    writeFileSync(at(file), stringify(content), { mode: 0o640 });
    return at(file);
  };
  write('collector/nodes.yaml', {
    nodes: [
      {
        name: NODE,
        role: ROLE_OF[rules],
        cohort: 'local',
        batch_key: formatVerifierKey(identity.verifier),
        transport_key: shipperPin,
      },
    ],
  });
  setAddresses(at('collector/collector.yaml'), port);
  installRules(at('agent'), ruleset, rulePack);
  const common = { node: NODE, log_key: collector.logKey };
  return {
    root,
    fresh,
    spool: at('agent/spool'),
    receipts: at('agent/receipts'),
    socket: at('agent/agent.sock'),
    token: collector.token,
    collectorConfig: at('collector/collector.yaml'),
    // Relative: as root the processes see this directory at another place than people do.
    agentConfig: write('agent/agent.yaml', {
      ...common,
      role: ROLE_OF[rules],
      cohort: 'local',
      source,
      without_chain: 'ask',
      socket: 'agent.sock',
      identity: 'identity.key',
      pseudonym_key: 'pseudonym.key',
      ruleset: 'ruleset.yaml',
      rule_pack: 'rules',
      approvals: 'approvals',
      reviewers: 'reviewers',
      spool: 'spool',
      receipts: 'receipts',
    }),
    shipperConfig: write('shipper/shipper.yaml', {
      ...common,
      collector: `wss://127.0.0.1:${port + 1}/v1/ship`,
      collector_pin: collector.pin,
      tls_key: 'tls.key',
      tls_cert: 'tls.crt',
      spool: '../agent/spool',
      receipts: '../agent/receipts',
    }),
  };
}

/** The rules of the checkout, where the agent reads them: what is edited in the checkout is in force from the next start on. */
function installRules(agent: string, ruleset: string, rulePack: string): void {
  copyFileSync(ruleset, join(agent, 'ruleset.yaml'));
  rmSync(join(agent, 'rules'), { recursive: true, force: true });
  cpSync(rulePack, join(agent, 'rules'), { recursive: true, filter: (file) => !file.endsWith('/tests') });
  copyFileSync(join(rulePack, '../mapping.yaml'), join(agent, 'rules/mapping.yaml'));
}

/**
 * On one machine there is one reviewer, whose key lies in `reviewer/`: `npm start` says yes to what the checkout holds. Where
 * it matters, reviewers are other people with keys elsewhere.
 */
function approveHere(root: string, ruleset: string, rulePack: string): void {
  const at = (name: string): string => join(root, name);
  for (const directory of ['reviewer', 'agent/approvals']) mkdirSync(at(directory), { recursive: true, mode: 0o750 });
  const keyFile = at('reviewer/reviewer.key');
  if (!existsSync(keyFile))
    writeFileSync(keyFile, formatSigningKey(generateSigningKey(REVIEWER)), { mode: 0o600, flag: 'wx' });
  const key = parseSigningKey(REVIEWER, readFileSync(keyFile, 'utf8'));
  const list = `quorum 1\n${formatVerifierKey(key.verifier)}\n`;
  for (const side of ['agent', 'collector']) writeFileSync(at(`${side}/reviewers`), list);
  for (const approval of [approvalOfRuleset(ruleset), approvalOfPack(rulePack, 'rules', 1)]) {
    const note = signNote(formatApproval(approval), key);
    for (const side of ['agent', 'collector']) {
      const file = at(`${side}/approvals/${approval.digest}.approval`);
      if (existsSync(file) && equalBytes(readFileSync(file), note)) continue;
      // The same rules read with another vocabulary are another approval, which has another proof.
      rmSync(file.replace(/approval$/, 'tlog-proof'), { force: true });
      writeFileSync(file, note);
    }
  }
}

/** Brings the collector's proofs to the node; true when there is one for every approval. */
export function fetchProofs({ root }: Pick<Home, 'root'>): boolean {
  const [from, to] = [join(root, 'collector/approvals'), join(root, 'agent/approvals')];
  const wanted = readdirSync(to)
    .filter((name) => name.endsWith('.approval'))
    .map((name) => name.replace('.approval', '.tlog-proof'));
  for (const name of wanted) if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name));
  return wanted.every((name) => existsSync(join(to, name)));
}

const digestOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16);

function setAddresses(file: string, port: number): void {
  const kept = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !/^(?:listen|dashboard):/.test(line));
  writeFileSync(file, [...kept, `listen: 127.0.0.1:${port + 1}`, `dashboard: 127.0.0.1:${port}`, ''].join('\n'), {
    mode: 0o640,
  });
}
