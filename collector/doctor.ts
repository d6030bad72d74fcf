/** What this machine can and cannot give a collector, and what to do about it. Looks, asks its doors, changes nothing. */
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { ConfigError } from '../config/yaml.ts';
import { ProtocolError } from '#protocol/error.ts';
import { formatVerifierKey } from '#protocol/note.ts';
import { RulesetError } from '../redaction-rules/ruleset.ts';
import { clockFindings, isClockSynchronized } from '../service/clock.ts';
import { ok, problem, warning, type Finding } from '../service/finding.ts';
import { readTlsIdentity } from '../service/tls-identity.ts';
import { readReviewers } from './approvals.ts';
import { readConfig, type Config } from './config.ts';
import { SigmaError } from './detectors/sigma/error.ts';
import { pinOf, readLogKey } from './keys.ts';
import { makeOutputs } from './outputs/outputs.ts';
import { Registry } from './registry.ts';
import { loadRulepacks } from './rulepacks.ts';
import { collectorFacts, judge } from './status.ts';

const SECRETS = ['log.key', 'tls.key', 'dashboard.token'];
const CONNECT_MS = 3_000;
const DAY_MS = 86_400_000;
const SOON_DAYS = 30;

export async function collectorFindings(file: string): Promise<readonly Finding[]> {
  try {
    const config = readConfig(file);
    return [
      ...clockFindings(isClockSynchronized()),
      ...(await files(file, config)),
      ...secrets(config),
      ...certificate(config),
      ...rules(config),
      ...(await door(config)),
      ...(await faring(file)),
    ];
  } catch (error) {
    return [unusable(error)];
  }
}

/** What is wrong with a file is the operator's to mend; anything else is ours. */
function unusable(error: unknown): Finding {
  const isTheirs =
    [ConfigError, RulesetError, SigmaError, ProtocolError].some((kind) => error instanceof kind) ||
    (error instanceof Error && 'code' in error);
  if (!isTheirs || !(error instanceof Error)) throw error;
  return problem('configuration', error.message, 'mend the file; `hushwatch collector check` says the same');
}

async function files(file: string, config: Config): Promise<Finding[]> {
  try {
    const nodes = Registry.open(join(config.home, 'nodes.yaml')).nodes().length;
    const { rules: loaded } = loadRulepacks(join(config.home, 'packs'));
    const outputs = await makeOutputs(config);
    const to =
      outputs.length === 0 ? 'stories go nowhere but to the dashboard' : `stories go to ${outputs.length} outputs`;
    return [ok('configuration', `${file}: good; ${nodes} nodes, ${loaded.rules.length} rules, ${to}`)];
  } catch (error) {
    return [unusable(error)];
  }
}

function secrets({ home, origin }: Config): Finding[] {
  const open = SECRETS.map((name) => join(home, name)).filter(
    (secret) => existsSync(secret) && (statSync(secret).mode & 0o077) !== 0,
  );
  const findings = open.map((secret) => problem('keys', `${secret}: others may read it`, `chmod 600 ${secret}`));
  if (!isOurs(home, origin))
    findings.push(
      problem(
        'keys',
        `${join(home, 'log.key')}: is not the key of ${origin} in log.pub`,
        'restore it: nodes know no other',
      ),
    );
  return findings.length > 0 ? findings : [ok('keys', `the log of ${origin} has its key, which nobody else may read`)];
}

function isOurs(home: string, origin: string): boolean {
  try {
    return formatVerifierKey(readLogKey(home, origin).verifier) === readFileSync(join(home, 'log.pub'), 'utf8').trim();
  } catch {
    return false; // Not there, or no key.
  }
}

function certificate({ home }: Config): Finding[] {
  try {
    const found = new X509Certificate(readTlsIdentity(join(home, 'tls.key'), join(home, 'tls.crt')).certificate);
    const days = Math.floor((found.validToDate.getTime() - Date.now()) / DAY_MS);
    const says = `${join(home, 'tls.crt')}: ${days < 0 ? 'expired' : `${days} days are left`}; nodes know it as ${pinOf(found)}`;
    const hint = 'make another for the same key: nodes know the key, and ask for no date';
    return [days < SOON_DAYS ? warning('certificate', says, hint) : ok('certificate', says)];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [problem('certificate', error.message, 'hushwatch collector init makes both when they are not there')];
  }
}

/** Without approved rules every batch is refused. */
function rules({ home }: Config): Finding[] {
  const reviewers = readReviewers(home);
  if (reviewers === undefined)
    return [
      problem('approval', 'there are no reviewers, so no batch is taken', `name them in ${join(home, 'reviewers')}`),
    ];
  const proofs = readdirSync(join(home, 'approvals')).filter((name) => name.endsWith('.tlog-proof')).length;
  const says = `${proofs} rulesets and packs are approved and in the log; ${reviewers.quorum} of ${reviewers.keys.length} reviewers must sign`;
  if (proofs > 0) return [ok('approval', says)];
  return [problem('approval', says, 'hushwatch rules approve, then hushwatch rules publish')];
}

/** Whoever answers where shippers connect must have our key. Behind `hushwatch-collector.socket` that is port 443, else `listen`. */
async function door({ home, listen }: Config): Promise<Finding[]> {
  const ours = pinOf(new X509Certificate(readTlsIdentity(join(home, 'tls.key'), join(home, 'tls.crt')).certificate));
  for (const port of [listen.port, 443]) {
    const theirs = await pinAt(listen.host, port);
    if (theirs === ours) return [ok('reachable', `${listen.host}:${port} answers with our key`)];
  }
  const hint = 'is it running? does a firewall, or another server, stand before it?';
  return [problem('reachable', `neither ${listen.host}:${listen.port} nor port 443 answers with our key`, hint)];
}

async function pinAt(host: string, port: number): Promise<string | undefined> {
  return new Promise((settle) => {
    const socket = connect({ host, port, rejectUnauthorized: false, timeout: CONNECT_MS });
    const done = (pin?: string): void => {
      socket.destroy();
      settle(pin);
    };
    socket.once('secureConnect', () => {
      const found = socket.getPeerX509Certificate();
      done(found && pinOf(found));
    });
    for (const end of ['timeout', 'error', 'close']) socket.once(end, () => done());
  });
}

/** What `status` would say: nodes, disk, last batches. */
async function faring(file: string): Promise<Finding[]> {
  return judge(await collectorFacts(file)).map(({ state, because }) => {
    if (state === 'well') return ok('nodes', because);
    return (state === 'act' ? problem : warning)(
      'status',
      because,
      'hushwatch status --collector FILE says how it goes on',
    );
  });
}
