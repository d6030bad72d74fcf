/**
 * `hushwatch enroll INVITATION`, on a node, as root, once: makes this node's keys, writes its configuration, installs the approved
 * rules, lets the shipper reach the collector and nothing else, and prints what the collector must admit.
 *
 * Keys that are there are kept: enrolling again renews the rest.
 */
import { spawnSync } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { chmodSync, chownSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { formatVerifierKey } from '#protocol/note.ts';
import { openIdentity } from '../agent/identity.ts';
import { Keyring } from '../agent/keyring.ts';
import { keysOfCollector, keysOfNode, parseInvitation, type Invitation } from '../collector/enrolment.ts';
import { makeTlsIdentity } from '../collector/keys.ts';
import { ConfigError } from '../config/yaml.ts';
import { RulesetError } from '../redaction-rules/ruleset.ts';

const USAGE = `usage: hushwatch enroll INVITATION [--source ebpf | proc-connector | proc]

  INVITATION is the file that \`hushwatch collector invite\` made for this node. Prints the entry for \`hushwatch collector admit\`, and, where
  errors go, the keys of both sides, to be compared with what \`invite\` and \`admit\` print.
  exit: 0 done, 1 failed, 2 usage, 3 the invitation cannot be used

example: hushwatch enroll node-7.invitation > node-7.entry && systemctl enable --now hushwatch.target
`;

const CONFIGURATION = '/etc/hushwatch';
const AGENT = { user: 'hushwatch', state: '/var/lib/hushwatch' } as const;
const SHIPPER = { user: 'hushwatch-ship', state: '/var/lib/hushwatch-ship' } as const;
const DROP_IN = '/etc/systemd/system/hushwatch-shipper.service.d';

export async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    strict: false,
    options: { source: { type: 'string', default: 'ebpf' } },
  });
  const [file, more] = positionals;
  if (file === undefined || more !== undefined || !['ebpf', 'proc-connector', 'proc'].includes(String(values.source))) {
    process.stderr.write(USAGE);
    return 2;
  }
  if (process.getuid?.() !== 0) {
    process.stderr.write('hushwatch enroll: only root can give files to the users of the services; run it as root\n');
    return 1;
  }
  try {
    const invitation = parseInvitation(readFileSync(file, 'utf8'), file);
    process.stdout.write(await enroll(invitation, String(values.source)));
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof RulesetError)) throw error;
    process.stderr.write(`hushwatch enroll: ${error.message}\n`);
    return 3;
  }
}

async function enroll(invitation: Invitation, source: string): Promise<string> {
  process.umask(0o027);
  const agent = idsOf(AGENT.user);
  const { node, role, cohort, log_key, collector, collector_pin } = invitation;
  mkdirSync(CONFIGURATION, { recursive: true, mode: 0o755 });
  installRules(invitation);
  const identity = as(agent, () => {
    Keyring.open(`${AGENT.state}/pseudonym.key`, Date.now() * 1_000);
    return openIdentity(`${AGENT.state}/identity.key`, node);
  });
  const pin = await makeTlsIdentity(CONFIGURATION, node);
  chmodSync(`${CONFIGURATION}/tls.crt`, 0o644);

  const common = { node, log_key, receipts: `${SHIPPER.state}/receipts` };
  write('agent.yaml', AGENT.user, {
    ...common,
    role,
    cohort,
    source,
    without_chain: 'ask',
    ruleset: `${CONFIGURATION}/ruleset.yaml`,
    rule_pack: `${CONFIGURATION}/rules`,
  });
  const credentials = '/run/credentials/hushwatch-shipper.service';
  const tls = { tls_key: `${credentials}/tls.key`, tls_cert: `${CONFIGURATION}/tls.crt` };
  write('shipper.yaml', SHIPPER.user, { ...common, collector, collector_pin, ...tls });
  await allowOnly(new URL(collector).hostname);
  const keys = keysOfNode({ batchKey: identity.verifier, transportKey: pin });
  process.stderr.write(`${keysOfCollector(collector_pin, log_key)}\n${keys}\n`);
  return stringify([{ name: node, role, cohort, batch_key: formatVerifierKey(identity.verifier), transport_key: pin }]);
}

/** What is in force on this node is what was approved, until it is enrolled again: an upgrade of the package changes no rule. */
function installRules({ ruleset, pack, reviewers, approvals }: Invitation): void {
  // Nothing of it is secret, and the agent is not root.
  const before = process.umask(0o022);
  writeFileSync(`${CONFIGURATION}/ruleset.yaml`, ruleset, { mode: 0o644 });
  writeFileSync(`${CONFIGURATION}/reviewers`, reviewers, { mode: 0o644 });
  const rules = `${CONFIGURATION}/rules`;
  rmSync(`${rules}.new`, { recursive: true, force: true });
  mkdirSync(`${rules}.new`, { mode: 0o755 });
  for (const [name, text] of Object.entries(pack)) {
    mkdirSync(dirname(join(`${rules}.new`, name)), { recursive: true, mode: 0o755 });
    writeFileSync(join(`${rules}.new`, name), text, { mode: 0o644 });
  }
  rmSync(rules, { recursive: true, force: true });
  renameSync(`${rules}.new`, rules);
  process.umask(before);
  as(idsOf(AGENT.user), () => {
    for (const [name, text] of Object.entries(approvals))
      writeFileSync(join(AGENT.state, 'approvals', name), text, { mode: 0o640 });
  });
}

/** A file that only root writes and that user's group reads. */
function write(name: string, user: string, content: Readonly<Record<string, unknown>>): void {
  const file = join(CONFIGURATION, name);
  writeFileSync(file, stringify(content), { mode: 0o640 });
  chmodSync(file, 0o640);
  chownSync(file, 0, idsOf(user).gid);
}

interface Ids {
  readonly uid: number;
  readonly gid: number;
}

function idsOf(user: string): Ids {
  const asked = (option: string): number =>
    Number(spawnSync('id', [option, user], { encoding: 'utf8' }).stdout.trim() || NaN);
  const ids = { uid: asked('-u'), gid: asked('-g') };
  if (!Number.isInteger(ids.uid) || !Number.isInteger(ids.gid))
    throw new ConfigError(`there is no user ${user}; run systemd-sysusers hushwatch-agent.conf`);
  return ids;
}

/**
 * Works with no more rights than that user has: where it may write, it may have put a link that leads elsewhere, and root would
 * follow it.
 */
function as<T>({ uid, gid }: Ids, work: () => T): T {
  const groups = process.getgroups?.() ?? [];
  process.setgroups?.([gid]);
  process.setegid?.(gid);
  process.seteuid?.(uid);
  try {
    return work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
    process.setgroups?.(groups);
  }
}

/** The shipper reaches these addresses: the collector's, and where it has a name, those of the resolvers that know it. */
async function allowOnly(host: string): Promise<void> {
  const bare = host.replace(/^\[|\]$/g, '');
  const addresses = isIP(bare) > 0 ? [bare] : [...(await addressesOf(bare)), ...resolvers()];
  const allowed = [...new Set(addresses)].map((address) => `IPAddressAllow=${address}`);
  mkdirSync(DROP_IN, { recursive: true, mode: 0o755 });
  const text = `# Written by hushwatch enroll: the addresses of ${bare}. When they change, enroll again.\n[Service]\n${allowed.join('\n')}\n`;
  writeFileSync(join(DROP_IN, 'collector.conf'), text, { mode: 0o644 });
  chmodSync(join(DROP_IN, 'collector.conf'), 0o644);
  spawnSync('systemctl', ['daemon-reload'], { stdio: 'ignore' });
}

async function addressesOf(host: string): Promise<readonly string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    throw new ConfigError(`${host} has no address here; mend the resolver, then enroll again`);
  }
}

function resolvers(): readonly string[] {
  const text = readFileSync('/etc/resolv.conf', 'utf8');
  return [...text.matchAll(/^nameserver\s+(\S+)/gm)].flatMap(([, address]) => (address === undefined ? [] : [address]));
}
