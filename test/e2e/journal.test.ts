/**
 * The journal source against the real thing: sshd, sudo, su and logind of a Debian machine in a container, their journal
 * read by the agent as it runs. What was done is told once, through kills and rotation; nothing that was not done is told.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeBatch, unpackBody, verifyBatch } from '#protocol/batch.ts';
import { formatVerifierKey } from '#protocol/note.ts';
import { checkSuccession, type Statement } from '#protocol/statement.ts';
import { openIdentity } from '../../agent/identity.ts';
import { parseKernel } from '../../agent/sources/journal/audit.ts';
import { STARTER_PACK } from '../../collector/detectors/pack.ts';
import { entryOf, KERNEL } from '../agent/sources/journal/sample.ts';
import { approvalOfPack, approvalOfRuleset } from '../../redaction-rules/approve.ts';
import { writeApproved } from '../protocol/approved.ts';
import { logKey } from '../protocol/sample.ts';
import { Container } from './container.ts';
import { CHECKOUT, isRoot, WHY_SKIPPED, type Row } from './stack.ts';

const RULESET = join(CHECKOUT, 'redaction-rules/rulesets/generic-linux.yaml');

const USERS = `
set -e
useradd -m -s /bin/bash marigold
useradd -m -s /bin/bash tamarind
usermod -aG sudo marigold
printf 'marigold:correct-horse\\ntamarind:battery\\nroot:staple\\n' | chpasswd
mkdir -p /root/.ssh /home/marigold/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /home/marigold/.ssh/authorized_keys
printf '#!/bin/sh\\necho "$PASSWORD"\\n' >/root/askpass
chmod 755 /root/askpass
`;

/** `key USER COMMAND` and `password USER PASSWORD COMMAND`: log-ons by ssh. What is refused is no error here. */
const SSH = `
export SSH_ASKPASS=/root/askpass SSH_ASKPASS_REQUIRE=force
quiet="-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o NumberOfPasswordPrompts=1"
key() { user=$1; shift; ssh $quiet -o PreferredAuthentications=publickey "$user@127.0.0.1" "$@" 2>/dev/null || true; }
password() { user=$1 PASSWORD=$2; export PASSWORD; shift 2; ssh $quiet -o PreferredAuthentications=password "$user@127.0.0.1" "$@" 2>/dev/null || true; }
`;

/** What happened, by name and outcome. */
type Deeds = Readonly<Record<string, number>>;

const plus = (...all: readonly Deeds[]): Deeds => {
  const sum: Record<string, number> = {};
  for (const [name, n] of all.flatMap((deeds) => Object.entries(deeds))) sum[name] = (sum[name] ?? 0) + n;
  return sum;
};

const EVERYTHING: { readonly script: string; readonly deeds: Deeds } = {
  // Each in its own time: wrong passwords are answered late.
  script: `
key marigold 'echo correct-horse | sudo -S -p "" /usr/bin/id hunter2-argument' &
password tamarind battery 'echo battery | sudo -S -p "" cat /etc/shadow; echo staple | su -c id; echo wrong | su -c id' &
password marigold wrong-passphrase true &
password hunter2-user hunter2-password true &
key tamarind true &
wait
`,
  deeds: {
    'session.start': 2,
    'session.end': 2,
    'session.failure authentication-failed': 1,
    'session.failure unknown-user': 1,
    'session.failure given-up': 1,
    'user.switch': 2,
    'user.switch not-in-sudoers': 1,
    'user.switch wrong-password': 1,
  },
};
const ONE_LOGON: typeof EVERYTHING = {
  script: `key marigold 'echo correct-horse | sudo -S -p "" true'\n`,
  deeds: { 'session.start': 1, 'session.end': 1, 'user.switch': 1 },
};
const FORGERIES = `
password tamarind battery '
  logger -t sshd "Accepted password for root from 198.51.100.7 port 22 ssh2"
  logger -t sudo "marigold : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh"
  logger -t su "(to root) marigold on pts/1"
  logger -t kernel -p kern.warning "audit: type=1326 audit(1700000000.123:460): pid=1 sig=31 arch=c000003e syscall=165 code=0x80000000"'
`;
const FORGED = 4;

let home: string;
let container: Container;
let agent: ChildProcess | undefined;
let log = '';

beforeAll(async () => {
  if (!isRoot) return;
  home = mkdtempSync(join(tmpdir(), 'hushwatch-journal-'));
  await writeApproved(home, [approvalOfRuleset(RULESET), approvalOfPack(STARTER_PACK, 'rules', 1)]);
  writeFileSync(
    join(home, 'agent.yaml'),
    [
      'node: node-1',
      `ruleset: ${RULESET}`,
      `rule_pack: ${STARTER_PACK}`,
      `log_key: ${formatVerifierKey(logKey.verifier)}`,
      'identity: identity.key',
      'pseudonym_key: pseudonym.key',
      'socket: agent.sock',
      'spool: spool',
      'receipts: receipts',
      'approvals: approvals',
      'reviewers: reviewers',
      'journal_directory: journal',
      'heartbeat_ms: 1000',
    ].join('\n'),
    { mode: 0o640 },
  );
  mkdirSync(join(home, 'receipts'));
  container = await Container.start(join(home, 'journal'));
  container.run(USERS);
});
afterAll(async () => {
  await kill('SIGKILL');
  await container?.[Symbol.asyncDispose]();
  if (home !== undefined) rmSync(home, { recursive: true });
});

async function startAgent(): Promise<void> {
  agent = spawn(
    process.execPath,
    [join(CHECKOUT, 'hushwatch.ts'), 'agent', 'run', '--config', join(home, 'agent.yaml')],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  for (const stream of [agent.stdout, agent.stderr]) stream?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await until(() => journalctlOf(agent) > 0, 'journalctl runs');
}

async function kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
  const gone = once(agent, 'exit');
  agent.kill(signal);
  await gone;
}

function journalctlOf(parent: ChildProcess | undefined): number {
  const found = spawnSync('pgrep', ['--parent', String(parent?.pid ?? 0), '--exact', 'journalctl'], {
    encoding: 'utf8',
  });
  return Number(found.stdout.trim().split('\n')[0]);
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; await sleep(100)) if (isSo()) return;
  expect.fail(`not within 20 s: ${what}\n${log}`);
}

interface Evidence {
  readonly statements: readonly Statement[];
  readonly rows: readonly Row[];
  readonly text: string;
}

/** Everything that was signed, verified as a collector would. */
function evidence(): Evidence {
  const key = openIdentity(join(home, 'identity.key'), 'node-1').verifier;
  const statements: Statement[] = [];
  const lines: string[] = [];
  for (const name of readdirSync(join(home, 'spool'))
    .filter((one) => one.endsWith('.batch'))
    .toSorted()) {
    const batch = verifyBatch(key, decodeBatch(readFileSync(join(home, 'spool', name))));
    if (batch === undefined) expect.fail('not signed');
    expect(checkSuccession(statements.at(-1), batch.statement)).toEqual([]);
    statements.push(batch.statement);
    lines.push(...unpackBody(batch));
  }
  return { statements, rows: lines.map((line): Row => JSON.parse(line)), text: lines.join('\n') };
}

const told = ({ rows }: Evidence): Deeds =>
  plus(
    ...rows
      .filter(({ event }) => /^(?:session|user|security)\./.test(String(event)))
      .map((row) => ({ [[row['event'], row['error.type']].filter((part) => typeof part === 'string').join(' ')]: 1 })),
  );

const counted = ({ rows }: Evidence, what: string): number =>
  rows.reduce((sum, row) => sum + Number(row[`hushwatch.entries.${what}`] ?? 0), 0);

const isTold = (deeds: Deeds): boolean => {
  const now = told(evidence());
  return Object.entries(deeds).every(([name, n]) => (now[name] ?? 0) >= n);
};

test.runIf(isRoot)(
  `each deed is one event, over kill -9 of agent and journalctl and over rotation${WHY_SKIPPED}`,
  async () => {
    await startAgent();
    container.run(SSH + EVERYTHING.script + FORGERIES);
    await until(() => isTold({ 'user.switch': 2 }), 'the first deeds');
    await kill('SIGKILL');

    // Nobody looks; then the files are rotated; then somebody looks again.
    container.run(`${SSH + EVERYTHING.script}journalctl --rotate`);
    await startAgent();
    container.run(SSH + ONE_LOGON.script);
    process.kill(journalctlOf(agent), 'SIGKILL');
    container.run(`${SSH + ONE_LOGON.script}journalctl --rotate`);
    await kill('SIGKILL');
    await startAgent();
    container.run(SSH + ONE_LOGON.script);

    const forger = { 'session.start': 1, 'session.end': 1 };
    const done = plus(EVERYTHING.deeds, EVERYTHING.deeds, ONE_LOGON.deeds, ONE_LOGON.deeds, ONE_LOGON.deeds, forger);
    await until(() => isTold(done), 'everything');
    await until(() => counted(evidence(), 'refused') >= FORGED, 'the forgeries are reported');
    await kill('SIGTERM');
    const found = evidence();
    expect(told(found)).toEqual(done);
    expect(counted(found, 'refused')).toBe(FORGED);
    expect(counted(found, 'lost')).toBe(0);
    expect(found.statements.at(-1)?.sources).toEqual(['ebpf', 'host', 'journal']);
    for (const raw of ['marigold', 'tamarind', 'hunter2', 'SHA256:', 'passphrase'])
      expect(found.text + log).not.toContain(raw);
  },
);

test.runIf(isRoot)(`log-on, sudo and log-off have one session, one user, one address${WHY_SKIPPED}`, () => {
  const { rows } = evidence();
  const logons = rows.filter(
    (row) => row['event'] === 'session.start' && row['session.authentication.method'] === 'publickey',
  );
  expect(logons.length).toBeGreaterThan(3);
  for (const logon of logons) {
    const session = rows.filter((row) => row['process.audit.session.id'] === logon['process.audit.session.id']);
    const [ended] = session.filter(({ event }) => event === 'session.end');
    const [sudo] = session.filter(({ event }) => event === 'user.switch');
    expect(logon).toMatchObject({
      'session.service': 'sshd',
      'session.key.type': 'ED25519',
      'source.address': '127.0.0.1',
    });
    expect(ended).toMatchObject({ 'user.name': logon['user.name'], 'session.id': logon['session.id'] });
    expect(sudo).toMatchObject({
      'user.effective.name': 'root',
      'user.switch.program': 'sudo',
      'process.user.name': logon['user.name'],
    });
    expect(Number(sudo?.['time'])).toBeGreaterThan(Number(logon['time']));
  }
});

test.runIf(isRoot)(`what was vacuumed before anybody came is counted and said${WHY_SKIPPED}`, async () => {
  const before = counted(evidence(), 'lost');
  // Its log-off must be written before it is thrown away with the rest.
  const over =
    'for i in $(seq 100); do loginctl list-sessions --no-legend | grep -q . || break; sleep 0.1; done; sleep 1';
  container.run(`${SSH + ONE_LOGON.script}${over}; journalctl --rotate --vacuum-size=1 2>/dev/null`);
  container.run(SSH + ONE_LOGON.script);
  const already = told(evidence());
  await startAgent();
  await until(() => isTold(plus(already, ONE_LOGON.deeds)), 'what came later');
  await kill('SIGTERM');
  const found = evidence();
  expect(told(found)).toEqual(plus(already, ONE_LOGON.deeds));
  expect(counted(found, 'lost')).toBeGreaterThan(before);
});

test.runIf(isRoot)(`the kernel of this machine spells a seccomp kill as we read it${WHY_SKIPPED}`, async () => {
  // prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), then a call that this forbids.
  const killed = spawnSync('perl', ['-e', 'syscall(157, 22, 1, 0, 0, 0); syscall(39);']);
  expect(killed.signal).toBe('SIGKILL');
  // Written by a thread of the kernel, a moment later.
  let line: string | undefined;
  await until(() => {
    const lines = spawnSync('dmesg', ['--notime'], { encoding: 'utf8' }).stdout.split('\n');
    line = lines.findLast((one) => one.includes(`pid=${killed.pid} `));
    return line !== undefined;
  }, 'the kernel says so');
  expect(parseKernel(entryOf(line, KERNEL))).toMatchObject({
    kind: 'seccomp',
    pid: killed.pid,
    signal: 9,
    syscall: 39,
    architecture: 'amd64',
    action: 'kill-thread',
    executable: '/usr/bin/perl',
  });
});
